package httpcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/ringway/ringway/cache"
)

// ErrNotStored: the response is not one that may be stored.
var ErrNotStored = errors.New("httpcache: not to be stored")

// serverError is a response that an old one may stand in for.
type serverError struct{ status int }

func (e *serverError) Error() string {
	return fmt.Sprintf("httpcache: the handler answered %d", e.status)
}

// run is the handler's, for one caller: it may be another caller's that answers both.
type run struct {
	h   *Handler
	key pageKey
	r   *http.Request
	rec *recorder

	ctx    context.Context // of the handler
	cancel context.CancelFunc

	mu       sync.Mutex // guards what follows
	begun    bool
	left     bool
	done     chan struct{} // closed when the handler has returned
	panicked any
}

// begin prepares a run. Without a caller, what must not be stored goes nowhere.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request, key pageKey) *run {
	if w == nil {
		w = &nowhere{header: make(http.Header)}
	}
	one := &run{h: h, key: key, rec: newRecorder(w, h.cfg.MaxBytes), done: make(chan struct{})}
	one.ctx, one.cancel = context.WithCancel(context.WithoutCancel(r.Context()))
	one.r = r.Clone(one.ctx)
	one.r.Method = http.MethodGet
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "Cache-Control", "Pragma"} {
		one.r.Header.Del(name) // what is stored is a whole response
	}
	one.r.Body = http.NoBody
	return one
}

type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(p []byte) (int, error) { return io.Discard.Write(p) }
func (n *nowhere) WriteHeader(int)             {}

// load is a cache.Loader: it runs the handler, until it is known what becomes of the
// response.
func (o *run) load(ctx context.Context, _ pageKey) (l cache.Loaded[page], err error) {
	o.mu.Lock()
	if o.begun || o.left { // a load that is repeated: the response is not to be had twice
		o.mu.Unlock()
		return l, ErrNotStored
	}
	o.begun = true
	o.mu.Unlock()
	go o.handle()
	select {
	case <-o.done:
	case <-o.rec.passes:
		o.h.pass.add(o.key, time.Now())
		return l, ErrNotStored
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.left { // nobody waits for it any more
			o.cancel()
		}
		return l, ctx.Err()
	}
	if o.panicked != nil {
		return l, &serverError{http.StatusInternalServerError}
	}
	status, header, body, whole := o.rec.kept()
	switch status {
	case http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return l, &serverError{status}
	}
	p, may := o.h.store(status, header, body, time.Now())
	if !whole || !may {
		o.h.pass.add(o.key, time.Now())
		return l, ErrNotStored
	}
	l.Value, l.TTL = p, p.Fresh-p.Old+max(p.While, p.Error)
	return l, nil
}

func (o *run) handle() {
	defer close(o.done)
	defer func() { o.panicked = recover() }()
	o.h.next.ServeHTTP(o.rec, o.r)
}

// deliver gives the caller the response of its own run, as it comes; false if the
// handler was not run for it.
func (o *run) deliver(ctx context.Context) bool {
	o.mu.Lock()
	begun := o.begun
	o.mu.Unlock()
	if !begun {
		return false
	}
	select {
	case <-o.done:
	case <-ctx.Done():
		return true
	}
	if o.panicked != nil {
		panic(o.panicked) // as it would have without a cache
	}
	o.rec.deliver()
	return true
}

// leave is called when the caller's handler returns. A response that nobody can store
// or read any more is given up.
func (o *run) leave() {
	o.rec.leave()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.left = true
	select {
	case <-o.rec.passes:
		o.cancel()
	case <-o.done:
		o.cancel()
	default:
		if !o.begun {
			o.cancel()
		} else {
			go func() { <-o.done; o.cancel() }()
		}
	}
}

// passes are keys whose responses are not stored, so that callers need not wait for
// each other.
type passes struct {
	mu    sync.Mutex // guards until
	until map[pageKey]time.Time
}

const (
	passFor  = 10 * time.Second
	mostPass = 10_000
)

func (p *passes) add(key pageKey, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.until == nil || len(p.until) >= mostPass {
		p.until = make(map[pageKey]time.Time)
	}
	p.until[key] = now.Add(passFor)
}

func (p *passes) has(key pageKey, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, found := p.until[key]
	if found && !now.Before(until) {
		delete(p.until, key)
		return false
	}
	return found
}
