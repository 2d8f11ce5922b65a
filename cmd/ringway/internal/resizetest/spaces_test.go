package resizetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/rebalance"
)

const (
	spaceNodes  = 3    // before the change
	spaceKeys   = 1500 // all of them cached before it begins
	spaceWindow = 1500 // requests over which the loads of the source are counted
	spaceWrites = 10   // one request in so many is a write, and costs a load

	// mostLoad is how many loads a window may have, as a multiple of one without a
	// change.
	mostLoad = 1.2
)

type rowKey int64

func (k rowKey) AppendKey(b *cache.KeyBuilder) { b.Int(int64(k)) }

// service is three processes' worth of package cache over one fleet, and the source
// behind it: a number for each key, which each write adds one to.
type service struct {
	t      *testing.T
	rows   [spaceKeys]atomic.Int64
	floors [spaceKeys]atomic.Int64 // what a read must see, or something later
	spaces []*cache.Space[rowKey, int64]

	requests, loads, stale, failed atomic.Int64
	cause                          atomic.Value // the first error
}

func newService(t *testing.T, sources ...membership.Source) *service {
	s := &service{t: t}
	for _, source := range sources {
		m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(newStore(t, source))})
		must(t, err)
		t.Cleanup(func() { m.Close() })
		space, err := cache.NewSpace(m, cache.SpaceConfig[rowKey, int64]{
			Name: "row", Life: cache.LifeConfig{TTL: life, NoJitter: true}, Loads: cache.LoadsConfig{Timeout: time.Minute},
			Load: cache.Plain(func(_ context.Context, key rowKey) (int64, error) {
				s.loads.Add(1)
				return s.rows[key].Load(), nil
			}),
		})
		must(t, err)
		s.spaces = append(s.spaces, space)
	}
	var all sync.WaitGroup
	for worker := range 16 {
		all.Go(func() {
			for key := worker; key < spaceKeys; key += 16 {
				s.read(s.spaces[key%len(s.spaces)], rowKey(key))
			}
		})
	}
	all.Wait()
	return s
}

func (s *service) read(space *cache.Space[rowKey, int64], key rowKey) {
	least := s.floors[key].Load()
	got, _, err := space.Get(context.Background(), key)
	s.check(err)
	if err == nil && got < least {
		s.stale.Add(1)
	}
}

func (s *service) check(err error) {
	if err != nil {
		s.failed.Add(1)
		s.cause.CompareAndSwap(nil, err.Error())
	}
}

// write changes the source, and then has the caches follow. The read after it is
// what costs a load.
func (s *service) write(space *cache.Space[rowKey, int64], key rowKey) {
	n := s.rows[key].Add(1)
	err := space.Invalidate(context.Background(), key)
	s.check(err)
	for floor := s.floors[key].Load(); err == nil && floor < n && !s.floors[key].CompareAndSwap(floor, n); {
		floor = s.floors[key].Load()
	}
	s.read(space, key)
}

// window makes the requests of a window, and returns the loads that they cost.
func (s *service) window(rng *rand.Rand) int64 {
	before := s.loads.Load()
	var work sync.WaitGroup
	const width = 24
	for worker := range width {
		seed := rng.Uint64()
		work.Go(func() {
			rng := rand.New(rand.NewPCG(seed, 0))
			for i := worker; i < spaceWindow; i += width {
				space, key := s.spaces[rng.IntN(len(s.spaces))], rowKey(rng.IntN(spaceKeys))
				if i%spaceWrites == 0 {
					s.write(space, key)
				} else {
					s.read(space, key)
				}
			}
		})
	}
	work.Wait()
	s.requests.Add(spaceWindow)
	return s.loads.Load() - before
}

// change goes through windows before, during and after a change, and returns the most
// loads of a window since it began, as a multiple of those before.
func (s *service) change(begin func(), settled func() bool) (most float64) {
	seed := rand.Uint64()
	rng := rand.New(rand.NewPCG(seed, 0))
	var steady float64
	for range 2 {
		steady += float64(s.window(rng)) / 2
	}
	begin()
	var all []int64
	for after := 0; after < 2; {
		if settled() {
			after++
		}
		loads := s.window(rng)
		all, most = append(all, loads), max(most, float64(loads)/steady)
	}
	s.t.Logf("seed %d: %.0f loads in %d requests before, then at most %.2f times as many; %d windows, the first: %v",
		seed, steady, spaceWindow, most, len(all), all[:min(len(all), 12)])
	if s.stale.Load() > 0 || s.failed.Load() > 0 {
		s.t.Errorf("%d stale reads; %d errors, the first: %v", s.stale.Load(), s.failed.Load(), s.cause.Load())
	}
	return most
}

// TestSpacesAcrossResize: a node joins a fleet under load, and leaves it again. What
// the services load from their source, counted by the request, stays what it was. With
// a change of the ring whose keys do not move it would not.
func TestSpacesAcrossResize(t *testing.T) {
	t.Run("keys move", func(t *testing.T) {
		f := newFleet(t, startServers(t, spaceNodes+1), spaceNodes, rebalance.Limits{})
		sources := []membership.Source{f.client}
		for i := range 2 {
			source, err := gossip.Join(t.Context(), gossip.Config{Cluster: cluster, Name: fmt.Sprint("service-", i), Network: gossip.Local,
				Bind: "127.0.0.1:0", Seeds: []string{f.agents[0].GossipAddr()}, Logger: quiet})
			must(t, err)
			t.Cleanup(func() { source.Close() })
			sources = append(sources, source)
		}
		s := newService(t, sources...)
		joined := s.change(func() { f.join(spaceNodes) }, func() bool { return f.settled(spaceNodes + 1) })
		moved := arrived(t, f.servers[spaceNodes])
		left := s.change(f.leave, func() bool { return f.settled(spaceNodes) })
		proofs.Record(t, proofs.Row{Proof: "resize", Got: fmt.Sprintf("a node joins: %.2f × the loads of steady use at most; it leaves: %.2f ×; %d keys moved, %d stale reads", joined, left, moved, s.stale.Load())})
		if joined > mostLoad || left > mostLoad {
			t.Errorf("a node joins: %.2f times the loads; it leaves: %.2f times; want %.1f at most", joined, left, mostLoad)
		}
		if moved < spaceKeys/(spaceNodes+1)/2 { // about 1/N, brought over by the movers or by requests
			t.Errorf("only %d keys moved: nothing was shown", moved)
		}
	})
	t.Run("keys do not move", func(t *testing.T) {
		source, change := spaceSource(t, startServers(t, spaceNodes+1))
		s := newService(t, source)
		most := s.change(change, func() bool { return true })
		proofs.Record(t, proofs.Row{Proof: "resize", Got: fmt.Sprintf("a node joins: %.2f ×", most)})
		if most <= mostLoad {
			t.Errorf("%.2f times the loads: the bound is one that cannot be broken", most)
		}
	})
}

// arrived returns how many keys a server has, but for what agents and clients keep there
// for themselves.
func arrived(t *testing.T, server *servertest.Server) (n int) {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer client.Close()
	keys, err := client.Keys(t.Context(), "*").Result()
	must(t, err)
	for _, key := range keys {
		if !transit.IsMarker(key) {
			n++
		}
	}
	return n
}

// spaceSource has a list of nodes, and the change that adds one.
func spaceSource(t *testing.T, servers []*servertest.Server) (source *membership.Manual, change func()) {
	all := members(servers)
	source, err := membership.NewManual(all[:spaceNodes]...)
	must(t, err)
	t.Cleanup(func() { source.Close() })
	return source, func() { must(t, source.Set(all...)) }
}
