package lifecycle

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

func TestHealthAndTheRing(t *testing.T) {
	for _, r := range []rule{
		{"ACTIVE: unhealthy is shown, and the ring stays", func(s *stage) {
			s.activate()
			before, stamp := s.in.Ledger.View(), s.said.Stamp
			s.in.Healthy = false
			s.live(time.Hour)
			s.want(membership.Active)
			after := s.in.Ledger.View()
			s.check(s.said.Unhealthy && s.said.Stamp == stamp+1, "%+v", s.said)
			s.check(reflect.DeepEqual(before.Current(membership.Redis), after.Current(membership.Redis)), "%v, then %v", before, after)
			s.check(reflect.DeepEqual(before.Next(membership.Redis), after.Next(membership.Redis)), "%v, then %v", before, after)
			s.in.Healthy = true
			s.live(time.Hour)
			s.check(!s.said.Unhealthy && s.said.Stamp == stamp+2, "%+v", s.said)
		}},
		{"LEAVING: the same", func(s *stage) {
			s.leaving()
			s.in.Healthy = false
			s.live(1 * second)
			s.want(membership.Leaving)
			s.check(s.said.Unhealthy, "%+v", s.said)
			s.in.Healthy = true
			s.live(1 * second)
			s.check(!s.said.Unhealthy, "%+v", s.said)
		}},
		{"ANNOUNCED: it withdraws, and begins anew after a purge", func(s *stage) {
			s.announce()
			s.wantBack()
		}},
		{"IMPORTING: the same, since what has come to it is nowhere else", func(s *stage) {
			s.imports()
			s.in.Healthy = false
			s.live(1 * second)
			s.want(membership.Importing)
			s.wantTask(Nothing, 0)
			s.check(s.said.Unhealthy, "%+v", s.said)
			s.in.Healthy = true
			s.live(1 * second)
			s.check(!s.said.Unhealthy, "%+v", s.said)
		}},
		{"an unhealthy server is asked for nothing", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.in.Healthy = false
			s.step()
			s.wantTask(Nothing, 0)
			s.says("c", takesPart(membership.Importing, 50))
			s.step()
			s.wantTask(Nothing, 0)
			s.in.Healthy = true
			s.step()
			s.wantTask(HandOver, 50)
		}},
		{"without contact an ACTIVE node goes on", func(s *stage) {
			s.activate()
			s.in.Contact = false
			s.live(time.Hour)
			s.want(membership.Active)
		}},
	} {
		r.test(t)
	}
}

func (s *stage) wantBack() {
	s.t.Helper()
	s.keys = 3
	generation := s.said.Generation
	s.in.Healthy = false
	s.step()
	s.want(membership.Joining)
	s.check(s.said.State == membership.Joining && s.said.Generation == generation && !s.said.Unhealthy && s.said.Transition == 0, "%+v", s.said)
	s.live(5 * second)
	s.check(s.purges == 0, "purged while it does not answer")
	s.in.Healthy = true
	s.announce()
	s.check(s.purges == 1, "%d purges", s.purges)
}

func TestSweepAndHandOver(t *testing.T) {
	for _, r := range []rule{
		{"it sweeps before keys move, hands over while they do, and sweeps once more", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.pass(10 * second)
			s.wantTask(Sweep, 50)
			s.work()
			s.pass(10 * second)
			s.wantTask(Nothing, 0)
			s.check(s.said.Swept == 50, "%+v", s.said)
			s.says("c", takesPart(membership.Importing, 50))
			s.pass(10 * second)
			s.wantTask(HandOver, 50)
			s.work()
			s.pass(10 * second)
			s.wantTask(Nothing, 0)
			s.check(s.said.Done == s.next(), "%+v", s.said)
			s.says("c", takesPart(membership.Active, 50))
			epoch := s.in.Ledger.Epoch()
			s.pass(10 * second)
			s.wantTask(Sweep, epoch)
			s.work()
			s.live(time.Minute)
			s.wantTask(Nothing, 0)
			s.check(s.said.Swept == 50, "the sweep after a transition is taken for one before: %+v", s.said)
		}},
		{"none of that has a stamp: no ring depends on it", func(s *stage) {
			s.activate()
			stamp := s.said.Stamp
			s.says("c", takesPart(membership.Announced, 50))
			s.live(2 * second)
			s.check(s.said.Swept == 50 && s.said.Stamp == stamp, "%+v", s.said)
		}},
		{"a transition that is given up is swept after too", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.pass(1 * second)
			s.wantTask(HandOver, 50)
			s.other("c", membership.Joining)
			s.pass(1 * second)
			s.wantTask(Sweep, s.in.Ledger.Epoch())
		}},
		{"a sweep that was for before keys move does not do for after", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.pass(1 * second)
			s.says("c", takesPart(membership.Active, 50))
			s.pass(1 * second)
			s.m.Swept(50)
			s.pass(1 * second)
			s.wantTask(Sweep, s.in.Ledger.Epoch())
		}},
		{"another transition begins before the sweep after the first: one sweep serves both", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.live(2 * second)
			s.says("c", takesPart(membership.Active, 50))
			s.says("d", takesPart(membership.Announced, 60))
			s.pass(1 * second)
			s.wantTask(Sweep, 60)
		}},
		{"others own more although no transition was seen: it was cut off, and sweeps", func(s *stage) {
			s.activate()
			s.other("c", membership.Active)
			s.live(2 * second)
			s.check(fmt.Sprint(s.asked) == "[sweep]", "asked for %v", s.asked)
			s.says("c", func(r *ledger.Record) { r.Weight = 2 })
			s.pass(2 * second)
			s.wantTask(Sweep, s.in.Ledger.Epoch())
		}},
		{"others own less after an eviction: nothing to sweep", func(s *stage) {
			s.activate()
			s.evict("b")
			s.live(time.Minute)
			s.check(s.asked == nil, "asked for %v", s.asked)
		}},
		{"the transition of another kind is none of its business", func(s *stage) {
			s.activate()
			s.says("m", func(r *ledger.Record) { r.Kind, r.State, r.Transition = membership.Memcached, membership.Importing, 50 })
			s.live(time.Minute)
			s.check(s.asked == nil, "asked for %v", s.asked)
		}},
	} {
		r.test(t)
	}
}

func TestWeight(t *testing.T) {
	for _, r := range []rule{
		{"a change of weight goes the same steps, and the node stays ACTIVE", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.pass(1 * second)
			number := s.said.Transition
			s.check(s.said.Step == membership.Announced && s.said.NextWeight == 2 && s.said.Weight == 1 && s.said.Stamp == number, "%+v", s.said)
			s.wantTask(Sweep, number)
			s.says("b", swept(number))
			s.pass(20 * second)
			s.check(s.said.Step == membership.Announced, "keys move, and it has not swept itself")
			s.work()
			s.pass(1 * second)
			s.check(s.said.Step == membership.Importing && s.said.NextWeight == 2 && s.said.Weight == 1 && s.said.Stamp > number, "%+v", s.said)
			s.pass(1 * second)
			s.wantTask(HandOver, number)
			s.work()
			s.pass(10 * second)
			s.check(s.said.Step == membership.Importing && s.said.Done == s.next(), "%+v", s.said)
			stamp := s.said.Stamp
			s.handsOver("b")
			s.pass(1 * second)
			s.check(s.said.Step == "" && s.said.NextWeight == 0 && s.said.Weight == 2 && s.said.Stamp > stamp, "%+v", s.said)
			s.want(membership.Active)
			s.live(5 * second)
			s.check(fmt.Sprint(s.asked) == "[sweep hand over sweep]", "asked for %v", s.asked)
		}},
		{"Dwell and routers", func(s *stage) {
			s.activate()
			s.in.Weight, s.in.RoutersSeen = 2, s.in.Ledger.Epoch()
			s.live(1 * second)
			s.says("b", swept(s.said.Transition))
			s.live(20 * second)
			s.check(s.said.Step == membership.Announced, "%+v", s.said)
			s.in.RoutersSeen = s.said.Stamp
			s.live(1 * second)
			s.check(s.said.Step == membership.Importing, "%+v", s.said)
		}},
		{"the weight that it has is no change, nor is none", func(s *stage) {
			s.activate()
			last := s.said
			s.in.Weight = 1
			s.live(time.Minute)
			s.in.Weight = 0
			s.live(time.Minute)
			s.check(s.said == last, "%+v after %+v", s.said, last)
		}},
		{"it waits for a transition that is under way", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Importing, 50))
			s.in.Weight = 2
			s.live(time.Minute)
			s.check(s.said.Step == "", "%+v", s.said)
			s.says("c", takesPart(membership.Active, 50))
			s.live(1 * second)
			s.check(s.said.Step == membership.Announced && s.said.Transition != 50, "%+v", s.said)
		}},
		{"and takes part in one that is young", func(s *stage) {
			s.activate()
			s.says("c", takesPart(membership.Announced, 50))
			s.in.Weight = 2
			s.live(1 * second)
			s.check(s.said.Step == membership.Announced && s.said.Transition == 50, "%+v", s.said)
		}},
		{"another wish meanwhile is for afterwards", func(s *stage) {
			s.activate()
			s.in.Weight = 2
			s.live(1 * second)
			s.in.Weight = 4
			s.live(1 * second)
			s.check(s.said.NextWeight == 2, "%+v", s.said)
			s.says("b", func(r *ledger.Record) { r.Swept = s.said.Transition })
			s.live(15 * second)
			s.handsOver("b")
			s.live(5 * second)
			s.check(s.said.Weight == 2 && s.said.NextWeight == 4, "%+v", s.said)
		}},
		{"the only node of a fleet changes its weight by itself", func(s *stage) {
			s.alone().cfg.Bootstrap = true
			s.step()
			s.in.Weight = 2
			s.live(20 * second)
			s.check(s.said.Weight == 2 && s.said.Step == "", "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

// TestTaskNames: logs name tasks.
func TestTaskNames(t *testing.T) {
	if got := fmt.Sprint(Nothing, Count, Purge, Sweep, HandOver); got != "nothing count purge sweep hand over" {
		t.Error(got)
	}
}

// TestRecordOfANewMachine: before the first step it is JOINING.
func TestRecordOfANewMachine(t *testing.T) {
	s := newStage(t).begin()
	want := ledger.Record{ID: "n", Kind: membership.Redis, Address: "h:1", Weight: 1, State: membership.Joining,
		Generation: 100, Sequence: 1, Stamp: 1}
	if got := s.m.Record(); got != want || got.Validate() != nil {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
