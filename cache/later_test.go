package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/memory"
)

// away is a store that can be taken away.
type away struct {
	*Memory
	gone    atomic.Bool
	mu      sync.Mutex
	deletes int
}

func (a *away) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	a.mu.Lock()
	a.deletes++
	a.mu.Unlock()
	if a.gone.Load() {
		return errors.New("away")
	}
	return a.Memory.Delete(ctx, key, below, holdOff)
}

func (a *away) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.deletes
}

// An invalidation that failed is repeated until the store is back: with a journal and
// without.
func TestInvalidationRepeated(t *testing.T) {
	for name, log := range map[string]journal.Journal{"memory": nil, "journal": memory.New(0)} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, src := &away{Memory: NewMemory()}, newSource()
				m := newManager(t, store)
				defer m.Close()
				s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Invalidation.Journal = src.load, log })
				wantName(t, s, "Ada", FromLoader)
				src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
				store.gone.Store(true)
				for range 3 { // of several that failed one is enough
					if err := s.Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) {
						t.Fatalf("Invalidate: %v", err)
					}
				}
				time.Sleep(2 * time.Second)
				wantName(t, s, "Ada", FromL2)
				if st := s.Stats().Later; st.Queued != 3 || st.Depth != 3 || st.Retried < 2 || st.Oldest <= 0 || st.Mended != 0 {
					t.Errorf("%+v", st)
				}
				store.gone.Store(false)
				time.Sleep(time.Minute)
				wantName(t, s, "Grace", FromLoader)
				if st := s.Stats().Later; st.Mended != 1 || st.Depth != 0 || st.Oldest != 0 || st.Dead != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// The pauses between attempts grow, and after so many it is given up, told of, and
// listed, until somebody revives it; also by the next process.
func TestInvalidationDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, log := &away{Memory: NewMemory()}, memory.New(0)
		store.gone.Store(true)
		var dead atomic.Int64
		space := func() (*Manager, *Space[userKey, user]) {
			m := newManager(t, store)
			return m, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Invalidation = InvalidationConfig{Journal: log, Attempts: 6, OnDead: func(DeadInvalidation) { dead.Add(1) }}
			})
		}
		m, s := space()
		_ = s.Invalidate(t.Context(), ada)
		before := store.count()
		time.Sleep(time.Second)
		if n := store.count() - before; n < 2 || n > 5 {
			t.Errorf("%d attempts in the first second: 100, 200, 400 ms, less up to a half", n)
		}
		time.Sleep(time.Minute)
		if n := store.count() - before; n != 6 || dead.Load() != 1 {
			t.Errorf("%d attempts, %d dead; want 6 and 1", n, dead.Load())
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		m, s = space()
		defer m.Close()
		all, err := s.DeadInvalidations(t.Context())
		k, _ := storeKeyOf(s.prefix, ada, nil, nil)
		if err != nil || len(all) != 1 || all[0].Key != k.text || all[0].Below != AnyVersion || all[0].Since.IsZero() {
			t.Fatalf("%+v, %v", all, err)
		}
		store.gone.Store(false)
		if n, err := s.ReviveInvalidations(t.Context()); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		time.Sleep(2 * time.Second)
		if all, _ := s.DeadInvalidations(t.Context()); len(all) != 0 || s.Stats().Later.Mended != 1 {
			t.Errorf("%+v, %+v", all, s.Stats().Later)
		}
	})
}

// Nobody waits for the second delete, which comes when its time has come, and not
// before; and when the process that owed it has ended, the next one does it.
func TestSecondDelete(t *testing.T) {
	for _, restart := range []bool{false, true} {
		t.Run(fmt.Sprint("restart ", restart), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, log := NewMemory(), memory.New(0)
				src := newSource()
				space := func() (*Manager, *Space[userKey, user]) {
					m := newManager(t, store)
					return m, newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
						c.Load, c.Invalidation = src.load, InvalidationConfig{Journal: log, SecondDelete: 10 * time.Second}
					})
				}
				m, s := space()
				begun := time.Now()
				if err := s.Invalidate(t.Context(), ada); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begun); took > 0 {
					t.Errorf("the caller waited for %v", took)
				}
				wantName(t, s, "Ada", FromLoader) // a replica that lags: it is stored
				src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
				if restart {
					if err := m.Close(); err != nil {
						t.Fatal(err)
					}
					time.Sleep(5 * time.Second)
					m, s = space()
				}
				defer func() { _ = m.Close() }()
				time.Sleep(10*time.Second - time.Since(begun) - time.Millisecond)
				wantName(t, s, "Ada", FromL2)
				time.Sleep(2 * time.Second)
				wantName(t, s, "Grace", FromLoader)
				if st := s.Stats().Later; st.Second != 1 || st.Depth != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
}

// What cannot be queued is counted and told, and what is no invalidation is dropped.
func TestInvalidationNotQueued(t *testing.T) {
	store, log := &away{Memory: NewMemory()}, memory.New(1)
	var told atomic.Int64
	m, err := NewManager(ManagerConfig{Store: store, OnError: func(string, error) { told.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	q, err := log.Queue(t.Context(), "user/3/invalidations")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), []byte("nonsense")); err != nil {
		t.Fatal(err)
	}
	_ = q.Close()
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Invalidation = InvalidationConfig{Journal: log, SecondDelete: time.Hour}
	})
	eventually(t, "nonsense is dropped", func() bool { return s.Stats().Later.Dropped == 1 })
	eventually(t, "there is room", func() bool { _, n, _ := s.later.queue.Peek(t.Context(), 0); return n == 0 })
	for range 2 { // of which the second has no room
		if err := s.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats().Later; st.Dropped != 2 || told.Load() != 2 {
		t.Errorf("%+v, %d told", st, told.Load())
	}
}

func FuzzLaterTask(f *testing.F) {
	f.Add((&laterTask{kind: laterRetry, due: time.UnixMilli(5), below: 7, key: "user/3/i1:1"}).encode())
	f.Add((&laterTask{kind: laterDead, key: "k"}).encode())
	f.Add([]byte{laterVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		task, err := decodeLaterTask(data)
		if err != nil {
			if !errors.Is(err, errLaterTask) {
				t.Error(err)
			}
			return
		}
		if again := task.encode(); string(again) != string(data) {
			t.Errorf("%x decodes, and encodes to %x", data, again)
		}
	})
}
