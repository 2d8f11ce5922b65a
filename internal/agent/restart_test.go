package agent

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/membership"
)

func TestRestarts(t *testing.T) {
	ctx := t.Context()
	for name, c := range map[string]struct {
		owns, keep  bool // of the node, of the policy
		loses       bool // the server comes back empty
		purged, bad bool
	}{
		"emptied":          {owns: true, purged: true, bad: true},
		"empty by itself":  {owns: true, loses: true},
		"owns nothing yet": {},
		"told to keep":     {owns: true, keep: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := dataservertest.New(membership.Redis, "127.0.0.1:1", "")
			s.Set("old")
			var fails atomic.Bool
			may := make(chan struct{})
			purge := func(ctx context.Context) (int64, error) {
				<-may
				if fails.Swap(false) {
					return 0, errors.New("no answer")
				}
				return s.Purge(ctx, func(int64) {})
			}
			r := newRestarts(s, purge, func() bool { return c.owns }, c.keep, slog.New(slog.DiscardHandler))
			defer r.close()
			for range 2 {
				if err := r.check(ctx); err != nil {
					t.Fatal("before:", err)
				}
			}
			s.Restart(!c.loses)
			fails.Store(true)
			for range 2 {
				if err := r.check(ctx); (err != nil) != c.bad {
					t.Fatal("restarted:", err)
				}
			}
			close(may)
			r.work.Wait() // the first attempt, which fails
			if c.bad && len(s.Keys()) != 1 {
				t.Fatal("the purge that failed removed something")
			}
			_ = r.check(ctx)
			r.work.Wait()
			if err := r.check(ctx); err != nil {
				t.Error("afterwards:", err)
			}
			if gone := len(s.Keys()) == 0; gone != (c.purged || c.loses) {
				t.Errorf("keys %q", s.Keys())
			}
		})
	}
}

// The agent of a node that is in the ring does so by its probes.
func TestRestartedServerIsEmptied(t *testing.T) {
	cfg := config("a")
	a := start(t, cfg)
	a.active(t)
	a.data.Set("one", "two")
	a.data.Restart(true)
	eventually(t, "it is empty", func() bool { return len(a.data.Keys()) == 0 })
	eventually(t, "it answers again", func() bool { return a.Status().Probe == nil })
}
