package multiprobe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
)

func mustNew(t testing.TB, nodes []ring.Node, cfg Config) *MultiProbe {
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
	ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-d]{1,2}|1{1,3}|\{[ab]\}[ab]?`), 1, 12, rapid.ID[string]).Draw(t, label)
	nodes := ring.Nodes(ids...)
	for i := range nodes {
		nodes[i].Weight = float64(rapid.SampledFrom([]int{1, 1, 1, 2, 7, 40}).Draw(t, "weight"))
	}
	return nodes
}

func drawConfig(t *rapid.T) Config {
	return Config{
		Probes: rapid.SampledFrom([]int{0, 1, 2, 5, 30}).Draw(t, "probes"),
		Hasher: ring.Hasher{
			Function: rapid.SampledFrom([]ring.HashFunction{ring.XXHash64, ring.Murmur3}).Draw(t, "function"),
			Seed:     rapid.Uint64Max(math.MaxUint32).Draw(t, "seed"),
			HashTags: rapid.Bool().Draw(t, "tags"),
		},
	}
}

// probesOf lists the probes of a hash.
func probesOf(hash uint64, count int) []uint64 {
	probes := []uint64{hash}
	for k := 1; k < count; k++ {
		z := hash + uint64(k)*0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		probes = append(probes, z^z>>31)
	}
	return probes
}

// oracle measures the distance from every probe to every token. Of equal tokens
// the one of the smaller ID wins, since nodes are gone through in that order.
func oracle(nodes []ring.Node, hash uint64, cfg Config) ring.Node {
	nodes = slices.Clone(nodes)
	slices.SortFunc(nodes, func(a, b ring.Node) int { return strings.Compare(a.ID, b.ID) })
	if cfg.Probes == 0 {
		cfg.Probes = 21
	}
	labels := cfg.Hasher
	labels.HashTags = false
	var owner ring.Node
	nearest := uint64(math.MaxUint64)
	for _, probe := range probesOf(hash, cfg.Probes) {
		for _, n := range nodes {
			for i := range uint32(n.Weight) {
				token := labels.Sum(string([]byte{byte(len(n.ID))}) + n.ID + string(binary.BigEndian.AppendUint32(nil, i)))
				if token-probe < nearest {
					owner, nearest = n, token-probe
				}
			}
		}
	}
	return owner
}

func TestOwnerMatchesOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		m, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 5 {
			key := fmt.Sprintf("{%d}key%d", i/3, i)
			want := oracle(nodes, cfg.Hasher.Sum(key), cfg)
			if got := m.Owner(key); got != want || m.nodes[m.OwnerIndex(key)] != want {
				t.Fatalf("owner of %q: got %v, want %v", key, got, want)
			}
		}
	})
}

// successor finds what a walk through all tokens finds, at the tokens, beside
// them, and where they crowd.
func TestSuccessor(t *testing.T) {
	crowded := &MultiProbe{}
	for i := range uint64(200) {
		crowded.tokens = append(crowded.tokens, 1<<40+i*i, math.MaxUint64-7*i)
	}
	crowded.tokens = append(crowded.tokens, 5, 5, 1<<63, 1<<63, 1<<63)
	slices.Sort(crowded.tokens)
	crowded.tokens = append(crowded.tokens, crowded.tokens[0], crowded.tokens[0])
	crowded.index()
	for name, m := range map[string]*MultiProbe{
		"one":      mustNew(t, numbered(1), Config{}),
		"two":      mustNew(t, numbered(2), Config{}),
		"thousand": mustNew(t, numbered(1000), Config{}),
		"crowded":  crowded,
	} {
		count := len(m.tokens) - 2
		places := []uint64{0, 1, math.MaxUint64}
		for _, token := range m.tokens {
			places = append(places, token-1, token, token+1)
		}
		for _, place := range places {
			want := slices.IndexFunc(m.tokens[:count], func(token uint64) bool { return token >= place })
			if want < 0 {
				want = count // the first once more
			}
			if got := m.successor(place); int(got) != want {
				t.Fatalf("%s: token after %#x: got %d, want %d", name, place, got, want)
			}
			if got, want := m.distance(place), m.tokens[want]-place; got != want {
				t.Fatalf("%s: distance from %#x: got %#x, want %#x", name, place, got, want)
			}
		}
	}
}

func TestBucketBits(t *testing.T) {
	for tokens, want := range map[int]int{1: 3, 2: 4, 1023: 12, 1024: 13, 1 << 21: 24, ring.MaxTokens: 24} {
		if got := bucketBits(tokens); got != want {
			t.Errorf("%d tokens: got %d bits, want %d", tokens, got, want)
		}
	}
}

// Tokens of several nodes at one place belong to the smaller ID, and of equally
// close probes the first decides.
func TestTies(t *testing.T) {
	var equal []token
	for i := range uint32(50) {
		equal = append(equal, token{place: 1 << 63, owner: 49 - i})
	}
	m := &MultiProbe{cfg: Config{Probes: 3}, nodes: numbered(50)}
	m.fill(equal)
	for hash := range uint64(50) {
		if got := m.OwnerOfHash(hash); got != 0 {
			t.Fatalf("equal tokens: node %d owns a hash, want 0", got)
		}
	}
	// One hash with two probes, and a token 1000 after each of them.
	const hash = 12345
	probes := probesOf(hash, 2)
	m = &MultiProbe{cfg: Config{Probes: 2}, nodes: numbered(2)}
	m.fill([]token{{probes[0] + 1000, 1}, {probes[1] + 1000, 0}})
	if got := m.OwnerOfHash(hash); got != 1 {
		t.Errorf("equal distances: got node %d, want that of the first probe, 1", got)
	}
}

// With one probe this is the ring at one virtual node, another package's code.
func TestOneProbeIsTheRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes, cfg := drawNodes(t, "ids"), drawConfig(t)
		cfg.Probes = 1
		m, err := New(nodes, cfg)
		if err != nil {
			t.Fatal(err)
		}
		r, err := ring.New(nodes, ring.Config{VirtualNodes: 1, Hasher: cfg.Hasher})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			key := fmt.Sprint("key", i)
			if got, want := m.Owner(key), r.Owner(key); got != want {
				t.Fatalf("owner of %q: got %v, want %v", key, got, want)
			}
		}
	})
}

// No key moves between two nodes that keep their weight, whatever else changes;
// a weight that rises gives no key away, one that falls takes none.
func TestMinimalMovement(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, err := New(drawNodes(t, "from"), drawConfig(t))
		if err != nil {
			t.Fatal(err)
		}
		to, err := from.Update(drawNodes(t, "to"))
		if err != nil {
			t.Fatal(err)
		}
		weight := func(p ring.Placement, id string) float64 {
			for _, n := range p.Nodes() {
				if n.ID == id {
					return n.Weight
				}
			}
			return 0
		}
		for i := range 100 {
			key := fmt.Sprint("key", i)
			loser, winner := from.Owner(key).ID, to.(*MultiProbe).Owner(key).ID
			if loser == winner {
				continue
			}
			if weight(to, loser) >= weight(from, loser) && weight(to, winner) <= weight(from, winner) {
				t.Fatalf("%q moves from %s (weight %v, then %v) to %s (weight %v, then %v)", key,
					loser, weight(from, loser), weight(to, loser), winner, weight(from, winner), weight(to, winner))
			}
		}
	})
}

func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		nodes := drawNodes(t, "ids")
		a, err := New(nodes, Config{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(rapid.Permutation(nodes).Draw(t, "shuffled"), Config{})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.nodes, b.nodes) || !slices.Equal(a.tokens, b.tokens) || !slices.Equal(a.owners, b.owners) {
			t.Fatalf("%+v and %+v differ", a, b)
		}
	})
}

func TestErrors(t *testing.T) {
	heavy := make([]ring.Node, 17)
	for i := range heavy {
		heavy[i] = ring.Node{ID: fmt.Sprint(i), Weight: ring.MaxWeight}
	}
	for _, c := range []struct {
		name  string
		nodes []ring.Node
		cfg   Config
		want  error
		says  string
	}{
		{"no nodes", nil, Config{}, ring.ErrNoNodes, "at least one"},
		{"twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`},
		{"fraction", []ring.Node{{ID: "a", Weight: 1.5}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 1.5, want a whole number`},
		{"small fraction", []ring.Node{{ID: "a", Weight: 0.5}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 0.5`},
		{"too many tokens", heavy, Config{}, ring.ErrTooManyTokens, "at most 16777216"},
		{"negative probes", ring.Nodes("a"), Config{Probes: -1}, ring.ErrInvalidConfig, "Probes: got -1, want 1 to 1024"},
		{"too many probes", ring.Nodes("a"), Config{Probes: 1025}, ring.ErrInvalidConfig, "got 1025"},
		{"hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)"},
	} {
		m, err := New(c.nodes, c.cfg)
		var input *ring.InputError
		if m != nil || !errors.As(err, &input) || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, %v; want nothing and an error %q that says %q", c.name, m, err, c.want, c.says)
		}
	}
	if p, err := mustNew(t, numbered(2), Config{}).Update(nil); p != nil || !errors.Is(err, ring.ErrNoNodes) {
		t.Errorf("Update(nil): got %v, %v", p, err)
	}
}

func TestUpdateKeepsConfig(t *testing.T) {
	cfg := Config{Probes: 3, Hasher: ring.Hasher{Seed: 5, HashTags: true}}
	next, err := mustNew(t, numbered(4), cfg).Update(numbered(9))
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, numbered(9), cfg)
	for i := range 200 {
		key := fmt.Sprintf("{%d}", i)
		if got, want := next.OwnerIndex(key), fresh.OwnerIndex(key); got != want {
			t.Fatalf("owner of %q after Update: got %d, want %d", key, got, want)
		}
	}
}

func TestNodesAreCopied(t *testing.T) {
	nodes := numbered(3)
	m := mustNew(t, nodes, Config{})
	nodes[0].ID = "changed"
	m.Nodes()[1].ID = "changed"
	if got := m.Nodes(); !slices.Equal(got, numbered(3)) || m.MemoryBytes() != 5*12+17*4 {
		t.Errorf("got %v, %d bytes", got, m.MemoryBytes())
	}
}

func TestZeroMultiProbe(t *testing.T) {
	var m MultiProbe
	if m.Owner("x") != (ring.Node{}) || m.OwnerIndex("x") != -1 || m.OwnerOfHash(5) != -1 || len(m.Nodes()) != 0 {
		t.Error("the zero MultiProbe owns something")
	}
}

func TestNoAllocations(t *testing.T) {
	for _, hasher := range []ring.Hasher{{}, {Seed: 1, HashTags: true}, {Function: ring.Murmur3}} {
		m := mustNew(t, numbered(10), Config{Hasher: hasher})
		if n := testing.AllocsPerRun(100, func() { _ = m.Owner("{user:1}:profile") }); n != 0 {
			t.Errorf("%v allocations a lookup", n)
		}
	}
}

// FuzzNew builds from anything: a list of IDs separated by commas, a weight for
// every other one, and a number of probes.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, 0, uint8(0), "key")
	f.Add("", math.NaN(), -1, uint8(200), "")
	f.Add("a,b", 0.5, 3, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, probes int, function uint8, key string) {
		nodes := ring.Nodes(strings.Split(ids, ",")...)
		for i := range nodes {
			if i%2 == 1 {
				nodes[i].Weight = weight
			}
		}
		if weight > 1000 && weight < ring.MaxWeight {
			return // many tokens only take long
		}
		cfg := Config{Probes: probes, Hasher: ring.Hasher{Function: ring.HashFunction(function)}}
		m, err := New(nodes, cfg)
		if err != nil {
			if input := (*ring.InputError)(nil); m != nil || !errors.As(err, &input) {
				t.Fatalf("got %v and an error of type %T", m, err)
			}
			return
		}
		if i := m.OwnerIndex(key); i < 0 || i >= len(nodes) || m.Owner(key) != m.nodes[i] {
			t.Fatalf("owner %d of %d nodes", i, len(nodes))
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
