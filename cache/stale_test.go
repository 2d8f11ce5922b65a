package cache

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// How old a value may be is for the process that reads to say: the entry may be of one
// that is given more, as while a new configuration is rolled out.
func TestStaleBoundOfReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, src := NewMemory(), newSource()
		one, two := newManager(t, memory), newManager(t, memory)
		upTo := func(stale time.Duration) func(*SpaceConfig[userKey, user]) {
			return func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Life.TTL, c.Life.NoJitter, c.Life.StaleOnError = src.load, 5*time.Minute, true, stale
			}
		}
		writer, reader := newUsers(t, one, upTo(time.Hour)), newUsers(t, two, upTo(time.Minute))
		wantName(t, writer, "Ada", FromLoader)
		broken := errors.New("broken")
		src.fail(broken, 0)
		time.Sleep(5*time.Minute + 30*time.Second)
		wantName(t, reader, "Ada", FromStale)
		time.Sleep(time.Minute)
		wantName(t, writer, "Ada", FromStale)
		if _, _, err := reader.Get(t.Context(), ada); !errors.Is(err, broken) {
			t.Errorf("past the reader's bound: %v", err)
		}
		_, _ = one.Close(), two.Close()
	})
}

// A loader that does not look at its context is not waited for.
func TestHardTimeoutOfDeafLoader(t *testing.T) {
	deaf := func(context.Context, userKey) (Loaded[user], error) {
		time.Sleep(time.Hour)
		return Loaded[user]{}, nil
	}
	inBubble(t, func(c *SpaceConfig[userKey, user]) { c.Load = deaf }, func(t *testing.T, s *Space[userKey, user], _ *source) {
		begun := time.Now()
		_, _, err := s.Get(t.Context(), ada)
		if waited := time.Since(begun); !errors.Is(err, ErrLoadTimeout) || waited != 3*time.Second {
			t.Errorf("%v after %v, want ErrLoadTimeout after 3s", err, waited)
		}
		time.Sleep(time.Hour) // Close does not wait for the loader either
	})
}
