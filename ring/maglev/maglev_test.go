package maglev

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

func mustNew(t testing.TB, nodes []ring.Node, cfg Config) *Maglev {
	t.Helper()
	m, err := New(nodes, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func numbered(n int) []ring.Node {
	nodes := make([]ring.Node, n)
	for i := range nodes {
		nodes[i] = ring.Node{ID: fmt.Sprintf("node-%03d", i), Weight: 1}
	}
	return nodes
}

func drawNodes(t *rapid.T, label string) []ring.Node {
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,2}|\{[ab]\}[ab]?`), 1, 9, rapid.ID[string]).Draw(t, label)
	nodes := ring.Nodes(ids...)
	if rapid.Bool().Draw(t, "weights") {
		for i := range nodes {
			nodes[i].Weight = rapid.SampledFrom([]float64{1, 0.25, 0.01, 2, 3.125}).Draw(t, "weight")
		}
	}
	return nodes
}

func drawConfig(t *rapid.T) Config {
	return Config{
		TableSize: rapid.SampledFrom([]int{11, 13, 101, 257, 1009}).Draw(t, "size"),
		Hasher: ring.Hasher{
			Function: rapid.SampledFrom([]ring.HashFunction{ring.XXHash64, ring.Murmur3}).Draw(t, "function"),
			Seed:     rapid.Uint64Max(math.MaxUint32).Draw(t, "seed"),
			HashTags: rapid.Bool().Draw(t, "tags"),
		},
	}
}

// oracle is the algorithm of the paper, written down without any thought of
// speed: whole permutations, and a list of who takes a turn when.
func oracle(nodes []ring.Node, cfg Config) []string {
	size := cfg.TableSize
	hasher := cfg.Hasher
	hasher.HashTags = false
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b ring.Node) int { return strings.Compare(a.ID, b.ID) })
	heaviest := 0.0
	permutations := make([][]int, len(nodes))
	for i, n := range nodes {
		hash := hasher.Sum(n.ID)
		z := (hash ^ hash>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		offset, skip := int(hash%uint64(size)), int(z%uint64(size-1))+1
		for j := range size {
			permutations[i] = append(permutations[i], (offset+j*skip)%size)
		}
		heaviest = max(heaviest, n.Weight)
	}
	table := make([]string, size)
	for round, filled := 0, 0; filled < size; round++ {
		for i, n := range nodes {
			// The turns due by the end of this round, and of the one before. The
			// weights of these tests are multiples of 2^-32 in effect: 0.01, the
			// one that is not, is rounded.
			weight, largest := math.Round(n.Weight*(1<<32)), math.Round(heaviest*(1<<32))
			due, before := 1+math.Floor(float64(round)*weight/largest), 1+math.Floor(float64(round-1)*weight/largest)
			if round > 0 && due == before || filled == size {
				continue
			}
			for _, slot := range permutations[i] {
				if table[slot] == "" {
					table[slot] = n.ID
					filled++
					break
				}
			}
		}
	}
	return table
}

func TestTableMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		m, err := New(rapid.Permutation(nodes).Draw(t, "given"), cfg)
		if err != nil {
			t.Fatal(err)
		}
		want := oracle(nodes, cfg)
		for slot, at := range m.table {
			if got := m.nodes[at].ID; got != want[slot] {
				t.Fatalf("slot %d of %d: got %s, want %s", slot, cfg.TableSize, got, want[slot])
			}
		}
		for i := range 50 {
			key := fmt.Sprintf("{%d}key%d", i/3, i)
			slot := int(float64(cfg.Hasher.Sum(key)>>11) / (1 << 53) * float64(cfg.TableSize)) // exact enough for small tables
			if got := m.Owner(key).ID; got != want[slot] || m.nodes[m.OwnerIndex(key)].ID != got {
				t.Fatalf("owner of %q: got %s, want %s", key, got, want[slot])
			}
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	nodes := numbered(20)
	for i := range nodes {
		nodes[i].Weight = float64(1 + i%3)
	}
	a := mustNew(t, nodes, Config{TableSize: 1009})
	slices.Reverse(nodes)
	b := mustNew(t, nodes, Config{TableSize: 1009})
	if !slices.Equal(a.table, b.table) || !slices.Equal(a.nodes, b.nodes) {
		t.Error("tables of the same nodes in another order differ")
	}
}

// Slots follow weights as the package comment says. For equal weights that is:
// no two nodes differ by more than one slot.
func TestSlotsFollowWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		m, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		slots, sum := make([]int, len(nodes)), 0.0
		for _, at := range m.table {
			slots[at]++
		}
		for _, n := range nodes {
			sum += n.Weight
		}
		for i, n := range m.nodes {
			p, size := n.Weight/sum, float64(cfg.TableSize)
			low, high := size*p-(float64(len(nodes))*p+1), size*p+2
			if got := float64(slots[i]); got < 1 || got <= low-1e-9 || got > high+1e-9 {
				t.Fatalf("node of share %v has %v of %v slots, want more than %v and at most %v", p, got, size, low, high)
			}
		}
		equal := !slices.ContainsFunc(nodes, func(n ring.Node) bool { return n.Weight != nodes[0].Weight })
		if equal && slices.Max(slots)-slices.Min(slots) > 1 {
			t.Fatalf("slots of equal nodes: %v", slots)
		}
	})
}

// What one node less moves, measured elsewhere on the published algorithm, as a
// fraction of the slots. Here each figure is the mean over some fleets (seeds)
// and some removals from each. At 65,537 slots fleets differ by 2 to 3% of the
// figure and removals within a fleet by 2 to 4%; at 655,373 by half of that.
func TestDisruption(t *testing.T) {
	for _, c := range []struct {
		nodes, size, fleets, removals int
		want, tolerance               float64
	}{
		{100, 65537, 3, 4, 0.0158, 0.06 * 0.0158},
		{1000, 65537, 3, 4, 0.0065, 0.06 * 0.0065},
		{100, 655373, 1, 2, 0.0114, 0.03 * 0.0114},
		{1000, 655373, 1, 2, 0.0043, 0.03 * 0.0043},
	} {
		sum := 0.0
		for seed := range c.fleets {
			nodes := numbered(c.nodes)
			before := mustNew(t, nodes, Config{TableSize: c.size, Hasher: ring.Hasher{Seed: uint64(seed)}})
			for i := range c.removals {
				leaver := (i*37 + 5) % c.nodes
				after, err := before.Update(slices.Delete(slices.Clone(nodes), leaver, leaver+1))
				if err != nil {
					t.Fatal(err)
				}
				moved, err := before.Moved(after)
				if err != nil {
					t.Fatal(err)
				}
				sum += moved
			}
		}
		got := sum / float64(c.fleets*c.removals)
		t.Logf("%d nodes, %d slots: one node less moves %.5f", c.nodes, c.size, got)
		if math.Abs(got-c.want) > c.tolerance {
			t.Errorf("%d nodes, %d slots: one node less moves %.5f, want %.4f ± %.4f", c.nodes, c.size, got, c.want, c.tolerance)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name  string
		nodes []ring.Node
		cfg   Config
		want  error
		says  string
	}{
		{"no nodes", nil, Config{}, ring.ErrNoNodes, "at least one"},
		{"twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`},
		{"not a prime", ring.Nodes("a"), Config{TableSize: 65536}, ring.ErrInvalidConfig, "TableSize: got 65536, want a prime, such as 65537"},
		{"square of a prime", ring.Nodes("a"), Config{TableSize: 49}, ring.ErrInvalidConfig, "such as 53"},
		{"negative", ring.Nodes("a"), Config{TableSize: -3}, ring.ErrInvalidConfig, "got -3, want a prime, or 0 for 65537"},
		{"one slot", ring.Nodes("a"), Config{TableSize: 1}, ring.ErrInvalidConfig, "got 1, want a prime, or 0 for 65537"},
		{"too large", ring.Nodes("a"), Config{TableSize: 16777259}, ring.ErrInvalidConfig, "at most 16777216"},
		{"more nodes than slots", numbered(6), Config{TableSize: 5}, ring.ErrInvalidConfig, "TableSize: got 5, want at least the number of nodes, 6"},
		{"weight", []ring.Node{{ID: "a", Weight: 1e-12}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 1e-12`},
		{"hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)"},
	} {
		m, err := New(c.nodes, c.cfg)
		var input *ring.InputError
		if m != nil || !errors.As(err, &input) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, %v; want nothing and an error %q that says %q", c.name, m, err, c.want, c.says)
		}
	}
	for _, size := range []int{2, 3, 5} { // tables with a slot for each node, and no more
		if m := mustNew(t, numbered(size), Config{TableSize: size}); m.MemoryBytes() != 4*size {
			t.Errorf("table of %d bytes, want %d", m.MemoryBytes(), 4*size)
		}
	}
	extreme := []ring.Node{{ID: "a", Weight: MinWeight}, {ID: "b", Weight: ring.MaxWeight}, {ID: "c", Weight: MinWeight}}
	m := mustNew(t, extreme, Config{TableSize: 101})
	if slots := slotsOf(m); !slices.Equal(slots, []int{1, 99, 1}) {
		t.Errorf("extreme weights: got %v slots, want [1 99 1]", slots)
	}
}

func slotsOf(m *Maglev) []int {
	slots := make([]int, len(m.nodes))
	for _, at := range m.table {
		slots[at]++
	}
	return slots
}

func TestUpdate(t *testing.T) {
	nodes := numbered(5)
	cfg := Config{TableSize: 211, Hasher: ring.Hasher{Seed: 7}}
	m := mustNew(t, nodes, cfg)
	next, err := m.Update(nodes[1:])
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, nodes[1:], cfg)
	if !slices.Equal(next.(*Maglev).table, fresh.table) || len(m.Nodes()) != 5 {
		t.Error("Update differs from New, or changed its receiver")
	}
	if p, err := m.Update(nil); p != nil || !errors.Is(err, ring.ErrNoNodes) {
		t.Errorf("Update(nil): got %v, %v", p, err)
	}
}

// Each field of the Hasher alone, since the default takes a shorter path.
func TestOwnerUsesHasher(t *testing.T) {
	for _, hasher := range []ring.Hasher{{}, {Function: ring.Murmur3}, {Seed: 3}, {HashTags: true}} {
		m := mustNew(t, numbered(50), Config{TableSize: 1009, Hasher: hasher})
		for i := range 100 {
			key := fmt.Sprintf("{%d}%d", i/3, i)
			want := m.OwnerOfHash(hasher.Sum(key))
			if got := m.OwnerIndex(key); got != want || m.Owner(key) != m.nodes[want] {
				t.Fatalf("%+v: owner of %q: got %d, want %d", hasher, key, got, want)
			}
		}
	}
}

func TestNodesAreCopied(t *testing.T) {
	nodes := numbered(3)
	m := mustNew(t, nodes, Config{})
	nodes[0].ID = "changed"
	m.Nodes()[1].ID = "changed"
	if got := m.Nodes(); !slices.Equal(got, numbered(3)) {
		t.Errorf("got %v", got)
	}
}

func TestZeroMaglev(t *testing.T) {
	var m Maglev
	if m.Owner("x") != (ring.Node{}) || m.OwnerIndex("x") != -1 || m.OwnerOfHash(math.MaxUint64) != -1 || len(m.Nodes()) != 0 {
		t.Error("the zero Maglev owns something")
	}
}

func TestNoAllocations(t *testing.T) {
	for _, hasher := range []ring.Hasher{{}, {Seed: 1, HashTags: true}, {Function: ring.Murmur3}} {
		m := mustNew(t, numbered(10), Config{TableSize: 1009, Hasher: hasher})
		if n := testing.AllocsPerRun(100, func() { _ = m.Owner("{user:1}:profile") }); n != 0 {
			t.Errorf("%v allocations a lookup", n)
		}
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, a weight for
// every other one, and a table size.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, 101, uint8(0), "key")
	f.Add("", math.NaN(), 0, uint8(200), "")
	f.Add("a,b", 1e-300, -1, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, size int, function uint8, key string) {
		nodes := ring.Nodes(strings.Split(ids, ",")...)
		for i := range nodes {
			if i%2 == 1 {
				nodes[i].Weight = weight
			}
		}
		if size > 1<<17 && size <= MaxTableSize {
			size >>= 7 // large tables only take long
		}
		m, err := New(nodes, Config{TableSize: size, Hasher: ring.Hasher{Function: ring.HashFunction(function)}})
		if err != nil {
			if input := (*ring.InputError)(nil); m != nil || !errors.As(err, &input) {
				t.Fatalf("got %v and an error of type %T", m, err)
			}
			return
		}
		if i := m.OwnerIndex(key); i < 0 || i >= len(nodes) || m.Owner(key) != m.nodes[i] {
			t.Fatalf("owner %d of %d nodes", i, len(nodes))
		}
		if slices.Min(slotsOf(m)) < 1 {
			t.Fatalf("a node without a slot: %v", slotsOf(m))
		}
		if moved, err := m.Moved(m); moved != 0 || err != nil {
			t.Fatalf("moved to itself: got %v, %v", moved, err)
		}
	})
}

func BenchmarkOwner(b *testing.B) {
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%08d:profile", i)
	}
	for _, n := range []int{10, 100, 1000} {
		m := mustNew(b, numbered(n), Config{})
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				m.OwnerIndex(keys[i%len(keys)])
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, size := range []int{65537, 655373} {
			nodes := numbered(n)
			b.Run(fmt.Sprintf("%d/%d", n, size), func(b *testing.B) {
				for b.Loop() {
					mustNew(b, nodes, Config{TableSize: size})
				}
			})
		}
	}
}
