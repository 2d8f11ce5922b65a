package rebalance

import "github.com/ringway/ringway/internal/transit"

// A trip follows the keys of a parcel from step to step, and comes to their fates.
type trip struct {
	fates   []fate
	over    []bool // the fate is known
	arrived []bool // at every receiver so far
	copied  []bool // to one of them at least
	gone    []bool // from the source
	refused error  // why a receiver would not take a key, until that is read
}

func newTrip(fates []fate, n int) *trip {
	t := &trip{fates: fates, over: make([]bool, n), arrived: make([]bool, n), copied: make([]bool, n), gone: make([]bool, n)}
	for i := range t.arrived {
		t.arrived[i] = true
	}
	return t
}

func (t *trip) decide(i int, f fate) { t.fates[i], t.over[i], t.arrived[i] = f, true, false }

// taken notes what the source said of a key.
func (t *trip) taken(i int, state transit.Outcome) {
	switch state {
	case transit.Gone:
		t.decide(i, settled)
	case transit.TooBig:
		t.decide(i, large)
	case transit.Later:
		t.decide(i, unread)
	}
}

// stored notes what a receiver did with a key. closed: it has a tombstone that
// lets no copy in, ever: what stands at the source is of yesterday, and whoever
// deleted the key there has not come round to deleting it here. It reports whether
// the key was copied.
func (t *trip) stored(i int, r transit.Result, closed bool) bool {
	if t.over[i] {
		return false
	}
	switch r.Outcome {
	case transit.Copied:
		t.copied[i] = true
		return true
	case transit.Present:
	case transit.Gone: // it expires just now
		t.decide(i, settled)
	case transit.Refused:
		t.refused = r.Err
		t.arrived[i] = false
	default:
		if r.Outcome != transit.Blocked || !closed {
			t.arrived[i] = false
		}
	}
	return false
}

// removed takes the results for the keys that have arrived, in their order.
func (t *trip) removed(results []transit.Result) {
	next := 0
	for i, arrived := range t.arrived {
		if !arrived {
			continue
		}
		switch results[next].Outcome {
		case transit.Removed:
			t.gone[i] = true
		case transit.Gone: // a client has removed it, or another batch: a walk may give a key twice
			t.decide(i, settled)
		}
		next++
	}
}

// end decides the fates that are open. leave: the keys are to go from the source.
func (t *trip) end(leave bool) {
	for i := range t.fates {
		switch {
		case t.over[i]:
		case !t.arrived[i], leave && !t.gone[i]:
			t.decide(i, again)
		case leave || t.copied[i]:
			t.decide(i, moved)
		default:
			t.decide(i, settled)
		}
	}
}
