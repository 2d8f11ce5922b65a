package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// aborts has another node decide the abort of a transition.
func (s *stage) aborts(transition uint64, stage ledger.Stage) {
	s.t.Helper()
	a := ledger.Abort{Kind: membership.Redis, Transition: transition, Stage: stage, Stamp: 1 + s.in.Ledger.Epoch(), By: "b"}
	if err := a.Validate(); err != nil || !s.in.Ledger.MergeAbort(a) {
		s.t.Fatal("no news:", a, err)
	}
}

// exports brings the node to EXPORTING, with b's help, and returns its transition.
func (s *stage) exports() uint64 {
	s.t.Helper()
	number := s.leaving()
	s.says("b", swept(number))
	s.pass(12 * second)
	s.want(membership.Exporting)
	return number
}

// orders asks the node's agent for an abort, and does what it decides.
func (s *stage) orders() ledger.Abort {
	s.t.Helper()
	a, err := s.m.Abort()
	if err != nil || a.Validate() != nil || a.Stamp <= s.in.Ledger.Epoch() {
		s.t.Fatal(a, err, a.Validate())
	}
	s.in.Ledger.MergeAbort(a)
	return a
}

func TestAbortOfAJoin(t *testing.T) {
	for _, r := range []rule{
		{"its keys go back, and it ends LEFT", func(s *stage) {
			number := s.imports()
			a := s.orders()
			s.check(a.Stage == ledger.Turned && a.Transition == number, "%+v", a)
			s.step()
			s.want(membership.Exporting)
			s.check(s.out.RolledBack && !s.out.Stays, "%+v", s.out)
			back := membership.RollbackOf(number)
			s.check(s.said.Transition == back && s.said.Stamp > a.Stamp, "%+v", s.said)
			s.pass(12 * second)
			s.wantTask(HandOver, back)
			s.work()
			s.pass(2 * second)
			s.want(membership.Left)
		}},
		{"no key goes back before everybody knows: who still writes as before would write beside it", func(s *stage) {
			s.imports()
			s.orders()
			s.in.RoutersSeen = s.in.Ledger.Epoch() - 1
			s.pass(20 * second)
			s.want(membership.Exporting)
			s.wantTask(Nothing, 0)
			s.wantWaits("routers")
			s.in.RoutersSeen = s.in.Ledger.Epoch()
			s.pass(1 * second)
			s.wantTask(HandOver, s.said.Transition)
		}},
		{"it takes as long as it takes", func(s *stage) {
			s.imports()
			s.orders()
			s.pass(time.Hour)
			s.want(membership.Exporting)
		}},
		{"unless it is told to leave", func(s *stage) {
			s.imports()
			s.orders()
			s.in.Leave = true
			s.pass(62 * second)
			s.want(membership.Left)
		}},
		{"before keys move it is halted, and withdrawn once all have heard", func(s *stage) {
			number := s.announce()
			s.says("b", swept(number))
			a := s.orders()
			s.check(a.Stage == ledger.Halted, "%+v", a)
			s.pass(11 * second)
			s.want(membership.Announced)
			s.wantWaits("aborted")
			s.check(s.out.Abort == nil, "decided early: %+v", s.out.Abort)
			s.pass(2 * second)
			s.check(s.out.Abort != nil && s.out.Abort.Stage == ledger.Withdrawn && s.out.Abort.Transition == number, "%+v", s.out.Abort)
			s.in.Ledger.MergeAbort(*s.out.Abort)
			s.step()
			s.want(membership.Left)
			s.check(s.out.RolledBack && s.said.State == membership.Left, "%+v", s.said)
		}},
		{"an agent that was not asked gives the one that was time to decide", func(s *stage) {
			s.aborts(s.announce(), ledger.Halted)
			s.pass(23 * second)
			s.check(s.out.Abort == nil, "decided early: %+v", s.out.Abort)
			s.pass(3 * second)
			s.check(s.out.Abort != nil && s.out.Abort.Stage == ledger.Withdrawn, "%+v", s.out.Abort)
		}},
		{"if its keys turn out to move already it is turned", func(s *stage) {
			number := s.imports()
			s.aborts(number, ledger.Halted)
			s.step()
			s.want(membership.Importing)
			s.check(s.out.Abort != nil && s.out.Abort.Stage == ledger.Turned, "%+v", s.out.Abort)
		}},
		{"who waits to join waits for the end of it", func(s *stage) {
			s.says("c", takesPart(membership.Announced, 50))
			s.aborts(50, ledger.Halted)
			s.live(20 * second)
			s.want(membership.Joining)
			s.wantWaits("rolled back")
			s.aborts(50, ledger.Withdrawn)
			s.liveTo(membership.Announced, 5*second)
			s.check(s.said.Transition != 50, "%+v", s.said)
		}},
		{"an agent that was away goes on with the way back", func(s *stage) {
			number := s.imports()
			s.aborts(number, ledger.Turned)
			s.restart()
			s.step()
			s.want(membership.Exporting)
			s.check(s.said.Transition == membership.RollbackOf(number) && s.purges == 0, "%+v, %d purges", s.said, s.purges)
		}},
	} {
		r.test(t)
	}
}

func TestAbortOfALeave(t *testing.T) {
	for _, r := range []rule{
		{"its keys come back, and it is ACTIVE again", func(s *stage) {
			number := s.exports()
			s.orders()
			s.step()
			s.want(membership.Importing)
			s.check(s.out.Stays && s.out.RolledBack, "%+v", s.out)
			s.in.Leave = false // which Stays is for
			s.pass(20 * second)
			s.want(membership.Importing)
			s.wantTask(Nothing, 0)
			s.handsOver("b")
			s.pass(1 * second)
			s.want(membership.Active)
			s.check(s.said.Transition == membership.RollbackOf(number), "%+v", s.said)
			s.live(time.Minute)
			s.want(membership.Active)
			s.in.Leave = true
			s.step()
			s.want(membership.Leaving)
		}},
		{"before keys move it is ACTIVE at once", func(s *stage) {
			s.aborts(s.leaving(), ledger.Withdrawn)
			s.step()
			s.want(membership.Active)
			s.check(s.out.Stays, "%+v", s.out)
		}},
		{"it holds most of its keys: a server that fails is no reason to begin anew", func(s *stage) {
			s.exports()
			s.orders()
			s.in.Leave = false
			s.step()
			s.in.Healthy = false
			s.pass(1 * second)
			s.want(membership.Importing)
			s.check(s.said.Unhealthy, "%+v", s.said)
			s.in.Healthy = true
			s.handsOver("b")
			s.pass(1 * second)
			s.want(membership.Active)
			s.check(!s.said.Unhealthy && s.purges == 0, "%+v, %d purges", s.said, s.purges)
		}},
		{"nor is an agent that was away", func(s *stage) {
			s.exports()
			s.orders()
			s.in.Leave = false
			s.step()
			s.restart()
			s.step()
			s.want(membership.Importing)
			s.check(s.purges == 0, "%d purges", s.purges)
		}},
		{"those that stay bring its keys back", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Exporting, 50))
			s.pass(1 * second)
			s.wantTask(HandOver, 50)
			s.work()
			s.aborts(50, ledger.Turned)
			s.pass(1 * second)
			s.wantTask(Nothing, 0)
			s.pass(13 * second)
			s.wantTask(HandOver, membership.RollbackOf(50))
			s.work()
			s.pass(1 * second)
			s.check(s.said.Done == s.next(), "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

func TestAbortOfAWeight(t *testing.T) {
	for _, r := range []rule{
		{"it turns round, and is not asked for again", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.pass(1 * second)
			number := s.said.Transition
			s.says("b", swept(number))
			s.live(20 * second)
			s.check(s.said.Step == membership.Importing, "%+v", s.said)
			s.orders()
			s.step()
			s.check(s.said.Step == membership.Importing && s.said.Weight == 2 && s.said.NextWeight == 1, "%+v", s.said)
			s.live(14 * second)
			s.handsOver("b")
			s.live(time.Minute)
			s.want(membership.Active)
			s.check(s.said.Step == "" && s.said.Weight == 1, "%+v", s.said)
			s.in.Weight = 3
			s.step()
			s.check(s.said.NextWeight == 3, "another wish is not heard: %+v", s.said)
		}},
		{"before keys move it is taken back", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.pass(1 * second)
			s.aborts(s.said.Transition, ledger.Withdrawn)
			s.live(time.Minute)
			s.check(s.said.Step == "" && s.said.Weight == 1 && s.said.NextWeight == 0, "%+v", s.said)
		}},
		{"an agent that was away goes on with the way back", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.pass(1 * second)
			s.says("b", swept(s.said.Transition))
			s.live(20 * second)
			s.orders()
			s.step()
			s.restart()
			s.live(14 * second)
			s.check(s.said.Step == membership.Importing && s.said.NextWeight == 1, "%+v", s.said)
			s.handsOver("b")
			s.live(time.Minute)
			s.check(s.said.Step == "" && s.said.Weight == 1, "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

func TestNothingToAbort(t *testing.T) {
	s := newStage(t).begin()
	if _, err := s.m.Abort(); !errors.Is(err, ErrNoTransition) {
		t.Error("before the first step:", err)
	}
	s.activate()
	if _, err := s.m.Abort(); !errors.Is(err, ErrNoTransition) {
		t.Error("stable:", err)
	}
	s.says("c", takesPart(membership.Importing, 50))
	s.aborts(50, ledger.Turned)
	if _, err := s.m.Abort(); !errors.Is(err, ErrRollback) {
		t.Error("while it is rolled back:", err)
	}
}
