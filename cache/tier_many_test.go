package cache

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// Two stores made one promise what one does: the suites of the stores, over them.
func TestTieredContract(t *testing.T) {
	before := backends
	defer func() { backends = before }()
	for name, stores := range map[string]func(t testing.TB) (near, far Store){
		"memory":    func(testing.TB) (Store, Store) { return NewMemory(), NewMemory() },
		"no batch":  func(testing.TB) (Store, Store) { return bare{NewMemory()}, bare{NewMemory()} },
		"redis far": nil,
	} {
		b := backend{"tiered", func(*testing.T, int) []string { return nil }, func(t testing.TB, _ []string) allStores {
			near, far := stores(t)
			s, err := NewTiered(near, far, TieredConfig{NearTTL: time.Hour, FarTimeout: 10 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			return s
		}}
		if stores == nil {
			redis := before[1]
			b.start = redis.start
			b.open = func(t testing.TB, addresses []string) allStores {
				s, err := NewTiered(NewMemory(), redis.open(t, addresses), TieredConfig{NearTTL: time.Hour, FarTimeout: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = s.Close() })
				return s
			}
		}
		backends = []backend{b}
		t.Run(name, func(t *testing.T) {
			t.Run("values", TestStoreValues)
			t.Run("versions", TestStoreVersions)
			t.Run("leases", TestStoreLease)
			t.Run("released", TestStoreLeaseRelease)
			t.Run("killed", TestStoreLeaseKilled)
			t.Run("batch", TestStoreBatch)
			t.Run("many", TestGetMany)
			t.Run("stampede", TestGetManyStampede)
			if name != "no batch" {
				t.Run("again", TestGetManyAfterInvalidation)
				t.Run("tags", TestInvalidateTags)
				t.Run("versions of tags", TestStoreTags)
				t.Run("pattern", TestInvalidatePattern)
				t.Run("erase", TestEraseTag)
			}
		})
	}
}

// bare is a store with leases and nothing else.
type bare struct{ m *Memory }

func (b bare) Get(ctx context.Context, key string) (Entry, error) { return b.m.Get(ctx, key) }
func (b bare) Set(ctx context.Context, key string, e Entry) (bool, error) {
	return b.m.Set(ctx, key, e)
}
func (b bare) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	return b.m.Delete(ctx, key, below, holdOff)
}
func (b bare) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	return b.m.Lease(ctx, key, r)
}
func (b bare) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	return b.m.Fill(ctx, key, l, e)
}
func (b bare) Release(ctx context.Context, key string, l Lease) error {
	return b.m.Release(ctx, key, l)
}
func (b bare) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	return b.m.Incr(ctx, key, delta, ttl)
}

// What the stores below cannot do, the two cannot do either, and say so.
func TestTieredAbilities(t *testing.T) {
	for _, c := range []struct {
		near, far   Store
		tags, scans bool
	}{
		{NewMemory(), NewMemory(), true, true},
		{bare{NewMemory()}, NewMemory(), true, false},
		{NewMemory(), bare{NewMemory()}, false, false},
	} {
		t.Run(fmt.Sprintf("%T %T", c.near, c.far), func(t *testing.T) {
			s, err := NewTiered(c.near, c.far, TieredConfig{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			m := newManager(t, s)
			if err := m.InvalidateTags(t.Context(), Tag{Name: "a"}); (err == nil) != c.tags || err != nil && !errors.Is(err, ErrUnsupported) {
				t.Errorf("a tag: %v", err)
			}
			users := newUsers(t, m, nil)
			if _, err := users.InvalidatePattern(t.Context(), func(*PatternBuilder) {}); (err == nil) != c.scans || err != nil && !errors.Is(err, ErrUnsupported) {
				t.Errorf("a pattern: %v", err)
			}
			if _, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "tagged", Tags: TagsConfig[userKey, user]{ByLoader: true}}); (err == nil) != c.tags {
				t.Errorf("a space with tags: %v", err)
			}
			if v := s.MakeTags(t.Context(), []string{"@tags/x"}); (v[0].Err == nil) != c.tags {
				t.Errorf("%+v", v)
			}
			if err := s.ScanKeys(t.Context(), "", func([]string) error { return nil }); (err == nil) != c.scans {
				t.Error(err)
			}
			if errs := s.DeleteMany(t.Context(), []string{"a", "b"}, 0); len(errs) != 2 || errs[0] != nil || errs[1] != nil {
				t.Error(errs)
			}
		})
	}
}

// tagTenants has the users of a region tagged by their tenants.
func tagTenants(t *testing.T, x region) *Space[userKey, user] {
	t.Helper()
	s, err := NewSpace(x.m, SpaceConfig[userKey, user]{Name: "tagged", Load: x.cfg.Load, Life: x.cfg.Life,
		Tags: TagsConfig[userKey, user]{OfKey: func(k userKey) []Tag { return kind(k.Tenant) }}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A tag that one region invalidates is invalid in the other: moments later with a bus,
// and else when NearTTL has ended. A hit near asks nothing far.
func TestTieredTags(t *testing.T) {
	for _, bus := range []bool{true, false} {
		t.Run(fmt.Sprint("bus ", bus), func(t *testing.T) {
			twoRegions(t, bus, func(t *testing.T, a, b region, far *cuttable, r *ledgered) {
				at, bt := tagTenants(t, a), tagTenants(t, b)
				for range 2 {
					mustGet(t, at, ada)
					mustGet(t, bt, ada)
				}
				far.cut = true
				wantName(t, bt, "first", FromL2)
				far.cut = false
				if r.loads != 1 {
					t.Errorf("%d loads", r.loads)
				}
				r.set(ada, "second")
				if err := at.InvalidateTags(t.Context(), kind(ada.Tenant)...); err != nil {
					t.Fatal(err)
				}
				wantName(t, at, "second", FromLoader)
				if bus {
					time.Sleep(10 * time.Millisecond)
				} else {
					wantName(t, bt, "first", FromL2)
					bob := userKey{ada.Tenant, 2} // is stored with what the tag is far
					r.set(bob, "Bob")
					mustGet(t, bt, bob)
					if _, meta := mustGet(t, bt, bob); meta.Source != FromL2 {
						t.Errorf("from %v: the old version near makes a miss of what was just loaded", meta.Source)
					}
					time.Sleep(61 * time.Second)
				}
				if v, _ := mustGet(t, bt, ada); v.Name != "second" {
					t.Errorf("%q in the other region", v.Name)
				}
				wantName(t, at, "second", FromL2)
				wantName(t, bt, "second", FromL2)
			})
		})
	}
}

// A pattern and an erasure in one region reach what is near the other.
func TestTieredPatternAcrossRegions(t *testing.T) {
	twoRegions(t, true, func(t *testing.T, a, b region, _ *cuttable, r *ledgered) {
		mustGet(t, a.Space, ada)
		mustGet(t, b.Space, ada)
		r.set(ada, "second")
		if n, err := a.InvalidatePattern(t.Context(), func(p *PatternBuilder) { p.String("acme") }); err != nil || n != 1 {
			t.Errorf("%d removed, %v", n, err)
		}
		time.Sleep(10 * time.Millisecond)
		if v, _ := mustGet(t, b.Space, ada); v.Name != "second" {
			t.Errorf("%q in the other region", v.Name)
		}
	})
}

// What the far store has a newer entry of, or has lost the lease of, is not near either.
func TestTieredBatchRefused(t *testing.T) {
	near, far := NewMemory(), NewMemory()
	s, err := NewTiered(near, far, TieredConfig{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	set(t, s, "older", stored("first", 1))
	set(t, far, "older", stored("of another region", 5))
	set(t, s, "lost", stored("first", 1))
	grants := s.LeaseMany(t.Context(), []string{"lost", "missing"}, LeaseRequest{Life: time.Minute, Renew: true})
	del(t, far, "lost", AnyVersion, 0)
	results := s.StoreMany(t.Context(), []Write{
		{Key: "older", Entry: stored("second", 3)},
		{Key: "lost", Lease: &grants[0].Grant.Lease, Entry: stored("second", 3)},
		{Key: "missing", Lease: &grants[1].Grant.Lease, Entry: stored("second", 3)},
	})
	for i, want := range []Filled{Older, Lost, Stored} {
		if results[i].Err != nil || results[i].Filled != want {
			t.Errorf("%d: %+v, want %d", i, results[i], want)
		}
	}
	wantEntry(t, s, "older", "of another region", 5)
	wantEntry(t, far, "missing", "second", 3)
	wantEntry(t, near, "missing", "second", 3)
	lease(t, near, "lost", LeaseRequest{Renew: true}, Won) // nobody has it
}
