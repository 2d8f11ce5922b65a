package ketama_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/ketama"
)

func TestHashedNames(t *testing.T) {
	const refused = "\x00refused"
	for _, tt := range []struct {
		form     ketama.NameForm
		id, want string
	}{
		{ketama.NameAsListed, "10.0.0.1:11211", "10.0.0.1:11211"},
		{ketama.NameAsListed, "cache-a/10.0.0.1:11211", "cache-a/10.0.0.1:11211"},
		{ketama.NameAsListed, "/tmp/memcached.sock:0", "/tmp/memcached.sock:0"},
		{ketama.NamePrefixedBySlash, "10.0.0.1:11211", "/10.0.0.1:11211"},
		{ketama.NameWithoutDefaultPort, "10.0.0.1:11211", "10.0.0.1"},
		{ketama.NameWithoutDefaultPort, "10.0.0.1:11212", "10.0.0.1:11212"},
		{ketama.NameWithoutDefaultPort, "10.0.0.1:1121", "10.0.0.1:1121"},
		{ketama.NameWithoutDefaultPort, "10.0.0.1", "10.0.0.1"},
		{ketama.NameWithoutDefaultPort, "cache-a.example:6379", "cache-a.example:6379"},
		{ketama.NameWithoutDefaultPort, "[::1]:11211", "::1"},
		{ketama.NameWithoutDefaultPort, "[::1]", "::1"},
		{ketama.NameWithoutDefaultPort, "[fe80::1%eth0]:11212", "fe80::1%eth0:11212"},
		{ketama.NameWithoutDefaultPort, "::1", refused},
		{ketama.NameWithoutDefaultPort, "::1:11211", refused},
		{ketama.NameWithoutDefaultPort, "[::1]11211", refused},
		{ketama.NameWithoutDefaultPort, "[::1", refused},
		{ketama.NameWithoutDefaultPort, "[host]:11211", refused},
		{ketama.NameWithoutDefaultPort, "[[::1]:11211", refused},
		{ketama.NameWithoutDefaultPort, ":11211", refused},
		{ketama.NameWithoutDefaultPort, "host:", refused},
		{ketama.NameWithoutDefaultPort, "host:0", refused},
		{ketama.NameWithoutDefaultPort, "host:011211", refused},
		{ketama.NameWithoutDefaultPort, "host:+1", refused},
		{ketama.NameWithoutDefaultPort, "host:65536", refused},
		{ketama.NameWithoutDefaultPort, "host:redis", refused},
		{ketama.NameWithoutDefaultPort, "/tmp/memcached.sock", refused},
	} {
		k, err := ketama.New(ring.Nodes(tt.id), ketama.Config{Names: tt.form})
		switch {
		case tt.want == refused:
			if !errors.Is(err, ring.ErrInvalidID) || !strings.Contains(err.Error(), "[IPv6]:port") {
				t.Errorf("%s: %q: got %v, want ErrInvalidID that says what is expected", tt.form, tt.id, err)
			}
		case err != nil:
			t.Errorf("%s: %q: %v", tt.form, tt.id, err)
		case k.HashedNames()[0] != tt.want:
			t.Errorf("%s: %q is hashed as %q, want %q", tt.form, tt.id, k.HashedNames()[0], tt.want)
		}
	}
}

func TestDefaultsOfVariants(t *testing.T) {
	for variant, want := range map[ketama.Variant]string{
		ketama.Libketama:    "10.0.0.1:11211 listed md5",
		ketama.Libmemcached: "10.0.0.1 without-default-port md5",
		ketama.Spymemcached: "10.0.0.1:11211 listed md5",
		ketama.Twemproxy:    "10.0.0.1 without-default-port fnv1a_64",
	} {
		k := mustNew(t, ring.Nodes("10.0.0.1:11211"), ketama.Config{Variant: variant})
		cfg := k.Config()
		if got := strings.Join([]string{k.HashedNames()[0], cfg.Names.String(), cfg.KeyHash.String()}, " "); got != want {
			t.Errorf("%s: got %s, want %s", variant, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for v := ketama.Libketama; v <= ketama.Twemproxy; v++ {
		if got, err := ketama.ParseVariant(v.String()); got != v || err != nil {
			t.Errorf("%s: got %v, %v", v, got, err)
		}
	}
	for h := ketama.MD5; h <= ketama.Murmur; h++ {
		if got, err := ketama.ParseKeyHash(h.String()); got != h || err != nil {
			t.Errorf("%s: got %v, %v", h, got, err)
		}
	}
	for _, name := range []string{"", "MD5", "crc16", "variant"} {
		if _, err := ketama.ParseKeyHash(name); !errors.Is(err, ring.ErrInvalidConfig) || !strings.Contains(err.Error(), "fnv1a_64") {
			t.Errorf("ParseKeyHash(%q): got %v, want an error that lists the names", name, err)
		}
		if _, err := ketama.ParseVariant(name); !errors.Is(err, ring.ErrInvalidConfig) || !strings.Contains(err.Error(), "twemproxy") {
			t.Errorf("ParseVariant(%q): got %v, want an error that lists the names", name, err)
		}
	}
	if got := ketama.Variant(9).String() + ketama.NameForm(9).String(); got != "Variant(9)NameForm(9)" {
		t.Errorf("unknown values print as %s", got)
	}
}

func TestBadInput(t *testing.T) {
	two := ring.Nodes("a:1", "b:1")
	weighted := func(w ...float64) []ring.Node {
		nodes := make([]ring.Node, len(w))
		for i, w := range w {
			nodes[i] = ring.Node{ID: string(rune('a' + i)), Weight: w}
		}
		return nodes
	}
	heavy := make([]ring.Node, 2049)
	for i := range heavy {
		heavy[i] = ring.Node{ID: string(rune(0x4e00 + i)), Weight: ring.MaxWeight}
	}
	many := make([]ring.Node, 104_858)
	for i := range many {
		many[i] = ring.Node{ID: string(rune(0x10000 + i)), Weight: 1}
	}
	for name, tt := range map[string]struct {
		nodes []ring.Node
		cfg   ketama.Config
		want  error
		says  string
	}{
		"no nodes":             {nil, ketama.Config{}, ring.ErrNoNodes, "0"},
		"repeated ID":          {ring.Nodes("a", "a"), ketama.Config{}, ring.ErrDuplicateID, `"a"`},
		"one name, two IDs":    {ring.Nodes("a:11211", "a"), ketama.Config{Variant: ketama.Libmemcached}, ring.ErrDuplicateID, `"a:11211"`},
		"fraction":             {weighted(1, 1.5), ketama.Config{}, ring.ErrInvalidWeight, "got 1.5"},
		"NaN":                  {weighted(math.NaN()), ketama.Config{}, ring.ErrInvalidWeight, "NaN"},
		"unweighted":           {weighted(2, 2), ketama.Config{Variant: ketama.Spymemcached}, ring.ErrInvalidWeight, "Config.Weighted"},
		"sum of weights":       {heavy, ketama.Config{}, ring.ErrInvalidWeight, "2147483647"},
		"number of nodes":      {many, ketama.Config{}, ring.ErrTooManyTokens, "16777216"},
		"variant":              {two, ketama.Config{Variant: 4}, ring.ErrInvalidConfig, "Variant(4)"},
		"names":                {two, ketama.Config{Names: 4}, ring.ErrInvalidConfig, "NameForm(4)"},
		"key hash":             {two, ketama.Config{Variant: ketama.Twemproxy, KeyHash: 9}, ring.ErrInvalidConfig, "KeyHash(9)"},
		"key hash, libketama":  {two, ketama.Config{KeyHash: ketama.FNV1a64}, ring.ErrInvalidConfig, "libketama has no other"},
		"key hash, spy":        {two, ketama.Config{Variant: ketama.Spymemcached, KeyHash: ketama.FNV1a32}, ring.ErrInvalidConfig, "no other"},
		"weighted elsewhere":   {two, ketama.Config{Weighted: true}, ring.ErrInvalidConfig, "spymemcached"},
		"hash tag elsewhere":   {two, ketama.Config{HashTag: "{}"}, ring.ErrInvalidConfig, "twemproxy"},
		"hash tag of one byte": {two, ketama.Config{Variant: ketama.Twemproxy, HashTag: "{"}, ring.ErrInvalidConfig, "two bytes"},
	} {
		kind.Refuses(t, name, tt.nodes, tt.cfg, tt.want, tt.says)
	}
	// What the checks above must not refuse.
	mustNew(t, two, ketama.Config{Variant: ketama.Libmemcached, KeyHash: ketama.OneAtATime})
	mustNew(t, two, ketama.Config{KeyHash: ketama.MD5})
	mustNew(t, weighted(2, 2), ketama.Config{Variant: ketama.Spymemcached, Weighted: true})
	if counts := mustNew(t, weighted(1, 1000), ketama.Config{}).PointCounts(); !slices.Equal(counts, []int{0, 316}) {
		t.Errorf("weights 1 and 1000: got %v points, want 0 and 316", counts)
	}
}

// FuzzNew builds from anything: an error or a placement that places every key,
// never a panic.
func FuzzNew(f *testing.F) {
	f.Add("a:11211,b:11212", 1.0, 2.0, uint8(0), uint8(0), uint8(0), "", "key", false)
	f.Add("[::1]:11212,[::2]", 600.0, 400.0, uint8(3), uint8(0), uint8(2), "{}", "{a}b", true)
	f.Add("[,]:,::,/", 0.5, math.Inf(1), uint8(1), uint8(2), uint8(8), "{", "\xff\x80", false)
	f.Add("a", 1.0, 1.0, uint8(2), uint8(3), uint8(1), "", "", true)
	f.Fuzz(func(t *testing.T, ids string, first, others float64, variant, names, hash uint8, tag, key string, flag bool) {
		var nodes []ring.Node
		for i, id := range strings.Split(ids, ",") {
			weight := others
			if i == 0 {
				weight = first
			}
			nodes = append(nodes, ring.Node{ID: id, Weight: weight})
		}
		if len(nodes) > 64 {
			return
		}
		cfg := ketama.Config{Variant: ketama.Variant(variant), Names: ketama.NameForm(names), KeyHash: ketama.KeyHash(hash),
			HashTag: tag, Weighted: flag, UnsignedChar: !flag}
		k, built := kind.Try(t, nodes, cfg, key)
		if !built {
			return
		}
		if i := k.OwnerIndex(key); k.PointCounts()[i] == 0 || k.Owner(key) != nodes[i] {
			t.Fatalf("%q belongs to node %d of %d", key, i, len(nodes))
		}
		again, err := k.Update(k.Nodes())
		if err != nil || again.OwnerIndex(key) != k.OwnerIndex(key) {
			t.Fatalf("an update to the same nodes: %v", err)
		}
	})
}
