package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

func TestCoalescing(t *testing.T) {
	var loads []int64
	all := []int{100, 500, 5000}
	for _, callers := range all {
		inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
			src.fail(nil, time.Second)
			var all sync.WaitGroup
			for range callers {
				all.Go(func() { mustGet(t, s, ada) })
			}
			all.Wait()
			loads = append(loads, src.loads.Load())
			src.wantLoads(t, 1)
			if n := s.Stats().Coalesced; n != uint64(callers-1) { // and not one after the other, by leases
				t.Errorf("%d of %d callers shared a load", n, callers)
			}
		})
	}
	proofs.Record(t, proofs.Row{Proof: "coalescing", Got: fmt.Sprintf("callers %v: loads %v", all, loads)})
}

// Who finds no flight, and is then slower than another, shares the other's.
func TestFlightJoinedLate(t *testing.T) {
	var fs flights[int]
	var fly func()
	start := func(f func()) error { fly = f; return nil }
	first, leads, err := fs.join("key", start, func(*flight[int]) (int, error) { return 1, nil })
	if err != nil || !leads {
		t.Fatalf("the first leads: %v, %v", leads, err)
	}
	second, leads, err := fs.join("key", start, func(*flight[int]) (int, error) { return 2, nil })
	if err != nil || leads || second != first {
		t.Fatalf("the second leads: %v, %v; want the flight of the first", leads, err)
	}
	fly()
	if <-second.done; second.result != 1 || fs.underWay("key") != nil {
		t.Errorf("%d, and a flight under way: %v", second.result, fs.underWay("key") != nil)
	}
}

func TestCancelledLeader(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(nil, time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			if _, _, err := s.Get(ctx, ada); !errors.Is(err, context.Canceled) {
				t.Errorf("the one who left: %v", err)
			}
		})
		synctest.Wait() // it leads
		for range 10 {
			all.Go(func() { mustGet(t, s, ada) })
		}
		synctest.Wait()
		cancel()
		all.Wait()
		src.wantLoads(t, 1)
		proofs.Record(t, proofs.Row{Proof: "cancelled leader", Got: "10 others have the value, 1 load"})
	})
}

// All leave: the load is finished, and its result stored.
func TestAllCallersLeave(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], src *source) {
		src.fail(nil, time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := s.Get(ctx, ada); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		wantName(t, s, "Ada", FromL2)
	})
}

func TestPanicAndGoexit(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("boom") }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, s *Space[userKey, user], _ *source) {
				load := func(context.Context, userKey) (Loaded[user], error) {
					time.Sleep(time.Second)
					end()
					return Loaded[user]{}, nil
				}
				var all sync.WaitGroup
				for range 10 {
					all.Go(func() {
						_, _, err := s.GetWith(t.Context(), ada, load)
						var p *PanicError
						if !errors.As(err, &p) && !errors.Is(err, errGoexit) {
							t.Errorf("got %v", err)
						}
					})
				}
				all.Wait()
				wantName(t, s, "Ada", FromLoader) // the lease was given back
			})
		})
	}
}

// Recheck inside: a caller whose look at the store was before another one's fill,
// and whose flight begins after it, does not load again.
func TestRecheckInside(t *testing.T) {
	for _, leases := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			gate := &gatedStore{Memory: NewMemory(), hold: make(chan struct{})}
			var store Store = gate
			if !leases {
				store = plainStore{gate}
			}
			m := newManager(t, store)
			src := newSource()
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
			var slow sync.WaitGroup
			gate.arm()
			slow.Go(func() { mustGet(t, s, ada) }) // has looked, and is held up
			synctest.Wait()
			// Callers of Get alone would share what comes after that look.
			if got := s.GetMany(t.Context(), []userKey{ada})[ada]; got.Err != nil || got.Meta.Source != FromLoader {
				t.Errorf("%+v", got)
			}
			close(gate.hold)
			slow.Wait()
			src.wantLoads(t, 1)
			_ = m.Close()
		})
	}
}

// gatedStore holds up the answer to the first Get after arm.
type gatedStore struct {
	*Memory
	mu    sync.Mutex
	armed bool
	hold  chan struct{}
}

func (g *gatedStore) arm() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = true
}

func (g *gatedStore) Get(ctx context.Context, key string) (Entry, error) {
	e, err := g.Memory.Get(ctx, key)
	g.mu.Lock()
	held := g.armed
	g.armed = false
	g.mu.Unlock()
	if held {
		<-g.hold
	}
	return e, err
}

// plainStore has no capabilities.
type plainStore struct{ Store }

func TestStoreWithoutLeases(t *testing.T) {
	src := newSource()
	s := newUsers(t, newManager(t, plainStore{NewMemory()}), func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
	wantName(t, s, "Ada", FromLoader)
	wantName(t, s, "Ada", FromL2)
	if _, err := s.Incr(t.Context(), ada, 1); !errors.Is(err, ErrUnsupported) {
		t.Errorf("Incr: %v", err)
	}
}

// brokenStore fails.
type brokenStore struct{ *Memory }

var errAway = errors.New("the store is away")

func (brokenStore) Get(context.Context, string) (Entry, error) { return Entry{}, errAway }
func (brokenStore) Lease(context.Context, string, LeaseRequest) (Grant, error) {
	return Grant{}, errAway
}
func (brokenStore) Delete(context.Context, string, uint64, time.Duration) error { return errAway }
func (brokenStore) Set(context.Context, string, Entry) (bool, error)            { return false, errAway }

func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newSource()
		m := newManager(t, brokenStore{NewMemory()})
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load = src.load })
		src.fail(nil, time.Second)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() { mustGet(t, s, ada) })
		}
		all.Wait()
		src.wantLoads(t, 1)
		if err := s.Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) || !errors.Is(err, errAway) {
			t.Errorf("Invalidate: %v", err)
		}
		if st := s.Stats(); st.StoreErrors == 0 || st.Unleased != 1 {
			t.Errorf("%+v", st)
		}
		_ = m.Close()
	})
}
