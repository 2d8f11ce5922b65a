package cache

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/membership"
)

// resizeHistory has readers and writers in three clients, each with a view of its
// own, while a node joins and leaves again: a client sees each state a while before
// the next one does. A read is stale if it was begun after an invalidation had
// returned and got what was there before it.
type resizeHistory struct {
	*resize
	seed    uint64
	keys    []userKey
	sources []*register     // of each key
	floors  []*atomic.Int64 // of each key: what a read must see, or something later
	clients []*resizeClient
	spaces  []*Space[userKey, user]
	under   sync.RWMutex // read-locked by each request to the store

	reads, loads, stale, lost atomic.Int64
	stop                      atomic.Bool
}

func newResizeHistory(t *testing.T, f *resize, wrap func(Store) Store) *resizeHistory {
	h := &resizeHistory{resize: f, seed: rand.Uint64(), keys: f.moving(6)}
	t.Logf("seed %d", h.seed)
	for range h.keys {
		h.sources, h.floors = append(h.sources, &register{}), append(h.floors, &atomic.Int64{})
	}
	pause := pauses(3 * time.Millisecond)
	for range 3 {
		c := f.client(membership.Joining)
		m, err := NewManager(ManagerConfig{Store: wrap(gated{c, &h.under}), OnError: func(_ string, err error) { t.Errorf("client: %v", err) }})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = m.Close() })
		s := newUsers(t, m, func(cfg *SpaceConfig[userKey, user]) {
			cfg.Loads.Timeout = time.Minute
			cfg.Load = func(_ context.Context, key userKey) (l Loaded[user], err error) {
				h.loads.Add(1)
				r := rand.New(rand.NewPCG(h.seed, rand.Uint64()))
				pause(r)
				n := h.sources[h.number(key)].read()
				pause(r)
				l.Value.Name = fmt.Sprint(n)
				if h.number(key)%2 == 1 {
					l.Version = uint64(n)
				}
				return l, nil
			}
		})
		h.clients, h.spaces = append(h.clients, c), append(h.spaces, s)
	}
	return h
}

func (h *resizeHistory) number(key userKey) int {
	for i := range h.keys {
		if h.keys[i] == key {
			return i
		}
	}
	panic("not one of the keys")
}

func (h *resizeHistory) run() {
	var work sync.WaitGroup
	for i := range h.keys {
		work.Go(func() { h.write(i) })
		for range 2 {
			work.Go(func() { h.read(i) })
		}
	}
	rng := rand.New(rand.NewPCG(h.seed, 1))
	h.transition(rng, h.mover(0, 2), membership.Announced, membership.Importing, membership.Active)
	h.sweep(0, h.keys)
	h.transition(rng, h.mover(2, 0), membership.Leaving, membership.Exporting, membership.Left)
	h.stop.Store(true)
	work.Wait()
	for _, s := range h.spaces {
		h.lost.Add(int64(s.Stats().LeasesLost))
	}
	h.t.Logf("%d reads, %d loads, %d of them not stored, %d stale", h.reads.Load(), h.loads.Load(), h.lost.Load(), h.stale.Load())
}

func (h *resizeHistory) transition(rng *rand.Rand, move func(string) error, states ...membership.State) {
	h.last++
	for i, state := range states {
		for _, c := range rng.Perm(len(h.clients)) {
			h.clients[c].sees(state)
			h.during(150)
		}
		if i == 1 { // all know that keys move
			for range 3 {
				h.pass(move)
				h.during(50)
			}
			// Requests that began before all knew are over, as after some seconds.
			h.under.Lock()
			h.pass(move)
			h.under.Unlock()
		}
	}
}

func (h *resizeHistory) pass(move func(string) error) {
	for _, key := range h.keys {
		if err := move(h.text(key)); err != nil {
			h.t.Error(err)
		}
	}
}

// during lets n reads go by.
func (h *resizeHistory) during(n int64) {
	until := h.reads.Load() + n
	eventually(h.t, "reads go by", func() bool { return h.reads.Load() >= until })
}

func (h *resizeHistory) write(i int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(100+i)))
	pause := pauses(10 * time.Millisecond)
	for n := int64(1); !h.stop.Load(); n++ {
		h.sources[i].write(n)
		if err := h.spaces[rng.IntN(len(h.spaces))].Invalidate(context.Background(), h.keys[i]); err != nil {
			h.t.Error(err)
			return
		}
		h.floors[i].Store(n)
		pause(rng)
	}
}

func (h *resizeHistory) read(i int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(200+i)))
	for !h.stop.Load() {
		least, c := h.floors[i].Load(), rng.IntN(len(h.spaces))
		v, meta, err := h.spaces[c].Get(context.Background(), h.keys[i])
		var got int64
		if _, scanErr := fmt.Sscan(v.Name, &got); err != nil || scanErr != nil {
			h.t.Errorf("Get: %q, %v", v.Name, err)
			return
		}
		if got < least {
			if h.stale.Add(1) <= 5 {
				h.t.Logf("key %d, client %d: %d from %s, %d was invalidated", i, c, got, meta.Source, least)
			}
		}
		h.reads.Add(1)
		time.Sleep(100 * time.Microsecond) // makes room for others
	}
}

// gated lets a test wait until no request is under way, while leases are held.
type gated struct {
	allStores
	under *sync.RWMutex
}

func (g gated) Get(ctx context.Context, key string) (Entry, error) {
	g.under.RLock()
	defer g.under.RUnlock()
	return g.allStores.Get(ctx, key)
}

func (g gated) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	g.under.RLock()
	defer g.under.RUnlock()
	return g.allStores.Delete(ctx, key, below, holdOff)
}

func (g gated) Lease(ctx context.Context, key string, q LeaseRequest) (Grant, error) {
	g.under.RLock()
	defer g.under.RUnlock()
	return g.allStores.Lease(ctx, key, q)
}

func (g gated) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	g.under.RLock()
	defer g.under.RUnlock()
	return g.allStores.Fill(ctx, key, l, e)
}

// No read is stale while a node joins and leaves, whichever client invalidates and
// whichever is ahead.
func TestFillAgainstInvalidateAcrossResize(t *testing.T) {
	rounds := soak(0, 20)
	if rounds == 0 {
		t.Skip("in real time, some seconds each: RINGWAY_SOAK=1 runs 20 of each store")
	}
	eachFleet(t, func(t *testing.T, f *resize) {
		var stale, lost int64
		for range rounds {
			h := newResizeHistory(t, f, func(s Store) Store { return s })
			if h.run(); h.stale.Load() > 0 {
				t.Errorf("%d stale reads", h.stale.Load())
			}
			if h.lost.Load() == 0 {
				t.Error("no load was overtaken: the history shows nothing")
			}
			stale, lost = stale+h.stale.Load(), lost+h.lost.Load()
		}
		proofs.Record(t, proofs.Row{Proof: "fill across a resize", Got: fmt.Sprintf("%d rounds: %d stale reads; %d loads were overtaken by an invalidation", rounds, stale, lost)})
	})
}

// The same without leases shows that the history finds what it is for.
func TestFillAgainstInvalidateAcrossResizeNaive(t *testing.T) {
	h := newResizeHistory(t, newResize(t, membership.Redis), func(s Store) Store { return plainStore{s} })
	if h.run(); h.stale.Load() == 0 {
		t.Error("no stale read without leases")
	}
}
