package swim

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// An expectation is what the protocols say of one change, in seconds.
type expectation struct {
	earliest, about, latest float64
	why                     string
}

// suspicion is how long a member is suspected before it is declared dead: least with
// confirmations, greatest without.
func suspicion(size int) (least, greatest float64) {
	c := settings()
	least = float64(c.SuspicionMult) * max(1, math.Log10(float64(size))) * c.ProbeInterval.Seconds()
	return least, float64(c.SuspicionMaxTimeoutMult) * least
}

// infection is how long gossip takes to reach all: in each round everybody who knows
// tells GossipNodes others.
func infection(size int) float64 {
	c := settings()
	rounds := math.Ceil(math.Log(float64(size)) / math.Log(1+float64(c.GossipNodes)))
	return rounds * c.GossipInterval.Seconds()
}

// exchange is how long news may take where gossip leaves somebody out: eight rounds
// of whole states with a member chosen at random.
func exchange(size int) float64 {
	interval := settings().PushPullInterval.Seconds()
	if size > 32 {
		interval *= math.Ceil(math.Log2(float64(size))-5) + 1
	}
	return 8 * interval
}

// noticed is how long a crash takes to be noticed on average: e/(e-1) intervals until
// somebody probes, and the interval in which that fails.
func noticed() float64 {
	return (math.E/(math.E-1) + 1) * settings().ProbeInterval.Seconds()
}

func joinExpectation(size int) expectation {
	return expectation{0, infection(size), exchange(size), "the last to come is known by infection: " + rounds(size)}
}

// crashExpectation: nobody is declared dead before the shortest suspicion is over. 40
// probe intervals leave e^-20 that nobody has probed, and as much again for the word to
// spread by probes alone.
func crashExpectation(size int) expectation {
	least, greatest := suspicion(size)
	return expectation{least, noticed() + least + infection(size), 40*settings().ProbeInterval.Seconds() + greatest,
		fmt.Sprintf("noticed after e/(e-1) + 1 probes, suspected for %.1f s (%.0f s if nobody confirms), then %s", least, greatest, rounds(size))}
}

func leaveExpectation(size int) expectation {
	return expectation{0, infection(size), exchange(size), "infection: " + rounds(size)}
}

// splitExpectation: each side has many to find dead, one a probe, and members whose
// probes fail become slow to judge, up to AwarenessMaxMultiplier times (Lifeguard's
// local health).
func splitExpectation(few, many int) expectation {
	c := settings()
	least, greatest := suspicion(few + many)
	probe, slow := c.ProbeInterval.Seconds(), float64(c.AwarenessMaxMultiplier)
	return expectation{min(least, float64(c.SuspicionMult)*probe), noticed() + float64(many)/float64(few)*probe + least + infection(many),
		40*probe*slow + greatest, "as a crash, of many at once: the smaller side has more to probe than probers"}
}

func healExpectation(size int) expectation {
	return expectation{0, 2 * infection(size), exchange(size), "one contact exchanges all states; the refutations spread: twice " + rounds(size)}
}

func rounds(size int) string {
	c := settings()
	n := math.Ceil(math.Log(float64(size)) / math.Log(1+float64(c.GossipNodes)))
	return fmt.Sprintf("%.0f rounds of gossip of %v", n, c.GossipInterval)
}

// await waits until all of the members have learned something, and notes the step.
// learned tells when one has.
func (f *fleet) await(ctx context.Context, change string, began time.Time, members []*member, want expectation, learned func(*member) (time.Time, bool)) error {
	// The bound is in steps, so that a machine that stands still uses none up.
	const step = 50 * time.Millisecond
	var err error
	for range int(want.latest/step.Seconds()) + 1 {
		f.tell(change)
		if !slices.ContainsFunc(members, func(m *member) bool { _, all := learned(m); return !all }) {
			break
		}
		if err = pause(ctx, step); err != nil {
			break
		}
	}
	f.report.Steps = append(f.report.Steps, newStep(change, began, members, want, learned))
	return err
}

func newStep(change string, began time.Time, members []*member, want expectation, learned func(*member) (time.Time, bool)) Step {
	s := Step{Change: change, Observers: len(members), Expected: round(want.about), Earliest: round(want.earliest), Latest: round(want.latest), Why: want.why}
	var took []float64
	for _, m := range members {
		if at, all := learned(m); all {
			took = append(took, max(0, at.Sub(began).Seconds()))
		}
	}
	slices.Sort(took)
	if s.Aware = len(took); s.Aware == 0 {
		return s
	}
	first, median, last := round(took[0]), round(took[len(took)/2]), round(took[len(took)-1])
	s.First, s.Median = &first, &median
	if s.Aware == s.Observers {
		s.All = &last
		s.Within = first >= s.Earliest-0.005 && last <= s.Latest
	}
	return s
}

// round keeps milliseconds.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
