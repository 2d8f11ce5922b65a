package lifecycle

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestServerOfAnother: a server that another node of the ring speaks for is not
// emptied.
func TestServerOfAnother(t *testing.T) {
	purging := func(s *stage) {
		s.cfg.Purge, s.cfg.Address, s.keys = true, "b:1", 7
	}
	for _, r := range []rule{
		{"a node whose server is another's must not join", func(s *stage) {
			purging(s)
			s.live(time.Minute)
			var taken *ServerTakenError
			s.check(errors.As(s.out.Err, &taken) && *taken == ServerTakenError{ID: "n", Address: "b:1", Owner: "b"}, "got %v", s.out.Err)
			s.check(s.purges == 0 && s.keys == 7, "%d purges", s.purges)
		}},
		{"if that one's agent is not seen it is waited for", func(s *stage) {
			purging(s)
			s.in.Seen = func(id string) bool { return id != "b" }
			s.live(time.Minute)
			s.want(membership.Joining)
			s.check(s.out.Err == nil && s.purges == 0, "%v, %d purges", s.out.Err, s.purges)
			s.evict("b")
			s.liveTo(membership.Announced, time.Minute)
			s.check(s.purges == 1, "%d purges", s.purges)
		}},
		{"one that has left has no server", func(s *stage) {
			purging(s)
			s.other("b", membership.Left)
			s.liveTo(membership.Announced, time.Minute)
		}},
		{"nor has one of the other kind that address", func(s *stage) {
			purging(s)
			s.evict("b")
			s.says("m", func(r *ledger.Record) { r.Kind, r.Address, r.State = membership.Memcached, "b:1", membership.Active })
			s.liveTo(membership.Announced, time.Minute)
		}},
	} {
		r.test(t)
	}
}
