package cache

import (
	"context"
	"hash/maphash"
	"sync"
	"time"
)

// shares has callers in this process that look up the same key at the same moment
// share a request. Whoever comes while one is under way shares the next, which begins
// after he came: so it sees what was stored or deleted before, by anybody. Ten
// thousand callers of a key are two requests, where each for itself would queue up
// behind the others until the router takes the node for slow.
type shares[R any] struct {
	seed   maphash.Seed
	stripe [64]struct {
		mu    sync.Mutex
		byKey map[string]*shared[R] // of requests under way: who shares the next; nil: nobody
		_     [40]byte              // a cache line of its own
	}
}

type shared[R any] struct {
	ctx    context.Context // of the first who shares it
	do     func(context.Context) R
	done   chan struct{} // closed when result is set
	result R
}

func newShares[R any]() *shares[R] { return &shares[R]{seed: maphash.MakeSeed()} }

// get returns what do returned, called for this caller or for another one who came
// before it began; the zero R if ctx ends. A call for several has the limit, and
// begins in a goroutine that start begins.
func (s *shares[R]) get(ctx context.Context, key string, limit time.Duration, start func(func()) error, do func(context.Context) R) (result R) {
	st := &s.stripe[maphash.String(s.seed, key)%64]
	st.mu.Lock()
	next, busy := st.byKey[key]
	if !busy {
		if st.byKey == nil {
			st.byKey = make(map[string]*shared[R])
		}
		st.byKey[key] = nil
		st.mu.Unlock()
		defer s.ended(key, limit, start)
		return do(ctx)
	}
	if next == nil {
		next = &shared[R]{ctx: ctx, do: do, done: make(chan struct{})}
		st.byKey[key] = next
	}
	st.mu.Unlock()
	select {
	case <-next.done:
		return next.result
	case <-ctx.Done():
		return result
	}
}

// ended begins the next request for the key, if anybody waits for one.
func (s *shares[R]) ended(key string, limit time.Duration, start func(func()) error) {
	st := &s.stripe[maphash.String(s.seed, key)%64]
	st.mu.Lock()
	next := st.byKey[key]
	if next == nil {
		delete(st.byKey, key)
	} else {
		st.byKey[key] = nil
	}
	st.mu.Unlock()
	if next == nil {
		return
	}
	err := start(func() {
		defer s.ended(key, limit, start)
		defer close(next.done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(next.ctx), limit)
		defer cancel()
		next.result = next.do(ctx)
	})
	if err != nil { // closed: nothing is found any more
		close(next.done)
		s.ended(key, limit, start)
	}
}

// lookupShared is lookup for callers who may share it.
func (s *Space[K, V]) lookupShared(ctx context.Context, k storeKey) (a answer[V], usable bool) {
	l := s.lookups.get(ctx, k.flight(), s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (l looked[V]) {
		l.a, l.usable = s.lookup(ctx, k)
		return l
	})
	return l.a, l.usable
}
