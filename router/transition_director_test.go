package router

import (
	"context"
	"sync"
	"testing"
)

// director is a Tracer that stops requests before they are sent.
type director struct {
	t     *testing.T
	mu    sync.Mutex // guards the following
	stops map[[2]string]*stop
	seen  []Request
}

// stop is one request that is to be stopped.
type stop struct {
	reached chan struct{} // closed when it has come
	goOn    chan struct{} // closed when it may go on
	pass    int           // so many may go before it
}

func newDirector(t *testing.T) *director {
	return &director{t: t, stops: make(map[[2]string]*stop)}
}

// hold stops the next request of that name to a node.
func (d *director) hold(node, command string) *stop { return d.holdAfter(0, node, command) }

// holdAfter stops one of them after so many others.
func (d *director) holdAfter(pass int, node, command string) *stop {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := &stop{make(chan struct{}), make(chan struct{}), pass}
	d.stops[[2]string{node, command}] = s
	return s
}

func (d *director) Start(ctx context.Context, q Request) (context.Context, func(error)) {
	d.mu.Lock()
	d.seen = append(d.seen, q)
	at := [2]string{q.Node, q.Command}
	s := d.stops[at]
	if s != nil && s.pass > 0 {
		s.pass--
		s = nil
	} else {
		delete(d.stops, at)
	}
	d.mu.Unlock()
	if s != nil {
		close(s.reached)
		<-s.goOn
	}
	return ctx, func(error) {}
}

// while starts an operation, waits until it is stopped, does something else
// meanwhile, and returns when the operation has ended.
func (d *director) while(s *stop, operation, meanwhile func()) {
	d.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		operation()
	}()
	select {
	case <-s.reached:
	case <-ended:
		d.t.Error("the operation ended without the request that was to be stopped")
		return
	case <-d.t.Context().Done():
		d.t.Error("the request never came")
		return
	}
	meanwhile()
	close(s.goOn)
	<-ended
}

// count returns how many requests of that name a node was sent.
func (d *director) count(node, command string) (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, q := range d.seen {
		if q.Node == node && q.Command == command {
			n++
		}
	}
	return n
}
