package bounded_test

import (
	"fmt"
	"math"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/bounded"
)

// placements are those that each property is checked over: a Walker and two
// that are not.
func drawPlacement(t *rapid.T, nodes []ring.Node) ring.Placement {
	switch rapid.IntRange(0, 2).Draw(t, "placement") {
	case 0:
		return mustRing(t, nodes)
	case 1:
		return modulo(nodes)
	}
	return stuck{nodes}
}

// TestAgainstLinearProbing runs any sequence of Acquire and Release beside the
// naive rule. No Acquire takes a node over its capacity, and each finds a node.
func TestAgainstLinearProbing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, epsilon := drawNodes(t), drawEpsilon(t)
		p := drawPlacement(t, nodes)
		b := mustNew(t, p, bounded.Config{Epsilon: epsilon})
		oracle := &naive{p: p, epsilon: epsilon, loads: make([]int, len(nodes))}
		nodes = p.Nodes()
		total := 0
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "step") == 0 {
				node := rapid.IntRange(0, len(nodes)-1).Draw(t, "release")
				b.Release(node)
				if oracle.loads[node] > 0 {
					oracle.loads[node]--
					total--
				}
				continue
			}
			key := fmt.Sprint("key-", rapid.IntRange(0, 9).Draw(t, "key"))
			want := oracle.pick(key)
			if got := b.OwnerIndex(key); got != want {
				t.Fatalf("OwnerIndex(%q) with loads %v: got %d, want %d", key, oracle.loads, got, want)
			}
			capacity := b.Capacity(want)
			if exact := naiveCapacity(nodes, epsilon, want, total+1); capacity != exact {
				t.Fatalf("capacity of node %d for %d requests: got %d, want %d", want, total+1, capacity, exact)
			}
			if got := b.Acquire(key); got != want {
				t.Fatalf("Acquire(%q) with loads %v: got %d, want %d", key, oracle.loads, got, want)
			}
			oracle.loads[want]++
			total++
			if oracle.loads[want] > capacity {
				t.Fatalf("node %d carries %d of %d", want, oracle.loads[want], capacity)
			}
		}
		if got := b.Loads(); !slices.Equal(got, oracle.loads) {
			t.Fatalf("loads: got %v, want %v", got, oracle.loads)
		}
	})
}

// TestWithoutBoundIsInner: with ε beyond the number of nodes every request goes
// to the owner, and so does any that comes alone.
func TestWithoutBoundIsInner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t)
		p := drawPlacement(t, nodes)
		huge := mustNew(t, p, bounded.Config{Epsilon: 1_000_000})
		idle := mustNew(t, p, bounded.Config{Epsilon: drawEpsilon(t)})
		for i := range 100 {
			key := fmt.Sprint("key-", i%7)
			if got, want := huge.Acquire(key), p.OwnerIndex(key); got != want {
				t.Fatalf("no bound: %q goes to %d, owner %d", key, got, want)
			}
			node := idle.Acquire(key)
			if want := p.OwnerIndex(key); node != want {
				t.Fatalf("alone: %q goes to %d, owner %d", key, node, want)
			}
			idle.Release(node)
		}
	})
}

// TestDecimals: the capacities are those of the numbers as written.
func TestDecimals(t *testing.T) {
	for _, tt := range []struct {
		epsilon  float64
		weights  []float64
		requests int
		want     int // capacity of node 0
	}{
		{0.1, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 100, 11}, // 1.1 · 100 / 10 = 11.000000000000002 in float64
		{0.1, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 101, 12}, // 11.11
		{0.25, []float64{1, 1, 1, 1}, 1, 1},                     // 0.3125
		{0.25, []float64{0.1, 0.3}, 16, 5},                      // 1.25 · 16 / 4
		{0.25, []float64{0.3, 0.1}, 16, 15},
		{0.2, []float64{0.7, 0.7, 0.7}, 5, 2}, // 1.2 · 5 / 3
		{0.000000001, []float64{1, 1}, 4, 3},  // 2.000000002
		{1_000_000, []float64{1, 1}, 4, 2_000_002},
		{0.25, []float64{0.000000015, 0.000000045}, 13, 5}, // 4.0625; 0.000000015 · 10^9 is below 15 in float64
		{1_000_000, []float64{ring.MaxWeight, 0.000000001}, 1, 1_000_001},
		{1_000_000, []float64{0.000000001, ring.MaxWeight}, 1, 1},
	} {
		nodes := numbered(len(tt.weights))
		for i, w := range tt.weights {
			nodes[i].Weight = w
		}
		b := mustNew(t, modulo(nodes), bounded.Config{Epsilon: tt.epsilon})
		for range tt.requests - 1 {
			b.Acquire("key")
		}
		if got := b.Capacity(0); got != tt.want {
			t.Errorf("ε %v, weights %v, %d requests: capacity %d, want %d", tt.epsilon, tt.weights, tt.requests, got, tt.want)
		}
		if got := naiveCapacity(nodes, tt.epsilon, 0, tt.requests); got != tt.want {
			t.Errorf("ε %v, weights %v, %d requests: oracle says %d, want %d", tt.epsilon, tt.weights, tt.requests, got, tt.want)
		}
	}
	var b *bounded.Bounded = mustNew(t, modulo(numbered(2)), bounded.Config{})
	if b.Capacity(-1) != 0 || b.Capacity(2) != 0 || b.Config().Epsilon != 0.25 {
		t.Errorf("a node that is none has capacity %d, %d; ε is %v", b.Capacity(-1), b.Capacity(2), b.Config().Epsilon)
	}
}

// TestEveryNodeFillsUp: one hot key, and a bound so tight that in the end every
// node carries the same.
func TestEveryNodeFillsUp(t *testing.T) {
	for _, p := range []ring.Placement{mustRing(t, numbered(10)), modulo(numbered(10)), stuck{numbered(10)}} {
		b := mustNew(t, p, bounded.Config{Epsilon: 0.000000001})
		for range 1000 {
			b.Acquire("hot")
		}
		loads := b.Loads()
		if slices.Max(loads) > 101 || slices.Min(loads) < 90 {
			t.Errorf("%T: 1000 requests for one key: %v", p, loads)
		}
	}
}

// TestFleet holds the sum in the package comment: C clients that each bound
// their own share put at most (1+ε)·T·w/W + C requests on a node.
func TestFleet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, epsilon := drawNodes(t), 0.25
		r := mustRing(t, nodes)
		clients := rapid.IntRange(1, 20).Draw(t, "clients")
		fleet, requests, weight := make([]int, len(nodes)), 0, 0.0
		for range clients {
			b := mustNew(t, r, bounded.Config{Epsilon: epsilon})
			for range rapid.IntRange(0, 60).Draw(t, "requests") {
				b.Acquire("hot") // the worst: all begin at the same node
				requests++
			}
			for i, load := range b.Loads() {
				fleet[i] += load
			}
		}
		for _, n := range nodes {
			weight += n.Weight
		}
		for i, load := range fleet {
			if bound := (1+epsilon)*float64(requests)*nodes[i].Weight/weight + float64(clients); float64(load) > bound+1e-6 {
				t.Fatalf("node %d carries %d, bound %f: %v", i, load, bound, fleet)
			}
		}
	})
	// And no better than that: clients with one request each are not bounded.
	r := mustRing(t, numbered(10))
	fleet := make([]int, 10)
	for range 500 {
		fleet[mustNew(t, r, bounded.Config{}).Acquire("hot")]++
	}
	if slices.Max(fleet) != 500 {
		t.Errorf("500 clients with one request each: %v", fleet)
	}
}

func TestRelease(t *testing.T) {
	b := mustNew(t, modulo(numbered(3)), bounded.Config{})
	b.Release(-1)
	b.Release(3)
	b.Release(0)
	if loads := b.Loads(); !slices.Equal(loads, []int{0, 0, 0}) {
		t.Fatalf("a Release without its Acquire counts: %v", loads)
	}
	if c := b.Capacity(0); c != 1 {
		t.Errorf("capacity after it: got %d, want 1", c)
	}
}

// TestUpdate: requests that began before a change end where they began, and the
// new placement sees it.
func TestUpdate(t *testing.T) {
	nodes := numbered(4)
	before := mustNew(t, mustRing(t, nodes), bounded.Config{})
	var held []int
	for i := range 40 {
		held = append(held, before.Acquire(fmt.Sprint("key-", i)))
	}
	loads := before.Loads()
	after := mustUpdate(t, before, append(slices.Clone(nodes[1:]), ring.Node{ID: "cache-99", Weight: 1}))
	if got, want := after.Loads(), append(slices.Clone(loads[1:]), 0); !slices.Equal(got, want) {
		t.Fatalf("after the change: got %v, want %v", got, want)
	}
	if got := before.Loads(); !slices.Equal(got, loads) {
		t.Errorf("the receiver changed: got %v, want %v", got, loads)
	}
	inFlight := 40 - loads[0]
	if got, want := after.Capacity(0), naiveCapacity(after.Nodes(), 0.25, 0, inFlight+1); got != want {
		t.Errorf("capacity with %d in flight: got %d, want %d", inFlight, got, want)
	}
	joined := 0
	for i := range 40 {
		if after.Acquire(fmt.Sprint("key-", i)) == 3 {
			joined++
		}
	}
	if joined == 0 {
		t.Error("nothing goes to the node that joined, which carries nothing")
	}
	if got, want := before.Capacity(0), naiveCapacity(nodes, 0.25, 0, 40+40-joined+1); got != want {
		t.Errorf("the receiver's capacity: got %d, want %d", got, want)
	}
	for _, node := range held {
		before.Release(node)
	}
	if got := before.Loads()[0]; got != 0 {
		t.Errorf("the node that left still carries %d", got)
	}
	total := 0
	for _, load := range after.Loads() {
		total += load
	}
	if total != 40 {
		t.Errorf("after all that began before: %d in flight, want 40", total)
	}
	if got, want := after.Capacity(0), naiveCapacity(after.Nodes(), 0.25, 0, 41); got != want {
		t.Errorf("capacity: got %d, want %d", got, want)
	}
	p, err := after.Update(nil)
	placementtest.Refused(t, "Update(nil)", p, err, ring.ErrNoNodes, "at least one")
	if got := after.Config(); got != before.Config() {
		t.Errorf("config: got %v, want %v", got, before.Config())
	}
}

// TestUpdateChains checks the totals of several that share counts against the
// sum of their loads, whatever is acquired and released on which.
func TestUpdateChains(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := numbered(6)
		chain := []*bounded.Bounded{mustNew(t, modulo(all[:4]), bounded.Config{})}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			b := chain[rapid.IntRange(0, len(chain)-1).Draw(t, "which")]
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0:
				first := rapid.IntRange(0, 3).Draw(t, "first")
				last := rapid.IntRange(first+1, 6).Draw(t, "last")
				chain = append(chain, mustUpdate(t, b, all[first:last]))
			case 1, 2:
				b.Release(rapid.IntRange(0, len(b.Nodes())-1).Draw(t, "node"))
			default:
				b.Acquire(fmt.Sprint("key-", rapid.IntRange(0, 9).Draw(t, "key")))
			}
			for i, b := range chain {
				total := 0
				for _, load := range b.Loads() {
					total += load
				}
				if got, want := b.Capacity(0), naiveCapacity(b.Nodes(), 0.25, 0, total+1); got != want {
					t.Fatalf("number %d of %d, %d in flight: capacity %d, want %d", i, len(chain), total, got, want)
				}
			}
		}
	})
}

func TestConcurrent(t *testing.T) {
	b := mustNew(t, mustRing(t, numbered(5)), bounded.Config{Epsilon: 0.1})
	older := b
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				node := older.Acquire(fmt.Sprint("key-", g, i%3))
				older.OwnerIndex("key")
				older.Release(node)
				b.Acquire("hot") // stays
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			p, err := b.Update(numbered(5))
			if err != nil || len(p.(*bounded.Bounded).Loads()) != 5 {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	total := 0
	for node, load := range b.Loads() {
		total += load
		// All stayed but one at a time in each goroutine, so that no node can
		// be over what the capacity was at the highest total.
		if most := naiveCapacity(b.Nodes(), 0.1, node, 8*300+8); load > most {
			t.Errorf("node %d carries %d, more than %d", node, load, most)
		}
	}
	if total != 8*300 {
		t.Errorf("%d in flight, want %d", total, 8*300)
	}
}

// TestBrokenPlacement: positions that are none are passed over.
func TestBrokenPlacement(t *testing.T) {
	b := mustNew(t, broken{numbered(3)}, bounded.Config{})
	for range 30 {
		b.Acquire("key")
	}
	for i, load := range b.Loads() {
		if load == 0 {
			t.Errorf("node %d carries nothing", i)
		}
	}
}

type broken struct{ modulo }

func (broken) OwnerIndex(string) int                    { return -1 }
func (broken) EachOwner(_ string, yield func(int) bool) { _ = yield(7) && yield(-2) }

func TestBadInput(t *testing.T) {
	tiny := numbered(2)
	tiny[1].Weight = 1e-10
	for name, tt := range map[string]struct {
		p    ring.Placement
		cfg  bounded.Config
		want error
		says string
	}{
		"no placement": {nil, bounded.Config{}, ring.ErrInvalidConfig, "nil"},
		"empty":        {modulo{}, bounded.Config{}, ring.ErrNoNodes, "0"},
		"zero ring":    {&ring.Ring{}, bounded.Config{}, ring.ErrNoNodes, "0"},
		"weight":       {modulo(tiny), bounded.Config{}, ring.ErrInvalidWeight, "1e-10"},
		"negative":     {modulo(numbered(2)), bounded.Config{Epsilon: -0.1}, ring.ErrInvalidConfig, "Epsilon: got -0.1"},
		"too small":    {modulo(numbered(2)), bounded.Config{Epsilon: 1e-10}, ring.ErrInvalidConfig, "1e-10"},
		"too large":    {modulo(numbered(2)), bounded.Config{Epsilon: 1e7}, ring.ErrInvalidConfig, "1e+07"},
		"NaN":          {modulo(numbered(2)), bounded.Config{Epsilon: math.NaN()}, ring.ErrInvalidConfig, "NaN"},
		"infinite":     {modulo(numbered(2)), bounded.Config{Epsilon: math.Inf(1)}, ring.ErrInvalidConfig, "+Inf"},
	} {
		b, err := bounded.New(tt.p, tt.cfg)
		placementtest.Refused(t, name, b, err, tt.want, tt.says)
	}
}

func TestAccessors(t *testing.T) {
	r := mustRing(t, numbered(3))
	b := mustNew(t, r, bounded.Config{})
	b.Nodes()[0].ID = "changed"
	b.Loads()[0] = 9
	if !slices.Equal(b.Nodes(), r.Nodes()) || b.Loads()[0] != 0 {
		t.Error("a caller's slice changed the placement")
	}
	if b.Inner() != ring.Placement(r) || b.MemoryBytes() <= r.MemoryBytes() {
		t.Errorf("inner %v, %d bytes over %d", b.Inner(), b.MemoryBytes(), r.MemoryBytes())
	}
	if own := mustNew(t, modulo(numbered(3)), bounded.Config{}).MemoryBytes(); own != b.MemoryBytes()-r.MemoryBytes() {
		t.Errorf("%d bytes over a placement that does not know its own", own)
	}
}

// TestNoAllocation: over a ring, full nodes or not.
func TestNoAllocation(t *testing.T) {
	b := mustNew(t, mustRing(t, numbered(50)), bounded.Config{Epsilon: 0.01})
	for range 5000 {
		b.Acquire("hot") // many nodes are full on the way
	}
	if n := testing.AllocsPerRun(100, func() {
		b.OwnerIndex("hot")
		b.OwnerIndex("cold")
		b.Release(b.Acquire("hot"))
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAcquireRelease(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		r := mustRing(b, numbered(n))
		keys := make([]string, 1<<12)
		for i := range keys {
			keys[i] = fmt.Sprintf("user:%015d", i*7919)
		}
		for _, load := range []int{0, 10 * n} {
			p := mustNew(b, r, bounded.Config{})
			for i := range load {
				p.Acquire(keys[i%len(keys)])
			}
			b.Run(fmt.Sprintf("nodes=%d/in-flight=%d", n, load), func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					p.Release(p.Acquire(keys[i%len(keys)]))
				}
			})
		}
	}
}
