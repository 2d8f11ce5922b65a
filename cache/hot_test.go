package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// All keys that are frequent enough are found among many that are not, in bounded
// memory; a count is never too high by more than is known; and what was frequent
// fades.
func TestSketch(t *testing.T) {
	const seed, size, all, keys = 3, 256, 200_000, 50_000
	r := rand.New(rand.NewPCG(seed, 0))
	zipf := rand.NewZipf(r, 1.1, 1, keys-1)
	s := newSketch[uint64](size, 10*time.Second)
	now := time.Unix(1000, 0)
	truth := make(map[uint64]float64)
	for range all {
		k := zipf.Uint64()
		truth[k]++
		s.add(k, 1, now)
	}
	if len(s.least) != size || len(s.byKey) != size {
		t.Fatalf("%d counters and %d names, want %d", len(s.least), len(s.byKey), size)
	}
	found := make(map[uint64]frequent[uint64])
	for _, f := range s.above(0, 0.005, now) {
		found[f.key] = f
		if f.share > truth[f.key]/all*1.000001 {
			t.Errorf("key %d: a share of %v, it is %v", f.key, f.share, truth[f.key]/all)
		}
	}
	for k, n := range truth {
		if _, is := found[k]; !is && n/all > 0.005+1.0/size {
			t.Errorf("key %d with a share of %v was not found (seed %d)", k, n/all, seed)
		}
	}
	if len(found) < 10 {
		t.Errorf("%d keys were found: the test shows nothing", len(found))
	}
	// Ten half-lives later, another key at 100 a second.
	for i := range 10_000 {
		s.add(keys+1, 1, now.Add(time.Duration(i)*10*time.Millisecond))
	}
	later := now.Add(100 * time.Second)
	top := s.above(10, 0.1, later)
	if len(top) != 1 || top[0].key != keys+1 || math.Abs(top[0].rate-100) > 5 {
		t.Errorf("after 100 s of one key at 100/s: %+v (seed %d)", top, seed)
	}
	// Weights stay numbers, however long it goes on.
	for range 100 {
		later = later.Add(time.Hour)
		s.add(1, 1, later)
	}
	if top := s.above(0, 0.5, later); len(top) != 1 || top[0].key != 1 || math.IsInf(s.total, 0) || s.total <= 0 {
		t.Errorf("after days: %+v of %v", top, s.total)
	}
}

// ask asks for ada at 1,000 a second, and for as many other keys, for some seconds.
func ask(t *testing.T, s *Space[userKey, user], seconds int) {
	t.Helper()
	for i := range seconds * 1000 {
		_, _, _ = s.Get(t.Context(), ada)
		_, _, _ = s.Get(t.Context(), userKey{"cold", int64(i)})
		time.Sleep(time.Millisecond)
	}
}

// Where there is no level 1 hot keys alone are kept in the process, as long as they are
// hot; and they are forgotten as everything there is.
func TestHotKeysArePinned(t *testing.T) {
	change := func(c *SpaceConfig[userKey, user]) { c.Hot = HotConfig{Keys: 10, PinBytes: 1 << 20} }
	inBubble(t, change, func(t *testing.T, s *Space[userKey, user], src *source) {
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL2)
		wantName(t, s, "Ada", FromL2)
		ask(t, s, 10)
		wantName(t, s, "Ada", FromL1)
		keys := s.HotKeys()
		if len(keys) != 1 || keys[0].Key != "user/3/s4:acmei1:1" || math.Abs(keys[0].Rate-500) > 150 || math.Abs(keys[0].Share-0.5) > 0.15 {
			t.Errorf("hot keys: %+v, want one at 1,000/s of which half was seen by now, and half of all", keys)
		}
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		wantName(t, s, "new", FromLoader)
		wantName(t, s, "new", FromL1)
		s.changed(Change{Key: mustIdentity(s, ada)})
		wantName(t, s, "new", FromL2)
		time.Sleep(2 * time.Minute)
		for i := range 1000 { // so that somebody looks
			_, _, _ = s.Get(t.Context(), userKey{"cold", int64(i)})
		}
		wantName(t, s, "new", FromL2)
		wantName(t, s, "new", FromL2)
		if keys := s.HotKeys(); len(keys) != 0 {
			t.Errorf("two minutes later: %+v", keys)
		}
	})
}

// Where level 1 is small a hot key stays in it, though it is too big for it.
func TestHotKeysStayInLevel1(t *testing.T) {
	change := func(c *SpaceConfig[userKey, user]) {
		c.L1.MaxBytes, c.Hot = 10_000, HotConfig{Keys: 4, PinBytes: 100_000}
	}
	inBubble(t, change, func(t *testing.T, s *Space[userKey, user], src *source) {
		hot, big := userKey{"big", 1}, userKey{"big", 2}
		for _, key := range []userKey{hot, big} {
			src.set(key, Loaded[user]{Value: user{Name: strings.Repeat("x", 20_000)}})
		}
		s.hot.hot.Store(&map[userKey]struct{}{hot: {}})
		s.hot.next = time.Now().Add(time.Hour)
		for _, key := range []userKey{hot, big} {
			mustGet(t, s, key)
			mustGet(t, s, key)
		}
		s.l1.cache.CleanUp()
		if _, meta := mustGet(t, s, hot); meta.Source != FromL1 {
			t.Errorf("the hot key: from %v", meta.Source)
		}
		if _, meta := mustGet(t, s, big); meta.Source != FromL2 {
			t.Errorf("one that is not: from %v", meta.Source)
		}
		src.set(hot, Loaded[user]{Value: user{Name: strings.Repeat("x", 30_000)}}) // more than its part
		if err := s.Invalidate(t.Context(), hot); err != nil {
			t.Fatal(err)
		}
		mustGet(t, s, hot)
		s.l1.cache.CleanUp()
		if _, meta := mustGet(t, s, hot); meta.Source != FromL2 {
			t.Errorf("a hot key that is too big for its part: from %v", meta.Source)
		}
	})
}

// copyStore counts reads by key, and calls before it deletes or fills.
type copyStore struct {
	*Memory
	mu           sync.Mutex
	reads        map[string]int
	beforeDelete func(key string)
	beforeFill   func(key string)
}

func (s *copyStore) Get(ctx context.Context, key string) (Entry, error) {
	s.mu.Lock()
	s.reads[key]++
	s.mu.Unlock()
	return s.Memory.Get(ctx, key)
}

func (s *copyStore) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if s.beforeDelete != nil {
		s.beforeDelete(key)
	}
	return s.Memory.Delete(ctx, key, below, holdOff)
}

func (s *copyStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	if s.beforeFill != nil {
		s.beforeFill(key)
	}
	return s.Memory.Fill(ctx, key, l, e)
}

// spread runs a test with a space that takes ada for hot and has four copies of her.
func spread(t *testing.T, test func(t *testing.T, s *Space[userKey, user], r *ledgered, store *copyStore)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, r := &copyStore{Memory: NewMemory(), reads: make(map[string]int)}, &ledgered{}
		r.set(ada, "first")
		m, err := NewManager(ManagerConfig{Store: store})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Save, c.Hot = r.load, r.save, HotConfig{Keys: 4, Copies: 4}
			c.SaveMany = func(_ context.Context, pairs []Pair[userKey, user]) ([]uint64, error) {
				return []uint64{r.set(pairs[0].Key, pairs[0].Value.Name)}, nil
			}
		})
		s.hot.hot.Store(&map[userKey]struct{}{ada: {}})
		s.hot.next = time.Now().Add(time.Hour)
		test(t, s, r, store)
	})
}

// Reads of a hot key go to all of its copies, and after each kind of change there is
// none that is old.
func TestHotKeysAreSpread(t *testing.T) {
	spread(t, func(t *testing.T, s *Space[userKey, user], r *ledgered, store *copyStore) {
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		read := func(want string) {
			t.Helper()
			for range 200 {
				if v, _ := mustGet(t, s, ada); v.Name != want {
					t.Fatalf("%q, want %q", v.Name, want)
				}
			}
		}
		read("first")
		clear(store.reads)
		for range 1000 {
			mustGet(t, s, ada)
		}
		if r.loads != 1 {
			t.Errorf("%d loads", r.loads)
		}
		for _, key := range []string{k.text, k.text + "~1", k.text + "~2", k.text + "~3"} {
			if n := store.reads[key]; n < 150 || n > 350 {
				t.Errorf("%d of 1,000 reads were of %s", n, key)
			}
		}
		if n := s.Stats().CopyHits; n < 500 {
			t.Errorf("%d hits of copies", n)
		}
		for i, change := range []func() error{
			func() error { r.set(ada, "change 0"); return s.Invalidate(t.Context(), ada) },
			func() error { return s.Put(t.Context(), ada, user{Name: "change 1"}) },
			func() error {
				return s.PutMany(t.Context(), []Pair[userKey, user]{{ada, user{Name: "change 2"}}})
			},
			func() error { r.blank = true; return s.Put(t.Context(), ada, user{Name: "change 3"}) },
		} {
			if err := change(); err != nil {
				t.Fatal(err)
			}
			for n := range 3 {
				if _, err := store.Memory.Get(t.Context(), fmt.Sprint(k.text, "~", n+1)); !errors.Is(err, ErrMiss) {
					t.Errorf("change %d: copy %d is still there (%v)", i, n+1, err)
				}
			}
			read(fmt.Sprint("change ", i))
		}
	})
}

// A copy that is being filled with what was read before an invalidation is not filled
// after it, and copies that are filled while the entry is being deleted do not stay.
func TestHotKeysFillsAgainstInvalidation(t *testing.T) {
	for _, name := range []string{"fill is late", "filled meanwhile"} {
		t.Run(name, func(t *testing.T) {
			spread(t, func(t *testing.T, s *Space[userKey, user], r *ledgered, store *copyStore) {
				mustGet(t, s, ada)
				change := func() {
					r.set(ada, "second")
					if err := s.Invalidate(t.Context(), ada); err != nil {
						t.Fatal(err)
					}
				}
				var once sync.Once
				if name == "fill is late" {
					store.beforeFill = func(key string) {
						if strings.Contains(key, "~") {
							once.Do(change)
						}
					}
					for range 50 { // until a copy is filled
						mustGet(t, s, ada)
					}
				} else {
					store.beforeDelete = func(key string) {
						if !strings.Contains(key, "~") {
							once.Do(func() {
								for range 50 {
									mustGet(t, s, ada)
								}
							})
						}
					}
					change()
				}
				if r.latest != 2 {
					t.Fatal("there was no change")
				}
				for range 200 {
					if v, meta := mustGet(t, s, ada); v.Name != "second" {
						t.Fatalf("%q from %v after the invalidation", v.Name, meta.Source)
					}
				}
			})
		})
	}
}

func TestHotConfig(t *testing.T) {
	for name, cfg := range map[string]HotConfig{"keys": {Keys: -1}, "many": {Keys: 1001}, "share": {Keys: 1, Share: 2}, "rate": {Keys: 1, Rate: math.NaN()},
		"half-life": {Keys: 1, HalfLife: -1}, "copies": {Keys: 1, Copies: 17}, "no keys": {Copies: 2}, "no keys either": {PinBytes: 1}} {
		if _, err := NewSpace(newManager(t, NewMemory()), SpaceConfig[userKey, user]{Name: "x", Hot: cfg}); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewSpace(newManager(t, struct{ Store }{NewMemory()}), SpaceConfig[userKey, user]{Name: "x", Hot: HotConfig{Keys: 1, Copies: 2}}); !errors.Is(err, ErrConfig) {
		t.Error("copies over a store without leases:", err)
	}
	if s := newUsers(t, newManager(t, NewMemory()), nil); s.HotKeys() != nil {
		t.Error("it looks for hot keys by default")
	}
}

// A value's own time to live: by the loader, else by the function, else the space's.
func TestTTLFor(t *testing.T) {
	change := func(c *SpaceConfig[userKey, user]) {
		c.Life.NoJitter, c.Life.NoStaleOnError = true, true
		c.TTLFor = func(_ userKey, v user) time.Duration {
			if v.Name == "short" {
				return time.Second
			}
			return 0
		}
		c.Save = func(context.Context, userKey, user) (uint64, error) { return 7, nil }
	}
	inBubble(t, change, func(t *testing.T, s *Space[userKey, user], src *source) {
		lasts := func(what string, d time.Duration) {
			t.Helper()
			time.Sleep(d - time.Millisecond)
			if _, meta := mustGet(t, s, ada); meta.Source != FromL2 {
				t.Errorf("%s: from %v before its end", what, meta.Source)
			}
			time.Sleep(2 * time.Millisecond)
			if _, meta, _ := s.GetWith(t.Context(), ada, nil); meta.Source != 0 {
				t.Errorf("%s: from %v after its end", what, meta.Source)
			}
		}
		for _, c := range []struct {
			what   string
			loaded Loaded[user]
			want   time.Duration
		}{
			{"by the function", Loaded[user]{Value: user{Name: "short"}}, time.Second},
			{"by the loader", Loaded[user]{Value: user{Name: "short"}, TTL: time.Minute}, time.Minute},
			{"the space's", Loaded[user]{Value: user{Name: "other"}}, 5 * time.Minute},
		} {
			src.set(ada, c.loaded)
			mustGet(t, s, ada)
			lasts(c.what, c.want)
		}
		if err := s.Put(t.Context(), ada, user{Name: "short"}); err != nil {
			t.Fatal(err)
		}
		lasts("of what was put", time.Second)
	})
}
