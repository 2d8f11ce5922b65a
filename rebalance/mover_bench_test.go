package rebalance

import (
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

const benchKeys = 200_000

// benchFleet has that many small keys with a time to live, all on a node whose keys
// go to another one.
func benchFleet(b *testing.B, kind membership.Kind) (f *testFleet, keys []string) {
	args := map[string][]string{}
	if kind == membership.Memcached {
		args["a"], args["b"] = []string{"-m", "512"}, []string{"-m", "512"}
	}
	f = newFleetWith(b, kind, args, membership.Member{ID: "a", State: membership.Exporting}, coming("b"))
	f.fence("b")
	for first := 0; first < benchKeys; first += 10_000 {
		items := make(map[string]testItem)
		for i := first; i < first+10_000; i++ {
			key := fmt.Sprintf("session:%08d", i)
			items[key] = testItem{value: fmt.Sprintf("value of some forty bytes for %08d", i), ttl: time.Hour}
			keys = append(keys, key)
		}
		must(b, f.store("a").fill(b.Context(), items))
	}
	return f, keys
}

// handOverOnce moves 200,000 small keys between two servers.
func handOverOnce(b *testing.B, kind membership.Kind) time.Duration {
	f, _ := benchFleet(b, kind)
	m := f.mover("a")
	began := time.Now()
	must(b, m.HandOver(within(b), f.view, testTransition))
	took := time.Since(began)
	if n := m.Progress().KeysMoved; n != benchKeys {
		b.Fatalf("%d keys moved", n)
	}
	return took
}

// migrateOnce does the same by MIGRATE in batches of 1000, with nothing of what a
// mover looks after; the names of the keys are known.
func migrateOnce(b *testing.B) time.Duration {
	f, keys := benchFleet(b, membership.Redis)
	host, port, err := net.SplitHostPort(f.servers["b"].Addr())
	must(b, err)
	a := f.redis("a")
	began := time.Now()
	for first := 0; first < len(keys); first += 1000 {
		args := []any{"migrate", host, port, "", 0, 10_000, "keys"}
		for _, key := range keys[first : first+1000] {
			args = append(args, key)
		}
		must(b, a.Do(b.Context(), args...).Err())
	}
	took := time.Since(began)
	if n := f.redis("b").DBSize(b.Context()).Val(); n != benchKeys+1 {
		b.Fatalf("%d keys moved", n-1)
	}
	return took
}

// BenchmarkHandOver takes each way to move the keys once in a round, so that all
// have the same machine, and reports medians.
func BenchmarkHandOver(b *testing.B) {
	ways := map[string][]float64{} // keys a second
	for range b.N {
		migrate, mover, memcached := migrateOnce(b), handOverOnce(b, membership.Redis), handOverOnce(b, membership.Memcached)
		for unit, took := range map[string]time.Duration{"MIGRATE-keys/s": migrate, "redis-keys/s": mover, "memcached-keys/s": memcached} {
			ways[unit] = append(ways[unit], benchKeys/took.Seconds())
		}
		ways["redis/MIGRATE"] = append(ways["redis/MIGRATE"], migrate.Seconds()/mover.Seconds())
	}
	for unit, figures := range ways {
		slices.Sort(figures)
		b.ReportMetric(figures[len(figures)/2], unit)
		b.Logf("%s: %.4g", unit, figures)
	}
}
