package cache

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// ledgered is a source with versions, and a replica of it that may stand still.
type ledgered struct {
	mu     sync.Mutex
	now    map[userKey]Loaded[user]
	old    map[userKey]Loaded[user] // what the replica has; nil: what there is
	loads  int
	blank  bool // versions are not told
	latest uint64
}

func (r *ledgered) set(key userKey, name string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.now == nil {
		r.now = make(map[userKey]Loaded[user])
	}
	r.latest++
	version := r.latest
	if r.blank {
		version = 0
	}
	r.now[key] = Loaded[user]{Value: user{Name: name}, Version: version}
	return version
}

func (r *ledgered) load(_ context.Context, key userKey) (Loaded[user], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	from := r.now
	if r.old != nil {
		from = r.old
	}
	l, found := from[key]
	if !found {
		return l, ErrNotFound
	}
	return l, nil
}

func (r *ledgered) save(_ context.Context, key userKey, v user) (uint64, error) {
	return r.set(key, v.Name), nil
}

// sessions runs a test with two processes that share a store and a source, and are
// not told of each other's changes.
func sessions(t *testing.T, test func(t *testing.T, r *ledgered, a, b *Space[userKey, user], store *laggingStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r, store := &ledgered{}, &laggingStore{Memory: NewMemory()}
		r.set(ada, "first")
		var both []*Space[userKey, user]
		for range 2 {
			m, err := NewManager(ManagerConfig{Store: store})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			both = append(both, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Save, c.L1 = r.load, r.save, L1Config{MaxBytes: 1 << 20}
				c.SaveMany = func(ctx context.Context, pairs []Pair[userKey, user]) (versions []uint64, err error) {
					for _, p := range pairs {
						versions = append(versions, r.set(p.Key, p.Value.Name))
					}
					return versions, nil
				}
			}))
		}
		test(t, r, both[0], both[1], store)
	})
}

// laggingStore answers Get as it was when it was frozen, as a copy that lags.
type laggingStore struct {
	*Memory
	frozen map[string]Entry
}

func (s *laggingStore) freeze(t *testing.T, keys ...string) {
	s.frozen = make(map[string]Entry)
	for _, key := range keys {
		e, err := s.Memory.Get(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		s.frozen[key] = e
	}
}

func (s *laggingStore) Get(ctx context.Context, key string) (Entry, error) {
	if e, found := s.frozen[key]; found {
		return e, nil
	}
	return s.Memory.Get(ctx, key)
}

// handed carries a session to another process, as a cookie would.
func handed(t *testing.T, s *Session) *Session {
	t.Helper()
	secret := []byte("0123456789abcdef")
	token := s.Token(secret)
	if len(token) > MaxSessionToken {
		t.Errorf("a token of %d bytes", len(token))
	}
	next, err := ParseSession(token, secret)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

func nameIn(t *testing.T, ctx context.Context, s *Space[userKey, user], key userKey) (string, Source) {
	t.Helper()
	v, meta, err := s.Get(ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	return v.Name, meta.Source
}

func TestSessionReadsItsWrites(t *testing.T) {
	for name, write := range map[string]func(ctx context.Context, s *Space[userKey, user], r *ledgered) error{
		"Put": func(ctx context.Context, s *Space[userKey, user], _ *ledgered) error {
			return s.Put(ctx, ada, user{Name: "second"})
		},
		"PutMany": func(ctx context.Context, s *Space[userKey, user], _ *ledgered) error {
			return s.PutMany(ctx, []Pair[userKey, user]{{ada, user{Name: "second"}}})
		},
		"InvalidateBelow": func(ctx context.Context, s *Space[userKey, user], r *ledgered) error {
			return s.InvalidateBelow(ctx, ada, r.set(ada, "second"))
		},
		"Invalidate": func(ctx context.Context, s *Space[userKey, user], r *ledgered) error {
			r.set(ada, "second")
			return s.Invalidate(ctx, ada)
		},
		"Put without versions": func(ctx context.Context, s *Space[userKey, user], r *ledgered) error {
			r.blank = true
			return s.Put(ctx, ada, user{Name: "second"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			sessions(t, func(t *testing.T, r *ledgered, a, b *Space[userKey, user], _ *laggingStore) {
				mustGet(t, a, ada)
				mustGet(t, b, ada)
				session := NewSession()
				if err := write(WithSession(t.Context(), session), a, r); err != nil {
					t.Fatal(err)
				}
				if got, from := nameIn(t, t.Context(), b, ada); got != "first" || from != FromL1 {
					t.Errorf("without a session: %q from %v: the test shows nothing", got, from)
				}
				ctx := WithSession(t.Context(), handed(t, session))
				if got, _ := nameIn(t, ctx, b, ada); got != "second" {
					t.Errorf("with the session: %q", got)
				}
				time.Sleep(time.Minute) // no first level has the old value by now
				nameIn(t, ctx, b, ada)
				if got, from := nameIn(t, ctx, b, ada); got != "second" || from != FromL1 {
					t.Errorf("a minute later: %q from %v, want L1", got, from)
				}
			})
		})
	}
}

// What a session has seen in one process it does not see older in another, nor from a
// copy on the fleet that lags; and of many keys likewise.
func TestSessionIsMonotonic(t *testing.T) {
	sessions(t, func(t *testing.T, r *ledgered, a, b *Space[userKey, user], store *laggingStore) {
		grace := userKey{"acme", 2}
		r.set(grace, "grace")
		var texts []string
		for _, key := range []userKey{ada, grace} {
			mustGet(t, b, key)
			k, _ := storeKeyOf(b.prefix, key, nil, nil)
			texts = append(texts, k.text)
		}
		store.freeze(t, texts...)
		if err := a.Put(t.Context(), ada, user{Name: "second"}); err != nil {
			t.Fatal(err)
		}
		session := NewSession()
		ctx := WithSession(t.Context(), session)
		r.loads = 0
		session.note(mustIdentity(a, ada), 3, false, time.Minute) // as if it had seen it elsewhere
		for range 3 {
			if got, _ := nameIn(t, ctx, b, ada); got != "second" {
				t.Errorf("%q", got)
			}
		}
		answers := b.GetMany(WithSession(t.Context(), handed(t, session)), []userKey{ada, grace, {"", 9}})
		if v := answers[ada]; v.Value.Name != "second" || v.Err != nil {
			t.Errorf("GetMany: %+v", v)
		}
		if v := answers[grace]; v.Value.Name != "grace" || v.Meta.Source != FromL1 {
			t.Errorf("GetMany: of a key that the session knows nothing of: %+v", v)
		}
		if v := answers[userKey{"", 9}]; !errors.Is(v.Err, ErrNotFound) {
			t.Errorf("GetMany: of a key that is not there: %+v", v)
		}
		if r.loads > 2 {
			t.Errorf("%d loads, though the fleet has the value: 1 for what is not there", r.loads)
		}
		// Read where it is new, and then where it is not.
		store.frozen = nil
		r.set(ada, "third")
		if err := a.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if got, _ := nameIn(t, ctx, a, ada); got != "third" {
			t.Fatalf("%q", got)
		}
		if got, _ := nameIn(t, t.Context(), b, ada); got == "third" {
			t.Error("the test shows nothing")
		}
		if got, _ := nameIn(t, WithSession(t.Context(), handed(t, session)), b, ada); got != "third" {
			t.Errorf("after it has seen the third: %q", got)
		}
	})
}

func mustIdentity(s *Space[userKey, user], key userKey) identity {
	k, err := storeKeyOf(s.prefix, key, nil, nil)
	if err != nil {
		panic(err)
	}
	return k.identity
}

// A loader that reads a replica is given until its time-out to catch up.
func TestSessionAndAReplica(t *testing.T) {
	for name, lag := range map[string]time.Duration{"catches up": time.Second, "does not": time.Hour} {
		t.Run(name, func(t *testing.T) {
			sessions(t, func(t *testing.T, r *ledgered, a, b *Space[userKey, user], _ *laggingStore) {
				r.old = map[userKey]Loaded[user]{ada: r.now[ada]}
				session := NewSession()
				ctx := WithSession(t.Context(), session)
				if err := a.InvalidateBelow(ctx, ada, r.set(ada, "second")); err != nil {
					t.Fatal(err)
				}
				time.AfterFunc(lag, func() { r.mu.Lock(); defer r.mu.Unlock(); r.old = nil })
				begun := time.Now()
				v, _, err := b.Get(ctx, ada)
				took := time.Since(begun)
				if lag == time.Second && (err != nil || v.Name != "second" || took > 1500*time.Millisecond) {
					t.Errorf("%q, %v after %v", v.Name, err, took)
				}
				if lag == time.Hour && (!errors.Is(err, ErrBehind) || v.Name != "" || took > 3*time.Second) {
					t.Errorf("%q, %v after %v", v.Name, err, took)
				}
				ended, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				defer cancel()
				if _, _, err := b.Get(ended, ada); lag == time.Hour && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("a caller who leaves: %v", err)
				}
			})
		})
	}
}

// A key that was deleted: the source is believed, and then its absence is cached.
func TestSessionDeletes(t *testing.T) {
	sessions(t, func(t *testing.T, r *ledgered, a, b *Space[userKey, user], _ *laggingStore) {
		mustGet(t, b, ada)
		session := NewSession()
		ctx := WithSession(t.Context(), session)
		delete(r.now, ada)
		if err := a.InvalidateBelow(ctx, ada, 2); err != nil {
			t.Fatal(err)
		}
		for _, want := range []Source{FromLoader, FromNegative} {
			b.l1.forget() // what other callers are given
			if _, meta, err := b.Get(ctx, ada); !errors.Is(err, ErrNotFound) || meta.Source != want {
				t.Errorf("from %v, %v, want %v", meta.Source, err, want)
			}
		}
	})
}

// More keys than a session remembers: first levels are passed over for all.
func TestSessionOverflows(t *testing.T) {
	sessions(t, func(t *testing.T, r *ledgered, a, b *Space[userKey, user], _ *laggingStore) {
		mustGet(t, b, ada)
		session := NewSession()
		ctx := WithSession(t.Context(), session)
		if err := a.Put(ctx, ada, user{Name: "second"}); err != nil {
			t.Fatal(err)
		}
		for i := range int64(maxNotes) {
			if err := a.Put(ctx, userKey{"many", i}, user{}); err != nil {
				t.Fatal(err)
			}
		}
		if n := session.need(mustIdentity(a, ada), time.Now()); n.version != 0 || len(session.notes) != maxNotes {
			t.Fatalf("it remembers %d keys, and %+v of the first", len(session.notes), n)
		}
		if got, _ := nameIn(t, WithSession(t.Context(), handed(t, session)), b, ada); got != "second" {
			t.Errorf("%q", got)
		}
	})
}

func TestSessionToken(t *testing.T) {
	secret := []byte("0123456789abcdef")
	s := NewSession()
	if next := handed(t, s); len(next.notes) != 0 {
		t.Error("an empty session is not")
	}
	if next, err := ParseSession("", secret); err != nil || len(next.notes) != 0 {
		t.Error("no token is no new session", err)
	}
	for i := range 2 * maxNotes {
		s.note(identity{0: byte(i), 7: 1}, math.MaxUint64-1-uint64(i), i%2 == 0, time.Hour)
	}
	next := handed(t, s)
	for i := range s.notes {
		a, b := s.notes[i], next.notes[i]
		if a.key != b.key || a.version != b.version || a.blind != b.blind || b.until.Before(a.until) || b.until.Sub(a.until) > time.Second {
			t.Errorf("note %d: %+v came back as %+v", i, a, b)
		}
	}
	token := s.Token(secret)
	another := func(at int) string { // another letter there
		letter := "A"
		if token[at:at+1] == letter {
			letter = "B"
		}
		return token[:at] + letter + token[at+1:]
	}
	for name, bad := range map[string]string{
		"changed": another(len(token) / 2), "end changed": another(len(token) - 3), "cut": token[:40], "long": strings.Repeat("A", MaxSessionToken+1),
		"other letters": "!" + token[1:], "other secret": s.Token([]byte("another secret…")), "unsigned": s.Token(nil),
	} {
		if _, err := ParseSession(bad, secret); !errors.Is(err, ErrSessionToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ParseSession(s.Token(nil), nil); err != nil {
		t.Error("without a secret:", err)
	}
}

func FuzzSessionToken(f *testing.F) {
	s := NewSession()
	s.note(identity{1}, 7, true, time.Minute)
	f.Add([]byte(s.Token(nil)))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Signed, so that what is behind the signature is tried too.
		if _, err := ParseSession(string(b), nil); err != nil && !errors.Is(err, ErrSessionToken) {
			t.Error(err)
		}
		raw := append(append([]byte{tokenVersion}, b...), signatureOf(append([]byte{tokenVersion}, b...), nil)...)
		s, err := ParseSession(encodeToken(raw), nil)
		if err == nil {
			if again, err := ParseSession(s.Token(nil), nil); err != nil || len(again.notes) != len(s.notes) {
				t.Error(err)
			}
		}
	})
}
