package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal/local"
)

// laterKilled is a process, or the one after it, with a journal for all that is due later.
func laterKilled(store Store, path string, second time.Duration, src *source) (*Manager, *Space[userKey, user], *local.Log, error) {
	log, err := local.Open(path, local.Config{})
	if err != nil {
		return nil, nil, nil, err
	}
	m, err := NewManager(ManagerConfig{Store: store, Invalidation: InvalidationConfig{Journal: log}})
	if err != nil {
		return nil, nil, nil, err
	}
	s, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "user", Schema: 3, Load: src.load, Epochs: true,
		Invalidation: InvalidationConfig{Journal: log, SecondDelete: second}})
	return m, s, log, err
}

// laterRun is a process that owes invalidations when it is killed: its arguments are the
// journal's file, and of what kind they are. It says when they are in the journal.
func laterRun(_ string, args []string) error {
	ctx, store := context.Background(), newOffline()
	m, s, _, err := laterKilled(store, args[0], time.Hour, newSource())
	if err != nil {
		return err
	}
	if args[1] == "second" {
		err = s.Invalidate(ctx, ada)
	} else {
		store.down.Store(true)
		_, failed := s.InvalidatePattern(ctx, func(b *PatternBuilder) { b.String("acme") })
		for _, failed := range []error{failed, m.InvalidateTags(ctx, Tag{Name: "acme"}), s.BumpEpoch(ctx), s.InvalidateMany(ctx, []userKey{ada, {"acme", 2}})} {
			if !errors.Is(failed, ErrNotInvalidated) {
				err = fmt.Errorf("%v, want ErrNotInvalidated", failed)
			}
		}
	}
	fmt.Println("owed", err)
	bufio.NewScanner(os.Stdin).Scan() // until it is killed
	return nil
}

// A process is killed with SIGKILL that owes a second delete, or invalidations that have
// failed: the next one with its journal does them.
func TestLaterKilled(t *testing.T) {
	for kind, want := range map[string]LaterStats{"second": {Second: 1}, "failed": {Second: 2, Mended: 5}} {
		t.Run(kind, func(t *testing.T) {
			path := t.TempDir() + "/journal"
			p := startChild(t, "later", []string{path, kind}, time.Second)
			if got := p.next(); got != "owed <nil>" {
				t.Fatalf("the process said %q", got)
			}
			_ = p.cmd.Process.Kill()
			_ = p.cmd.Wait()
			store, src := NewMemory(), newSource()
			before := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load, c.Epochs = src.load, true })
			mustGet(t, before, ada)
			if _, meta := mustGet(t, before, ada); meta.Source != FromL2 {
				t.Fatalf("from %v before", meta.Source)
			}
			// It was due in an hour, of which this process knows nothing.
			m, s, log, err := laterKilled(store, path, time.Millisecond, src)
			if err != nil {
				t.Fatal(err)
			}
			defer log.Close()
			defer m.Close()
			eventually(t, "all of it is done", func() bool {
				var got LaterStats
				depth := 0
				for _, st := range m.Stats() {
					got.Second += st.Stats.Later.Second
					got.Mended += st.Stats.Later.Mended
					depth += st.Stats.Later.Depth
				}
				return got == want && depth == 0
			})
			if _, meta := mustGet(t, s, ada); meta.Source != FromLoader {
				t.Errorf("from %v after", meta.Source)
			}
		})
	}
}
