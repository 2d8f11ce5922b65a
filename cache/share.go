package cache

import (
	"context"
	"sync"
	"time"
)

// shares has callers in this process that look up the same key at the same moment
// share a request. Whoever comes while one is under way shares the next, which begins
// after he came: so it sees what was stored or deleted before, by anybody. Ten
// thousand callers of a key are two requests, where each for itself would queue up
// behind the others until the router takes the node for slow.
type shares[R any] struct {
	stripe [128]stripe[R]
}

type stripe[R any] struct {
	mu sync.Mutex

	// under are the requests under way, in no order. They are a few: a map would take
	// most of the time that a call spends here.
	under []request[R]
	_     [32]byte // a cache line of its own
}

// idleRequests is how many places a stripe keeps that has none under way.
const idleRequests = 64

// request is one that is under way. next are those who share the one after it; nil: nobody.
type request[R any] struct {
	key  shareKey
	next *shared[R]
}

// shareKey is what calls share that are about the same, as storeKey.flight is, and
// takes no allocation.
type shareKey struct {
	identity identity
	epoch    uint64
}

func (k *storeKey) share() shareKey { return shareKey{k.identity, k.epoch} }

type shared[R any] struct {
	ctx    context.Context // of the first who shares it
	do     func(context.Context) R
	done   chan struct{} // closed when result is set
	result R
}

func newShares[R any]() *shares[R] { return &shares[R]{} }

// of returns the stripe of the key: identities are evenly spread.
func (s *shares[R]) of(key shareKey) *stripe[R] {
	return &s.stripe[int(key.identity[0])%len(s.stripe)]
}

// find returns the request for the key that is under way; nil: there is none. The caller
// holds mu.
func (st *stripe[R]) find(key *shareKey) *request[R] {
	for i := range st.under {
		if r := &st.under[i]; r.key == *key {
			return r
		}
	}
	return nil
}

// first says that no request for the key is under way: the caller has to make it, for
// himself alone, and to call next when it has ended. If one is, it returns the request
// after it; nil: nobody has joined that yet.
func (st *stripe[R]) first(key shareKey) (alone bool, next *shared[R]) {
	st.mu.Lock()
	defer st.mu.Unlock()
	if r := st.find(&key); r != nil {
		return false, r.next
	}
	st.under = append(st.under, request[R]{key: key})
	return true, nil
}

// next is called when a request has ended, and returns that which is to be made now;
// nil: nobody waits for one.
func (st *stripe[R]) next(key shareKey) *shared[R] {
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.find(&key)
	next := r.next
	r.next = nil
	if next == nil {
		last := len(st.under) - 1
		*r = st.under[last]
		st.under[last] = request[R]{}
		if st.under = st.under[:last]; last == 0 && cap(st.under) > idleRequests {
			st.under = nil
		}
	}
	return next
}

// join returns the request after the one that is under way; nil: there is none any
// more.
func (st *stripe[R]) join(ctx context.Context, key shareKey, do func(context.Context) R) *shared[R] {
	st.mu.Lock()
	defer st.mu.Unlock()
	r := st.find(&key)
	if r == nil {
		return nil
	}
	if r.next == nil {
		r.next = &shared[R]{ctx: ctx, do: do, done: make(chan struct{})}
	}
	return r.next
}

// get returns what do returned, called for this caller or for another one who came
// before it began; the zero R if ctx ends. A call for several has the limit, and
// begins in a goroutine that start begins.
func (s *shares[R]) get(ctx context.Context, key shareKey, limit time.Duration, start func(func()) error, do func(context.Context) R) (result R) {
	st := s.of(key)
	for {
		alone, next := st.first(key)
		if alone {
			defer s.ended(key, limit, start)
			return do(ctx)
		}
		if next == nil {
			next = st.join(ctx, key, do)
		}
		if next != nil {
			next.waitInto(ctx, &result)
			return result
		}
	}
}

// waitInto leaves the place of the caller as it is if ctx ends.
func (sh *shared[R]) waitInto(ctx context.Context, result *R) {
	select {
	case <-sh.done:
		*result = sh.result
	case <-ctx.Done():
	}
}

// make makes the request that is shared, and then those that follow. It has the limit,
// and runs in a goroutine that start begins.
func (s *shares[R]) make(key shareKey, sh *shared[R], limit time.Duration, start func(func()) error) {
	err := start(func() {
		defer s.ended(key, limit, start)
		defer close(sh.done)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(sh.ctx), limit)
		defer cancel()
		sh.result = sh.do(ctx)
	})
	if err != nil { // closed: nothing is found any more
		close(sh.done)
		s.ended(key, limit, start)
	}
}

func (s *shares[R]) ended(key shareKey, limit time.Duration, start func(func()) error) {
	if next := s.of(key).next(key); next != nil {
		s.make(key, next, limit, start)
	}
}

// lookupShared is lookup for callers who may share it. It is get of shares but for the
// one who is alone, of whom there are most: he has the value for himself, and what
// only others need is not made.
func (s *Space[K, V]) lookupShared(ctx context.Context, key K, k *storeKey, l *looked[V]) {
	sk := k.share()
	st := s.lookups.of(sk)
	for {
		alone, next := st.first(sk)
		if alone {
			s.lookupAlone(ctx, sk, key, k, l)
			return
		}
		if next == nil {
			next = s.joinLookup(ctx, st, sk, key, *k)
		}
		if next != nil {
			next.waitInto(ctx, l)
			return
		} // else it ended meanwhile
	}
}

// lookupAlone is apart from lookupShared because what a loop defers is on the heap.
func (s *Space[K, V]) lookupAlone(ctx context.Context, sk shareKey, key K, k *storeKey, l *looked[V]) {
	defer s.lookupEnded(sk)
	s.lookupIn(ctx, key, k, l)
	l.a.own = true
}

// joinLookup is apart from lookupShared because what it refers to is on the heap.
func (s *Space[K, V]) joinLookup(ctx context.Context, st *stripe[looked[V]], sk shareKey, key K, k storeKey) *shared[looked[V]] {
	return st.join(ctx, sk, func(ctx context.Context) (l looked[V]) {
		s.lookupIn(ctx, key, &k, &l)
		return l
	})
}

// lookupIn looks when there is a place for it.
func (s *Space[K, V]) lookupIn(ctx context.Context, key K, k *storeKey, l *looked[V]) {
	leave, err := s.enter(ctx, key, toLookup)
	if err != nil {
		l.err = err
		return
	}
	defer leave()
	if s.cfg.Hot.Copies > 1 && s.fromCopyInto(ctx, key, *k, l) {
		return
	}
	s.lookInto(ctx, k, l)
}

func (s *Space[K, V]) fromCopyInto(ctx context.Context, key K, k storeKey, l *looked[V]) (found bool) {
	a, found := s.fromCopy(ctx, key, k)
	if found {
		l.a, l.usable = a, true
	}
	return found
}

func (s *Space[K, V]) lookupEnded(key shareKey) {
	if next := s.lookups.of(key).next(key); next != nil {
		s.lookups.make(key, next, s.cfg.Loads.Timeout, s.m.run)
	}
}
