package lifecycle

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

func TestJoining(t *testing.T) {
	for _, r := range []rule{
		{"without contact it waits, and is not announced", func(s *stage) {
			s.in.Contact = false
			s.live(time.Hour)
			s.want(membership.Joining)
			s.wantWaits("a seed that answers")
			s.check(!s.out.Known && s.asked == nil, "known %v, asked for %v", s.out.Known, s.asked)
		}},
		{"contact that is lost again stops it", func(s *stage) {
			s.live(5 * second)
			s.in.Contact = false
			s.live(time.Hour)
			s.want(membership.Joining)
			s.in.Contact = true
			s.liveTo(membership.Announced, 5*second)
		}},
		{"before it is announced the fleet's ledger has nothing of it", func(s *stage) {
			s.live(5 * second)
			_, known := s.in.Ledger.Record("n")
			s.check(!known && !s.out.Known, "known")
		}},
		{"a server that does not answer is waited for", func(s *stage) {
			s.in.Healthy = false
			s.live(time.Hour)
			s.want(membership.Joining)
			s.wantWaits("the server to answer")
			s.check(s.asked == nil, "asked for %v", s.asked)
		}},
		{"a first-time server that holds keys is refused, with their number", func(s *stage) {
			s.keys = 7
			s.live(3 * second)
			s.wantRefused(7)
		}},
		{"and so are keys that come before it is announced", func(s *stage) {
			s.live(8 * second)
			s.keys = 2
			s.live(5 * second)
			s.wantRefused(2)
		}},
		{"--purge removes them first, and then counts", func(s *stage) {
			s.cfg.Purge, s.keys = true, 7
			s.announce()
			s.check(s.purges == 1 && s.asked[0] == Purge && s.asked[1] == Count, "%d purges, asked for %v", s.purges, s.asked)
		}},
		{"--purge: keys that come after the purge need another", func(s *stage) {
			s.cfg.Purge = true
			s.live(8 * second)
			s.keys = 3
			s.announce()
			s.check(s.purges == 2 && s.keys == 0, "%d purges, %d keys", s.purges, s.keys)
		}},
		{"only an empty server is announced: a count is not believed for long", func(s *stage) {
			s.live(9 * second) // counted in the first second
			s.pass(10 * second)
			s.want(membership.Joining)
			s.wantTask(Count, 0)
			s.work()
			s.step()
			s.want(membership.Announced)
		}},
		{"MinReady is how long the server must have been healthy", func(s *stage) {
			took := s.liveTo(membership.Announced, time.Minute)
			s.check(took >= 10*second && took <= 12*second, "announced after %v", took)
		}},
		{"an unhealthy server begins MinReady anew", func(s *stage) {
			s.live(9 * second)
			s.in.Healthy = false
			s.live(1 * second)
			s.in.Healthy = true
			s.wantWaits("the server to answer")
			took := s.liveTo(membership.Announced, time.Minute)
			s.check(took >= 10*second && took <= 12*second, "announced after %v", took)
		}},
		{"what it is announced with", func(s *stage) {
			s.cfg.Zone, s.cfg.Weight = "z", 2
			epoch := s.in.Ledger.Epoch()
			number := s.announce()
			r := s.said
			s.check(number == epoch+1 && r.Stamp == number && r.Swept == number, "in %d, epoch was %d: %+v", number, epoch, r)
			s.check(r.Generation == 100 && r.Zone == "z" && r.Weight == 2 && r.Address == "h:1" && r.Since == s.in.Now.Unix(), "%+v", r)
		}},
		{"a weight that is wanted meanwhile needs no transition", func(s *stage) {
			s.in.Weight = 3
			s.announce()
			s.check(s.said.Weight == 3 && s.said.Step == "", "%+v", s.said)
		}},
	} {
		r.test(t)
	}
}

func (s *stage) wantRefused(keys int64) {
	s.t.Helper()
	var holds *HoldsKeysError
	if !errors.As(s.out.Err, &holds) || *holds != (HoldsKeysError{ID: "n", Address: "h:1", Keys: keys}) {
		s.t.Fatalf("got %v, want a HoldsKeysError of %d keys", s.out.Err, keys)
	}
	for _, part := range []string{`"n"`, "h:1", "--purge", "--bootstrap"} {
		s.check(strings.Contains(holds.Error(), part), "%q does not mention %s", holds, part)
	}
	s.want(membership.Joining)
	s.check(s.purges == 0, "purged all the same")
}

func TestBootstrap(t *testing.T) {
	for _, r := range []rule{
		{"the first node of a fleet is ACTIVE at once, with its keys", func(s *stage) {
			s.alone().cfg.Bootstrap, s.keys = true, 7
			s.step()
			s.want(membership.Active)
			s.check(s.out.Known && s.said.Stamp == 2, "%+v", s.said)
			s.live(time.Hour)
			s.check(s.purges == 0 && s.keys == 7, "%d purges, %d keys", s.purges, s.keys)
		}},
		{"as soon as its server answers", func(s *stage) {
			s.alone().cfg.Bootstrap = true
			s.in.Healthy = false
			s.live(time.Minute)
			s.want(membership.Joining)
			s.in.Healthy = true
			s.step()
			s.want(membership.Active)
		}},
		{"where another one owns keys it is like any other", func(s *stage) {
			s.cfg.Bootstrap, s.keys = true, 7
			s.live(3 * second)
			s.wantRefused(7)
		}},
		{"and if that one shows up later too", func(s *stage) {
			s.alone().cfg.Bootstrap, s.keys = true, 7
			s.in.Healthy = false
			s.live(3 * second)
			s.other("b", membership.Leaving)
			s.in.Healthy = true
			s.live(3 * second)
			s.wantRefused(7)
		}},
		{"owners of another kind are another fleet", func(s *stage) {
			s.alone().cfg.Bootstrap = true
			s.says("m", func(r *ledger.Record) { r.Kind, r.State = membership.Memcached, membership.Active })
			s.step()
			s.want(membership.Active)
		}},
		{"newcomers own nothing yet", func(s *stage) {
			s.alone().cfg.Bootstrap = true
			s.says("c", takesPart(membership.Importing, 5))
			s.step()
			s.want(membership.Active)
		}},
		{"nor does an evicted one", func(s *stage) {
			s.cfg.Bootstrap = true
			s.evict("b")
			s.step()
			s.want(membership.Active)
		}},
		{"one that was evicted itself is purged", func(s *stage) {
			s.alone().cfg.Bootstrap, s.keys = true, 7
			stamp := s.evict("n") // and its record is forgotten
			s.step()
			s.wantTask(Purge, stamp)
			s.announce()
			s.check(!s.in.Ledger.Evicted("n") && s.purges == 1, "%d purges", s.purges)
		}},
		{"nor does it keep keys of a node that the fleet knows", func(s *stage) {
			s.alone().cfg.Bootstrap, s.keys = true, 7
			s.other("n", membership.Left)
			s.announce()
			s.check(s.purges == 1, "%d purges", s.purges)
		}},
	} {
		r.test(t)
	}
}

func TestOneTransitionAtATime(t *testing.T) {
	almost := func(s *stage) { s.live(10 * second) } // ready, but for a last count
	for _, r := range []rule{
		{"a node that is ready within BatchWindow takes part", func(s *stage) {
			almost(s)
			s.says("c", takesPart(membership.Announced, 50))
			s.check(s.announce() == 50 && s.said.Swept == 50, "%+v", s.said)
		}},
		{"so it does in one that a node leaves in, or changes its weight", func(s *stage) {
			almost(s)
			s.says("b", func(r *ledger.Record) { r.Step, r.NextWeight, r.Transition = membership.Announced, 2, 50 })
			s.check(s.announce() == 50, "%+v", s.said)
		}},
		{"afterwards it waits in JOINING", func(s *stage) {
			s.live(2 * second)
			s.says("c", takesPart(membership.Announced, 50))
			s.live(time.Hour)
			s.want(membership.Joining)
			s.wantWaits("the transition under way to end")
		}},
		{"and begins one of its own once that has ended", func(s *stage) {
			s.live(2 * second)
			s.says("c", takesPart(membership.Announced, 50))
			s.live(time.Minute)
			s.other("c", membership.Active)
			epoch := s.in.Ledger.Epoch()
			s.liveTo(membership.Announced, 3*second)
			s.check(s.said.Transition == epoch+1, "%+v after epoch %d", s.said, epoch)
		}},
		{"it waits while keys move, however young", func(s *stage) {
			almost(s)
			s.says("c", takesPart(membership.Importing, 50))
			s.live(time.Hour)
			s.want(membership.Joining)
		}},
		{"one that was under way at first contact is taken for old", func(s *stage) {
			s.cfg.Timing.MinReady = 1 * second
			s.says("c", takesPart(membership.Announced, 50))
			s.live(time.Hour)
			s.want(membership.Joining)
		}},
		{"BatchWindow begins with each transition", func(s *stage) {
			s.live(2 * second)
			s.says("c", takesPart(membership.Announced, 50))
			s.live(time.Minute)
			s.says("c", takesPart(membership.Active, 50))
			s.says("d", takesPart(membership.Announced, 60))
			s.liveTo(membership.Announced, 3*second)
			s.check(s.said.Transition == 60, "%+v", s.said)
		}},
		{"that of another kind is none of its business", func(s *stage) {
			s.says("m", func(r *ledger.Record) { r.Kind, r.State, r.Transition = membership.Memcached, membership.Importing, 50 })
			s.check(s.announce() != 50, "%+v", s.said)
		}},
		{"nor is that of an evicted node", func(s *stage) {
			s.says("c", takesPart(membership.Importing, 50))
			s.evict("c")
			s.check(s.announce() != 50, "%+v", s.said)
		}},
		{"where nobody owns keys, one that died half-way keeps out nobody", func(s *stage) {
			s.alone()
			s.says("c", ready(membership.Importing, 50))
			s.check(s.announce() == 50, "%+v", s.said)
			s.liveTo(membership.Active, time.Minute)
		}},
	} {
		r.test(t)
	}
}
