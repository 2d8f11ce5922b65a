package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// manyNumbers is a source that takes its time for many keys.
type manyNumbers struct {
	mu    sync.Mutex
	calls []int // of keys
	takes time.Duration
	value int
	fails error
}

func (m *manyNumbers) load(_ context.Context, keys []userKey) (map[userKey]Loaded[int], error) {
	m.mu.Lock()
	m.calls = append(m.calls, len(keys))
	takes, value, fails := m.takes, m.value, m.fails
	m.mu.Unlock()
	time.Sleep(takes)
	if fails != nil {
		return nil, fails
	}
	loaded := make(map[userKey]Loaded[int])
	for _, k := range keys {
		loaded[k] = Loaded[int]{Value: value}
	}
	return loaded, nil
}

// set says what the next calls do, and returns how many keys those before had.
func (m *manyNumbers) set(takes time.Duration, value int, fails error) (calls []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls, m.calls = m.calls, nil
	m.takes, m.value, m.fails = takes, value, fails
	return calls
}

func ids300() (keys []userKey) {
	for i := range int64(300) {
		keys = append(keys, userKey{"", i})
	}
	return keys
}

// oldSpace is a space whose values end after a second, and are of use for a minute more.
func oldSpace(t *testing.T, store Store, src *manyNumbers) (*Space[userKey, int], func()) {
	return newNumbers(t, store, SpaceConfig[userKey, int]{LoadMany: src.load,
		Life: LifeConfig{TTL: time.Second, NoJitter: true, StaleOnError: time.Minute}})
}

// wantMany checks that each key has the value, from there.
func wantMany(t *testing.T, what string, answers map[userKey]Answer[int], keys int, value int, from Source) {
	t.Helper()
	if len(answers) != keys {
		t.Errorf("%s: %d answers, want %d", what, len(answers), keys)
	}
	for k, a := range answers {
		if a.Err != nil || a.Value != value || a.Meta.Source != from {
			t.Errorf("%s: %v: %d from %v, %v; want %d from %v", what, k, a.Value, a.Meta.Source, a.Err, value, from)
			return
		}
	}
}

func wantCalls(t *testing.T, what string, calls []int, want ...int) {
	t.Helper()
	if len(calls) != len(want) || len(want) > 0 && calls[0] != want[0] {
		t.Errorf("%s: LoadMany for %v keys, want %v", what, calls, want)
	}
}

// What is past its end is loaded by one call with what is missing.
func TestGetManyOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &manyNumbers{takes: 20 * time.Millisecond, value: 1}
		s, end := oldSpace(t, NewMemory(), src)
		defer end()
		s.GetMany(t.Context(), ids300())
		time.Sleep(2 * time.Second)
		wantCalls(t, "missing", src.set(20*time.Millisecond, 2, nil), 300)
		wantMany(t, "old", s.GetMany(t.Context(), ids300()), 300, 2, FromLoader)
		time.Sleep(2 * time.Second)
		wantCalls(t, "old", src.set(20*time.Millisecond, 3, nil), 300)
		some := append(ids300(), userKey{"", 301}, userKey{"", 302})
		wantMany(t, "old and missing", s.GetMany(t.Context(), some), 302, 3, FromLoader)
		wantCalls(t, "old and missing", src.set(0, 0, nil), 302)
		wantMany(t, "then", s.GetMany(t.Context(), some), 302, 3, FromL2)
		if st := s.Stats(); st.Shed != 0 || st.StaleServed != 0 || st.Loads != 902 || st.Misses != 902 {
			t.Errorf("%+v", st)
		}
	})
}

// The old values are for the time that the source fails, or is too slow; then its answer
// is stored all the same.
func TestGetManyOldOfABadSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &manyNumbers{value: 1}
		s, end := oldSpace(t, NewMemory(), src)
		defer end()
		s.GetMany(t.Context(), ids300())
		time.Sleep(2 * time.Second)

		src.set(0, 0, errAway)
		answers := s.GetMany(t.Context(), append(ids300(), userKey{"", 301}))
		if a := answers[userKey{"", 301}]; !errors.Is(a.Err, errAway) {
			t.Errorf("without an old value: %+v", a)
		}
		delete(answers, userKey{"", 301})
		wantMany(t, "failed", answers, 300, 1, FromStale)
		time.Sleep(time.Minute / 2)

		src.set(2*time.Second, 2, nil)
		begun := time.Now()
		wantMany(t, "slow", s.GetMany(t.Context(), ids300()), 300, 1, FromStale)
		if took := time.Since(begun); took != 1500*time.Millisecond {
			t.Errorf("after %v, want SoftTimeout", took)
		}
		time.Sleep(time.Second)
		wantMany(t, "then", s.GetMany(t.Context(), ids300()), 300, 2, FromL2)
		wantCalls(t, "slow", src.set(2*time.Second, 3, nil), 300)

		time.Sleep(2 * time.Second)
		wantMany(t, "with one that is waited for", s.GetMany(t.Context(), append(ids300(), userKey{"", 302})), 301, 3, FromLoader)

		time.Sleep(2 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for k, a := range s.GetMany(ctx, ids300()) {
			if !errors.Is(a.Err, context.DeadlineExceeded) {
				t.Fatalf("%v: %+v, want that of the caller", k, a)
			}
		}
		time.Sleep(1500 * time.Millisecond)
		wantMany(t, "without its caller", s.GetMany(t.Context(), ids300()), 300, 3, FromL2)
		time.Sleep(2 * time.Minute)
		src.set(0, 0, errAway)
		for k, a := range s.GetMany(t.Context(), ids300()[:3]) {
			if !errors.Is(a.Err, errAway) {
				t.Errorf("%v, past all use: %+v", k, a)
			}
		}
	})
}

// Those that all have an old value wait for nobody, and that is not counted as refused.
func TestGetManyOldGivesWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &manyNumbers{value: 1}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{LoadMany: src.load, Limit: LimitConfig{Max: 1, Initial: 1, Wait: 100 * time.Millisecond},
			Life: LifeConfig{TTL: time.Second, NoJitter: true, StaleOnError: time.Minute}})
		defer end()
		s.GetMany(t.Context(), ids300())
		time.Sleep(2 * time.Second)
		src.set(500*time.Millisecond, 2, nil)
		go s.Get(context.Background(), userKey{"other", 1})
		synctest.Wait()
		begun := time.Now()
		wantMany(t, "old", s.GetMany(t.Context(), ids300()), 300, 1, FromStale)
		if _, meta, err := s.Get(t.Context(), userKey{"", 1}); err != nil || meta.Source != FromStale {
			t.Errorf("one of them: from %v, %v", meta.Source, err)
		}
		if took, st := time.Since(begun), s.Stats(); took != 0 || st.Shed != 0 || st.LoadErrors != 0 {
			t.Errorf("after %v: %+v", took, st)
		}
		answers := s.GetMany(t.Context(), append(ids300(), userKey{"other", 2})) // with one that waits for its turn
		if a := answers[userKey{"other", 2}]; !errors.Is(a.Err, ErrShed) || time.Since(begun) != 100*time.Millisecond || s.Stats().Shed != 1 {
			t.Errorf("without an old value: %+v after %v, %d refused, want 1", a, time.Since(begun), s.Stats().Shed)
		}
		delete(answers, userKey{"other", 2})
		wantMany(t, "refused with it", answers, 300, 1, FromStale)
		time.Sleep(time.Second)
		wantMany(t, "its turn", s.GetMany(t.Context(), append(ids300(), userKey{"other", 2})), 301, 2, FromLoader)
	})
}

// Callers in two processes at the same time: one call in all; and if that fails one of
// the other process.
func TestGetManyTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := &manyNumbers{takes: time.Second, fails: errAway}, NewMemory()
		a, endA := oldSpace(t, store, src)
		defer endA()
		b, endB := oldSpace(t, store, src)
		defer endB()
		var all sync.WaitGroup
		failed := func(s *Space[userKey, int]) {
			for k, got := range s.GetMany(t.Context(), ids300()) {
				if !errors.Is(got.Err, errAway) {
					t.Errorf("%v: %+v", k, got)
					return
				}
			}
		}
		fine := func(s *Space[userKey, int]) {
			for k, got := range s.GetMany(t.Context(), ids300()) {
				if got.Err != nil || got.Value != 5 {
					t.Errorf("%v: %+v", k, got)
					return
				}
			}
		}
		all.Go(func() { failed(a) })
		synctest.Wait()
		for range 3 {
			all.Go(func() { failed(a) })
			all.Go(func() { fine(b) })
		}
		synctest.Wait()
		all.Go(func() {
			if v, _, err := b.Get(t.Context(), userKey{"", 7}); v != 5 || err != nil {
				t.Errorf("Get: %v, %v", v, err)
			}
		})
		synctest.Wait()
		wantCalls(t, "the first", src.set(time.Second, 5, nil), 300)
		all.Wait()
		wantCalls(t, "the second", src.set(0, 0, nil), 300)
		if waits := b.Stats().LeaseWaits; waits != 300 {
			t.Errorf("%d waits for leases, want one a key", waits)
		}
	})
}

// Who joins a load after an invalidation, in a process that did not hear of it, does not
// get what was there before; who began it may.
func TestGetManyJoinedAfterInvalidation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, store := &manyNumbers{takes: time.Second, value: 1}, NewMemory()
		a, endA := oldSpace(t, store, src)
		defer endA()
		b, endB := oldSpace(t, store, src)
		defer endB()
		var all sync.WaitGroup
		all.Go(func() { b.GetMany(t.Context(), ids300()) })
		synctest.Wait()
		src.set(time.Second, 2, nil)
		if err := a.InvalidateMany(t.Context(), ids300()); err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			if v, _, err := b.Get(t.Context(), userKey{"", 7}); v != 2 || err != nil {
				t.Errorf("Get: %v, %v", v, err)
			}
		})
		for k, got := range b.GetMany(t.Context(), ids300()) {
			if got.Err != nil || got.Value != 2 {
				t.Fatalf("%v: %+v", k, got)
			}
		}
		all.Wait()
	})
}

// A process that dies with the leases of many keys holds nobody up for longer than they
// last, be there old values or none; and what it would have loaded is loaded by one call.
func TestGetManyOfADeadHolder(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, store allStores) {
		src := new(manySource)
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.LoadMany = src.load
			c.Loads = LoadsConfig{Timeout: time.Second, Lease: time.Second}
			c.Life = LifeConfig{TTL: 200 * time.Millisecond, NoJitter: true, StaleOnError: time.Minute}
		})
		die := func(renew bool) {
			var texts []string
			for _, key := range hundred() {
				k, err := s.keyOf(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				texts = append(texts, k.text)
			}
			for _, r := range store.LeaseMany(t.Context(), texts, LeaseRequest{Life: time.Second, Renew: renew}) {
				if r.Err != nil || r.Grant.State != Won {
					t.Fatalf("%+v", r)
				}
			}
			src.keys.Store(0)
			src.calls.Store(0)
		}
		loaded := func(what string) {
			t.Helper()
			if st := s.Stats(); src.keys.Load() != 100 || st.Unleased != 0 || src.calls.Load() > 10 {
				t.Errorf("%s: %d keys in %d calls, %d without a lease", what, src.keys.Load(), src.calls.Load(), st.Unleased)
			}
		}
		die(false)
		for k, a := range s.GetMany(t.Context(), hundred()) {
			if a.Err != nil {
				t.Errorf("%v: %v", k, a.Err)
			}
		}
		loaded("none there")
		time.Sleep(300 * time.Millisecond) // they are old, by the clock of this process
		die(true)
		for k, a := range s.GetMany(t.Context(), hundred()) {
			if a.Err != nil {
				t.Errorf("%v: %v", k, a.Err)
			}
		}
		eventually(t, "the leases end", func() bool { return src.keys.Load() >= 100 })
		loaded("old ones there")
	})
}

// A batch has left its bulkhead when those go on who waited for it.
func TestGetManyLeavesTheBulkhead(t *testing.T) {
	loading := make(chan struct{})
	m := newManager(t, NewMemory())
	s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Bulkhead: BulkheadConfig[userKey]{Loads: 1},
		LoadMany: func(context.Context, []userKey) (map[userKey]Loaded[int], error) { <-loading; return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 5 {
		var all []userKey
		for i := range int64(5000) {
			all = append(all, userKey{fmt.Sprint(round), i})
		}
		var both sync.WaitGroup
		both.Go(func() { s.GetMany(t.Context(), all) })
		eventually(t, "the load", func() bool { return s.State().Loading == 1 })
		joined := s.Stats().Coalesced
		both.Go(func() {
			s.GetMany(t.Context(), all[:1]) // the first that lands
			for k, a := range s.GetMany(t.Context(), []userKey{{"next", int64(round)}}) {
				if !errors.Is(a.Err, ErrNotFound) {
					t.Errorf("%v: %v", k, a.Err)
				}
			}
		})
		eventually(t, "the second caller", func() bool { return s.Stats().Coalesced > joined })
		loading <- struct{}{}
		go func() { loading <- struct{}{} }()
		both.Wait()
	}
}

// A panic on the way leaves nobody waiting.
func TestGetManyPanics(t *testing.T) {
	src := &manyNumbers{value: 1}
	m := newManager(t, NewMemory())
	s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", LoadMany: src.load, Validate: func(userKey, int) error { panic("oh") }})
	if err != nil {
		t.Fatal(err)
	}
	for k, a := range s.GetMany(t.Context(), []userKey{{"a", 1}, {"b", 1}}) {
		if p := (*PanicError)(nil); !errors.As(a.Err, &p) || p.Value != "oh" {
			t.Errorf("%v: %v", k, a.Err)
		}
	}
}
