package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

func numbers(n int) (ids []identity) {
	for i := range n {
		var id identity
		binary.BigEndian.PutUint64(id[8:], uint64(i))
		ids = append(ids, id)
	}
	return ids
}

// What Bloom promises, with the keys as spaces have them: none that was added is
// refused, and of those that were not 1.2% pass at most where 1% was asked for.
func TestFilterFalsePositives(t *testing.T) {
	const n = 50_000
	key := func(i int64) identity {
		k, err := storeKeyOf("user/3/", userKey{"acme", i}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k.identity
	}
	var f filterBits
	f.begin(n, 0.01)
	for i := range int64(n) {
		f.add(key(i))
	}
	f.complete()
	passed := 0
	for i := range int64(n) {
		if f.absent(key(i)) {
			t.Fatalf("key %d is refused", i)
		}
		if !f.absent(key(n + i)) {
			passed++
		}
	}
	part := float64(passed) / n
	proofs.Record(t, proofs.Row{Proof: "filter", Got: fmt.Sprintf("%d keys, none of them refused; %.2f%% of as many others pass", n, 100*part)})
	if part > 0.012 || part == 0 {
		t.Errorf("%.2f%% of unknown keys pass, want 1%%", 100*part)
	}
}

// The log: what one who has seen some of it is told of the rest.
func TestAnnounced(t *testing.T) {
	ids := numbers(2*logKeys + 10)
	a := announced{log: 7}.with(ids[:10])
	seen := a
	b := a.with(ids[10:12])
	for _, c := range []struct {
		name string
		log  announced
		want []identity
		ok   bool
	}{
		{"nothing", a, nil, true},
		{"two", b, ids[10:12], true},
		{"as many as it has", a.with(ids[10 : 10+logKeys]), ids[10 : 10+logKeys], true},
		{"more", a.with(ids[10 : 11+logKeys]), nil, false},
		{"more at once", a.with(ids), nil, false},
		{"another log", announced{log: 8, number: 12, last: ids[:12]}, nil, false},
		{"an older state", announced{log: 7, number: 9, last: ids[:9]}, nil, false},
		{"none", announced{}, nil, false},
	} {
		log := c.log
		if log.log != 0 {
			var whole bool
			if log, whole = decodeAnnounced(c.log.encode()); !whole || len(log.last) > logKeys {
				t.Fatalf("%s: not what was encoded", c.name)
			}
		}
		if got, ok := log.since(seen); ok != c.ok || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d keys, %v; want %d, %v", c.name, len(got), ok, len(c.want), c.ok)
		}
	}
}

func FuzzAnnounced(f *testing.F) {
	f.Add(announced{log: 1}.with(numbers(3)).encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		a, whole := decodeAnnounced(data)
		if !whole {
			return
		}
		if ids, ok := a.since(announced{log: a.log, number: a.number}); !ok || len(ids) > 0 {
			t.Errorf("%d keys since itself, %v", len(ids), ok)
		}
		a.since(announced{log: a.log})
	})
}

// rows is a source that has keys only.
type rows struct {
	mu    sync.Mutex
	ids   []int64
	loads int
	fails error
}

func (r *rows) load(_ context.Context, k userKey) (Loaded[user], error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loads++
	if !slices.Contains(r.ids, k.ID) {
		return Loaded[user]{}, ErrNotFound
	}
	return Loaded[user]{Value: user{Name: fmt.Sprint(k.ID)}}, nil
}

func (r *rows) save(_ context.Context, k userKey, _ user) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = append(r.ids, k.ID)
	return 0, nil
}

func (r *rows) remove(id int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ids = slices.DeleteFunc(r.ids, func(n int64) bool { return n == id })
}

// keys streams what is there when it begins, slowly.
func (r *rows) keys(ctx context.Context, add func(userKey)) error {
	r.mu.Lock()
	ids, fails := slices.Clone(r.ids), r.fails
	r.mu.Unlock()
	for i, id := range ids {
		if add(userKey{"", id}); i%100 == 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
			}
		}
	}
	return fails
}

func (r *rows) taken() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	defer func() { r.loads = 0 }()
	return r.loads
}

// filtered opens a space with a filter, in a process of its own.
func filtered(t testing.TB, store Store, r *rows, f FilterConfig[userKey]) (*Space[userKey, user], *Manager) {
	t.Helper()
	m, err := NewManager(ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	f.Keys, f.Expected = r.keys, 1000
	return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Load, c.Save, c.Filter, c.Life.NoNegative = r.load, r.save, f, true
		c.Loads = LoadsConfig{Timeout: time.Second, Lease: time.Second}
		c.SaveMany = func(ctx context.Context, pairs []Pair[userKey, user]) ([]uint64, error) {
			for _, p := range pairs {
				_, _ = r.save(ctx, p.Key, p.Value)
			}
			return make([]uint64, len(pairs)), nil
		}
	}), m
}

func source1000() *rows {
	r := &rows{}
	for i := range int64(1000) {
		r.ids = append(r.ids, i)
	}
	return r
}

func built(t testing.TB, s *Space[userKey, user]) {
	t.Helper()
	eventually(t, "the filter is built", func() bool { return s.Stats().Filters > 0 })
}

func exists(t testing.TB, s *Space[userKey, user], id int64, want bool) {
	t.Helper()
	_, meta, err := s.Get(context.Background(), userKey{"", id})
	if err != nil && !errors.Is(err, ErrNotFound) || (err == nil) != want {
		t.Fatalf("key %d: from %v, %v; want it there: %v", id, meta.Source, err, want)
	}
}

// Over each store, with two processes: what the source has is found, what it does not
// have costs it next to nothing, and what is created is there at once everywhere.
func TestFilter(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		r := source1000()
		one, _ := filtered(t, store, r, FilterConfig[userKey]{Commit: time.Millisecond})
		two, _ := filtered(t, store, r, FilterConfig[userKey]{Commit: time.Millisecond})
		exists(t, one, 5000, false) // before it is complete: asked for
		if r.taken() != 1 {
			t.Error("refused before the filter was complete")
		}
		built(t, one)
		built(t, two)
		var unknown []userKey
		for i := range int64(1000) {
			unknown = append(unknown, userKey{"", 10_000 + i})
			exists(t, one, unknown[i].ID, false)
		}
		for k, a := range two.GetMany(t.Context(), unknown) {
			if !errors.Is(a.Err, ErrNotFound) {
				t.Fatalf("%v: %v", k, a.Err)
			}
		}
		if n := r.taken(); n > 60 {
			t.Errorf("%d of 2000 lookups of unknown keys reached the source", n)
		}
		for i := range int64(10) {
			exists(t, two, i*100, true)
		}
		for id := int64(20_000); id < 20_020; id += 4 {
			for _, s := range []*Space[userKey, user]{one, two} {
				for i := range int64(4) {
					exists(t, s, id+i, false)
				}
			}
			if err := one.Put(t.Context(), userKey{"", id}, user{}); err != nil {
				t.Fatal(err)
			}
			if err := one.PutMany(t.Context(), []Pair[userKey, user]{{userKey{"", id + 1}, user{}}, {userKey{"", id + 2}, user{}}}); err != nil {
				t.Fatal(err)
			}
			if err := one.Announce(t.Context(), userKey{"", id + 3}); err != nil { // and somebody else writes it
				t.Fatal(err)
			}
			_, _ = r.save(t.Context(), userKey{"", id + 3}, user{})
			for k, a := range two.GetMany(t.Context(), []userKey{{"", id}, {"", id + 1}, {"", id + 2}, {"", id + 3}}) {
				if a.Err != nil {
					t.Fatalf("GetMany: %v: %v", k, a.Err)
				}
			}
			for _, s := range []*Space[userKey, user]{two, one} {
				for i := range int64(4) {
					exists(t, s, id+i, true)
				}
			}
		}
		if n := one.Stats().Filtered; n < 900 {
			t.Errorf("%d refused", n)
		}
	})
}

// inserts creates keys in a source while filters are built anew all the time,
// processes restart, and the log is lost; it returns how many of the keys some
// process refused after they were committed.
func inserts(t *testing.T, announce bool) (refused int64) {
	store, r := NewMemory(), source1000()
	f := FilterConfig[userKey]{Rebuild: 2 * time.Second, Commit: time.Second}
	writer, m := filtered(t, store, r, f)
	defer m.Close()
	var committed, wrong atomic.Int64
	committed.Store(1000)
	ctx, stop := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for p := range 2 {
		all.Go(func() {
			for n := 0; ctx.Err() == nil; n++ { // a process, and then another one in its place
				s, m := filtered(t, store, r, f)
				for end := time.Now().Add(time.Duration(23+p) * time.Second); time.Now().Before(end) && ctx.Err() == nil; {
					last := committed.Load() - 1
					if _, meta, err := s.Get(ctx, userKey{"", last}); errors.Is(err, ErrNotFound) && meta.Source == FromFilter {
						wrong.Add(1)
					}
					_, _, _ = s.Get(ctx, userKey{"", 1 << 40})
					time.Sleep(5 * time.Millisecond)
				}
				if st := s.Stats(); ctx.Err() == nil && (st.Filters < 2 || st.Filtered == 0) {
					t.Errorf("%d filters, %d refused: the test shows nothing", st.Filters, st.Filtered)
				}
				_ = m.Close()
			}
		})
	}
	for i := range 800 { // about 100 s
		id := committed.Load()
		if announce {
			if err := writer.Announce(ctx, userKey{"", id}); err != nil {
				t.Error(err)
			}
		}
		if i%7 == 0 {
			time.Sleep(900 * time.Millisecond) // a slow transaction
		}
		_, _ = r.save(ctx, userKey{"", id}, user{})
		committed.Add(1)
		if i == 300 {
			_ = store.Delete(ctx, writer.filterKey, AnyVersion, 0)
		}
		time.Sleep(2 * time.Millisecond)
	}
	stop()
	all.Wait()
	return wrong.Load()
}

func TestFilterConcurrentInserts(t *testing.T) {
	for _, announce := range []bool{true, false} {
		t.Run(fmt.Sprint("announced ", announce), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := inserts(t, announce)
				proofs.Record(t, proofs.Row{Proof: "filter inserts", Got: fmt.Sprintf("800 keys created; lookups refused of a key that was committed: %d", n)})
				if (n > 0) == announce {
					t.Errorf("%d keys were refused after they were committed", n)
				}
			})
		})
	}
}

// Deleted keys are refused after the next filter; the stream's errors leave the old
// one, and are told; more announcements than the log has cost the filter.
func TestFilterIsBuiltAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, r := NewMemory(), source1000()
		s, m := filtered(t, store, r, FilterConfig[userKey]{Rebuild: time.Minute, Commit: time.Second})
		defer m.Close()
		time.Sleep(10 * time.Second)
		exists(t, s, 7, true)
		r.remove(7)
		if err := s.Invalidate(t.Context(), userKey{"", 7}); err != nil {
			t.Fatal(err)
		}
		r.taken()
		exists(t, s, 7, false)
		if r.taken() != 1 {
			t.Error("refused by the filter that has it")
		}
		time.Sleep(90 * time.Second)
		exists(t, s, 7, false)
		if r.taken() != 0 {
			t.Error("not refused by the next filter")
		}
		r.mu.Lock()
		r.fails = errAway
		r.mu.Unlock()
		before := s.Stats().Filters
		time.Sleep(3 * time.Minute)
		if exists(t, s, 7, false); r.taken() != 0 || s.Stats().Filters != before {
			t.Error("the filter is gone with a stream that failed")
		}
		r.mu.Lock()
		r.fails = nil
		r.mu.Unlock()
		var many []userKey
		for i := range int64(logKeys + 1) {
			many = append(many, userKey{"", 1e6 + i})
		}
		if err := s.Announce(t.Context(), many...); err != nil {
			t.Fatal(err)
		}
		exists(t, s, 9999, false)
		if r.taken() != 1 {
			t.Error("refused by a filter that has missed announcements")
		}
		time.Sleep(time.Minute)
		if exists(t, s, 9999, false); r.taken() != 0 {
			t.Error("not built anew after it had missed announcements")
		}
	})
}

// The log is lost, and another one has come to the same length: it is not taken for
// the one that was known.
func TestFilterLogLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, r := NewMemory(), source1000()
		f := FilterConfig[userKey]{Commit: time.Second}
		reader, m := filtered(t, store, r, f)
		defer m.Close()
		writer, m2 := filtered(t, store, r, f)
		defer m2.Close()
		time.Sleep(10 * time.Second)
		create := func(id int64) {
			if err := writer.Announce(t.Context(), userKey{"", id}); err != nil {
				t.Fatal(err)
			}
			_, _ = r.save(t.Context(), userKey{"", id}, user{})
		}
		for id := range int64(5) {
			create(2000 + id)
			exists(t, reader, 2000+id, true)
		}
		exists(t, reader, 9999, false) // and the reader has seen them
		del(t, store, reader.filterKey, AnyVersion, 0)
		for id := range int64(6) {
			create(3000 + id)
		}
		exists(t, reader, 9999, false)
		for id := range int64(6) {
			exists(t, reader, 3000+id, true)
		}
	})
}

// The fleet is away: nothing is refused, and Put writes nothing that the others would
// refuse.
func TestFilterStoreAway(t *testing.T) {
	store := &deafTo{Memory: NewMemory()}
	r := source1000()
	s, _ := filtered(t, store, r, FilterConfig[userKey]{Commit: time.Millisecond})
	built(t, s)
	store.key.Store(s.filterKey)
	r.taken()
	exists(t, s, 5000, false)
	if r.taken() != 1 {
		t.Error("refused without news")
	}
	if err := s.Put(t.Context(), userKey{"", 5000}, user{}); err == nil {
		t.Error("Put wrote what it could not announce")
	}
	exists(t, s, 5000, false)
	if _, err := NewSpace(newManager(t, plainStore{NewMemory()}), SpaceConfig[userKey, user]{Name: "x", Filter: FilterConfig[userKey]{Keys: r.keys}}); !errors.Is(err, ErrConfig) {
		t.Errorf("no leases: %v", err)
	}
	for _, f := range []FilterConfig[userKey]{{FalsePositives: -1}, {FalsePositives: 0.6}, {Rebuild: -1}, {Commit: maxTTL}} {
		if _, err := NewSpace(s.m, SpaceConfig[userKey, user]{Name: "x", Filter: f}); !errors.Is(err, ErrConfig) {
			t.Errorf("%+v: %v", f, err)
		}
	}
}
