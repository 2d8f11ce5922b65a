package router

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// oracle knows what every key may hold at any moment. Each key has one writer, who
// does one thing after the other; anybody may read. A read must return what was
// written last before it began, or anything whose writing overlaps with it: an
// acknowledged write that is not read, or an older value after a newer one was
// acknowledged, is an error.
type oracle struct {
	clock atomic.Int64
	mu    sync.Mutex // guards the following
	keys  map[string][]version
	wrong []string
}

// version is one state of a key: "" is absent.
type version struct {
	value        string
	began, acked int64 // acked is 0 until it is
}

func newOracle() *oracle { return &oracle{keys: make(map[string][]version)} }

func (o *oracle) now() int64 { return o.clock.Add(1) }

// latest returns what the writer of a key has written last.
func (o *oracle) latest(key string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if all := o.keys[key]; len(all) > 0 {
		return all[len(all)-1].value
	}
	return ""
}

// writes notes that a value is about to be written, and returns what to call when
// that is acknowledged.
func (o *oracle) writes(key, value string) (acknowledged func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.keys[key] = append(o.keys[key], version{value: value, began: o.now()})
	at := len(o.keys[key]) - 1
	return func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.keys[key][at].acked = o.now()
	}
}

// read checks what a read that began at some time has returned just now.
func (o *oracle) read(what, key, got string, began int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var allowed []string
	all := o.keys[key]
	for i := len(all) - 1; i >= -1; i-- {
		if i == -1 {
			allowed = append(allowed, "")
			break
		}
		allowed = append(allowed, all[i].value)
		if all[i].acked > 0 && all[i].acked < began {
			break
		}
	}
	for _, value := range allowed {
		if value == got {
			return
		}
	}
	o.wrong = append(o.wrong, fmt.Sprintf("%s %s: got %q, want one of %q", what, key, got, allowed))
}

func (o *oracle) fail(format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.wrong = append(o.wrong, fmt.Sprintf(format, args...))
}
