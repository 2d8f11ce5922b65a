package observer

import (
	"fmt"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
)

// A fleet whose agents were all lost and that is begun anew counts its epochs from
// the beginning. Within one fleet epochs never go back, so what is of a lower epoch
// than the view in force is either of a fleet begun anew, or old: from a member that
// was cut off. The generations of the nodes, which grow with each start of an agent,
// tell these apart.

// span returns the lowest and the highest generation of a view's nodes; none is 0.
func span(v membership.View) (low, high uint64) {
	for i, m := range v.Members {
		if i == 0 {
			low, high = m.Generation, m.Generation
		}
		low, high = min(low, m.Generation), max(high, m.Generation)
	}
	return low, high
}

// begunAnew reports whether an agent is of a fleet that was begun after the one in
// force: every node there started later than every node here.
func (f *fleet) begunAnew(i int) bool {
	s := f.agents[i]
	if !s.answers || f.leader < 0 || s.said.view.Epoch >= f.current.view.Epoch {
		return false
	}
	first, _ := span(s.said.view)
	_, last := span(f.current.view)
	return first > last
}

// leftBehind reports whether an agent is of the fleet that was given up for a newer
// one: none of its nodes is of a later generation.
func (f *fleet) leftBehind(i int) bool {
	_, last := span(f.agents[i].said.view)
	return f.horizon > 0 && last <= f.horizon
}

// reconsider gives the fleet in force up if none of its agents has answered for so
// long, and some of one begun anew have. It returns what is to be reported then.
func (f *fleet) reconsider(now time.Time, after time.Duration) error {
	next := -1
	for i, s := range f.agents {
		switch {
		case !s.answers || f.leftBehind(i):
			continue
		case !f.begunAnew(i):
			f.anewSince = time.Time{}
			return nil
		}
		if next < 0 || slices.Compare(f.rank(i), f.rank(next)) > 0 {
			next = i
		}
	}
	switch {
	case next < 0:
		f.anewSince = time.Time{}
		return nil
	case f.anewSince.IsZero():
		f.anewSince = now
		return nil
	case now.Sub(f.anewSince) < after:
		return nil
	}
	before := f.current.view.Epoch
	_, f.horizon = span(f.current.view)
	f.anewSince, f.leader, f.current = time.Time{}, next, f.agents[next].said
	f.settle()
	return fmt.Errorf("observer: the fleet was begun anew: following %s in epoch %d; that was %d before, of which no agent has answered for %v",
		f.agents[f.leader].name, f.current.view.Epoch, before, after)
}
