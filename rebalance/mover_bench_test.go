package rebalance

import (
	"fmt"
	"net"
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

// BenchmarkHandOver moves 200,000 small keys between two servers.
func BenchmarkHandOver(b *testing.B) {
	for _, kind := range bothKinds {
		b.Run(string(kind), func(b *testing.B) {
			for range b.N {
				b.StopTimer()
				f, _ := benchFleet(b, kind)
				m := f.mover("a")
				b.StartTimer()
				must(b, m.HandOver(within(b), f.view, testTransition))
				if n := m.Progress().KeysMoved; n != benchKeys {
					b.Fatalf("%d keys moved", n)
				}
			}
			b.ReportMetric(benchKeys*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// BenchmarkMigrate is the same by MIGRATE in batches of 1000, with nothing of what
// a mover looks after; the names of the keys are known.
func BenchmarkMigrate(b *testing.B) {
	for range b.N {
		b.StopTimer()
		f, keys := benchFleet(b, membership.Redis)
		host, port, err := net.SplitHostPort(f.servers["b"].Addr())
		must(b, err)
		a := f.redis("a")
		b.StartTimer()
		for first := 0; first < len(keys); first += 1000 {
			args := []any{"migrate", host, port, "", 0, 10_000, "keys"}
			for _, key := range keys[first : first+1000] {
				args = append(args, key)
			}
			must(b, a.Do(b.Context(), args...).Err())
		}
		if n := f.redis("b").DBSize(b.Context()).Val(); n != benchKeys+1 {
			b.Fatalf("%d keys moved", n-1)
		}
	}
	b.ReportMetric(benchKeys*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
}
