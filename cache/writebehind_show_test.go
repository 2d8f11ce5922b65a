package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal/memory"
	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// hangingStore is a store that answers nothing that changes it until a context ends.
type hangingStore struct{ *Memory }

func (hangingStore) Set(ctx context.Context, _ string, _ Entry) (bool, error) {
	<-ctx.Done()
	return false, ctx.Err()
}

func (hangingStore) Delete(ctx context.Context, _ string, _ uint64, _ time.Duration) error {
	<-ctx.Done()
	return ctx.Err()
}

// hardlyWaits has a space wait for the store for as long as it may, and a write not.
func hardlyWaits(c *SpaceConfig[userKey, user]) {
	c.Loads.Timeout = time.Hour
	c.WriteBehind.StoreWait = time.Millisecond
}

// returns fails the test if f takes longer than what no machine needs for it.
func returns(t *testing.T, what string, f func() error) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- f() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	case <-time.After(time.Minute):
		t.Fatalf("%s: still waits for the store", what)
	}
}

// A store that hangs holds up no write for longer than StoreWait, however many there
// are; the source has them all, this process shows them, and Close does not wait either.
func TestPutDoesNotWaitForTheStore(t *testing.T) {
	l := newLate()
	m := newManager(t, plainHanging{hangingStore{NewMemory()}})
	s := behindUsers(t, m, l, memory.New(0), hardlyWaits)
	release := l.hold()
	defer release()
	returns(t, "Put", func() error { return s.Put(context.Background(), ada, user{Name: "written"}) })
	returns(t, "PutMany", func() error {
		return s.PutMany(context.Background(), []Pair[userKey, user]{{keyNamed("bob"), user{Name: "b"}}, {keyNamed("carol"), user{Name: "c"}}})
	})
	returns(t, "Delete", func() error { return s.Delete(context.Background(), keyNamed("dora")) })
	wantName(t, s, "written", FromPending)
	for i := range behindShows {
		returns(t, "Put", func() error { return s.Put(context.Background(), keyNamed(fmt.Sprint(i)), user{Name: "many"}) })
	}
	if n := s.Stats().Behind.Unshown; n != 3 {
		t.Errorf("%d writes are not shown for there are too many, want 3", n)
	}
	returns(t, "Close", func() error { closeManager(t, m); return nil })
}

// waitingStore is a store whose Set waits until the gate is open.
type waitingStore struct {
	*Memory
	gate chan struct{}
}

func (g waitingStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	select {
	case <-g.gate:
		return g.Memory.Set(ctx, key, e)
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// What is written is what the caller had when it wrote: what it does to the value after
// that, while the store is still being told, nobody sees.
func TestPutKeepsNothingOfTheCallers(t *testing.T) {
	for name, clone := range map[string]func(user) user{"codec": nil, "Clone": cloneUser} {
		t.Run(name, func(t *testing.T) {
			l, store := newLate(), waitingStore{NewMemory(), make(chan struct{})}
			m := newManager(t, store)
			s := behindUsers(t, m, l, memory.New(0), func(c *SpaceConfig[userKey, user]) { c.Clone = clone; hardlyWaits(c) })
			release := l.hold()
			defer release()
			var writes []Pair[userKey, user]
			for i := range 500 { // more than are told to the store at once
				writes = append(writes, Pair[userKey, user]{keyNamed(fmt.Sprint(i)), user{Name: "x", Roles: []string{"written"}}})
			}
			returns(t, "PutMany", func() error { return s.PutMany(context.Background(), writes) })
			for _, w := range writes {
				w.Value.Roles[0] = "changed"
			}
			close(store.gate)
			reader := newUsers(t, newManager(t, store), nil)
			for _, w := range writes {
				eventually(t, "the store has it", func() bool {
					v, _, err := reader.GetWith(context.Background(), w.Key, nil)
					if err == nil && v.Roles[0] != "written" {
						t.Fatalf("others are shown %q, want what was written", v.Roles[0])
					}
					return err == nil
				})
				if v, meta, err := s.Get(context.Background(), w.Key); err != nil || meta.Source != FromPending || v.Roles[0] != "written" {
					t.Fatalf("Get = %v from %v, %v; want what was written, from pending", v, meta.Source, err)
				}
			}
			closeManager(t, m)
		})
	}
}

// plainHanging is no Leaser.
type plainHanging struct{ Store }

// So it is with a server that was cut off, and what is written meanwhile is shown there
// once it is back.
func TestPutWithoutAServer(t *testing.T) {
	proxy := faultproxy.New(t, servertest.Redis(t).Addr())
	client, err := router.NewRedis(t.Context(), router.Config{Source: sourceOf(t, membership.Redis, []string{proxy.Addr()}),
		Breaker: router.BreakerConfig{Disabled: true}, Node: router.NodeConfig{DialTimeout: time.Hour, ReadTimeout: time.Hour, WriteTimeout: time.Hour}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	l := newLate()
	store := OnRedis(client)
	s := behindUsers(t, newManager(t, store), l, memory.New(0), hardlyWaits)
	release := l.hold()
	defer release()
	returns(t, "Put", func() error { return s.Put(context.Background(), ada, user{Name: "before"}) })
	proxy.Hang()
	returns(t, "Put", func() error { return s.Put(context.Background(), ada, user{Name: "meanwhile"}) })
	wantName(t, s, "meanwhile", FromPending)
	proxy.Heal()
	other := newUsers(t, newManager(t, store), func(c *SpaceConfig[userKey, user]) { c.Load = l.load })
	eventually(t, "others see it", func() bool {
		v, _, err := other.Get(t.Context(), ada)
		return err == nil && v.Name == "meanwhile"
	})
}
