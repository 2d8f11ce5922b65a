package rebalance

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/ring"
)

// sampleTime is for samples that must come to their end, however slow the machine.
const sampleTime = time.Minute

func sampleContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), sampleTime)
	t.Cleanup(cancel)
	return ctx
}

func sampleClient(t testing.TB, addr string, change ...func(*redis.Options)) *redis.Client {
	t.Helper()
	options := &redis.Options{Addr: addr, Protocol: 2, DisableIdentity: true, MaxRetries: -1, ContextTimeoutEnabled: true}
	for _, c := range change {
		c(options)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// fillRedis stores keys with values of a random length, and returns the size of
// each in the server's memory.
func fillRedis(t testing.TB, client *redis.Client, random *rand.Rand, keys []string) []SampledKey {
	t.Helper()
	ctx := sampleContext(t)
	var held []SampledKey
	for len(keys) > 0 {
		page := keys[:min(1000, len(keys))]
		keys = keys[len(page):]
		pipe := client.Pipeline()
		sizes := make([]*redis.IntCmd, len(page))
		for i, key := range page {
			pipe.Set(ctx, key, make([]byte, 1+int(random.ExpFloat64()*300)), time.Hour)
			sizes[i] = pipe.MemoryUsage(ctx, key)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
		for i, key := range page {
			held = append(held, SampledKey{key, sizes[i].Val()})
		}
	}
	return held
}

// fleetPlan is the plan of a third node for two, and their keys.
func fleetPlan(t testing.TB, keys int) (p *Plan, owned map[string][]string) {
	from := planRing(t, ring.Config{}, ring.Nodes("a", "b")...)
	p = newTestPlan(t, from, planRing(t, ring.Config{}, ring.Nodes("a", "b", "c")...), 1)
	owned = make(map[string][]string)
	for i := range keys {
		key := fmt.Sprint("user:", i)
		owned[from.Owner(key).ID] = append(owned[from.Owner(key).ID], key)
	}
	return p, owned
}

// checkEstimate compares with what was counted: within five standard errors, and
// those must be small enough to mean something.
func checkEstimate(t *testing.T, what string, got Figure, want float64, most float64) {
	t.Helper()
	if math.Abs(got.Value-want) > 5*got.Error+0.5 || got.Error > most*want {
		t.Errorf("%s: got %.0f ± %.0f, want %.0f, and an error of at most %.0f", what, got.Value, got.Error, want, most*want)
	}
}

// Two servers with 20,000 keys together and a sample of 2,000 of each: what it says
// is within its own bounds of what was counted. A larger sample counts them all.
func TestSampleRedis(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	p, owned := fleetPlan(t, 20_000)
	held := make(heldKeys)
	clients := make(map[string]*redis.Client)
	for _, id := range p.Sources() {
		clients[id] = sampleClient(t, servertest.Redis(t).Addr())
		held[id] = fillRedis(t, clients[id], random, owned[id])
	}
	truth := held.truth(p)
	for _, test := range []struct {
		keys, sizes        int
		whole              bool
		keysError, byError float64
	}{{2000, 500, false, 0.1, 0.2}, {20_000, 20_000, true, 0, 0}, {20_000, 100, true, 0, 0.2}} {
		samples := make(map[string]Sample)
		for id, client := range clients {
			calls := commandCalls(t, client)
			s, err := SampleRedis(sampleContext(t), client, SampleConfig{Keys: test.keys, Sizes: test.sizes, Seed: seed, Time: sampleTime, Wanted: p.Wanted(id)})
			if err != nil {
				t.Fatal(err)
			}
			after := commandCalls(t, client)
			if scans, sizes := after["scan"]-calls["scan"], after["memory|usage"]-calls["memory|usage"]; scans > 4*(test.keys/scanPage+fruitless) || sizes > test.sizes {
				t.Errorf("%d SCAN and %d MEMORY USAGE for %+v", scans, sizes, test)
			}
			if whole := s.Seen == int64(len(owned[id])) && s.Population == s.Seen; whole != test.whole || s.Seen < int64(min(test.keys, len(owned[id]))) || !whole && s.Seen > int64(test.keys+2*scanPage) || s.Kept != s.Seen {
				t.Errorf("%+v: population %d, seen %d, kept %d of %d", test, s.Population, s.Seen, s.Kept, len(owned[id]))
			}
			samples[id] = s
		}
		e := p.Estimate(samples)
		for group, want := range truth {
			checkEstimate(t, fmt.Sprintf("%d: keys of %v", test.keys, group), e[group].Keys, want.keys, test.keysError)
			checkEstimate(t, fmt.Sprintf("%d: bytes of %v", test.keys, group), *e[group].Bytes, want.bytes, test.byError)
		}
	}
}

// commandCalls counts the commands that a server has run, by name.
func commandCalls(t testing.TB, client *redis.Client) map[string]int {
	t.Helper()
	text, err := client.Info(sampleContext(t), "commandstats").Result()
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int)
	for line := range strings.Lines(text) {
		if name, rest, found := strings.Cut(strings.TrimPrefix(line, "cmdstat_"), ":calls="); found {
			number, _, _ := strings.Cut(rest, ",")
			calls[name], _ = strconv.Atoi(number)
		}
	}
	return calls
}

// Random cursors come upon every key as often as upon any other.
func TestRandomCursorsAreFair(t *testing.T) {
	client := sampleClient(t, servertest.Redis(t).Addr())
	keys := make([]string, 3000)
	for i := range keys {
		keys[i] = fmt.Sprint("k", i)
	}
	fillRedis(t, client, planRandom(), keys)
	const rounds = 200
	seen := make(map[string]int)
	total := 0
	for seed := range uint64(rounds) {
		s, err := SampleRedis(sampleContext(t), client, SampleConfig{Keys: 500, Sizes: 1, Seed: seed, Time: sampleTime})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range s.Wanted {
			seen[k.Key]++
			total++
		}
	}
	// Binomial, but for buckets that follow each other: 7 standard deviations.
	mean := float64(total) / float64(len(keys))
	bound := 7 * math.Sqrt(mean)
	for _, key := range keys {
		if math.Abs(float64(seen[key])-mean) > bound {
			t.Errorf("%s: seen %d times of %d, want %.0f ± %.0f", key, seen[key], rounds, mean, bound)
		}
	}
}

// Other databases, other prefixes, and tombstones are not counted.
func TestSampleRedisCountsOursOnly(t *testing.T) {
	server := servertest.Redis(t)
	other, client := sampleClient(t, server.Addr()), sampleClient(t, server.Addr(), func(o *redis.Options) { o.DB = 3 })
	ctx := sampleContext(t)
	fillRedis(t, other, planRandom(), []string{"app:x", "app:y", "z"})
	fillRedis(t, client, planRandom(), []string{"app:1", "app:2", "app:[", "web:1", transit.Marker("app:3"), transit.FenceKey("app:")})
	for prefix, want := range map[string]int64{"app:": 3, "": 4, "app:[": 1, "none": 0} {
		s, err := SampleRedis(ctx, client, SampleConfig{Prefix: prefix, Time: sampleTime})
		if err != nil || s.Population != 6 || s.Seen != 6 || s.Kept != want || len(s.Wanted) != int(want) {
			t.Errorf("prefix %q: %+v, %v, want %d", prefix, s, err, want)
		}
		for _, k := range s.Wanted {
			if !strings.HasPrefix(k.Key, prefix) || k.Size == 0 {
				t.Errorf("prefix %q: %+v", prefix, k)
			}
		}
	}
}

func TestSampleRedisRefused(t *testing.T) {
	server := servertest.RedisUsers(t, "default on nopass ~* &* +@all", "blind on >pw ~* +dbsize +scan +ping +hello +client", "mute on >pw ~* +ping +hello +client")
	fillRedis(t, sampleClient(t, server.Addr()), planRandom(), []string{"a", "b"})
	as := func(user string) *redis.Client {
		return sampleClient(t, server.Addr(), func(o *redis.Options) { o.Username, o.Password = user, "pw" })
	}
	s, err := SampleRedis(sampleContext(t), as("blind"), SampleConfig{Time: sampleTime})
	if err != nil || !strings.Contains(s.NoSizes, "MEMORY USAGE: NOPERM") || s.Kept != 2 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := SampleRedis(sampleContext(t), as("mute"), SampleConfig{Time: sampleTime}); err == nil || !strings.Contains(err.Error(), "DBSIZE: NOPERM") {
		t.Errorf("%v", err)
	}
	for _, cfg := range []SampleConfig{{Keys: -1}, {Sizes: -1}, {Time: -1}} {
		if _, err := SampleRedis(sampleContext(t), as("mute"), cfg); !errors.Is(err, ErrSampleConfig) {
			t.Errorf("%+v: %v", cfg, err)
		}
	}
}

// A server that hangs is given up when the time is over.
func TestSampleRedisHangs(t *testing.T) {
	server := servertest.Redis(t)
	client := sampleClient(t, server.Addr(), func(o *redis.Options) { o.ReadTimeout = -1 })
	server.Stop()
	t.Cleanup(server.Cont)
	began := time.Now()
	if _, err := SampleRedis(sampleContext(t), client, SampleConfig{Time: 50 * time.Millisecond}); err == nil || time.Since(began) > sampleTime/2 {
		t.Errorf("a server that hangs: %v after %v", err, time.Since(began))
	}
}

func TestRedisMemory(t *testing.T) {
	ctx := sampleContext(t)
	for _, test := range []struct {
		args   []string
		limit  int64 // 0: that of the machine
		from   LimitSource
		policy string
	}{
		{[]string{"--maxmemory", "20mb", "--maxmemory-policy", "allkeys-lru"}, 20 << 20, ByServer, "allkeys-lru"},
		{nil, 0, ByMachine, NoEviction},
	} {
		m, err := RedisMemory(ctx, sampleClient(t, servertest.Redis(t, test.args...).Addr()))
		if err != nil || m.Used <= 0 || m.From != test.from || m.Policy != test.policy || test.limit > 0 && m.Limit != test.limit || m.Limit <= m.Used {
			t.Errorf("%v: %+v, %v", test.args, m, err)
		}
	}
	if _, err := RedisMemory(ctx, sampleClient(t, "127.0.0.1:1")); err == nil {
		t.Error("memory of a server that is not there")
	}
}
