package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"
)

// Session has one client see its own writes, and never a value that is older than one
// it has seen (read-your-writes and monotonic reads), although the first levels of
// processes, copies on the fleet and replicas of the source lag. It remembers, of the
// last 64 keys, which version there was: Put, PutMany, InvalidateBelow and Get note it,
// and a Get that finds an older one goes on to the next level, and to the loader.
//
// That needs versions (Loaded.Version, SpaceConfig.Save). Where a write has none, what
// first levels and fallbacks have of the key is passed over for as long as they could
// have the old value (the longer of L1Config.TTL and FallbackConfig.MaxAge, and
// LoadsConfig.Timeout for a load that was under way); and so it is for all keys where a key had to make
// room for others.
//
// A Session is for one client at a time, and safe for concurrent use. Token and
// ParseSession carry it from process to process.
type Session struct {
	mu    sync.Mutex // guards what follows
	notes []note     // by key; the one noted last comes last
	until time.Time  // first levels are passed over for all keys
}

// NewSession returns a session that has seen nothing.
func NewSession() *Session { return &Session{} }

// note is what a session knows of one key.
type note struct {
	key     uint64    // part of a hash of the key and its space
	version uint64    // that there was; 0: not known
	until   time.Time // first levels may have an older value
	blind   bool      // written without a version: only until counts
}

const maxNotes = 64

type sessionKey struct{}

// WithSession returns a context in which the calls of spaces are those of the
// session's client. nil: of none.
func WithSession(ctx context.Context, s *Session) context.Context {
	sessionsBegun.Store(true)
	return context.WithValue(ctx, sessionKey{}, s)
}

func sessionOf(ctx context.Context) *Session {
	s, _ := ctx.Value(sessionKey{}).(*Session)
	return s
}

// ErrBehind: the source has gone on answering with an older version of the value than
// the session has seen, for all of LoadsConfig.Timeout.
var ErrBehind = errors.New("cache: the source is behind what the session has seen")

func noteKey(id identity) uint64 { return binary.BigEndian.Uint64(id[:8]) }

// note makes the newest of what is known of a key. first is how long first levels
// and fallbacks keep a value.
func (s *Session) note(id identity, version uint64, blind bool, first time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := note{key: noteKey(id), version: version, blind: blind, until: time.Now().Add(first)}
	if i := s.find(n.key); i >= 0 {
		old := s.notes[i]
		if n.version <= old.version && !blind { // nothing new, and older values end no later
			n.until = old.until
		}
		n.version, n.blind = max(n.version, old.version), blind || old.blind
		s.notes = slices.Delete(s.notes, i, i+1)
	}
	s.notes = append(s.notes, n)
	if len(s.notes) > maxNotes {
		if gone := s.notes[0].until; gone.After(s.until) {
			s.until = gone
		}
		s.notes = slices.Delete(s.notes, 0, 1)
	}
}

// forget is for a key that the source does not have any more.
func (s *Session) forget(id identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.find(noteKey(id)); i >= 0 {
		s.notes = slices.Delete(s.notes, i, i+1)
	}
}

func (s *Session) find(key uint64) int {
	return slices.IndexFunc(s.notes, func(n note) bool { return n.key == key })
}

// need returns what an answer for the key has to be.
func (s *Session) need(id identity, now time.Time) (n need) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.past = now.Before(s.until)
	if i := s.find(noteKey(id)); i >= 0 {
		n.version = s.notes[i].version
		n.past = n.past || s.notes[i].blind && now.Before(s.notes[i].until)
	}
	return n
}

// need is what an answer has to be.
type need struct {
	version uint64 // at least; an answer without one is too old, but from the source
	past    bool   // not from memory of this process
}

// unmet says whether an answer is too old. The source without a version, or without
// the key, is believed: there is nothing to compare.
func (n need) unmet(m Meta, negative bool) bool {
	switch m.Source {
	case FromPending, FromFilter:
		return false
	case FromLoader:
		return !negative && m.Version != 0 && m.Version < n.version
	case FromL1, FromFallback:
		return n.past || m.Version < n.version
	}
	return m.Version < n.version
}

// noteWrite notes a write for the session of the context, if there is one.
func (s *Space[K, V]) noteWrite(ctx context.Context, k storeKey, version uint64) {
	if session := sessionOf(ctx); session != nil {
		blind := version == 0 || version == AnyVersion
		if blind {
			version = 0
		}
		session.note(k.identity, version, blind, s.oldest())
	}
}

// oldest is how long after a write a process may still have the value of before: a load
// that was under way then may have kept it when it ended.
func (s *Space[K, V]) oldest() time.Duration {
	kept := s.cfg.L1.TTL
	if s.spares != nil {
		kept = max(kept, s.spares.maxAge)
	}
	return kept + s.cfg.Loads.Timeout
}

// getInSession is GetWith for a session.
func (s *Space[K, V]) getInSession(ctx context.Context, session *Session, key K, load Loader[K, V], ofCall bool) (V, Meta, error) {
	ctx = WithSession(ctx, nil)
	v, meta, err := s.getBy(ctx, key, load, ofCall)
	return s.seen(ctx, session, key, load, ofCall, Answer[V]{Value: v, Meta: meta, Err: err})
}

// getManyInSession is GetMany for a session.
func (s *Space[K, V]) getManyInSession(ctx context.Context, session *Session, keys []K) map[K]Answer[V] {
	ctx = WithSession(ctx, nil)
	answers := s.GetMany(ctx, keys)
	asked := make([]K, 0, len(answers))
	for key := range answers {
		asked = append(asked, key)
	}
	results := make([]Answer[V], len(asked))
	atOnce(len(asked), func(i int) {
		r := &results[i]
		r.Value, r.Meta, r.Err = s.seen(ctx, session, asked[i], s.cfg.Load, false, answers[asked[i]])
	})
	for i, key := range asked {
		answers[key] = results[i]
	}
	return answers
}

// seen returns the answer if it is new enough for the session, and else one that is.
func (s *Space[K, V]) seen(ctx context.Context, session *Session, key K, load Loader[K, V], ofCall bool, a Answer[V]) (V, Meta, error) {
	var none V
	absent := errors.Is(a.Err, ErrNotFound)
	if a.Err != nil && !absent {
		return none, a.Meta, a.Err
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return none, Meta{}, err
	}
	n := session.need(k.identity, time.Now())
	end := time.Now().Add(s.cfg.Loads.Timeout)
	for gap := 10 * time.Millisecond; n.unmet(a.Meta, absent); gap = min(2*gap, 250*time.Millisecond) {
		if a.Meta.Source == FromLoader { // a replica that lags: it may have caught up soon
			if time.Now().Add(gap).After(end) {
				return none, Meta{}, ErrBehind
			}
			if err := pause(ctx, gap); err != nil {
				return none, Meta{}, err
			}
		}
		a.Value, a.Meta, a.Err = s.getNewer(ctx, key, load, ofCall, n)
		if absent = errors.Is(a.Err, ErrNotFound); a.Err != nil && !absent {
			return none, a.Meta, a.Err
		}
	}
	switch {
	case absent && a.Meta.Source == FromLoader:
		session.forget(k.identity)
	case !absent && a.Meta.Version > 0:
		session.note(k.identity, a.Meta.Version, false, s.oldest())
	}
	return a.Value, a.Meta, a.Err
}

// getNewer passes over this process, and over what is too old on the fleet.
func (s *Space[K, V]) getNewer(ctx context.Context, key K, load Loader[K, V], ofCall bool, n need) (V, Meta, error) {
	var none V
	if s.Bypassed() != BypassNothing {
		return s.getWith(ctx, key, load, ofCall)
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return none, Meta{}, err
	}
	s.counters.sessionMisses.Add(1)
	generation := s.l1.generation(k.identity)
	q := query[K, V]{key: key, store: k, load: load, ofCall: ofCall}
	a, usable := s.lookup(ctx, k)
	if err := ctx.Err(); err != nil {
		return none, Meta{}, err
	}
	if usable && !n.unmet(Meta{Source: FromL2, Version: a.version}, a.negative) {
		return s.answer(ctx, &q, generation, &a, true)
	}
	if load == nil {
		return none, Meta{}, ErrNoLoader
	}
	if usable {
		q.seen = a.stamp // so that it is replaced
	}
	return s.await(ctx, &q, nil, false)
}
