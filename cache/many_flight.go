package cache

import (
	"context"
	"errors"
	"runtime/debug"
	"time"
)

// part is what GetMany knows of a key that is to be loaded.
type part[V any] struct {
	old    *answer[V]         // past its time to live, for the time that the load fails; nil: none
	flight *flight[answer[V]] // of the key, this call's or another one's
	leads  bool               // this call's
	wait   wait               // for a lease of somebody else
	shed   bool               // it was joined once more, after one that gave way
	landed bool               // the flight has its result
}

// overtakenLoad as the moment of decision has all callers but the one that led the load
// ask the fleet again: see cameAfter.
var overtakenLoad = time.Unix(1, 0)

// withoutOld counts the queries that have no old value.
func withoutOld[K Key, V any](asked []query[K, V]) (n int) {
	for _, q := range asked {
		if q.many.old == nil {
			n++
		}
	}
	return n
}

// awaitMany joins the loads of the keys, and is await for each. Those without an old
// value are first: if they take long the others get what is new by then.
func (s *Space[K, V]) awaitMany(ctx context.Context, asked []query[K, V], answers map[K]Answer[V]) {
	if asked = s.notHeld(asked, answers); len(asked) == 0 {
		return
	}
	for i := range asked {
		if asked[i].came.IsZero() {
			asked[i].came = time.Now()
		}
	}
	s.joinMany(ctx, asked)
	soft, cancel := context.WithTimeout(context.Background(), s.cfg.Loads.SoftTimeout)
	defer cancel()
	w := manyWait[K, V]{s: s, answers: answers}
	for i := range asked {
		if q := &asked[i]; q.many.old == nil {
			w.landed(q, await(q.many.flight, nil, ctx.Done(), ctx.Err))
		}
	}
	for i := range asked {
		if q := &asked[i]; q.many.old != nil {
			w.landed(q, await(q.many.flight, soft.Done(), ctx.Done(), ctx.Err))
		}
	}
	s.counters.lookups.Add(uint64(len(w.anew)))
	if len(w.anew) > 0 {
		s.getMany(ctx, w.anew, answers)
	}
	s.awaitMany(ctx, w.shed, answers)
}

// await waits for a flight; what it has brought comes before all else.
func await[R any](f *flight[R], soft, done <-chan struct{}, why func() error) error {
	select {
	case <-f.done:
		return f.err
	default:
	}
	select {
	case <-f.done:
		return f.err
	case <-soft:
		return ErrLoadTimeout
	case <-done:
		return callerGone{why()}
	}
}

// callerGone says that the caller's context ended.
type callerGone struct{ error }

// manyWait collects what becomes of the keys of awaitMany.
type manyWait[K Key, V any] struct {
	s       *Space[K, V]
	answers map[K]Answer[V]
	told    bool          // OnError is told once a call
	anew    []query[K, V] // to be looked up again
	shed    []query[K, V] // whose load gave way to others
}

// landed answers for a key whose load has ended, or is not waited for any longer.
func (w *manyWait[K, V]) landed(q *query[K, V], err error) {
	s, p := w.s, q.many
	var a Answer[V]
	gone, left := err.(callerGone)
	switch {
	case left:
		a.Err = gone.error
	case err == nil && !p.leads && cameAfter(q.came, p.flight.result.decided):
		w.anew = append(w.anew, query[K, V]{key: q.key, store: q.store, load: q.load, came: q.came})
		return
	case err == nil && !p.flight.result.free():
		w.anew = append(w.anew, query[K, V]{key: q.key, store: q.store, load: q.load})
		return
	case err == nil:
		a.Value, a.Meta, a.Err = s.deliver(&p.flight.result)
	case p.old != nil && !errors.Is(err, ErrClosed):
		if !w.told {
			w.told = true
			s.m.tell(s.name, err)
		}
		a.Value, a.Meta, a.Err = s.stale(p.old)
	case errors.Is(err, ErrShed) && !p.leads && !p.shed && p.old == nil:
		q.many = &part[V]{shed: true}
		w.shed = append(w.shed, *q)
		return
	case errors.Is(err, ErrShed) && q.past == BypassNothing:
		a = s.shedAnswer(*q, err)
	default:
		a.Err = err
	}
	w.answers[q.key] = a
}

// joinMany joins the loads of the keys, and starts one for all that have none. Who wants
// one of them meanwhile, alone or among others, joins that.
func (s *Space[K, V]) joinMany(ctx context.Context, asked []query[K, V]) {
	var led []query[K, V]
	fs := &s.flights
	fs.mu.Lock()
	if fs.byKey == nil {
		fs.byKey = make(map[string]*flight[answer[V]])
	}
	for _, q := range asked {
		key := q.store.flight()
		if q.many.flight = fs.byKey[key]; q.many.flight == nil {
			q.many.flight, q.many.leads = &flight[answer[V]]{done: make(chan struct{})}, true
			fs.byKey[key] = q.many.flight
			led = append(led, q)
		}
	}
	fs.mu.Unlock()
	s.counters.coalesced.Add(uint64(len(asked) - len(led)))
	if len(led) == 0 {
		return
	}
	if err := s.m.run(func() { s.flyMany(ctx, led) }); err != nil {
		s.landAll(led, err)
		s.flush(led)
	}
}

// flyMany makes the values. It belongs to none of its callers, and gives way if each of
// them has an old one.
func (s *Space[K, V]) flyMany(ctx context.Context, led []query[K, V]) {
	ctx = withCaller(ctx)
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
	if withoutOld(led) == 0 {
		ctx = giveWay(ctx)
	}
	// Also if it panics, or ends its goroutine: nobody may be left waiting.
	err := errGoexit
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p, Stack: debug.Stack()}
		} else if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		s.landAll(led, err)
		s.flush(led)
	}()
	s.produceMany(ctx, led)
}

// land says what became of a key; flush has those know who wait for it.
func (s *Space[K, V]) land(q query[K, V], a answer[V], err error) {
	if f := q.many.flight; !q.many.landed && !f.ended() {
		q.many.landed, f.result, f.err = true, a, err
	}
}

func (s *Space[K, V]) landAll(all []query[K, V], err error) {
	for _, q := range all {
		s.land(q, answer[V]{}, err)
	}
}

func (s *Space[K, V]) flush(all []query[K, V]) {
	for _, q := range all {
		if f := q.many.flight; q.many.landed && !f.ended() {
			s.flights.leave(q.store.flight(), f)
			close(f.done)
		}
	}
}

func (f *flight[R]) ended() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}
