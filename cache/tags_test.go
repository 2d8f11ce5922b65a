package cache

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

func kind(name string) []Tag { return []Tag{{Name: name}} }

// tenantTags gives each entry its tenant as a tag that its key says, and each role as
// one that its value says.
func tenantTags(c *SpaceConfig[userKey, user]) {
	c.Tags.OfKey = func(k userKey) []Tag { return kind("tenant:" + k.Tenant) }
	c.Tags.OfValue = func(_ userKey, u user) (tags []Tag) {
		for _, role := range u.Roles {
			tags = append(tags, Tag{Name: "role:" + role})
		}
		return tags
	}
}

func untag(t testing.TB, m *Manager, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := m.InvalidateTags(context.Background(), Tag{Name: name}); err != nil {
			t.Fatal(err)
		}
	}
}

// What every Tagger promises.
func TestStoreTags(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		s := store.(Tagger)
		tags := []string{"@tags/a", "@tags/b", "@tags/c", "@tags/d"}
		set(t, store, "k", stored("value", 0))
		results, versions := s.GetTagged(t.Context(), []string{"k", "none"}, tags)
		if string(results[0].Entry.Value) != "value" || !errors.Is(results[1].Err, ErrMiss) {
			t.Errorf("entries beside tags: %+v", results)
		}
		for i, v := range versions {
			if v.Version != 0 || v.Err != nil {
				t.Errorf("%s: %+v, want none", tags[i], v)
			}
		}
		made := s.MakeTags(t.Context(), tags[:2])
		again := s.MakeTags(t.Context(), tags)
		bumped := s.BumpTags(t.Context(), tags)
		_, versions = s.GetTagged(t.Context(), nil, tags)
		for i := range tags {
			if again[i].Version == 0 || i < 2 && made[i].Version != again[i].Version {
				t.Errorf("%s: made %d, and then %d", tags[i], made[min(i, 1)].Version, again[i].Version)
			}
			if bumped[i].Version != again[i].Version+1 || versions[i].Version != bumped[i].Version {
				t.Errorf("%s: %d, counted up to %d, read as %d", tags[i], again[i].Version, bumped[i].Version, versions[i].Version)
			}
			if again[i].Err != nil || bumped[i].Err != nil {
				t.Error(again[i].Err, bumped[i].Err)
			}
		}
		// One that is lost begins as another: also if nobody has counted it up.
		del(t, store, tags[0], AnyVersion, 0)
		if v := s.BumpTags(t.Context(), tags[:1])[0]; v.Err != nil || v.Version < 1<<20 || v.Version <= bumped[0].Version+1000 && v.Version >= again[0].Version {
			t.Errorf("lost and counted up: %+v after %+v", v, bumped[0])
		}
		// What others have left there is no version.
		set(t, store, tags[3], stored("no number", 0))
		if v := s.MakeTags(t.Context(), tags[3:])[0]; v.Version == 0 || v.Err != nil {
			t.Errorf("in place of an entry: %+v", v)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if v := s.BumpTags(ctx, tags[:1])[0]; !errors.Is(v.Err, context.Canceled) {
			t.Errorf("cancelled: %+v", v)
		}
	})
}

// The age of a version counts from when it was made or counted up, and no more than
// has really passed.
func TestStoreTagAge(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		s, tags := store.(Tagger), []string{"@tags/a"}
		before := time.Now()
		if age := s.MakeTags(t.Context(), tags)[0].Age; age > time.Since(before) {
			t.Errorf("%v old when it was made", age)
		}
		eventually(t, "it gets old", func() bool {
			age, passed := s.MakeTags(t.Context(), tags)[0].Age, time.Since(before)
			if age > passed {
				t.Fatalf("%v old after %v", age, passed)
			}
			return age > 100*time.Millisecond
		})
		bumped := time.Now()
		s.BumpTags(t.Context(), tags)
		if age := s.MakeTags(t.Context(), tags)[0].Age; age > time.Since(bumped) {
			t.Errorf("%v old when it was counted up", age)
		}
	})
}

// Over each store, with two processes and two spaces: a tag that the key says, and one
// that the value says.
func TestInvalidateTags(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		m, other := newManager(t, store), newManager(t, store)
		here := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
		there := newUsers(t, other, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
		bob := userKey{"acme", 2}
		eve := userKey{"evil", 3}
		for _, k := range []userKey{bob, eve} {
			src.set(k, Loaded[user]{Value: user{Name: "first", Roles: []string{fmt.Sprint("role", k.ID)}}})
		}
		for round, c := range []struct {
			tag  string
			gone []userKey
		}{{"tenant:acme", []userKey{ada, bob}}, {"role:admin", []userKey{ada}}, {"role:role3", []userKey{eve}}, {"tenant:none", nil}} {
			for _, k := range []userKey{ada, bob, eve} {
				eventually(t, "it is cached", func() bool { mustGet(t, here, k); _, meta := mustGet(t, there, k); return meta.Source == FromL2 })
			}
			untag(t, m, c.tag)
			for _, k := range []userKey{ada, bob, eve} {
				gone := false
				for _, g := range c.gone {
					gone = gone || g == k
				}
				if _, meta := mustGet(t, there, k); (meta.Source == FromLoader) != gone {
					t.Errorf("%d: %v after %s: from %v", round, k, c.tag, meta.Source)
				}
			}
		}
		if there.Stats().OtherTags == 0 {
			t.Error("nothing had another tag: the test shows nothing")
		}
	})
}

// A tag that is lost, evicted or with its node, makes its entries misses, and what was
// dead before does not come back: however often it is lost.
func TestTagLost(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src := newSource()
		m := newManager(t, store)
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Tags.OfKey = src.load, func(userKey) []Tag { return kind("t") }
		})
		ref, err := m.tagRef(Tag{Name: "t"})
		if err != nil {
			t.Fatal(err)
		}
		k, _ := s.keyOf(t.Context(), ada)
		seen := make(map[uint64]bool)
		for round := range 5 {
			mustGet(t, s, ada)
			old, err := store.Get(t.Context(), k.text)
			if err != nil {
				t.Fatal(err)
			}
			src.set(ada, Loaded[user]{Value: user{Name: fmt.Sprint("round ", round)}})
			if round%2 == 0 {
				untag(t, m, "t")
			}
			del(t, store, ref.text, AnyVersion, 0)
			wantName(t, s, fmt.Sprint("round ", round), FromLoader)
			// The entry from before is put back, as a copy that lags would.
			old.TTL = longTTL
			set(t, store, k.text, old)
			wantName(t, s, fmt.Sprint("round ", round), FromLoader)
			version := store.(Tagger).MakeTags(t.Context(), []string{ref.text})[0].Version
			if seen[version] {
				t.Errorf("version %d came twice", version)
			}
			seen[version] = true
		}
		proofs.Record(t, proofs.Row{Proof: "tag lost", Got: fmt.Sprintf("lost %d times: the entry from before was a miss each time, %d versions, all different", 5, len(seen))})
	})
}

// A load that an invalidation of a tag overtakes leaves nothing that is read: of a tag
// that the key says, that the value says, and that the loader says.
func TestTagInvalidatedDuringLoad(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		for i, c := range []struct {
			name   string
			config func(*SpaceConfig[userKey, user])
			tags   []Tag // of the loader
		}{
			{"key", func(c *SpaceConfig[userKey, user]) { c.Tags.OfKey = func(userKey) []Tag { return kind("t") } }, nil},
			{"value", func(c *SpaceConfig[userKey, user]) { c.Tags.OfValue = func(userKey, user) []Tag { return kind("t") } }, nil},
			{"loader", func(c *SpaceConfig[userKey, user]) { c.Tags.ByLoader = true }, kind("t")},
		} {
			m := newManager(t, store)
			var loads, value atomic.Int64
			overtake := true
			s := newUsers(t, m, func(cfg *SpaceConfig[userKey, user]) {
				c.config(cfg)
				cfg.Name = fmt.Sprint("user-", c.name)
				cfg.Load = func(context.Context, userKey) (Loaded[user], error) {
					loads.Add(1)
					read := value.Load()
					if overtake {
						overtake = false
						value.Add(1)
						untag(t, newManager(t, store), "t") // another process
					}
					return Loaded[user]{Value: user{Name: fmt.Sprint(read)}, Tags: c.tags}, nil
				}
			})
			for range i {
				untag(t, m, "t") // the tag is there, or not
			}
			mustGet(t, s, ada)
			if v, _ := mustGet(t, s, ada); v.Name != "1" || loads.Load() != 2 {
				t.Errorf("%s: %q after %d loads, want the value from after the invalidation, and 2", c.name, v.Name, loads.Load())
			}
			wantName(t, s, "1", FromL2)
		}
	})
}

// The same for GetMany, Put and PutMany.
func TestTagInvalidatedDuringBatch(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		m := newManager(t, store)
		var hook func()
		call := func() {
			if hook != nil {
				hook()
			}
		}
		row := user{Name: "first"}
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			tenantTags(c)
			c.LoadMany = func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
				all := make(map[userKey]Loaded[user])
				for _, k := range keys {
					all[k] = Loaded[user]{Value: row, Version: 1}
				}
				call()
				return all, nil
			}
			c.Save = func(context.Context, userKey, user) (uint64, error) { call(); return 2, nil }
			c.SaveMany = func(context.Context, []Pair[userKey, user]) ([]uint64, error) { call(); return []uint64{3}, nil }
		})
		keys := []userKey{ada, {"acme", 2}}
		read := func(want Source, name string) {
			t.Helper()
			for k, a := range s.GetMany(t.Context(), keys) {
				if a.Err != nil || a.Meta.Source != want || a.Value.Name != name {
					t.Errorf("%v: %q from %v (%v), want %q from %v", k, a.Value.Name, a.Meta.Source, a.Err, name, want)
				}
			}
		}
		read(FromLoader, "first")
		read(FromL2, "first")
		if err := s.InvalidateMany(t.Context(), keys); err != nil {
			t.Fatal(err)
		}
		hook = func() { hook = nil; row.Name = "second"; untag(t, newManager(t, store), "tenant:acme") }
		read(FromLoader, "first") // these callers came before
		read(FromLoader, "second")
		read(FromL2, "second")
		hook = func() { hook = nil; untag(t, newManager(t, store), "tenant:acme") }
		if err := s.Put(t.Context(), ada, user{Name: "put"}); err != nil {
			t.Fatal(err)
		}
		read(FromLoader, "second")
		if err := s.Put(t.Context(), ada, row); err != nil {
			t.Fatal(err)
		}
		read(FromL2, "second")
		hook = func() { hook = nil; untag(t, newManager(t, store), "tenant:acme") }
		if err := s.PutMany(t.Context(), []Pair[userKey, user]{{ada, user{Name: "put"}}}); err != nil {
			t.Fatal(err)
		}
		read(FromLoader, "second")
	})
}
