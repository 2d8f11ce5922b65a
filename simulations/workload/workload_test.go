package workload

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/simulations/trace"
)

// all reads a whole workload.
func all(t *testing.T, cfg Config) (requests []trace.Request, keys []string) {
	t.Helper()
	g, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for {
		var req trace.Request
		if err := g.Next(&req); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, string(req.Key))
		req.Key = nil
		requests = append(requests, req)
	}
	if g.BytesRead() != cfg.Requests || g.TotalBytes() != cfg.Requests || int64(len(keys)) != cfg.Requests {
		t.Errorf("%d of %d requests, read %d", g.BytesRead(), g.TotalBytes(), len(keys))
	}
	return requests, keys
}

// keyOf is the name of the key of a rank, by its definition.
func keyOf(seed uint64, rank int) string {
	return fmt.Sprintf("key:%016x", splitmix.At(splitmix.Mix(seed), uint64(rank)))
}

// The most popular keys come as often as the law says, below 1, at 1 and above.
func TestZipf(t *testing.T) {
	proctest.Computes(t)
	const n, requests = 1000, 400_000
	for _, alpha := range []float64{0, 0.3048, 0.5, 0.99, 1, 1.2, 2.6774} {
		_, keys := all(t, Config{Keys: n, Requests: requests, Alpha: alpha, Seed: 3})
		counts := map[string]int{}
		for _, key := range keys {
			counts[key]++
		}
		total := 0.0
		for k := 1; k <= n; k++ {
			total += math.Pow(float64(k), -alpha)
		}
		for _, rank := range []int{0, 1, 2, 9, 99, 999} {
			want := requests * math.Pow(float64(rank+1), -alpha) / total
			got := float64(counts[keyOf(3, rank)])
			if math.Abs(got-want) > 5*math.Sqrt(want)+1 {
				t.Errorf("alpha %g, rank %d: %v requests, want %.1f", alpha, rank, got, want)
			}
		}
	}
}

// Every rank is that of a search through the sums, whatever the guide says.
func TestZipfRankMatchesSearch(t *testing.T) {
	for _, n := range []int{1, 2, 3, 7, 10, 49, 107, 161, 1000} {
		for _, alpha := range []float64{0, 0.7, 1, 3, 10} {
			z := newZipf(n, alpha)
			probes := []uint64{0, 1<<53 - 1}
			for i := range 2000 {
				probes = append(probes, splitmix.At(1, uint64(i))>>11)
			}
			for part := 1; part < n; part++ { // where the guide's parts meet
				at := uint64(math.Round(float64(part) / float64(n) * (1 << 53)))
				probes = append(probes, at-2, at-1, at, at+1)
			}
			for _, bits := range probes {
				target := float64(bits) / (1 << 53) * z.sums[n-1]
				want := min(slices.IndexFunc(z.sums, func(sum float64) bool { return sum > target }), n-1)
				if want < 0 {
					want = n - 1
				}
				if got := z.rank(bits); got != want {
					t.Fatalf("%d keys, alpha %g, bits %d: rank %d, want %d", n, alpha, bits, got, want)
				}
			}
		}
	}
}

func TestPower(t *testing.T) {
	for _, exponent := range []float64{0, 0.0242, 0.5, 0.9999999999, 1, 1.75, 9.99, 10} {
		p := newPower(exponent)
		for _, x := range []float64{1, 2, 3, 1000, MaxKeys} {
			if got, want := p.of(x), math.Pow(x, exponent); math.Abs(got/want-1) > 2e-6 {
				t.Errorf("%g^%g: %g, want %g", x, exponent, got, want)
			}
		}
	}
}

func TestUniformAndHot(t *testing.T) {
	const requests = 100_000
	share := func(cfg Config, ranks int) float64 {
		_, keys := all(t, cfg)
		hot := map[string]bool{}
		for rank := range ranks {
			hot[keyOf(cfg.Seed, rank)] = true
		}
		n := 0
		for _, key := range keys {
			if hot[key] {
				n++
			}
		}
		return float64(n) / requests
	}
	for _, test := range []struct {
		cfg   Config
		ranks int
		want  float64
	}{
		{Config{Popularity: Uniform, Keys: 1000, Requests: requests}, 100, 0.1},
		{Config{Popularity: Uniform, Keys: 1000, Requests: requests}, 1000, 1},
		{Config{Popularity: Hot, Keys: 1000, Requests: requests, HotKeys: 5, HotShare: 0.3}, 5, 0.3},
		{Config{Popularity: Hot, Keys: 1000, Requests: requests, HotKeys: 5, HotShare: 0.3}, 500, 0.3 + 0.7*495/995},
		{Config{Popularity: Hot, Keys: 1000, Requests: requests, HotKeys: 1, HotShare: 1}, 1, 1},
		{Config{Popularity: Hot, Keys: 1000, Requests: requests, HotKeys: 1, HotShare: 0}, 1, 0},
	} {
		if got := share(test.cfg, test.ranks); math.Abs(got-test.want) > 0.01 {
			t.Errorf("%+v: %d keys get %v, want %v", test.cfg, test.ranks, got, test.want)
		}
	}
}

func TestOpsSizesAndTTLs(t *testing.T) {
	const requests = 200_000
	cfg := Config{Keys: 20_000, Requests: requests, Popularity: Uniform, Seed: 2, Ops: Ops{Get: 0.6, Set: 0.2, Update: 0.1, Delete: 0.1},
		KeySize: 33, ValueSize: 500, Exponential: true, TTLs: []TTL{{60, 0.25}, {3600, 0.75}}}
	all, keys := all(t, cfg)
	ops, ttls := map[trace.Op]float64{}, map[int64]float64{}
	sizes, traits := 0.0, map[string][2]int64{}
	for i, r := range all {
		ops[r.Op] += 1.0 / requests
		ttls[r.TTL] += 1.0 / requests
		sizes += float64(r.Size) / requests
		trait := [2]int64{r.Size, r.TTL}
		if known, there := traits[keys[i]]; there && known != trait {
			t.Fatalf("%s has changed from %v to %v", keys[i], known, trait)
		}
		traits[keys[i]] = trait
		if r.KeySize != 33 || r.Size < 1 || r.Time != trace.Unknown {
			t.Fatalf("%+v", r)
		}
	}
	for name, pair := range map[string][2]float64{
		"get": {ops[trace.Get], 0.6}, "set": {ops[trace.Set], 0.2}, "update": {ops[trace.Update], 0.1}, "delete": {ops[trace.Delete], 0.1},
		"60s": {ttls[60], 0.25}, "1h": {ttls[3600], 0.75}, "size": {sizes / 500, 1},
	} {
		if math.Abs(pair[0]-pair[1]) > 0.02 {
			t.Errorf("%s: %v, want %v", name, pair[0], pair[1])
		}
	}
}

// The requests of a seed are the same for ever, on every machine.
func TestGolden(t *testing.T) {
	sum := func(cfg Config) string {
		requests, keys := all(t, cfg)
		h := sha256.New()
		for i, r := range requests {
			fmt.Fprintln(h, keys[i], r.Op, r.Size, r.KeySize, r.TTL)
		}
		return fmt.Sprintf("%x", h.Sum(nil)[:8])
	}
	zipf := Config{Keys: 5000, Requests: 20_000, Alpha: 0.99, Seed: 1, Ops: Ops{Get: 9, Set: 1}, ValueSize: 300, Exponential: true, TTLs: []TTL{{5, 1}, {9, 2}}}
	hot := Config{Popularity: Hot, Keys: 5000, Requests: 20_000, HotKeys: 3, HotShare: 0.2}
	for _, test := range []struct {
		cfg  Config
		want string
	}{{zipf, "22900a8abb172df2"}, {hot, "263010d1335e3fa7"}} {
		if got := sum(test.cfg); got != test.want {
			t.Errorf("%s: %s, want %s", test.cfg.title(), got, test.want)
		}
	}
	other := zipf
	other.Seed = 2
	if sum(other) == sum(zipf) {
		t.Error("another seed gives the same requests")
	}
}

func TestPresets(t *testing.T) {
	presets := Presets()
	if len(presets) != 54 {
		t.Fatalf("%d presets", len(presets))
	}
	for i, p := range presets {
		if p.Name != fmt.Sprint("cluster", i+1) {
			t.Errorf("preset %d is %s", i, p.Name)
		}
		cfg := p.Config(10_000)
		_, err := New(cfg)
		if usable := !slices.Contains(p.Missing, "operations"); usable != (p.Ops != (Ops{})) || err != nil {
			t.Errorf("%s: %v, %+v", p.Name, err, p)
		}
	}
	p, ok := FindPreset("cluster4")
	want := Preset{Name: "cluster4", MissRatio: 0.3941, KeySize: 67, ValueSize: 2439, RequestRate: 5260, RequestsPerKey: 26.5, Alpha: 1.1004,
		TTLs: []TTL{{60, 0.39}, {300, 0.24}, {3600, 0.13}, {600, 0.12}, {14_400, 0.09}, {86_400, 0.03}}, Ops: Ops{Get: 0.93, Set: 0.07}, OperationsSource: "get:0.93 set:0.07"}
	if fmt.Sprint(p) != fmt.Sprint(want) || !ok {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	if keys := p.Config(53_000).Keys; keys != 2000 {
		t.Errorf("%d keys", keys)
	}
	if p, _ := FindPreset("cluster53"); p.Ops.Update != 0.09 {
		t.Errorf("%+v", p.Ops)
	}
	if p, _ := FindPreset("cluster19"); p.TTLs[0].Seconds != 27_000 {
		t.Errorf("%+v", p.TTLs)
	}
	if _, ok := FindPreset("cluster55"); ok {
		t.Error("there is a cluster55")
	}
}

func TestErrors(t *testing.T) {
	good := Config{Keys: 10, Requests: 10}
	for _, test := range []struct {
		change func(*Config)
		want   string
	}{
		{func(c *Config) { c.Popularity = 9 }, "popularity: found Popularity(9)"},
		{func(c *Config) { c.Keys = 0 }, "keys: found 0, expected 1 to"},
		{func(c *Config) { c.Keys = MaxKeys + 1 }, "keys: found 16777217"},
		{func(c *Config) { c.Requests = 0 }, "requests: found 0"},
		{func(c *Config) { c.Alpha = -0.1 }, "alpha: found -0.1"},
		{func(c *Config) { c.Alpha = math.NaN() }, "alpha: found NaN"},
		{func(c *Config) { c.Popularity, c.HotKeys = Hot, 10 }, "hot keys: found 10"},
		{func(c *Config) { c.Popularity, c.HotKeys, c.HotShare = Hot, 1, 2 }, "hot share: found 2"},
		{func(c *Config) { c.KeySize = -1 }, "key size: found -1"},
		{func(c *Config) { c.ValueSize = MaxSize + 1 }, "value size: found"},
		{func(c *Config) { c.Ops.Set = -1 }, "operations: found -1"},
		{func(c *Config) { c.Ops.Set = math.Inf(1) }, "operations: found +Inf"},
		{func(c *Config) { c.TTLs = []TTL{{0, 1}} }, "ttl: found 0 seconds"},
		{func(c *Config) { c.TTLs = []TTL{{1, 0}} }, "ttl: found 1 seconds for a part of 0"},
	} {
		cfg := good
		test.change(&cfg)
		_, err := New(cfg)
		var known *Error
		if !errors.As(err, &known) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	for _, bad := range []string{"get", "get:2", "get:x", "gte:0.5", "get:-1", "get:NaN"} {
		if _, err := ParseOps([]string{bad}); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	p, _ := FindPreset("cluster52")
	g, err := New(p.Config(1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	var req trace.Request
	if n := testing.AllocsPerRun(1000, func() { _ = g.Next(&req) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
