package cache

import (
	"context"
	"math"
	"time"
)

// minDelta is the least that a load counts for XFetch: with 0 nothing would ever be
// early.
const minDelta = time.Millisecond

// early says whether a fresh value is to be loaded anew already.
func (s *Space[K, V]) early(e *envelope, now time.Time) bool {
	left := e.soft.Sub(now)
	if ahead := s.cfg.Life.RefreshAhead; ahead > 0 && float64(left) <= ahead*float64(e.soft.Sub(e.stored)) {
		return true
	}
	beta := s.cfg.Life.Beta
	return beta > 0 && xfetch(max(e.delta, minDelta), beta, 1-s.m.cfg.random(), left)
}

// xfetch is the rule of Vattani, Chierichetti and Lowenstein, for u in (0,1].
func xfetch(delta time.Duration, beta, u float64, left time.Duration) bool {
	return -float64(delta)*beta*math.Log(u) >= float64(left)
}

// refresh loads the key anew, and nobody waits for it. If too many such loads are
// under way it is left to a later caller.
func (s *Space[K, V]) refresh(ctx context.Context, q query[K, V]) {
	if q.load == nil || s.held(&q, true) != nil {
		return
	}
	select {
	case s.m.slots <- struct{}{}:
	default:
		s.counters.refreshesSkipped.Add(1)
		return
	}
	f, leader, err := s.join(giveWay(ctx), &q)
	if err != nil || !leader {
		<-s.m.slots
		return
	}
	s.counters.refreshes.Add(1)
	err = s.m.run(func() {
		<-f.done
		<-s.m.slots
		if f.err != nil {
			s.m.tell(s.name, f.err)
		}
	})
	if err != nil {
		<-s.m.slots
	}
}
