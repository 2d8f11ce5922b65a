package cache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func personTag(mail string) Tag { return Tag{Name: "user", Personal: mail} }

// Everything of one user, over each store with two nodes: two spaces, two schemas, keys
// that are hashed, keys that are personal. Others stay.
func TestEraseTag(t *testing.T) {
	eachBackendAtOnce(t, func(t *testing.T, store allStores) {
		m, err := NewManager(ManagerConfig{Store: store, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		older, err := NewManager(ManagerConfig{Store: store, Secret: secret})
		if err != nil {
			t.Fatal(err)
		}
		defer older.Close()
		gone := make(map[string]bool) // from the source
		open := func(m *Manager, name string, schema uint32) *Space[mailKey, user] {
			s, err := NewSpace(m, SpaceConfig[mailKey, user]{Name: name, Schema: schema, L1: L1Config{MaxBytes: 1 << 20}, Life: LifeConfig{NegativeTTL: time.Hour},
				Tags: TagsConfig[mailKey, user]{OfKey: func(k mailKey) []Tag { return []Tag{personTag(k.Mail)} }},
				Load: func(_ context.Context, k mailKey) (Loaded[user], error) {
					if gone[k.Mail] {
						return Loaded[user]{}, ErrNotFound
					}
					return Loaded[user]{Value: user{Name: "secret of " + k.Mail}}, nil
				}})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		spaces := []*Space[mailKey, user]{open(m, "user", 3), open(m, "cart", 0), open(older, "user", 2)}
		want := 0
		for _, s := range spaces {
			for _, tenant := range []string{"acme", "other", longTenant} {
				for _, who := range []string{"ada", "bob"} {
					if _, _, err := s.Get(t.Context(), mailKey{tenant, who}); err != nil {
						t.Fatal(err)
					}
				}
				want++
			}
		}
		list, err := m.ListTag(t.Context(), personTag("ada"))
		if err != nil || len(list) != want {
			t.Fatalf("%d entries listed, %v; want %d", len(list), err, want)
		}
		for _, e := range list {
			if !strings.Contains(string(e.Value), "secret of ada") || strings.Contains(e.Key, "ada") || e.Dead || e.Ends.Before(time.Now()) {
				t.Errorf("listed: %+v with %q", e, e.Value)
			}
		}
		untag(t, m, "another")
		if err := m.InvalidateTags(t.Context(), personTag("ada")); err != nil {
			t.Fatal(err)
		}
		if list, _ = m.ListTag(t.Context(), personTag("ada")); len(list) != want || !list[0].Dead {
			t.Errorf("once the tag is invalidated: %d listed, %+v", len(list), list)
		}
		gone["ada"] = true
		report, err := m.EraseTag(t.Context(), personTag("ada"))
		if err != nil || report.Removed() != want || len(report.Spaces) != 2 || report.Ended.Before(report.Begun) {
			t.Fatalf("%+v, %v; want %d removed", report, err, want)
		}
		if s := report.Spaces[1]; s.Space != "user" || len(s.Keys) != 6 || s.Newer != 0 || !slices.IsSorted(s.Keys) {
			t.Errorf("%+v", s)
		}
		if left := bytesOf(t, m, "user", "secret of ada"); len(left) > 0 {
			t.Errorf("still there: %q", left)
		}
		if list, err = m.ListTag(t.Context(), personTag("bob")); err != nil || len(list) != want {
			t.Errorf("of somebody else %d are left, %v", len(list), err)
		}
		for _, s := range spaces {
			eventually(t, "level 1 of another process", func() bool {
				_, _, err := s.Get(t.Context(), mailKey{"acme", "ada"})
				return s.m == m || errors.Is(err, ErrNotFound)
			})
			if _, meta, err := s.Get(t.Context(), mailKey{"acme", "ada"}); !errors.Is(err, ErrNotFound) || meta.Source != FromNegative {
				t.Errorf("%s: %+v, %v", s.name, meta, err)
			}
		}
		// An absence has the tag too, and was loaded since.
		if report, err = m.EraseTag(t.Context(), personTag("ada")); err != nil || report.Removed() != 3 {
			t.Errorf("the second time: %+v, %v", report, err)
		}
	})
}

// bytesOf returns the keys of the space under which the text lies.
func bytesOf(t *testing.T, m *Manager, space, text string) (keys []string) {
	t.Helper()
	err := m.scanner.ScanKeys(t.Context(), space+"/", func(some []string) error {
		for i, r := range m.batch.GetMany(t.Context(), some) {
			if strings.Contains(string(r.Entry.Value), text) {
				keys = append(keys, some[i])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// Loads that are under way while a tag is erased bring nothing back: neither to who
// reads, nor as bytes that nobody reads. With the lease of a missing key, and of one
// that is there without the tag.
func TestEraseDuringLoad(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		for _, there := range []bool{false, true} {
			m := newManager(t, store)
			value, overtake := "old", false
			var erased Erased
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Name = fmt.Sprint("user-", there)
				c.Life.RefreshAhead = 0
				c.Tags.OfValue = func(_ userKey, u user) []Tag { return kind("has " + u.Name) }
				c.Load = func(context.Context, userKey) (Loaded[user], error) {
					read := value
					if overtake {
						overtake, value = false, "forgotten"
						var err error
						if erased, err = newManagerWith(t, store, c.Name).EraseTag(t.Context(), Tag{Name: "has old"}); err != nil {
							t.Error(err)
						}
					}
					return Loaded[user]{Value: user{Name: read}}, nil
				}
			})
			if there { // an entry that does not have the tag, and is to be replaced
				value = "first"
				mustGet(t, s, ada)
				untag(t, m, "has first")
				value = "old"
			}
			overtake = true
			mustGet(t, s, ada)
			if left := bytesOf(t, m, s.cfg.Name, `"old"`); len(left) > 0 {
				t.Errorf("there %v: it lies under %q", there, left)
			}
			if v, _ := mustGet(t, s, ada); v.Name != "forgotten" {
				t.Errorf("there %v: %q was read", there, v.Name)
			}
			if erased.Spaces[0].Leases == 0 && !there {
				t.Errorf("no load was ended: %+v", erased)
			}
		}
	})
}

// newManagerWith is another process that has the space.
func newManagerWith(t *testing.T, store Store, name string) *Manager {
	t.Helper()
	m := newManager(t, store)
	newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Name = name })
	return m
}

// What no longer decodes might have been anybody's; what is older than the erasure
// goes, what was loaded since stays and is told.
func TestEraseReport(t *testing.T) {
	store := NewMemory()
	src := newSource()
	m := newManager(t, store)
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
	mustGet(t, s, ada)
	set(t, store, "user/3/s4:acmei1:9", stored("broken", 0))
	set(t, store, "user/3/+s4:acmei1:9", stored("7", 0)) // a counter
	set(t, store, "users/3/s4:acmei1:9", stored("of another space", 0))
	report, err := m.EraseTag(t.Context(), Tag{Name: "tenant:acme"})
	if err != nil || len(report.Spaces) != 1 || len(report.Spaces[0].Unreadable) != 1 || report.Removed() != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	wantMiss(t, store, "user/3/s4:acmei1:9")
	wantEntry(t, store, "user/3/+s4:acmei1:9", "7", 0)
	wantEntry(t, store, "users/3/s4:acmei1:9", "of another space", 0)
	bare, err := NewManager(ManagerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer bare.Close()
	if _, err := bare.EraseTag(t.Context(), Tag{Name: "x"}); !errors.Is(err, ErrUnsupported) {
		t.Errorf("without a store: %v", err)
	}
	down := &failing{Memory: store}
	m = newManagerWith(t, down, "user")
	down.down.Store(true)
	if _, err := m.EraseTag(t.Context(), Tag{Name: "x"}); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("a store that is away: %v", err)
	}
	if err := m.InvalidateTags(t.Context(), Tag{Name: "x"}); !errors.Is(err, ErrNotInvalidated) {
		t.Errorf("a store that is away: %v", err)
	}
}

// Tags that cannot be read are as good as none: nothing is handed out by them, and
// nothing is stored.
func TestTagsUnknown(t *testing.T) {
	store, src := &failing{Memory: NewMemory()}, newSource()
	s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { tenantTags(c); c.Load = src.load })
	mustGet(t, s, ada)
	mustGet(t, s, ada)
	store.down.Store(true)
	src.set(ada, Loaded[user]{Value: user{Name: "new"}})
	wantName(t, s, "new", FromLoader)
	store.down.Store(false)
	wantName(t, s, "Ada", FromL2) // nobody has invalidated it
}

// A Put whose tag is erased before it is stored leaves nothing behind either.
func TestEraseDuringPut(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		m := newManager(t, store)
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			tenantTags(c)
			save := func() (uint64, error) {
				_, err := newManagerWith(t, store, "user").EraseTag(t.Context(), Tag{Name: "tenant:acme"})
				return 1, err
			}
			c.Save = func(context.Context, userKey, user) (uint64, error) { return save() }
			c.SaveMany = func(context.Context, []Pair[userKey, user]) ([]uint64, error) {
				v, err := save()
				return []uint64{v}, err
			}
		})
		for i, put := range []func() error{
			func() error { return s.Put(t.Context(), ada, user{Name: "old"}) },
			func() error { return s.PutMany(t.Context(), []Pair[userKey, user]{{ada, user{Name: "old"}}}) },
		} {
			if err := put(); err != nil {
				t.Fatal(err)
			}
			if left := bytesOf(t, m, "user", `"old"`); len(left) > 0 {
				t.Errorf("%d: it lies under %q", i, left)
			}
		}
	})
}
