package cache

import (
	"context"
	"errors"
	"testing"
)

// Delete removes the row first, then the entry, from this process and from the fleet;
// after an error of the source, or a panic, the entry alone.
func TestDelete(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		src, errRefused := newSource(), errors.New("refused")
		remove := func(k userKey) error {
			if _, err := store.Get(t.Context(), "user/3/s4:acmei1:1"); err != nil {
				t.Errorf("when the row is removed: %v; want that the entry is there yet", err)
			}
			src.mu.Lock()
			defer src.mu.Unlock()
			delete(src.rows, k)
			return nil
		}
		s := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Load, c.L1.MaxBytes = src.load, 1<<20
			c.Remove = func(_ context.Context, k userKey) error { return remove(k) }
		})
		good := remove
		for _, fails := range []func(userKey) error{
			func(userKey) error { return errRefused },
			func(userKey) error { panic(errRefused) },
		} {
			wantName(t, s, "Ada", FromLoader)
			wantName(t, s, "Ada", FromL1)
			remove = fails
			if err := s.Delete(t.Context(), ada); !errors.Is(err, errRefused) {
				t.Errorf("%v, want what the source says", err)
			}
		}
		wantName(t, s, "Ada", FromLoader)
		wantName(t, s, "Ada", FromL1)
		remove = good
		if err := s.Delete(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		if _, meta, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNotFound) {
			t.Errorf("after it: from %v, %v; want ErrNotFound", meta.Source, err)
		}
		without := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) {
			c.Save = func(context.Context, userKey, user) (uint64, error) { return 1, nil }
		})
		if err := without.Delete(t.Context(), ada); !errors.Is(err, ErrNoSave) {
			t.Errorf("without Remove: %v, want ErrNoSave", err)
		}
	})
}
