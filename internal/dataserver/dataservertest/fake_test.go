package dataservertest

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// What the Fake has in common with real servers is tested in package dataserver,
// by one suite for all; here is what it does on demand.

func TestHealthAndCounters(t *testing.T) {
	f := New(membership.Memcached, "h:1", "p:")
	defer f.Close()
	f.Set("p:1", "q:1")
	f.SetHealth(dataserver.ErrLoading)
	nothing := func(string) bool { return false }
	for range 2 {
		_, purge := f.Purge(t.Context(), nil)
		_, sweep := f.Sweep(t.Context(), nothing, nil)
		_, count := f.Count(t.Context())
		for _, err := range []error{f.Probe(t.Context()), purge, sweep, count} {
			if !errors.Is(err, dataserver.ErrLoading) {
				t.Errorf("got %v", err)
			}
		}
	}
	if got, want := f.Counters(), (Counters{Probes: 2, Counts: 2, Purges: 2, Sweeps: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if keys := f.Keys(); len(keys) != 2 {
		t.Errorf("an unhealthy server lost keys: %q", keys)
	}
	f.SetHealth(nil)
	if err := f.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	f.Restart(true)
	if keys := f.Keys(); len(keys) != 2 {
		t.Errorf("after a restart that keeps them: %q", keys)
	}
}

func TestTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(membership.Redis, "h:1", "")
		defer f.Close()
		f.Set("k")
		start := time.Now()
		passed := func(want time.Duration) {
			t.Helper()
			if got := time.Since(start); got != want {
				t.Errorf("%v have passed, want %v", got, want)
			}
			start = time.Now()
		}
		f.SetDelay(time.Minute)
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.Purge(short, nil); !errors.Is(err, context.DeadlineExceeded) || len(f.Keys()) != 1 {
			t.Errorf("a purge that was cut short: %v, left %q", err, f.Keys())
		}
		passed(time.Second)
		if n, err := f.Purge(t.Context(), nil); err != nil || n != 1 {
			t.Errorf("purge: %d, %v", n, err)
		}
		passed(time.Minute)

		f.Hang(true)
		f.Hang(true)
		if err := f.Probe(t.Context()); !errors.Is(err, dataserver.ErrNoAnswer) {
			t.Errorf("probe while it hangs: %v", err)
		}
		passed(dataserver.DefaultTimeout)
		if _, err := f.Sweep(t.Context(), func(string) bool { return true }, nil); !errors.Is(err, dataserver.ErrNoAnswer) {
			t.Errorf("sweep while it hangs: %v", err)
		}
		passed(10 * dataserver.DefaultTimeout)
		time.AfterFunc(time.Second/2, func() { f.Hang(false) })
		if err := f.Probe(t.Context()); err != nil {
			t.Errorf("probe when it goes on: %v", err)
		}
		passed(time.Second / 2)
		f.Hang(true)
		time.AfterFunc(time.Second/2, func() { f.Close() })
		if err := f.Probe(t.Context()); !errors.Is(err, dataserver.ErrClosed) {
			t.Errorf("probe when it is closed: %v", err)
		}
		passed(time.Second / 2)
	})
}
