package demo

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ringway/ringway/membership"
)

// sight is what the demo's client sees of the fleet at one moment.
type sight struct {
	epoch   uint64
	phase   membership.Phase
	current []string // IDs of the nodes that own keys, in the order in which they came
	next    []string // of those that will
	states  map[string]string
	agree   bool
}

func (s sight) settled() bool { return s.epoch > 0 && s.phase == membership.Stable && s.agree }

// watcher follows the views of the demo's client, in a goroutine of its own until
// close.
type watcher struct {
	kind   membership.Kind
	source membership.Source
	change func(s sight)      // called with each new sight, before anybody else sees it
	tell   func(event string) // called with what happened, in a few words

	mu   sync.Mutex    // guards the following
	last sight         // the newest
	news chan struct{} // closed and replaced with each sight

	cancel context.CancelFunc
	done   chan struct{} // closed when run has ended
}

func newWatcher(kind membership.Kind, source membership.Source, change func(sight), tell func(string)) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{kind: kind, source: source, change: change, tell: tell, news: make(chan struct{}), cancel: cancel, done: make(chan struct{})}
	go w.run(ctx)
	return w
}

func (w *watcher) close() {
	w.cancel()
	<-w.done
}

func (w *watcher) run(ctx context.Context) {
	defer close(w.done)
	for version := uint64(0); ; {
		view, err := w.source.Next(ctx, version)
		if err != nil {
			return // the context or the source has ended
		}
		version = view.Version
		w.see(sightOf(view, w.kind))
	}
}

func (w *watcher) see(s sight) {
	w.change(s)
	w.mu.Lock()
	old := w.last
	w.last = s
	close(w.news)
	w.news = make(chan struct{})
	w.mu.Unlock()
	for _, event := range happened(old, s) {
		w.tell(event)
	}
}

func sightOf(view membership.View, kind membership.Kind) sight {
	s := sight{epoch: view.Epoch, states: make(map[string]string), agree: len(view.Disagree) == 0}
	_, s.phase = view.Transition(kind)
	for _, n := range view.Current(kind) {
		s.current = append(s.current, n.ID)
	}
	for _, n := range view.Next(kind) {
		s.next = append(s.next, n.ID)
	}
	slices.SortFunc(s.current, byNumber)
	slices.SortFunc(s.next, byNumber)
	for _, m := range view.Members {
		if m.Kind == kind {
			s.states[m.ID] = m.Status()
		}
	}
	return s
}

// happened says in words what is new.
func happened(old, s sight) (events []string) {
	if old.epoch == 0 {
		return nil
	}
	if s.phase != old.phase {
		switch s.phase {
		case membership.PhaseAnnounced:
			events = append(events, "the change is announced")
		case membership.PhaseImporting:
			events = append(events, "keys move")
		case membership.Stable:
			events = append(events, "the change is done")
		}
	}
	for _, id := range old.current {
		if s.states[id] != old.states[id] && s.states[id] == string(membership.Dead) {
			events = append(events, id+" is seen to be dead")
		}
		if s.states[id] == "" && old.states[id] == string(membership.Dead) {
			events = append(events, id+" is evicted")
		}
	}
	return events
}

// now returns the last sight.
func (w *watcher) now() sight {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// await waits until the sight is as it should be.
func (w *watcher) await(ctx context.Context, what string, holds func(sight) bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stepDeadline, errTooLong)
	defer cancel()
	for {
		w.mu.Lock()
		s, news := w.last, w.news
		w.mu.Unlock()
		if holds(s) {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			if context.Cause(ctx) == errTooLong {
				return &unfinishedError{fmt.Sprintf("%s: not within %v; the fleet is %s", what, stepDeadline, s)}
			}
			return ctx.Err()
		}
	}
}

// String is for messages.
func (s sight) String() string {
	text := s.phase.String() + ":"
	for _, id := range slices.SortedFunc(maps.Keys(s.states), byNumber) {
		text += " " + id + " " + s.states[id]
	}
	return text
}

// unfinishedError says that the fleet did not get done with a change.
type unfinishedError struct{ what string }

func (e *unfinishedError) Error() string { return e.what }

// settleTime is how long a fleet has to stand still before it is looked at.
const settleTime = 500 * time.Millisecond
