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

func tenantOf(k userKey) string { return k.Tenant }

// A tenant whose loads hang takes its own places, and nobody else's.
func TestBulkheadOfTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := make(chan struct{})
		load := func(ctx context.Context, k userKey) (Loaded[int], error) {
			if k.Tenant == "slow" {
				<-slow
			}
			return Loaded[int]{Value: 1}, nil
		}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: load,
			Bulkhead: BulkheadConfig[userKey]{Loads: 10, Tenant: tenantOf, TenantLoads: 4}})
		defer end()
		var all sync.WaitGroup
		get := func(tenant string, id int) (err error) {
			_, _, err = s.Get(context.Background(), userKey{tenant, int64(id)})
			return err
		}
		for i := range 4 {
			all.Go(func() {
				if err := get("slow", i); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		for i := range 100 {
			if err := get("slow", 100+i); !errors.Is(err, ErrShed) {
				t.Fatalf("a fifth of the tenant: %v, want ErrShed", err)
			}
			if err := get("quick", i); err != nil {
				t.Fatalf("another tenant: %v", err)
			}
		}
		if st, n := s.Stats(), s.State().Tenants; st.BulkheadFull != 100 || n != 1 {
			t.Errorf("full %d times, %d tenants known: want 100 and 1", st.BulkheadFull, n)
		}
		close(slow)
		all.Wait()
		synctest.Wait()
		if n := s.State().Tenants; n != 0 {
			t.Errorf("%d tenants known with nothing under way", n)
		}
	})
}

// However many tenants there are, so many are known; the others share one bulkhead.
func TestBulkheadOfManyTenants(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: time.Second}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load,
			Bulkhead: BulkheadConfig[userKey]{Tenant: tenantOf, TenantLoads: 3, Tenants: 5}})
		defer end()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() { _, _, _ = s.Get(context.Background(), userKey{fmt.Sprint(i), 1}) })
		}
		synctest.Wait()
		if n, loads := s.State().Tenants, src.now.Load(); n != 5 || loads != 5+3 {
			t.Errorf("%d tenants known, %d loads: want 5, and 3 loads of the others", n, loads)
		}
		all.Wait()
	})
}

// Who may wait for a place does, and no longer than he may. An old value comes first.
func TestBulkheadWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &crowd{takes: 100 * time.Millisecond}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{Load: src.load,
			Life:     LifeConfig{TTL: time.Second, NoJitter: true},
			Bulkhead: BulkheadConfig[userKey]{Loads: 2, Wait: 150 * time.Millisecond}})
		defer end()
		begun := time.Now()
		fine, shed, _ := getAll(s, 1, 10)
		if took := time.Since(begun); fine != 4 || shed != 6 || src.peak.Load() != 2 || took != 200*time.Millisecond {
			t.Errorf("%d got a value, %d refused, %d at a time, in %v: want 4, 6, 2, 200ms", fine, shed, src.peak.Load(), took)
		}
		if st := s.Stats(); st.BulkheadWaits != 8 || st.BulkheadFull != 6 {
			t.Errorf("%d waits, %d full", st.BulkheadWaits, st.BulkheadFull)
		}
		getAll(s, 1, 2)
		time.Sleep(1100 * time.Millisecond)
		go getAll(s, 21, 22)
		time.Sleep(time.Millisecond)
		begun = time.Now()
		if _, meta, err := s.Get(context.Background(), userKey{"", 1}); err != nil || meta.Source != FromStale || time.Since(begun) != 0 {
			// 1 or 2 was among those that were loaded
			_, second, err2 := s.Get(context.Background(), userKey{"", 2})
			t.Errorf("from %v, %v; %v, %v, in %v", meta.Source, err, second.Source, err2, time.Since(begun))
		}
		time.Sleep(time.Second)
	})
}

// Reads of a store that hangs take the places of the space, and no more.
func TestBulkheadOfLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outageStore{Memory: NewMemory()}
		store.slow.Store(int64(time.Second))
		s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Load: (&crowd{}).load,
			Bulkhead: BulkheadConfig[userKey]{Lookups: 5}})
		defer end()
		fine, shed, _ := getAll(s, 1, 50)
		if fine != 5 || shed != 45 || store.gets.Load() != 5 {
			t.Errorf("%d got a value, %d refused, %d reads: want 5, 45, 5", fine, shed, store.gets.Load())
		}
		answers := s.GetMany(context.Background(), []userKey{{"a", 1}, {"a", 2}, {"b", 3}})
		for k, a := range answers {
			if a.Err != nil {
				t.Errorf("%v: %v", k, a.Err) // one read of the store
			}
		}
	})
}

// A batch takes one place of each tenant, and is answered without those who have none.
func TestBulkheadOfBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		loadMany := func(_ context.Context, keys []userKey) (map[userKey]Loaded[int], error) {
			time.Sleep(time.Second)
			loaded := make(map[userKey]Loaded[int])
			for _, k := range keys {
				loaded[k] = Loaded[int]{Value: 1}
			}
			return loaded, nil
		}
		s, end := newNumbers(t, NewMemory(), SpaceConfig[userKey, int]{LoadMany: loadMany,
			Bulkhead: BulkheadConfig[userKey]{Loads: 3, Tenant: tenantOf, TenantLoads: 1}})
		defer end()
		go s.GetMany(context.Background(), []userKey{{"a", 1}, {"a", 2}})
		synctest.Wait()
		answers := s.GetMany(context.Background(), []userKey{{"a", 3}, {"b", 1}, {"b", 2}})
		for k, a := range answers {
			if refused := errors.Is(a.Err, ErrShed); refused != (k.Tenant == "a") || !refused && a.Err != nil {
				t.Errorf("%v: %v", k, a.Err)
			}
		}
		time.Sleep(time.Second)
		if n := s.State().Tenants; n != 0 {
			t.Errorf("%d tenants known", n)
		}
	})
}
