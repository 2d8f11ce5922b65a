package cache

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// lateStore holds up the reply to the first Fill, after it was done.
type lateStore struct {
	*Memory
	once sync.Once
	hold chan struct{}
}

func (s *lateStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	filled, err := s.Memory.Fill(ctx, key, l, e)
	s.once.Do(func() { <-s.hold })
	return filled, err
}

// A load has been stored, its process does not know yet, and another process
// invalidates: who comes after that does not get what was loaded.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, src := NewMemory(), newSource()
		late := &lateStore{Memory: memory, hold: make(chan struct{})}
		one, two := newManager(t, late), newManager(t, memory)
		load := func(c *SpaceConfig[userKey, user]) { c.Load = src.load }
		here, there := newUsers(t, one, load), newUsers(t, two, load)
		var all sync.WaitGroup
		all.Go(func() { wantName(t, here, "Ada", FromLoader) })
		time.Sleep(time.Millisecond)
		src.set(ada, Loaded[user]{Value: user{Name: "Grace"}})
		if err := there.Invalidate(t.Context(), ada); err != nil {
			t.Error(err)
		}
		all.Go(func() {
			if v, _ := mustGet(t, here, ada); v.Name != "Grace" {
				t.Errorf("%q, after it was invalidated", v.Name)
			}
		})
		synctest.Wait()
		close(late.hold)
		all.Wait()
		_, _ = one.Close(), two.Close()
	})
}
