package rebalance

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

const benchKeys = 200_000

// benchFleet has that many small keys with a time to live, all on a node whose keys
// go to another one.
func benchFleet(b *testing.B, kind membership.Kind) *testFleet {
	args := map[string][]string{}
	if kind == membership.Memcached {
		args["a"], args["b"] = []string{"-m", "512"}, []string{"-m", "512"}
	}
	f := newFleetWith(b, kind, args, membership.Member{ID: "a", State: membership.Exporting}, coming("b"))
	f.fence("b")
	for first := 0; first < benchKeys; first += 10_000 {
		items := make(map[string]testItem)
		for i := first; i < first+10_000; i++ {
			items[fmt.Sprintf("session:%08d", i)] = testItem{value: fmt.Sprintf("value of some forty bytes for %08d", i), ttl: time.Hour}
		}
		must(b, f.store("a").fill(b.Context(), items))
	}
	runtime.GC() // what filling left is none of the mover's
	return f
}

// handOverOnce moves 200,000 small keys between two servers.
func handOverOnce(b *testing.B, kind membership.Kind) (time.Duration, spent) {
	f := benchFleet(b, kind)
	m := f.mover("a")
	before, began := f.spent(), time.Now()
	must(b, m.HandOver(within(b), f.view, testTransition))
	took := time.Since(began)
	if n := m.Progress().KeysMoved; n != benchKeys {
		b.Fatalf("%d keys moved", n)
	}
	return took, f.spent().since(before)
}

// migrateOnce does the same by MIGRATE in batches of 1000, with nothing of what a
// mover looks after; the names of the keys are known, in the order of SCAN.
func migrateOnce(b *testing.B) (time.Duration, spent) {
	f := benchFleet(b, membership.Redis)
	host, port, err := net.SplitHostPort(f.servers["b"].Addr())
	must(b, err)
	a := f.redis("a")
	var keys []string
	for it := a.Scan(b.Context(), 0, "", 1000).Iterator(); it.Next(b.Context()); {
		keys = append(keys, it.Val())
	}
	before, began := f.spent(), time.Now()
	for batch := range slices.Chunk(keys, 1000) {
		args := []any{"migrate", host, port, "", 0, 10_000, "keys"}
		for _, key := range batch {
			args = append(args, key)
		}
		must(b, a.Do(b.Context(), args...).Err())
	}
	took := time.Since(began)
	if n := f.redis("b").DBSize(b.Context()).Val(); n != benchKeys+1 {
		b.Fatalf("%d keys moved", n-1)
	}
	return took, f.spent().since(before)
}

// spent is time of the processor in µs a key: of the source and of the receiver.
type spent [2]float64

func (s spent) since(t spent) spent { return spent{s[0] - t[0], s[1] - t[1]} }

// spent asks Redis servers; those of memcached are not asked.
func (f *testFleet) spent() (s spent) {
	if f.kind != membership.Redis {
		return s
	}
	for i, id := range []string{"a", "b"} {
		info, err := f.redis(id).Info(f.t.Context(), "cpu").Result()
		must(f.t, err)
		for line := range strings.SplitSeq(info, "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			if name == "used_cpu_user" || name == "used_cpu_sys" {
				seconds, err := strconv.ParseFloat(value, 64)
				must(f.t, err)
				s[i] += seconds * 1e6 / benchKeys
			}
		}
	}
	return s
}

// BenchmarkHandOver takes each way to move the keys once in a round, so that all
// have the same machine, and reports medians, and what was least and most.
func BenchmarkHandOver(b *testing.B) {
	ways := map[string][]float64{} // keys a second, ratios, µs a key
	note := func(unit string, figure float64) { ways[unit] = append(ways[unit], figure) }
	for range b.N {
		migrate, byMigrate := migrateOnce(b)
		mover, byMover := handOverOnce(b, membership.Redis)
		memcached, _ := handOverOnce(b, membership.Memcached)
		for unit, took := range map[string]time.Duration{"MIGRATE-keys/s": migrate, "redis-keys/s": mover, "memcached-keys/s": memcached} {
			note(unit, benchKeys/took.Seconds())
		}
		note("redis/MIGRATE", migrate.Seconds()/mover.Seconds())
		for i, server := range []string{"source", "receiver"} {
			note("MIGRATE-"+server+"-µs/key", byMigrate[i])
			note("redis-"+server+"-µs/key", byMover[i])
		}
	}
	for unit, figures := range ways {
		slices.Sort(figures)
		b.ReportMetric(figures[len(figures)/2], unit)
		if !strings.HasSuffix(unit, "µs/key") {
			b.ReportMetric(figures[0], unit+"-least")
			b.ReportMetric(figures[len(figures)-1], unit+"-most")
		}
	}
}
