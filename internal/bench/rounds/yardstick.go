package rounds

import "fmt"

// Yardstick is a benchmark that always takes the same time on a machine that
// has nothing else to do.
type Yardstick struct {
	Name string // of the benchmark, in nanoseconds
	Text string // what it does: "a lookup by modulo"
}

// unsteady is how many times its shortest time the yardstick may take before the
// machine counts as busy.
const unsteady = 1.25

// Busy reports that the yardstick varied so much that the machine must have had
// other work to do, and how much it varied, in words.
func (y Yardstick) Busy(r Rounds) (how string, busy bool) {
	f, err := r.Figure(Value(y.Name, 1))
	if err != nil || f.Most <= unsteady*f.Least {
		return "", false
	}
	return fmt.Sprintf("%s took %.0f to %.0f ns", y.Text, f.Least, f.Most), true
}

// Caution returns the paragraph that the page has to begin with on a busy
// machine, with what that means for its figures; else "".
func (y Yardstick) Caution(r Rounds, consequence string) string {
	how, busy := y.Busy(r)
	if !busy {
		return ""
	}
	return fmt.Sprintf("\n**Caution: the machine had other work to do during this run** (%s), so that %s.\n", how, consequence)
}

// Warning returns the line about a busy machine for whoever started the run;
// else "".
func (y Yardstick) Warning(r Rounds) string {
	how, busy := y.Busy(r)
	if !busy {
		return ""
	}
	return fmt.Sprintf("warning: %s: this machine is busy, do not keep these figures", how)
}
