package lifecycle

import (
	"fmt"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestQuietLookIsCheap: most looks are for the sake of time alone, twice a second
// at each node, and do not go through the fleet again.
func TestQuietLookIsCheap(t *testing.T) {
	s := newStage(t)
	for i := range 200 {
		s.other(fmt.Sprintf("b%03d", i), membership.Active)
	}
	s.begin()
	s.pass(second)
	s.m.Step(s.in)
	const most = 5
	if n := testing.AllocsPerRun(20, func() { s.m.Step(s.in) }); n > most {
		t.Errorf("a look allocates %v times although nothing has changed, want at most %d", n, most)
	}
	if s.other("b000", membership.Left); ownersAfter(s)["b000"] != 0 {
		t.Error("a change of the ledger was not looked at")
	}
	another := ledger.New() // with as many changes
	for another.Changes() < s.in.Ledger.Changes() {
		r, _ := s.in.Ledger.Record("b001")
		r.ID = fmt.Sprintf("c%03d", another.Changes())
		another.MergeRecord(r)
	}
	if s.in.Ledger = another; ownersAfter(s)["c000"] != 1 {
		t.Error("another ledger was not looked at")
	}
}

func ownersAfter(s *stage) map[string]float64 {
	s.m.Step(s.in)
	return s.m.seen.owners
}
