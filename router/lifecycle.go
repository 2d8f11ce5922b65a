package router

import (
	"context"
	"sync/atomic"
)

// lifecycle counts the requests in flight on a node's client, so that it can be
// closed once the last is done.
//
// enter counts first and looks at retired second; retire marks first and looks
// at the count second. Whichever comes first, one of them sees the other: no
// request starts on a client that is closed.
type lifecycle struct {
	inFlight atomic.Int64
	retired  atomic.Bool
	drained  chan struct{} // holds a token when the count may have reached 0
}

func newLifecycle() lifecycle { return lifecycle{drained: make(chan struct{}, 1)} }

// enter counts a request, and returns how many there are with it. It returns 0,
// and counts nothing, once the client is being retired: load the new snapshot.
func (l *lifecycle) enter() int64 {
	n := l.inFlight.Add(1)
	if l.retired.Load() {
		l.leave()
		return 0
	}
	return n
}

func (l *lifecycle) leave() {
	if l.inFlight.Add(-1) == 0 && l.retired.Load() {
		select {
		case l.drained <- struct{}{}:
		default:
		}
	}
}

// retire refuses new requests, and waits until none is in flight or ctx ends.
func (l *lifecycle) retire(ctx context.Context) {
	l.retired.Store(true)
	for l.inFlight.Load() > 0 {
		select {
		case <-l.drained:
		case <-ctx.Done():
			return
		}
	}
}
