package cache

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// sourceOfUsers is a source that a test changes without telling the cache.
type sourceOfUsers struct {
	values map[userKey]Loaded[user]
	loads  int
	before func(k userKey, load int) // is called before each load
	err    error
}

func (s *sourceOfUsers) load(_ context.Context, k userKey) (Loaded[user], error) {
	s.loads++
	if s.before != nil {
		s.before(k, s.loads)
	}
	l, found := s.values[k]
	switch {
	case s.err != nil:
		return l, s.err
	case !found:
		return l, ErrNotFound
	}
	return l, nil
}

// verified returns a space with some values of the source in it.
func verified(t *testing.T, src *sourceOfUsers, change func(*SpaceConfig[userKey, user]), ids ...int64) (*Space[userKey, user], []userKey) {
	t.Helper()
	src.values = make(map[userKey]Loaded[user])
	s := newUsers(t, newManager(t, NewMemory()), func(c *SpaceConfig[userKey, user]) {
		c.Load = src.load
		if change != nil {
			change(c)
		}
	})
	var keys []userKey
	for _, id := range ids {
		k := userKey{ID: id}
		keys = append(keys, k)
		src.values[k] = Loaded[user]{Value: user{Name: "Ada"}}
		mustGet(t, s, k)
	}
	src.loads = 0
	return s, keys
}

func quickly(keys []userKey) VerifyConfig[userKey, user] {
	return VerifyConfig[userKey, user]{Keys: slices.Values(keys), Rate: 1e6, Settle: time.Millisecond}
}

func verify(t *testing.T, s *Space[userKey, user], cfg VerifyConfig[userKey, user], want VerifyReport) {
	t.Helper()
	if got, err := s.Verify(t.Context(), cfg); err != nil || got != want {
		t.Errorf("got %+v, %v\nwant %+v", got, err, want)
	}
}

func TestVerify(t *testing.T) {
	src := &sourceOfUsers{}
	s, keys := verified(t, src, nil, 1, 2, 3, 4)
	verify(t, s, quickly(keys), VerifyReport{Checked: 4, Equal: 4})
	if src.loads != 4 {
		t.Errorf("%d loads for 4 entries that are equal", src.loads)
	}
	// Behind the cache's back: one changed, one deleted; and one that is not cached.
	src.values[keys[1]] = Loaded[user]{Value: user{Name: "Grace"}}
	delete(src.values, keys[2])
	cfg, found := quickly(append(keys, userKey{ID: 99})), []Drift[userKey, user]{}
	cfg.OnDrift = func(d Drift[userKey, user]) { found = append(found, d) }
	verify(t, s, cfg, VerifyReport{Checked: 4, Equal: 2, Drifted: 2, Missing: 1})
	if len(found) != 2 || found[0].Key != keys[1] || found[0].Stored.Name != "Ada" || found[0].Source.Name != "Grace" ||
		found[1].Key != keys[2] || !found[1].SourceAbsent || found[1].StoredAbsent {
		t.Errorf("drift: %+v", found)
	}
	cfg.Repair = true
	verify(t, s, cfg, VerifyReport{Checked: 4, Equal: 2, Drifted: 2, Missing: 1, Repairs: 2})
	if v, _ := mustGet(t, s, keys[1]); v.Name != "Grace" {
		t.Errorf("repaired: %+v", v)
	}
	// An absence that is remembered, and not true any more.
	if _, _, err := s.Get(t.Context(), keys[2]); !errors.Is(err, ErrNotFound) {
		t.Fatal(err)
	}
	verify(t, s, quickly(keys), VerifyReport{Checked: 4, Equal: 4})
	src.values[keys[2]] = Loaded[user]{Value: user{Name: "back"}}
	verify(t, s, quickly(keys), VerifyReport{Checked: 4, Equal: 3, Drifted: 1})
}

// What changes while it is looked at is no drift: both sides are read once more.
func TestVerifyReadsTwice(t *testing.T) {
	for name, happens := range map[string]func(s *Space[userKey, user], src *sourceOfUsers){
		"the invalidation arrives": func(s *Space[userKey, user], _ *sourceOfUsers) {
			_ = s.Invalidate(context.Background(), userKey{ID: 1})
		},
		"the entry is replaced": func(s *Space[userKey, user], src *sourceOfUsers) {
			k, _ := s.keyOf(context.Background(), userKey{ID: 1})
			_, e, _ := s.seal(k, src.values[userKey{ID: 1}], false, 0)
			_, _ = s.m.cfg.Store.Set(context.Background(), k.text, e)
		},
		"the source changes back": func(_ *Space[userKey, user], src *sourceOfUsers) {
			src.values[userKey{ID: 1}] = Loaded[user]{Value: user{Name: "Ada"}}
		},
		"the source goes on changing": func(_ *Space[userKey, user], src *sourceOfUsers) {
			src.values[userKey{ID: 1}] = Loaded[user]{Value: user{Name: "third"}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			src := &sourceOfUsers{}
			s, keys := verified(t, src, nil, 1)
			src.values[keys[0]] = Loaded[user]{Value: user{Name: "Grace"}}
			src.before = func(_ userKey, load int) {
				if load == 2 {
					happens(s, src)
				}
			}
			if name != "the source changes back" && name != "the source goes on changing" {
				// Before the second look at the fleet, which comes before its load.
				first := src.load
				s.cfg.Load = func(ctx context.Context, k userKey) (Loaded[user], error) {
					l, err := first(ctx, k)
					happens(s, src)
					return l, err
				}
			}
			verify(t, s, quickly(keys), VerifyReport{Checked: 1, Moving: 1})
		})
	}
}

func TestVerifySides(t *testing.T) {
	src := &sourceOfUsers{}
	var told []error
	s, keys := verified(t, src, func(c *SpaceConfig[userKey, user]) { c.L1.MaxBytes = 1 << 20 }, 1, 2)
	s.m.cfg.OnError = func(_ string, err error) { told = append(told, err) }
	cfg := quickly(nil)
	cfg.Keys = nil // those that level 1 has
	verify(t, s, cfg, VerifyReport{Checked: 2, Equal: 2})
	src.err = errors.New("away")
	verify(t, s, cfg, VerifyReport{Errors: 2})
	if len(told) != 2 || !errors.Is(told[0], src.err) {
		t.Errorf("told %v", told)
	}
	src.err = nil
	// Versions say more than values.
	src.values[keys[0]] = Loaded[user]{Value: user{Name: "Ada"}, Version: 7}
	verify(t, s, cfg, VerifyReport{Checked: 2, Equal: 2}) // the stored one has none
	if err := s.Invalidate(t.Context(), keys[0]); err != nil {
		t.Fatal(err)
	}
	mustGet(t, s, keys[0])
	src.values[keys[0]] = Loaded[user]{Value: user{Name: "Ada"}, Version: 8}
	verify(t, s, quickly(keys), VerifyReport{Checked: 2, Equal: 1, Drifted: 1})
	cfg = quickly(keys)
	src.values[keys[1]] = Loaded[user]{Value: user{Name: "ada"}}
	src.values[keys[0]] = Loaded[user]{Value: user{Name: "Ada"}, Version: 7}
	cfg.Equal = func(a, b user) bool { return len(a.Name) == len(b.Name) }
	verify(t, s, cfg, VerifyReport{Checked: 2, Equal: 2})
	cfg.Limit = 1
	verify(t, s, cfg, VerifyReport{Checked: 1, Equal: 1})
	cfg.Limit, cfg.Every, s.m.cfg.random = 0, 10, func() float64 { return 0.5 }
	verify(t, s, cfg, VerifyReport{})
}

// A source that changes a row and leaves its version: the values say so, and the finding
// says that it is they that differ.
func TestVerifySameVersion(t *testing.T) {
	src := &sourceOfUsers{}
	s, keys := verified(t, src, nil, 1, 2, 3)
	for i, k := range keys {
		src.values[k] = Loaded[user]{Value: user{Name: "Ada"}, Version: uint64(7 + i)}
		if err := s.Invalidate(t.Context(), k); err != nil {
			t.Fatal(err)
		}
		mustGet(t, s, k)
	}
	verify(t, s, quickly(keys), VerifyReport{Checked: 3, Equal: 3})
	src.values[keys[0]] = Loaded[user]{Value: user{Name: "Grace"}, Version: 7}
	src.values[keys[1]] = Loaded[user]{Value: user{Name: "Ada"}, Version: 9}
	delete(src.values, keys[2])
	cfg, found := quickly(keys), []Drift[userKey, user]{}
	cfg.OnDrift = func(d Drift[userKey, user]) { found = append(found, d) }
	verify(t, s, cfg, VerifyReport{Checked: 3, Drifted: 3})
	if len(found) != 3 || found[0].Differs != DiffersValue || found[0].StoredVersion != 7 || found[0].SourceVer != 7 ||
		found[1].Differs != DiffersVersion || found[2].Differs != DiffersPresence {
		t.Errorf("drift: %+v", found)
	}
	// Equal is asked too, and only where the versions are the same.
	var asked []string
	cfg.Equal = func(stored, source user) bool { asked = append(asked, stored.Name+" "+source.Name); return true }
	verify(t, s, cfg, VerifyReport{Checked: 3, Equal: 1, Drifted: 2})
	if !slices.Equal(asked, []string{"Ada Grace"}) {
		t.Errorf("Equal was asked for %q", asked)
	}
}

// What a codec makes of a value is never twice the same if it encrypts.
func TestVerifyEncrypted(t *testing.T) {
	src := &sourceOfUsers{}
	s, keys := verified(t, src, func(c *SpaceConfig[userKey, user]) {
		codec, err := NewAES(Codec[user](JSON[user]{}), make([]byte, 32))
		if err != nil {
			t.Fatal(err)
		}
		c.Codec = codec
	}, 1)
	verify(t, s, quickly(keys), VerifyReport{Checked: 1, Equal: 1})
	src.values[keys[0]] = Loaded[user]{Value: user{Name: "Grace"}}
	verify(t, s, quickly(keys), VerifyReport{Checked: 1, Drifted: 1})
}

func TestVerifyKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &sourceOfUsers{}
		s, keys := verified(t, src, nil, 1, 2, 3)
		cfg := quickly(keys)
		cfg.Rate = 20
		begun := time.Now()
		if _, err := s.Verify(t.Context(), cfg); err != nil || time.Since(begun) < 140*time.Millisecond {
			t.Errorf("3 keys at 20 a second took %v, %v", time.Since(begun), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		cfg.Rate = 1e-3
		if r, err := s.Verify(ctx, cfg); !errors.Is(err, context.DeadlineExceeded) || r.Checked != 1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestVerifyRefuses(t *testing.T) {
	src := &sourceOfUsers{}
	s, _ := verified(t, src, nil)
	for _, cfg := range []VerifyConfig[userKey, user]{
		{}, {Keys: slices.Values([]userKey{ada}), Rate: -1}, {Keys: slices.Values([]userKey{ada}), Every: -1}, {Keys: slices.Values([]userKey{ada}), Settle: -1},
	} {
		if _, err := s.Verify(t.Context(), cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
	without := newUsers(t, newManager(t, NewMemory()), nil)
	if _, err := without.Verify(t.Context(), quickly(nil)); !errors.Is(err, ErrNoLoader) {
		t.Errorf("without a loader: %v", err)
	}
	_ = s.m.Close()
	if _, err := s.Verify(t.Context(), quickly(nil)); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}
