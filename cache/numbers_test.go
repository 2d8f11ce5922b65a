package cache

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// farStore is a store that takes a while to answer, and counts how often it is asked.
type farStore struct {
	*Memory
	reads, others time.Duration // of Get; of leases and of what is stored
	calls         atomic.Int64
}

func (f *farStore) travel(d time.Duration) {
	f.calls.Add(1)
	time.Sleep(d)
}

func (f *farStore) Get(ctx context.Context, key string) (Entry, error) {
	f.travel(f.reads)
	return f.Memory.Get(ctx, key)
}

func (f *farStore) Set(ctx context.Context, key string, e Entry) (bool, error) {
	f.travel(f.others)
	return f.Memory.Set(ctx, key, e)
}

func (f *farStore) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	f.travel(f.others)
	return f.Memory.Lease(ctx, key, r)
}

func (f *farStore) Fill(ctx context.Context, key string, l Lease, e Entry) (Filled, error) {
	f.travel(f.others)
	return f.Memory.Fill(ctx, key, l, e)
}

// within fails the test unless got is as near to want as the part says.
func within(t *testing.T, what string, got, want, part float64) {
	t.Helper()
	if math.Abs(got-want) > part*want {
		t.Errorf("%s: %.3f, want %.3f ± %.1f%%", what, got, want, 100*part)
	}
}

// A cache that answers in 5 ms and is hit nine times in ten, before a source that
// takes 50 ms: 0.9·5 + 0.1·55 ms on average, if a miss costs no more than the look
// and the load. With a round trip for the lease and one for the value it is 11.
func TestMeanLatency(t *testing.T) {
	requests := soak(2000, 100_000)
	mean := func(others time.Duration) (ms, hits float64) {
		synctest.Test(t, func(t *testing.T) {
			src := newSource()
			src.fail(nil, 50*time.Millisecond)
			m := newManager(t, &farStore{Memory: NewMemory(), reads: 5 * time.Millisecond, others: others})
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.TTL = src.load, maxTTL })
			mustGet(t, s, ada)
			begun, before := time.Now(), s.Stats()
			for i := range requests {
				key := ada
				if i%10 == 9 { // one that nobody has asked for yet
					key = userKey{"new", int64(i)}
					src.set(key, Loaded[user]{Value: user{Name: "Bob"}})
				}
				mustGet(t, s, key)
			}
			ms = time.Since(begun).Seconds() * 1000 / float64(requests)
			hits = float64(s.Stats().L2Hits-before.L2Hits) / float64(requests)
			_ = m.Close()
		})
		return ms, hits
	}
	lookAndLoad, hits := mean(0)
	all, _ := mean(5 * time.Millisecond)
	within(t, "hits", hits, 0.9, 0.001)
	within(t, "ms on average", lookAndLoad, 0.9*5+0.1*55, 0.01)
	within(t, "ms on average with lease and fill", all, 0.9*5+0.1*65, 0.01)
	proofs.Record(t, proofs.Row{Proof: "mean latency", Got: fmt.Sprintf(
		"%d Gets, %.1f%% hits: %.2f ms on average; with round trips of 5 ms for the lease and for the value too: %.2f ms", requests, 100*hits, lookAndLoad, all)})
}

// polled has keys read at a constant interval for a while of virtual time, and returns
// the loads and the hits of it. What was loaded before it begins does not count.
func polled(t *testing.T, s *Space[userKey, user], src *source, keys int, every, lasts time.Duration) (loads int64, reads int) {
	t.Helper()
	first := src.loads.Load()
	for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(every) {
		for id := range keys {
			mustGet(t, s, userKey{"acme", int64(id)})
			reads++
		}
	}
	return src.loads.Load() - first, reads
}

// rowsOf is a source that has so many keys.
func rowsOf(keys int) *source {
	src := newSource()
	for id := range keys {
		src.set(userKey{"acme", int64(id)}, Loaded[user]{Value: user{Name: fmt.Sprint("user ", id)}})
	}
	return src
}

// A cache with 95% hits is switched off: the source has 20 times as many loads.
func TestLoadsWithoutCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys, lasts := soak(10, 1000), 10*time.Minute
		src := rowsOf(keys)
		m := newManager(t, NewMemory())
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Life.TTL, c.Life.NoJitter, c.Limit.Disabled = src.load, 20*time.Second, true, true
		})
		with, reads := polled(t, s, src, keys, time.Second, lasts)
		s.Bypass(BypassAll)
		without, _ := polled(t, s, src, keys, time.Second, lasts)
		hits, times := 1-float64(with)/float64(reads), float64(without)/float64(with)
		within(t, "hits", hits, 0.95, 0.001)
		within(t, "times the loads", times, 20, 0.001)
		proofs.Record(t, proofs.Row{Proof: "bypass", Got: fmt.Sprintf("%d Gets with %.1f%% hits: %d loads; as many with the cache off: %d, %.1f × as many", reads, 100*hits, with, without, times)})
		_ = m.Close()
	})
}

// The time to live of a key that is always read falls from an hour to 30 s: 120 times
// the loads.
func TestLoadsByTTL(t *testing.T) {
	lasts := time.Duration(soak(6, 240)) * time.Hour
	loads := func(ttl time.Duration) (n int64) {
		synctest.Test(t, func(t *testing.T) {
			src := rowsOf(1)
			m := newManager(t, NewMemory())
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.TTL, c.Life.NoJitter = src.load, ttl, true })
			n, _ = polled(t, s, src, 1, time.Second, lasts)
			_ = m.Close()
		})
		return n
	}
	long, short := loads(time.Hour), loads(30*time.Second)
	times := float64(short) / float64(long)
	within(t, "times the loads", times, 120, 0.001)
	proofs.Record(t, proofs.Row{Proof: "ttl", Got: fmt.Sprintf("a Get a second for %d h of virtual time: %d loads at 1 h, %d at 30 s, %.1f × as many", int(lasts.Hours()), long, short, times)})
}

// Level 1 is hit nine times in ten: the fleet is asked a tenth as often.
func TestLevel1SavesCalls(t *testing.T) {
	keys := soak(10, 1000)
	calls := func(level1 bool) (n int64, hits float64) {
		synctest.Test(t, func(t *testing.T) {
			src, store := rowsOf(keys), &farStore{Memory: NewMemory()}
			m := newManager(t, store)
			s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
				c.Load, c.Life.TTL = src.load, 24*time.Hour
				if level1 {
					// A key is read each second: of ten reads the first is past its end.
					c.L1 = L1Config{MaxBytes: 64 << 20, TTL: 10*time.Second - time.Millisecond}
				}
			})
			polled(t, s, src, keys, time.Second, 10*time.Second) // until all is in the fleet
			before, first := s.Stats(), store.calls.Load()
			_, reads := polled(t, s, src, keys, time.Second, 10*time.Minute)
			n, hits = store.calls.Load()-first, float64(s.Stats().L1Hits-before.L1Hits)/float64(reads)
			_ = m.Close()
		})
		return n, hits
	}
	without, _ := calls(false)
	with, hits := calls(true)
	saved := 1 - float64(with)/float64(without)
	within(t, "hits in level 1", hits, 0.9, 0.001)
	within(t, "calls saved", saved, 0.9, 0.001)
	proofs.Record(t, proofs.Row{Proof: "level 1", Got: fmt.Sprintf("%.1f%% hits in level 1: %d calls of the fleet, without it %d: %.1f%% less", 100*hits, with, without, 100*saved)})
}

// How long a Get takes from level 1, from one node and from three, by one caller, with
// real servers. Only the order of the first two is held to anything: what separates
// them is a network, whatever the machine.
func TestLatencies(t *testing.T) {
	const keys = 100
	rounds := soak(20, 500)
	for _, b := range backends[1:] {
		t.Run(b.name, func(t *testing.T) {
			places := []struct {
				name  string
				nodes int
				l1    uint64 // bytes
			}{{"level 1", 1, 64 << 20}, {"one node", 1, 0}, {"three nodes", 3, 0}}
			var spaces []*Space[userKey, user]
			for _, p := range places {
				src := rowsOf(keys)
				s := newUsers(t, newManager(t, b.open(t, b.start(t, p.nodes))), func(c *SpaceConfig[userKey, user]) {
					c.Load, c.L1, c.Life.TTL = src.load, L1Config{MaxBytes: p.l1, TTL: time.Hour}, time.Hour
				})
				for id := range int64(keys) {
					mustGet(t, s, userKey{"acme", id})
				}
				spaces = append(spaces, s)
			}
			// In turns, so that a machine that is busy for a while slows all of them.
			took := make([][]time.Duration, len(places))
			for range rounds {
				for i, s := range spaces {
					want := FromL2
					if places[i].l1 > 0 {
						want = FromL1
					}
					for id := range int64(keys) {
						begun := time.Now()
						_, meta := mustGet(t, s, userKey{"acme", id})
						took[i] = append(took[i], time.Since(begun))
						if meta.Source != want {
							t.Fatalf("%s: from %v", places[i].name, meta.Source)
						}
					}
				}
			}
			var medians []time.Duration
			var table []string
			for i, p := range places {
				slices.Sort(took[i])
				medians = append(medians, took[i][len(took[i])/2])
				table = append(table, fmt.Sprintf("%s %.1f µs", p.name, float64(medians[i].Nanoseconds())/1000))
			}
			if medians[0] >= medians[1] {
				t.Errorf("medians: %s", strings.Join(table, ", "))
			}
			proofs.Record(t, proofs.Row{Proof: "latencies", Got: fmt.Sprintf("%s; medians of %d Gets each", strings.Join(table, ", "), rounds*keys)})
		})
	}
}
