package lifecycle

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestResume: an agent that is started again finds its node living in the fleet,
// which has gone on with it: the node goes on too, with what it holds.
func TestResume(t *testing.T) {
	for _, state := range []membership.State{membership.Importing, membership.Active, membership.Leaving, membership.Exporting} {
		rule{string(state), func(s *stage) {
			s.says("n", func(r *ledger.Record) {
				*r = ledger.Record{ID: "n", Kind: membership.Redis, Address: "h:1", Weight: 3, State: state, Generation: 90, Sequence: 5,
					Stamp: 40, Transition: 39, Swept: 38, Done: 37, Purged: 36, Returns: 4, Since: 1234, Unhealthy: true}
			})
			want, _ := s.in.Ledger.Record("n")
			want.Generation = 100
			s.keys = 7
			s.step()
			want.Sequence = s.said.Sequence
			s.check(s.said == want, "got  %+v\nwant %+v", s.said, want)
			s.live(30 * second)
			s.check(s.purges == 0 && s.keys == 7, "%d purges", s.purges)
		}}.test(t)
	}
	for _, r := range []rule{
		{"a generation that the fleet knows already is not used again", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Generation = membership.Active, 500 })
			s.step()
			s.check(s.said.Generation == 501, "%+v", s.said)
		}},
		{"another address or zone is a change of the ring", func(s *stage) {
			s.other("n", membership.Active)
			s.cfg.Address, s.cfg.Zone = "new:1", "z"
			s.step()
			s.want(membership.Active)
			s.check(s.said.Address == "new:1" && s.said.Zone == "z", "%+v", s.said) // step looks at the stamp
		}},
		{"with copies the zone stays", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Zone = membership.Active, "a" })
			s.cfg.Zone, s.cfg.KeepZone = "z", true
			s.step()
			s.want(membership.Active)
			s.check(s.said.Zone == "a", "%+v", s.said)
		}},
		{"and is the node's own when it joins anew", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Zone = membership.Left, "a" })
			s.cfg.Zone, s.cfg.KeepZone = "z", true
			s.step()
			s.check(s.said.Zone == "z", "%+v", s.said)
		}},
		{"a change of weight that was under way goes on: keys may have moved by it", func(s *stage) {
			s.says("n", func(r *ledger.Record) {
				r.State, r.Step, r.NextWeight, r.Transition = membership.Active, membership.Importing, 3, 50
			})
			s.in.Weight = 3
			s.step()
			want := func() {
				s.t.Helper()
				s.check(s.said.State == membership.Active && s.said.Step == membership.Importing && s.said.NextWeight == 3 &&
					s.said.Weight == 1 && s.said.Transition == 50, "%+v", s.said)
			}
			want()
			s.step()
			want()
		}},
		{"the weight is the fleet's, not that of the configuration", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Weight = membership.Active, 3 })
			s.cfg.Weight = 9
			s.step()
			s.check(s.said.Weight == 3, "%+v", s.said)
		}},
		{"it sweeps once: the sweep after a transition may have been missed", func(s *stage) {
			s.says("n", func(r *ledger.Record) { r.State, r.Swept, r.Transition = membership.Active, 1, 1 })
			s.live(time.Minute)
			s.check(fmt.Sprint(s.asked) == "[sweep]", "asked for %v", s.asked)
			s.wantTask(Nothing, 0)
		}},
		{"what the fleet knows may come after the first contact", func(s *stage) {
			s.alone().live(5 * second)
			s.other("b", membership.Active)
			s.other("n", membership.Active)
			s.keys = 7
			s.step()
			s.want(membership.Active)
			s.check(s.purges == 0 && s.out.Err == nil, "%d purges, %v", s.purges, s.out.Err)
		}},
		{"it leaves as one that is ACTIVE", func(s *stage) {
			s.other("n", membership.Active)
			s.in.Leave = true
			s.step()
			s.step()
			s.want(membership.Leaving)
		}},
		{"a leave that was under way goes on, and takes its time", func(s *stage) {
			s.says("n", takesPart(membership.Exporting, 50))
			s.step()
			s.pass(time.Hour)
			s.want(membership.Exporting)
		}},
		{"unless it is told to leave", func(s *stage) {
			s.says("n", takesPart(membership.Exporting, 50))
			s.in.Leave = true
			s.step()
			s.pass(59 * second)
			s.want(membership.Exporting)
			s.pass(3 * second)
			s.want(membership.Left)
		}},
	} {
		r.test(t)
	}
}

// TestRestartWithPurge: in all other cases what the server holds is the node's
// own past, and is removed, without being asked to.
func TestRestartWithPurge(t *testing.T) {
	for _, r := range []rule{
		{"ANNOUNCED: it withdraws", func(s *stage) {
			s.announce()
			s.wantWithdrawn()
		}},
		{"LEFT", func(s *stage) {
			s.other("n", membership.Left)
			s.wantPurged(0)
		}},
		{"JOINING, after it withdrew", func(s *stage) {
			s.other("n", membership.Joining)
			s.wantPurged(0)
		}},
		{"evicted while the agent was away", func(s *stage) {
			s.activate()
			stamp := s.evict("n")
			s.restart()
			s.wantPurged(stamp)
			s.check(s.said.Purged == stamp && !s.in.Ledger.Evicted("n"), "%+v", s.said)
		}},
		{"evicted and forgotten but for the eviction", func(s *stage) {
			s.wantPurged(s.evict("n"))
		}},
		{"evicted, and the eviction comes after the first contact", func(s *stage) {
			s.activate()
			s.restart()
			s.step()
			s.want(membership.Active)
			s.wantPurged(s.evict("n"))
		}},
		{"a purge of an earlier life counts", func(s *stage) {
			s.activate()
			stamp := s.evict("n")
			s.announce()
			s.goOn()
			s.purges = 0
			s.restart()
			s.live(time.Minute)
			s.want(membership.Active)
			s.check(s.purges == 0 && s.said.Purged == stamp, "%d purges, %+v", s.purges, s.said)
		}},
		{"a purge of an earlier life counts no more when it withdrew since", func(s *stage) {
			s.activate()
			s.evict("n")
			s.announce()
			s.purges = 0
			s.wantWithdrawn()
		}},
	} {
		r.test(t)
	}
}

// wantWithdrawn starts the agent again: it must say that it does not go on, and
// purge.
func (s *stage) wantWithdrawn() {
	s.t.Helper()
	s.restart()
	s.keys = 7
	before := s.in.Ledger.Epoch()
	s.step()
	s.want(membership.Joining)
	s.check(s.said.State == membership.Joining && s.said.Generation == s.cfg.Generation && s.said.Transition == 0 && s.said.Stamp > before, "%+v", s.said)
	e, _ := s.in.Ledger.Eviction("n")
	s.wantPurged(e.Stamp)
}

func (s *stage) wantPurged(number uint64) {
	s.t.Helper()
	s.keys = 7
	s.step()
	s.want(membership.Joining)
	s.wantTask(Purge, number)
	s.announce()
	s.check(s.purges == 1 && s.keys == 0, "%d purges, %d keys", s.purges, s.keys)
}
