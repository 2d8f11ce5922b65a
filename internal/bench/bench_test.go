package bench

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

var sink atomic.Int64

// BenchmarkLookup goes from keys to nodes, one key after the other; ns/op is
// the time of one lookup where many follow each other, not the latency of a
// single one.
func BenchmarkLookup(b *testing.B) { eachSize(b, Contenders(), sequential) }

// BenchmarkPosition is BenchmarkLookup from keys to the positions of nodes.
func BenchmarkPosition(b *testing.B) { eachSize(b, Positions(), sequential) }

// BenchmarkParallel is BenchmarkLookup on as many goroutines as -cpu says, for
// those that claim to scale. ns/op is the time in which one lookup more is done
// by all together.
func BenchmarkParallel(b *testing.B) { eachSize(b, Contenders(), parallel) }

// eachSize has the contenders of one size next to each other, so that those
// which are compared are measured within the same second.
func eachSize(b *testing.B, contenders []Contender, measure func(*testing.B, Pass)) {
	for _, n := range Sizes {
		for _, c := range contenders {
			// Once, and not again for each b.N that is tried.
			build := sync.OnceValues(func() (Pass, error) { return c.New(Nodes(n)) })
			b.Run(fmt.Sprintf("%s/%d", c.Name, n), func(b *testing.B) {
				pass, err := build()
				if err != nil {
					b.Fatal(err)
				}
				measure(b, pass)
			})
		}
	}
}

func sequential(b *testing.B, pass Pass) {
	keys := Keys()
	sum := pass(keys) // the tables come into the caches
	b.ResetTimer()
	for left := b.N; left > 0; left -= len(keys) {
		sum += pass(keys[:min(left, len(keys))])
	}
	sink.Add(int64(sum))
}

func parallel(b *testing.B, pass Pass) {
	// RunParallel asks a shared counter for work at each step. A step of one
	// lookup would measure that counter, so it is a block of them.
	const block = 1 << 8
	keys, starts := Keys(), atomic.Int64{}
	pass(keys)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		// The goroutines go through the keys from different places.
		sum, at := 0, int(starts.Add(1))*KeyCount/3/block*block%KeyCount
		for pb.Next() {
			sum += pass(keys[at : at+block])
			at = (at + block) % KeyCount
		}
		sink.Add(int64(sum))
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/block, "ns/op")
}

// BenchmarkBuild makes placements, and changes them by one node.
func BenchmarkBuild(b *testing.B) {
	for _, w := range Builds() {
		b.Run(w.Name, func(b *testing.B) {
			build, err := w.Prepare()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := build(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// TestContenders makes sure that every contender answers for every key, so that
// no figure is that of a placement which does nothing.
func TestContenders(t *testing.T) {
	keys := Keys()[:1000]
	for _, c := range Contenders() {
		for _, n := range Sizes {
			nodes := Nodes(n)
			pass, err := c.New(nodes)
			if err != nil {
				t.Fatalf("%s, %d nodes: %v", c.Name, n, err)
			}
			if got, want := pass(keys), len(keys)*len(nodes[0].ID); got != want {
				t.Errorf("%s, %d nodes: the names add up to %d bytes, want %d", c.Name, n, got, want)
			}
		}
	}
	for _, c := range Positions() {
		pass, err := c.New(Nodes(100))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		// Positions are nearly uniform from 0 to 99: mean 49.5.
		if mean := float64(pass(keys)) / float64(len(keys)); mean < 40 || mean > 60 {
			t.Errorf("%s: mean position %.1f of 100 nodes, want about 49.5", c.Name, mean)
		}
	}
}

// TestLookupsAllocateNothing holds what the report says of ours.
func TestLookupsAllocateNothing(t *testing.T) {
	keys := Keys()[:100]
	for _, c := range slices.Concat(ours, positions) {
		pass, err := c.New(Nodes(100))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		if allocs := testing.AllocsPerRun(10, func() { sink.Add(int64(pass(keys))) }); allocs != 0 {
			t.Errorf("%s: %v allocations in %d lookups, want none", c.Name, allocs, len(keys))
		}
	}
}

func TestBuilds(t *testing.T) {
	for _, w := range Builds() {
		build, err := w.Prepare()
		if err == nil {
			err = build()
		}
		if err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
	}
}

func TestKeys(t *testing.T) {
	seen := make(map[string]bool)
	for _, key := range Keys() {
		if len(key) != 20 {
			t.Fatalf("key %q: %d bytes, want 20", key, len(key))
		}
		seen[key] = true
	}
	if len(seen) != KeyCount {
		t.Errorf("%d distinct keys, want %d", len(seen), KeyCount)
	}
}
