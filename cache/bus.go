package cache

import "context"

// Bus tells processes what others have changed, so that their first levels forget
// it. Only changes are told (Put, Invalidate, BumpEpoch), never what is read or
// loaded. NewRedisBus makes one.
//
// A Bus need not deliver everything, but it must notice when something may be
// missing, and say so by Listener.Doubt. NewBus sees to that over any Wire.
type Bus interface {
	// Tell queues a change for all other processes. It never waits for one.
	Tell(c Change)

	// Run hands on what other processes tell, until the context ends, and then
	// what is still queued: it may take two seconds more for that. It runs once.
	Run(ctx context.Context, l Listener) error
}

// Change says what other processes have to forget.
type Change struct {
	Space string   // name and schema: "user/3"; of a tag "@tags"
	Key   [16]byte // part of a hash of the key; with All: of that of the epoch, or zero for the keys as such
	All   bool     // all keys of the space: its epoch is another one
}

// Listener is who is told. Its methods are quick, and may be called by any
// goroutine, one call at a time.
type Listener interface {
	// Changed: another process has made this change.
	Changed(c Change)

	// Doubt: changes may have been missed, so that nothing from before is to be
	// trusted. While deaf, up to the next call, more may be missed.
	Doubt(deaf bool)
}

// listener has the spaces of a manager forget.
type listener struct{ m *Manager }

func (l listener) Changed(c Change) {
	if l.m.tags.changed(c) {
		return
	}
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	if s := l.m.spaces[c.Space]; s != nil {
		s.changed(c)
	}
}

func (l listener) Doubt(deaf bool) {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	l.m.deaf = deaf
	for _, s := range l.m.spaces {
		s.doubt(deaf)
	}
}

func (s *Space[K, V]) changed(c Change) {
	switch {
	case !c.All:
		s.l1.changed(c.Key)
		s.spares.changed(c.Key)
		s.pauses.changed(c.Key)
	case c.Key == identity{}: // InvalidatePattern, EraseTag
		s.l1.forget()
		s.spares.forget()
	case s.epochs != nil:
		s.epochs.expire()
	}
}

func (s *Space[K, V]) doubt(deaf bool) { s.l1.doubt(deaf) }
