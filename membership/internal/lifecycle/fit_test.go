package lifecycle

import (
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

// upTo is the rule of a ring that has room for so much weight.
func upTo(most float64) func([]ring.Node) bool {
	return func(nodes []ring.Node) bool {
		total := 0.0
		for _, n := range nodes {
			total += n.Weight
		}
		return total <= most
	}
}

// TestFits: nobody begins a transition to a ring that cannot be made.
func TestFits(t *testing.T) {
	for _, r := range []rule{
		{"a node that the ring has no room for stays JOINING, and begins when it has", func(s *stage) {
			s.cfg.Weight, s.cfg.Fits = 10, upTo(10)
			s.live(time.Minute)
			s.want(membership.Joining)
			s.check(s.out.Waits == "a ring with room for it: virtual nodes × weights would be too many tokens", "waits for %q", s.out.Waits)
			s.evict("b")
			s.liveTo(membership.Announced, time.Minute)
		}},
		{"so does a weight", func(s *stage) {
			s.cfg.Bootstrap, s.cfg.Fits = true, upTo(10)
			s.alone().live(second)
			s.other("b", membership.Active)
			s.in.Weight = 10
			s.live(time.Minute)
			s.check(s.said.State == membership.Active && s.said.Step == "" && s.said.Weight == 1, "%+v", s.said)
			s.in.Weight = 9
			s.live(5 * second)
			s.check(s.said.Step != "" && s.said.NextWeight == 9, "%+v", s.said)
		}},
		{"of two that did not hear of each other the first by ID stays", func(s *stage) {
			s.cfg.Weight, s.cfg.Fits = 6, upTo(10)
			number := s.announce()
			s.says("z", func(r *ledger.Record) { ready(membership.Announced, number)(r); r.Weight = 6 })
			s.live(5 * second)
			s.want(membership.Announced)
			s.says("c", func(r *ledger.Record) { ready(membership.Announced, number)(r); r.Weight = 6 })
			s.live(second)
			s.want(membership.Joining)
			s.live(5 * time.Minute)
			s.want(membership.Joining)
		}},
	} {
		r.test(t)
	}
}
