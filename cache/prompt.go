package cache

import (
	"context"
	"sync/atomic"
	"time"
)

// sessionsBegun is set for good when a context is first given a Session: before that
// none has one, and none is looked through for one.
var sessionsBegun atomic.Bool

// promptness is what fromL1Promptly has to know.
type promptness struct {
	prompt bool        // of an answer of level 1 nobody else has to be asked; set when the space is made
	ended  atomic.Bool // by Manager.Close
}

// canBePrompt says what prompt is. What an option adds to a Get, and fromL1Promptly
// does not do, has to be here. (Entries of a space with epochs have one, not 0.)
func (s *Space[K, V]) canBePrompt() bool {
	return s.l1 != nil && (s.flat || s.plain || s.cfg.Clone != nil) && s.behind == nil && s.hot == nil && s.cfg.Check.Version == nil && !s.m.watched()
}

// fromL1Promptly is Get for most spaces and most of what they are asked: nil, or what
// level 1 has and Get would find there. It is all of Get that a hit needs, in one
// call, because nothing else takes its time: a value that goes by the calls of which
// Get is made is copied at each return, and takes twice as long.
func (s *Space[K, V]) fromL1Promptly(ctx context.Context, key K) (h *held[V], now time.Duration) {
	if !s.prompt || sessionsBegun.Load() && sessionOf(ctx) != nil || s.ended.Load() || s.bypass.Load() != uint32(BypassNothing) || s.control.Load() != nil {
		return nil, 0
	}
	now = s.l1.clock.about()
	h, found := s.l1.get(key, 0, now)
	if !found || len(h.tags) != 0 {
		return nil, 0
	}
	if h.ends-now < lateClock {
		if now = s.l1.now(); now >= h.ends {
			return nil, 0
		}
	}
	s.counters.l1Hits.add()
	return h, now
}

// metaL1 says where a value of level 1 came from.
func metaL1[V any](h *held[V], now time.Duration) Meta {
	return Meta{Source: FromL1, Age: max(0, now-h.stored), Version: h.version}
}
