package rebalance

import (
	"errors"
	"slices"
	"testing"

	"github.com/ringway/ringway/internal/transit"
)

// TestTrip: the fate of a key from what two receivers and the source say of it.
func TestTrip(t *testing.T) {
	const (
		no     = transit.Outcome(0)
		copied = transit.Copied
		there  = transit.Present
	)
	full := errors.New("full")
	for _, c := range []struct {
		name    string
		taken   transit.Outcome
		stored  [2]transit.Outcome
		closed  bool
		removed transit.Outcome
		want    [2]fate // staying here too; leaving
	}{
		{"copied to both", no, [2]transit.Outcome{copied, copied}, false, transit.Removed, [2]fate{moved, moved}},
		{"copied to one", no, [2]transit.Outcome{there, copied}, false, transit.Removed, [2]fate{moved, moved}},
		{"they have it", no, [2]transit.Outcome{there, there}, false, transit.Removed, [2]fate{settled, moved}},
		{"they have it, and it has gone", no, [2]transit.Outcome{there, there}, false, transit.Gone, [2]fate{settled, settled}},
		{"copied, and it has gone", no, [2]transit.Outcome{copied, there}, false, transit.Gone, [2]fate{moved, settled}},
		{"copied, and changed since", no, [2]transit.Outcome{copied, copied}, false, transit.Changed, [2]fate{moved, again}},
		{"one is late", no, [2]transit.Outcome{copied, transit.Late}, false, no, [2]fate{again, again}},
		{"one refuses", no, [2]transit.Outcome{transit.Refused, copied}, false, no, [2]fate{again, again}},
		{"one has closed", no, [2]transit.Outcome{transit.Unfenced, copied}, false, no, [2]fate{again, again}},
		{"written meanwhile", no, [2]transit.Outcome{transit.Blocked, copied}, false, no, [2]fate{again, again}},
		{"deleted there", no, [2]transit.Outcome{transit.Blocked, transit.Blocked}, true, transit.Removed, [2]fate{settled, moved}},
		{"expires", no, [2]transit.Outcome{copied, transit.Gone}, false, no, [2]fate{settled, settled}},
		{"not there", transit.Gone, [2]transit.Outcome{transit.Gone, transit.Gone}, false, no, [2]fate{settled, settled}},
		{"big", transit.TooBig, [2]transit.Outcome{transit.TooBig, transit.TooBig}, false, no, [2]fate{large, large}},
		{"not read", transit.Later, [2]transit.Outcome{transit.Later, transit.Later}, false, no, [2]fate{unread, unread}},
	} {
		for i, leave := range []bool{false, true} {
			// Between two others, which arrive.
			trip := newTrip(make([]fate, 3), 3)
			trip.taken(1, c.taken)
			for _, outcome := range c.stored {
				for k, o := range []transit.Outcome{copied, outcome, copied} {
					r := transit.Result{Outcome: o}
					if o == transit.Refused {
						r.Err = full
					}
					trip.stored(k, r, k == 1 && c.closed)
				}
			}
			if leave {
				var results []transit.Result
				for _, k := range pick([]int{0, 1, 2}, trip) {
					results = append(results, transit.Result{Outcome: []transit.Outcome{transit.Removed, c.removed, transit.Removed}[k]})
				}
				trip.removed(results)
			}
			trip.end(leave)
			if want := []fate{moved, c.want[i], moved}; !slices.Equal(trip.fates, want) {
				t.Errorf("%s, leaving %v: %v, want %v", c.name, leave, trip.fates, want)
			}
			if slices.Contains(c.stored[:], transit.Refused) != (trip.refused == full) {
				t.Errorf("%s: refused: %v", c.name, trip.refused)
			}
		}
	}
}

// TestClean: when a pass is the last one.
func TestClean(t *testing.T) {
	for _, c := range []struct {
		name                string
		number              int
		whole               bool
		left, moved, copied int64
		want                bool
	}{
		{"nothing was found", 1, true, 0, 0, 0, true},
		{"the server was restarted", 1, false, 0, 0, 0, false},
		{"some are left", 9, true, 1, 0, 0, false},
		{"some have moved", 9, true, 0, 2, 1, false},
		{"copies were made", copyPasses - 1, true, 0, 2, 2, false},
		{"copies were made again and again", copyPasses, true, 0, 2, 2, true},
	} {
		p := &pass{number: c.number, whole: c.whole}
		p.left.Store(c.left)
		p.moved.Store(c.moved)
		p.copied.Store(c.copied)
		if p.clean() != c.want {
			t.Errorf("%s: %v", c.name, !c.want)
		}
	}
}
