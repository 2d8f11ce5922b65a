package demo

import (
	"fmt"
	"sync"
	"time"
)

// findings are what requests came upon that should not be, by the step in which it
// was. It is safe for concurrent use.
type findings struct {
	mu     sync.Mutex
	now    *finding
	excuse *excuse // of what a killed node costs; nil: no node was killed
}

// finding is what requests came upon in one step.
type finding struct {
	Errors   int `json:"errors"`   // that the caller was given
	Lost     int `json:"lost"`     // misses of keys that had to be there
	Wrong    int `json:"wrong"`    // values that are not what was stored last
	Outlived int `json:"outlived"` // values whose time was up

	// Of the errors and misses, those that no killed node excuses; the first of them
	// in words.
	Unexcused int      `json:"unexcused"`
	First     []string `json:"first"`

	Late int `json:"errors_after_eviction"` // of requests that began when the node was out of the ring
}

// excuse is which keys went down with a killed node.
type excuse struct {
	owned   func(key int) bool
	epoch   uint64    // of the ring without the node; 0: not evicted yet
	evicted time.Time // when that was seen; zero: not yet
}

// begin starts the count of a step.
func (f *findings) begin() *finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = &finding{}
	return f.now
}

// pardon says from now on which keys a killed node has taken with it.
func (f *findings) pardon(owned func(key int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.excuse = &excuse{owned: owned}
}

// evicted ends the pardon: what is stored from now on, and fails in the ring of
// this epoch, has no excuse.
func (f *findings) evicted(epoch uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.excuse = &excuse{owned: f.excuse.owned, epoch: epoch, evicted: time.Now()}
}

// failed notes an error of a request that began in the ring of that epoch.
func (f *findings) failed(key int, epoch uint64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Errors++
	e := f.excuse
	switch {
	case e == nil || !e.owned(key):
		f.now.blame("error: %v", err)
	case e.epoch > 0 && epoch >= e.epoch:
		f.now.Late++
		f.now.blame("error after the eviction: %v", err)
	}
}

// lost notes a miss of a key that had to be there.
func (f *findings) lost(key int, e *entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Lost++
	x := f.excuse
	if x == nil || !x.owned(key) || !x.evicted.IsZero() && e.from.After(x.evicted) {
		f.now.blame("a key that had to be there was a miss, %.1f s after it was stored for %v", time.Since(e.from).Seconds(), e.ttl)
	}
}

// excuses reports whether a key that is missing went down with a killed node.
func (f *findings) excuses(key int, e *entry) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.excuse
	return x != nil && x.owned(key) && (x.evicted.IsZero() || e.from.Before(x.evicted))
}

func (f *findings) wrong(int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Wrong++
}

func (f *findings) outlived(int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now.Outlived++
}

// copied returns what a step has come upon so far.
func (f *findings) copied(step *finding) finding {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := *step
	out.First = append([]string{}, step.First...)
	return out
}

// blame notes what has no excuse. The lock is held.
func (s *finding) blame(format string, args ...any) {
	const shown = 3
	if s.Unexcused++; len(s.First) < shown {
		s.First = append(s.First, fmt.Sprintf(format, args...))
	}
}
