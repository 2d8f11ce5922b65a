package cache

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// overtake has loads of a second each, of which every one reads the source at its
// beginning, overtaken by as many invalidations, half a second after each began. A
// Get that comes a moment after the last one must see what it was for, although the
// load that is under way has read what was there before.
func overtake(t *testing.T, store Store, sameProcess bool, times int) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		load := func(c *SpaceConfig[userKey, user]) { c.Load = src.load }
		reader := newManager(t, store)
		readers := newUsers(t, reader, load)
		writer, writers := reader, readers
		if !sameProcess {
			writer = newManager(t, store)
			writers = newUsers(t, writer, load)
		}
		src.fail(nil, time.Second)
		var all sync.WaitGroup
		all.Go(func() { mustGet(t, readers, ada) })
		time.Sleep(500 * time.Millisecond)
		for i := range times {
			if i > 0 {
				time.Sleep(time.Second)
			}
			src.set(ada, Loaded[user]{Value: user{Name: fmt.Sprint("change ", i)}})
			if err := writers.Invalidate(t.Context(), ada); err != nil {
				t.Error(err)
			}
		}
		time.Sleep(100 * time.Millisecond)
		if v, _ := mustGet(t, readers, ada); v.Name != fmt.Sprint("change ", times-1) {
			t.Errorf("after %d invalidations: %q", times, v.Name)
		}
		all.Wait()
		_, _ = reader.Close(), writer.Close()
	})
}

func TestOvertakenLoadIsRepeated(t *testing.T) { overtake(t, NewMemory(), false, 1) }

// The last attempt is handed out as it is, so that nobody who comes late shares it.
func TestOvertakenLastAttempt(t *testing.T) { overtake(t, NewMemory(), false, attempts) }

// Without leases nobody notices that a load was overtaken: in the process of the
// invalidation its flight is forgotten.
func TestOvertakenFlightIsForgotten(t *testing.T) { overtake(t, plainStore{NewMemory()}, true, 1) }
