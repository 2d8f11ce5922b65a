package lifecycle

import (
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestReturnAfterEviction: always purged, under a new generation, whatever the
// node was doing.
func TestReturnAfterEviction(t *testing.T) {
	for _, c := range []struct {
		state membership.State
		bring func(*stage)
	}{
		{membership.Announced, func(s *stage) { s.announce() }},
		{membership.Importing, func(s *stage) { s.imports() }},
		{membership.Active, func(s *stage) { s.activate() }},
		{membership.Leaving, func(s *stage) {
			s.says("n", takesPart(membership.Leaving, 50))
			s.step()
		}},
		{membership.Exporting, func(s *stage) {
			s.says("n", takesPart(membership.Exporting, 50))
			s.step()
		}},
	} {
		rule{"while " + string(c.state), func(s *stage) {
			c.bring(s)
			s.want(c.state)
			s.keys = 7
			before, stamp := s.out.Record, s.evict("n")
			s.step()
			s.want(membership.Joining)
			s.wantTask(Purge, stamp)
			r := s.said
			s.check(r.Generation == before.Generation+1 && r.Stamp > stamp && r.Purged < stamp && r.Transition == 0 && r.Returns == 1, "%+v", r)
			s.pass(time.Hour)
			s.want(membership.Joining)
			s.wantTask(Purge, stamp)
			s.check(s.in.Ledger.Evicted("n"), "the purge counts before it is done")
			s.work()
			s.step()
			s.check(s.said.Purged == stamp && !s.in.Ledger.Evicted("n"), "after the purge: %+v", s.said)
			s.announce()
			s.check(s.purges == 1 && s.keys == 0 && s.said.Purged == stamp, "%d purges, %+v", s.purges, s.said)
		}}.test(t)
	}
}

func TestEvictions(t *testing.T) {
	for _, r := range []rule{
		{"a second one during the purge needs another purge", func(s *stage) {
			s.activate()
			first := s.evict("n")
			s.step()
			s.wantTask(Purge, first)
			second := s.evict("n")
			s.m.Purged(first) // it began before the second
			s.step()
			s.wantTask(Purge, second)
			s.check(s.in.Ledger.Evicted("n"), "answered by the first purge")
			s.announce()
			s.check(s.purges == 1 && s.said.Purged == second, "%d more purges, %+v", s.purges, s.said)
		}},
		{"and so does one between the purge and the announcement", func(s *stage) {
			s.activate()
			s.evict("n")
			s.live(5 * second)
			s.check(s.purges == 1, "%d purges", s.purges)
			second := s.evict("n")
			s.announce()
			s.check(s.purges == 2 && s.said.Purged == second, "%d purges, %+v", s.purges, s.said)
		}},
		{"an older one that is heard of later needs none", func(s *stage) {
			s.activate()
			stamp := s.evict("n")
			s.announce()
			s.in.Ledger.MergeEviction(ledger.Eviction{ID: "n", Stamp: stamp - 1, By: "z"})
			s.live(5 * second)
			s.want(membership.Announced)
		}},
		{"one that was answered is not taken for a new one", func(s *stage) {
			s.activate()
			stamp := s.evict("n")
			s.step()
			s.work()
			s.says("c", func(r *ledger.Record) {}) // the ledger has not heard of the purge
			s.step()
			s.check(s.out.Task != Purge && s.out.Record.Generation == 101 && s.said.Purged == stamp, "task %v, %+v", s.out.Task, s.said)
		}},
		{"a server that does not answer is purged once it does", func(s *stage) {
			s.activate()
			s.in.Healthy = false
			s.live(time.Minute)
			stamp := s.evict("n")
			s.live(time.Minute)
			s.want(membership.Joining)
			s.wantTask(Nothing, 0)
			s.check(!s.said.Unhealthy, "%+v", s.said)
			s.in.Healthy = true
			s.step()
			s.wantTask(Purge, stamp)
		}},
		{"keys that come after the purge need another", func(s *stage) {
			s.activate()
			s.evict("n")
			s.live(3 * second)
			s.keys = 2
			s.announce()
			s.check(s.purges == 2, "%d purges", s.purges)
		}},
		{"whoever is to leave anyway is LEFT", func(s *stage) {
			s.activate()
			s.evict("n")
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
		}},
		{"those of others are none of its business", func(s *stage) {
			s.activate()
			s.evict("b")
			s.live(time.Minute)
			s.want(membership.Active)
		}},
		{"LEFT is final", func(s *stage) {
			s.announce()
			s.in.Leave = true
			s.step()
			s.want(membership.Left)
			last := s.said
			s.evict("n")
			s.in.Leave = false
			s.live(time.Hour)
			s.want(membership.Left)
			s.check(s.said == last && s.out.Task == Nothing, "%+v after %+v", s.said, last)
		}},
	} {
		r.test(t)
	}
}

// evicted lets the node be evicted, and returns after how long it is announced
// again.
func (s *stage) evicted() time.Duration {
	s.t.Helper()
	s.evict("n")
	return s.liveTo(membership.Announced, time.Hour)
}

func TestDamping(t *testing.T) {
	for _, r := range []rule{
		{"each return within ReturnWithin doubles MinReady, up to MaxReady", func(s *stage) {
			s.announce()
			for i, want := range []time.Duration{20, 40, 80, 160, 320, 600, 600, 600} {
				got := s.evicted()
				s.check(got >= want*second && got <= (want+4)*second, "return %d: announced after %v, want %v", i+1, got, want*second)
			}
		}},
		{"the count of returns is bounded", func(s *stage) {
			s.cfg.Timing.MinReady, s.cfg.Timing.MaxReady = second, 2*second
			s.announce()
			for range 2 * ledger.MaxReturns {
				s.evicted()
			}
			s.check(s.said.Returns == ledger.MaxReturns, "%+v", s.said)
		}},
		{"MinReady may be above MaxReady, and of any length", func(s *stage) {
			s.cfg.Timing.MinReady, s.cfg.Timing.MaxReady = 100*time.Hour, second
			s.liveTo(membership.Announced, 101*time.Hour)
			s.m.rec.Returns = ledger.MaxReturns
			s.check(s.m.minReady() == 100*time.Hour, "%v", s.m.minReady())
		}},
		{"a node that was away for longer has nothing on its account", func(s *stage) {
			s.announce()
			s.evicted()
			s.evict("n")
			s.in.Now = s.in.Now.Add(11 * time.Minute)
			got := s.liveTo(membership.Announced, time.Hour)
			s.check(got <= 14*second && s.said.Returns == 0, "announced after %v, %+v", got, s.said)
		}},
		{"nor has one that was active for longer, but for this return", func(s *stage) {
			s.announce()
			s.evicted()
			s.evicted()
			s.goOn()
			s.live(11 * time.Minute)
			got := s.evicted()
			s.check(got >= 20*second && got <= 24*second && s.said.Returns == 1, "announced after %v, %+v", got, s.said)
		}},
		{"a node that is ACTIVE for a short time only keeps its account", func(s *stage) {
			s.activate()
			s.live(5 * time.Minute)
			s.evicted()
			s.goOn()
			s.live(5 * time.Minute)
			got := s.evicted()
			s.check(got >= 40*second && s.said.Returns == 2, "announced after %v, %+v", got, s.said)
		}},
		{"a server that fails while it joins counts as a return", func(s *stage) {
			s.announce()
			s.in.Healthy = false
			s.step()
			s.in.Healthy = true
			got := s.liveTo(membership.Announced, time.Minute)
			s.check(got >= 20*second && s.said.Returns == 1, "announced after %v, %+v", got, s.said)
		}},
		{"so does an agent that is started again", func(s *stage) {
			s.announce()
			s.restart()
			got := s.liveTo(membership.Announced, time.Minute)
			s.check(got >= 20*second && s.said.Returns == 1, "announced after %v, %+v", got, s.said)
		}},
		{"each failed probe of a returned node begins its MinReady anew", func(s *stage) {
			s.announce()
			s.evict("n")
			s.live(18 * second)
			s.in.Healthy = false
			s.live(1 * second)
			s.in.Healthy = true
			got := s.liveTo(membership.Announced, time.Minute)
			s.check(got >= 20*second, "announced after %v", got)
		}},
	} {
		r.test(t)
	}
}
