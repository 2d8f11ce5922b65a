package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestForeignServer: an agent was given a server that does not know its node, at an
// address where the fleet does not know it either. Its keys are nobody's to remove.
func TestForeignServer(t *testing.T) {
	known := func(state membership.State) func(*stage) {
		return func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Address = state, "old:1" })
		}
	}
	refused := func(s *stage) {
		s.live(time.Minute)
		var holds *HoldsKeysError
		s.check(errors.As(s.out.Err, &holds) && holds.Keys == 7 && s.purges == 0 && s.keys == 7, "%v, %d purges, %d keys", s.out.Err, s.purges, s.keys)
	}
	for name, before := range map[string]func(*stage){
		"of a node that owns keys":   known(membership.Active),
		"of one that receives":       known(membership.Importing),
		"of one that left":           known(membership.Left),
		"of one that was evicted":    func(s *stage) { known(membership.Active)(s); s.evict("n") },
		"of one that was forgotten":  func(s *stage) { s.evict("n") },
		"of one that is leaving now": known(membership.Exporting),
	} {
		rule{name, func(s *stage) {
			s.other("b", membership.Active)
			before(s)
			s.in.Whose, s.keys = Unknown, 7
			refused(s)
			r, known := s.in.Ledger.Record("n")
			s.check(!known || r.Address == "old:1", "the next start would take it for the node's: %+v", r)
		}}.test(t)
	}
	for _, r := range []rule{
		{"it is empty: the node joins with it", func(s *stage) {
			s.other("b", membership.Active)
			known(membership.Active)(s)
			s.in.Whose = Unknown
			s.step()
			s.want(membership.Joining)
			s.check(s.said.Address == "old:1", "%+v", s.said)
			s.announce()
			s.check(s.said.Address == "h:1", "%+v", s.said)
		}},
		{"it is empty, and the node was evicted", func(s *stage) {
			s.other("b", membership.Active)
			known(membership.Active)(s)
			stamp := s.evict("n")
			s.in.Whose = Unknown
			s.announce()
			s.check(s.purges == 0 && s.said.Purged == stamp && !s.in.Ledger.Evicted("n"), "%d purges, %+v", s.purges, s.said)
		}},
		{"with Purge it is emptied", func(s *stage) {
			s.other("b", membership.Active)
			known(membership.Active)(s)
			s.cfg.Purge, s.in.Whose, s.keys = true, Unknown, 7
			s.announce()
			s.check(s.purges == 1, "%d purges", s.purges)
		}},
		{"it knows the node: only the address has changed", func(s *stage) {
			known(membership.Active)(s)
			s.keys = 7
			s.step()
			s.want(membership.Active)
			s.check(s.said.Address == "h:1" && s.purges == 0, "%+v", s.said)
		}},
		{"it has not said yet", func(s *stage) {
			known(membership.Active)(s)
			s.in.Whose, s.keys = Unasked, 7
			s.live(30 * second)
			s.want(membership.Joining)
			s.wantWaits("the server to say whose it is: the fleet knows the node at old:1")
			s.in.Whose = Own
			s.step()
			s.want(membership.Active)
		}},
		{"at the address that the fleet knows nobody asks", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Address = membership.Active, "h:1" })
			s.in.Whose, s.keys = Unknown, 7
			s.step()
			s.want(membership.Active)
		}},
		{"another node's, with another database, is empty", func(s *stage) {
			s.says("b", func(r *ledger.Record) { r.State, r.Address = membership.Active, "h:1" })
			s.live(time.Minute)
			var taken *ServerTakenError
			s.check(errors.As(s.out.Err, &taken) && taken.Owner == "b", "got %v", s.out.Err)
		}},
		{"the weight of one that returns", func(s *stage) {
			s.other("b", membership.Active)
			s.says("n", func(r *ledger.Record) { r.State, r.Weight = membership.Active, 3 })
			s.evict("n")
			s.announce()
			s.check(s.said.Weight == 3, "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}
