package cache

import (
	"context"
	"sync"
)

// rounds has callers share requests: one who comes while a request is under way
// shares the next, which begins after he came.
type rounds struct {
	mu   sync.Mutex
	next *round     // whom to join: it has not begun
	run  sync.Mutex // held by the one that is under way
}

type round struct {
	ids  []identity
	done chan struct{} // closed when err is set
	err  error
}

// roundKeys is how many keys share a round. One that brings more has its own.
const roundKeys = 128

// join has do called once for all who come before it begins, and returns its error,
// or that of the context.
func (rs *rounds) join(ctx context.Context, start func(func()) error, ids []identity, do func(ids []identity) error) error {
	rs.mu.Lock()
	r := rs.next
	if r == nil || len(r.ids)+len(ids) > roundKeys {
		r = &round{done: make(chan struct{})}
		if err := start(func() { rs.fly(r, do) }); err != nil {
			rs.mu.Unlock()
			return err
		}
		rs.next = r
	}
	r.ids = append(r.ids, ids...)
	rs.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (rs *rounds) fly(r *round, do func(ids []identity) error) {
	rs.run.Lock()
	defer rs.run.Unlock()
	rs.mu.Lock()
	if rs.next == r {
		rs.next = nil // who comes now is too late for this one
	}
	ids := r.ids
	rs.mu.Unlock()
	r.err = errGoexit
	defer close(r.done)
	r.err = do(ids)
}
