package cache

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// impatient is a router that gives a node 100 ms, and takes it for failed after five
// such calls for half a second.
func impatient(t *testing.T, kind membership.Kind, address string) router.Config {
	return router.Config{Source: sourceOf(t, kind, []string{address}),
		Breaker: router.BreakerConfig{SlowCall: 100 * time.Millisecond, Delay: 500 * time.Millisecond, Probes: 1},
		Node:    router.NodeConfig{DialTimeout: 100 * time.Millisecond, ReadTimeout: 200 * time.Millisecond}}
}

// openBreaker is a store over one node, and what says how often its breaker lets
// requests through.
func openBreaker(t *testing.T, kind membership.Kind, address string) (Store, func() router.NodeStats) {
	t.Helper()
	cfg := impatient(t, kind, address)
	if kind == membership.Memcached {
		client, err := router.NewMemcached(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return OnMemcached(client), func() router.NodeStats { return client.Stats()[0] }
	}
	client, err := router.NewRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return OnRedis(client), func() router.NodeStats { return client.Stats()[0] }
}

func serverOf(t *testing.T, kind membership.Kind) *servertest.Server {
	if kind == membership.Memcached {
		return servertest.Memcached(t)
	}
	return servertest.Redis(t)
}

// A node that is frozen, and one that is slow: after a few calls level 2 is taken for
// away without waiting, and the fallback serves; while its breaker is open a probe at
// a time goes out, however many callers there are; when the node is well again it is
// used.
func TestNodeThatFails(t *testing.T) {
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		for _, fault := range []string{"frozen", "slow"} {
			t.Run(fmt.Sprint(kind, "/", fault), func(t *testing.T) {
				t.Parallel()
				server := serverOf(t, kind)
				proxy := faultproxy.New(t, server.Addr())
				store, node := openBreaker(t, kind, proxy.Addr())
				breaks, heals := server.Stop, server.Cont
				if fault == "slow" {
					breaks, heals = func() { proxy.Delay(150 * time.Millisecond) }, proxy.Heal
				}
				nodeThatFails(t, store, node, breaks, heals)
			})
		}
	}
}

func nodeThatFails(t *testing.T, store Store, node func() router.NodeStats, breaks, heals func()) {
	src := &crowd{}
	m := newManager(t, store)
	s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Load: src.load, Fallback: FallbackConfig{MaxBytes: 16 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node is used", func() bool {
		_, _, _ = s.Get(t.Context(), userKey{"", 1})
		_, meta, err := s.Get(t.Context(), userKey{"", 1})
		return err == nil && meta.Source == FromL2
	})
	breaks()
	eventually(t, "the breaker is open", func() bool {
		if _, _, err := s.Get(t.Context(), userKey{"", 1}); err != nil {
			t.Fatal(err)
		}
		return node().Breaker == "open"
	})
	// Each asks for keys of his own, so that nothing but the breaker holds them back, until
	// it has let several probes through, each of which takes longer than any pause here.
	begun, before := time.Now(), node().Operations
	sent := func() uint64 { return node().Operations - before }
	var all sync.WaitGroup
	var enough atomic.Bool
	var asked atomic.Int64
	const callers, probes = 50, 3
	for c := range callers {
		all.Go(func() {
			for i := int64(0); !enough.Load(); i++ {
				if _, _, err := s.Get(context.Background(), userKey{fmt.Sprint(c), i}); err != nil {
					t.Error(err)
				}
				asked.Add(1)
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	eventually(t, "several probes", func() bool { return sent() >= probes })
	enough.Store(true)
	all.Wait()
	// One probe a delay, which is at least 400 ms, and some room. If a breaker that lets
	// one probe out lets everybody out, the first time is one request for each caller.
	if most := uint64(time.Since(begun)/(400*time.Millisecond)+1) * 4; sent() > most {
		t.Errorf("%d requests were sent for %d Gets of %d callers in %v, want at most %d", sent(), asked.Load(), callers, time.Since(begun), most)
	}
	if got := sourceOfKey(t, s, 1); got != FromFallback && got != FromL2 {
		t.Errorf("a key that was asked for before is from %v", got)
	}
	heals()
	eventually(t, "the node is used again", func() bool {
		_, meta, err := s.Get(t.Context(), userKey{"", 1})
		return err == nil && meta.Source == FromL2
	})
}
