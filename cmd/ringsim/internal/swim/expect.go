package swim

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/pause"
)

// An expectation is what the protocols say of one change, in seconds. Half of the
// members learn the fast way, by gossip; whom that leaves out waits for an exchange of
// whole states, so that each has a bound of its own.
type expectation struct {
	earliest         float64 // of the first
	half, latestHalf float64
	all, latest      float64
	why              string
}

// suspicion is how long a member is suspected before it is declared dead. It begins
// with the greatest time, and each of SuspicionMult-2 confirmations shortens it, the
// last of them to the least (Lifeguard).
func suspicion(size, confirmations int) float64 {
	c := settings()
	least := float64(c.SuspicionMult) * max(1, math.Log10(float64(size))) * c.ProbeInterval.Seconds()
	greatest := float64(c.SuspicionMaxTimeoutMult) * least
	wanted := float64(c.SuspicionMult - 2)
	return greatest - min(1, math.Log(float64(confirmations)+1)/math.Log(wanted+1))*(greatest-least)
}

// confirmed is enough of them.
func confirmed() int { return settings().SuspicionMult - 2 }

// infection is how long gossip takes to reach all: in each round everybody who knows
// tells GossipNodes others.
func infection(size int) float64 {
	c := settings()
	rounds := math.Ceil(math.Log(float64(size)) / math.Log(1+float64(c.GossipNodes)))
	return rounds * c.GossipInterval.Seconds()
}

// exchange is how long a member waits at most until it exchanges whole states with
// another one, chosen at random.
func exchange(size int) float64 {
	interval := settings().PushPullInterval.Seconds()
	if size > 32 {
		interval *= math.Ceil(math.Log2(float64(size))-5) + 1
	}
	return interval
}

// found is how long it takes on average until the last of so many dead has been
// probed by one of many, e/(e-1) intervals for one, and the interval in which that
// fails.
func found(dead int) float64 {
	return (math.E/(math.E-1)*(1+math.Log(float64(dead))) + 1) * settings().ProbeInterval.Seconds()
}

// lossy is the loss from which on members are often suspected wrongly: a probe then
// fails in one of 200 cases or more, the indirect ones and that by TCP included. Who
// was suspected when it crashed may be given up at once, and that of a member who has
// just come may end in its death, which takes until it hears of that.
const lossy = 0.1

// told is news that gossip spreads. Half may take three times as long as all should:
// rounds are few, and packets are lost. With losses somebody may have been suspected
// wrongly just then, which takes up to twice a suspicion to be put right. Whom gossip
// leaves out learns by an exchange; two of them, since the first may be with another
// who does not know. Of a lossy network nothing better is said of half of them.
func told(size int, loss float64, why string) expectation {
	usual, wrong := infection(size), 0.0
	if loss > 0 {
		wrong = 2 * suspicion(size, confirmed())
	}
	half, latest := 3*usual+wrong, usual+2*exchange(size)+wrong
	if loss > lossy {
		latest = usual + (2*exchange(size)+wrong)/(1-loss)
		half = latest
	}
	return expectation{0, usual, half, usual, latest,
		fmt.Sprintf("%s: %s; whom they leave out waits for an exchange of states, every %.0f s", why, rounds(size), exchange(size))}
}

func joinExpectation(size int, loss float64) expectation {
	return told(size, loss, "the last to come is known by infection")
}

func leaveExpectation(size int, loss float64) expectation { return told(size, loss, "infection") }

// crashExpectation: nobody is declared dead before the shortest suspicion is over,
// which may have begun before the crash where the network is lossy.
// Three probes must find the member dead, one to suspect and two to confirm; at five
// times the average, e^-8 is left that one of them does not.
func crashExpectation(size int, loss float64) expectation {
	least := suspicion(size, confirmed())
	about := (found(1) + least) / (1 - loss)
	latest := (5*found(1)+1.5*least)/(1-loss) + 3*infection(size)
	about += infection(size)
	earliest := least
	if loss > lossy {
		earliest = 0
	}
	return expectation{earliest, about, latest, about, latest + infection(size),
		fmt.Sprintf("found after e/(e-1) + 1 probes, suspected for %.1f s since others confirm it, then %s", least, rounds(size))}
}

// splitExpectation: each side has many to find dead. The larger one, which is more
// than half, does so like a crash of several. In the smaller one most probes fail, so
// that its members take themselves for slow: they probe only every
// AwarenessMaxMultiplier intervals (Lifeguard's local health), each has several to
// probe, and of the last to be found it is one other member at most that confirms it.
func splitExpectation(few, many int, loss float64) expectation {
	c := settings()
	size := few + many
	half := (found(few)+suspicion(size, confirmed()))/(1-loss) + infection(many)
	slow := float64(c.AwarenessMaxMultiplier) * c.ProbeInterval.Seconds()
	unconfirmed := suspicion(size, min(1, few-1))
	all := (slow*(1+float64(many)/float64(few))+unconfirmed)/(1-loss) + infection(few)
	return expectation{min(suspicion(size, confirmed()), float64(c.SuspicionMult)*c.ProbeInterval.Seconds()), half, 2 * half, all, 3 * all,
		fmt.Sprintf("the larger side as a crash of %d; on the smaller each has %.1f to probe, every %.0f s since its own probes fail, and suspects for %.0f s since few confirm", few, float64(many)/float64(few), slow, unconfirmed)}
}

// healExpectation: a contact exchanges all states, but who is held for dead must hear
// of it to refute it, and the others are told by gossip: those whom it leaves out, or
// even half, wait for an exchange.
func healExpectation(size int, loss float64) expectation {
	usual, wait := 2*infection(size), exchange(size)
	return expectation{0, usual, usual + wait, wait, usual + 2*wait/(1-loss),
		fmt.Sprintf("refuted by those held for dead, twice %s; whom they leave out waits for an exchange of states, every %.0f s", rounds(size), wait)}
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
		if err = pause.For(ctx, step); err != nil {
			break
		}
	}
	f.report.Steps = append(f.report.Steps, newStep(change, began, members, want, learned))
	return err
}

func newStep(change string, began time.Time, members []*member, want expectation, learned func(*member) (time.Time, bool)) Step {
	s := Step{Change: change, Observers: len(members), Why: want.why, Earliest: round(want.earliest),
		ExpectedHalf: round(want.half), LatestHalf: round(want.latestHalf), Expected: round(want.all), Latest: round(want.latest)}
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
	for _, t := range took {
		if t > s.LatestHalf {
			s.Late++
		}
	}
	first, median, last := round(took[0]), round(took[len(took)/2]), round(took[len(took)-1])
	s.First, s.Median = &first, &median
	if s.Aware == s.Observers {
		s.All = &last
		s.Within = first >= s.Earliest-0.005 && median <= s.LatestHalf && last <= s.Latest
	}
	return s
}

// round keeps milliseconds.
func round(x float64) float64 { return math.Round(x*1000) / 1000 }
