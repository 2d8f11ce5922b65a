package cache

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// copiedSpace has one hot key with all of its copies on the fleet.
func copiedSpace(t *testing.T, m *Manager, key mailKey) (s *Space[mailKey, user], fill func()) {
	t.Helper()
	s, err := NewSpace(m, SpaceConfig[mailKey, user]{Name: "user", Schema: 3, Hot: HotConfig{Keys: 4, Copies: 4},
		Tags: TagsConfig[mailKey, user]{OfKey: func(k mailKey) []Tag { return []Tag{personTag(k.Mail)} }},
		Load: func(_ context.Context, k mailKey) (Loaded[user], error) {
			return Loaded[user]{Value: user{Name: "secret of " + k.Mail}}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	s.hot.mu.Lock()
	s.hot.hot.Store(&map[mailKey]struct{}{key: {}})
	s.hot.next = time.Now().Add(time.Hour)
	s.hot.mu.Unlock()
	return s, func() {
		t.Helper()
		eventually(t, "all copies are there", func() bool {
			if _, _, err := s.Get(t.Context(), key); err != nil {
				t.Fatal(err)
			}
			return len(bytesOf(t, m, "user", "secret of ada")) == 4
		})
	}
}

// Whatever removes a hot key, or lists it, does so with its copies: over all stores, and
// also where the key is long and lies under its hash.
func TestCopiesAreRemoved(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		for _, tenant := range []string{"acme~1", longTenant} {
			m, err := NewManager(ManagerConfig{Store: store, Secret: secret})
			if err != nil {
				t.Fatal(err)
			}
			key := mailKey{tenant, "ada"}
			s, fill := copiedSpace(t, m, key)
			for name, remove := range map[string]func() error{
				"key":  func() error { return s.Invalidate(t.Context(), key) },
				"many": func() error { return s.InvalidateMany(t.Context(), []mailKey{key, {"other", "ada"}, {"third", "ada"}}) },
				"pattern": func() error {
					_, err := s.InvalidatePattern(t.Context(), func(b *PatternBuilder) { b.String(tenant) })
					return err
				},
				"erase": func() error {
					report, err := m.EraseTag(t.Context(), personTag("ada"))
					if report.Removed() != 4 {
						return fmt.Errorf("%+v, %w", report, err)
					}
					return err
				},
			} {
				fill()
				list, err := m.ListTag(t.Context(), personTag("ada"))
				if err != nil || len(list) != 4 {
					t.Errorf("%s: %d entries are listed, %v, want one and 3 copies", name, len(list), err)
				}
				audit, err := m.Audit(t.Context(), AuditConfig{Rate: 1e6})
				if err != nil || len(auditOf(t, audit, "user/3").Problems) != 0 {
					t.Errorf("%s: an audit before: %+v, %v", name, audit, err)
				}
				if err := remove(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if left := bytesOf(t, m, "user", "secret of ada"); len(left) > 0 {
					t.Errorf("%s: still there: %q", name, left)
				}
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestWithoutCopy(t *testing.T) {
	hashed := "user/3/#" + strings.Repeat("a", 64)
	for key, want := range map[string]string{
		"user/3/i1:7":         "user/3/i1:7",
		"user/3/i1:7~2":       "user/3/i1:7",
		"user/3/s3:a~1i1:7":   "user/3/s3:a~1i1:7",
		"user/3/s3:a~1":       "user/3/s3:a~1",
		"user/3/s3:a~1~15":    "user/3/s3:a~1",
		hashed:                hashed,
		hashed + "~3":         hashed,
		"user/3/i9:7":         "user/3/i9:7",
		"user/3/+i1:7":        "user/3/+i1:7",
		"user/3/#short":       "user/3/#short",
		"user/3/~":            "user/3/",
		"user/3/i1:7nonsense": "user/3/i1:7nonsense",
	} {
		if got := withoutCopy(key, "user/3"); got != want {
			t.Errorf("%q is taken for %q, want %q", key, got, want)
		}
	}
}
