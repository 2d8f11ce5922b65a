package httpcache

import (
	"errors"
	"net/http"
	"sync"
)

// recorder keeps what a handler writes, until it turns out that it must not be kept:
// then everything goes to the caller, and so does what comes after.
type recorder struct {
	most int64

	mu      sync.Mutex // guards what follows, and calls of out
	out     http.ResponseWriter
	header  http.Header
	status  int // 0: not written yet
	body    []byte
	passing bool          // it goes to the caller
	gone    bool          // the caller has gone: nobody must touch out any more
	passes  chan struct{} // closed when passing
}

func newRecorder(out http.ResponseWriter, most int64) *recorder {
	return &recorder{most: most, out: out, header: make(http.Header), passes: make(chan struct{})}
}

var errGone = errors.New("httpcache: the caller has gone")

// Header is http.ResponseWriter.Header.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader is http.ResponseWriter.WriteHeader. What comes before the last status
// (103 Early Hints) is left out.
func (r *recorder) WriteHeader(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == 0 && status >= 200 || status == http.StatusSwitchingProtocols {
		r.status = status
	}
}

// Write is http.ResponseWriter.Write.
func (r *recorder) Write(data []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if !r.passing && int64(len(r.body)+len(data)) > r.most {
		r.pass()
	}
	switch {
	case r.gone && r.passing:
		return 0, errGone
	case r.passing:
		return r.out.Write(data)
	}
	r.body = append(r.body, data...)
	return len(data), nil
}

// FlushError is what http.ResponseController calls, and Flush what others do: who
// flushes streams, and is not stored.
func (r *recorder) FlushError() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.pass()
	if r.gone {
		return errGone
	}
	return http.NewResponseController(r.out).Flush()
}

// Flush is http.Flusher.Flush.
func (r *recorder) Flush() { _ = r.FlushError() }

// pass hands everything to the caller. r.mu is held.
func (r *recorder) pass() {
	if r.passing {
		return
	}
	r.passing = true
	if !r.gone {
		r.hand()
	}
	r.body = nil
	close(r.passes)
}

// hand writes what was kept. r.mu is held.
func (r *recorder) hand() {
	to := r.out.Header()
	for name, values := range r.header {
		to[name] = values
	}
	if r.status != 0 {
		r.out.WriteHeader(r.status)
	}
	_, _ = r.out.Write(r.body) // a caller who has gone is no matter of ours
}

// deliver hands to the caller what was kept, unless it has gone there already.
func (r *recorder) deliver() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.passing && !r.gone {
		r.hand()
	}
}

// leave is called before the caller's handler returns: nothing is written any more.
func (r *recorder) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gone = true
}

// kept returns the response, once the handler has returned, unless it was passed on.
func (r *recorder) kept() (status int, header http.Header, body []byte, whole bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if status = r.status; status == 0 {
		status = http.StatusOK
	}
	return status, r.header, r.body, !r.passing
}
