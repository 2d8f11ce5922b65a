package multiprobe

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/internal/placementtest"
	"github.com/ringway/ringway/ring"
)

var kind = placementtest.Kind[*MultiProbe, Config]{
	New:  New,
	With: func(h ring.Hasher) Config { return Config{Hasher: h} },
	Zero: new(MultiProbe),
}

func mustNew(t placementtest.TB, nodes []ring.Node, cfg Config) *MultiProbe {
	t.Helper()
	return kind.Must(t, nodes, cfg)
}

func numbered(n int) []ring.Node { return placementtest.Numbered(n) }

func TestZeroMultiProbe(t *testing.T)     { kind.OwnsNothing(t) }
func TestNodesAreCopied(t *testing.T)     { kind.CopiesNodes(t, Config{}) }
func TestOwnerUsesHasher(t *testing.T)    { kind.UsesHasher(t) }
func TestNoAllocations(t *testing.T)      { kind.AllocatesNothing(t) }
func TestOrderDoesNotMatter(t *testing.T) { kind.IgnoresOrder(t, drawNodes, drawConfig) }
func TestMinimalMovement(t *testing.T)    { kind.MovesMinimally(t, drawNodes, drawConfig) }

func TestUpdate(t *testing.T) {
	kind.UpdateEqualsNew(t, Config{Probes: 3, Hasher: ring.Hasher{Seed: 5, HashTags: true}})
}

func TestGolden(t *testing.T) {
	weighted := numbered(6)
	for i := range weighted {
		weighted[i].Weight = float64(2 + 2*(i%3))
	}
	kind.Golden(t, placementtest.Case[Config]{Name: "three-probes", Nodes: numbered(100), Cfg: Config{Probes: 3}},
		placementtest.Case[Config]{Name: "weighted", Nodes: weighted})
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
		Hasher: placementtest.DrawHasher(t),
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
		m := mustNew(t, nodes, cfg)
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
		m := mustNew(t, nodes, cfg)
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

func TestMemoryBytes(t *testing.T) {
	if got := mustNew(t, numbered(3), Config{}).MemoryBytes(); got != 5*12+17*4 {
		t.Errorf("got %d bytes, want %d", got, 5*12+17*4)
	}
}

func TestErrors(t *testing.T) {
	heavy := make([]ring.Node, 17)
	for i := range heavy {
		heavy[i] = ring.Node{ID: fmt.Sprint(i), Weight: ring.MaxWeight}
	}
	kind.Refuses(t, "no nodes", nil, Config{}, ring.ErrNoNodes, "at least one")
	kind.Refuses(t, "twice", ring.Nodes("a", "a"), Config{}, ring.ErrDuplicateID, `"a"`)
	kind.Refuses(t, "fraction", []ring.Node{{ID: "a", Weight: 1.5}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 1.5, want a whole number`)
	kind.Refuses(t, "small fraction", []ring.Node{{ID: "a", Weight: 0.5}}, Config{}, ring.ErrInvalidWeight, `of node "a": got 0.5`)
	kind.Refuses(t, "too many tokens", heavy, Config{}, ring.ErrTooManyTokens, "at most 16777216")
	kind.Refuses(t, "negative probes", ring.Nodes("a"), Config{Probes: -1}, ring.ErrInvalidConfig, "Probes: got -1, want 1 to 1024")
	kind.Refuses(t, "too many probes", ring.Nodes("a"), Config{Probes: 1025}, ring.ErrInvalidConfig, "got 1025")
	kind.Refuses(t, "hash function", ring.Nodes("a"), Config{Hasher: ring.Hasher{Function: 9}}, ring.ErrInvalidConfig, "HashFunction(9)")
}

// FuzzNew builds from anything: a list of IDs separated by commas, a weight for
// every other one, and a number of probes.
func FuzzNew(f *testing.F) {
	f.Add("a,b,c", 2.0, 0, uint8(0), "key")
	f.Add("", math.NaN(), -1, uint8(200), "")
	f.Add("a,b", 0.5, 3, uint8(1), "{x}y")
	f.Fuzz(func(t *testing.T, ids string, weight float64, probes int, function uint8, key string) {
		if weight > 1000 && weight < ring.MaxWeight {
			return // many tokens only take long
		}
		cfg := Config{Probes: probes, Hasher: ring.Hasher{Function: ring.HashFunction(function)}}
		kind.Try(t, placementtest.Listed(ids, weight), cfg, key)
	})
}

func BenchmarkOwner(b *testing.B) { kind.BenchmarkOwner(b, Config{}) }
