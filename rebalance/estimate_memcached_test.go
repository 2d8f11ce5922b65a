package rebalance

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

func sampleMemcacheClient(t testing.TB, addr string) *memcache.Client {
	t.Helper()
	client, err := memcache.New(memcache.Config{Address: addr, EncodeKeys: true, DialTimeout: 2 * sampleTime, ReplyTimeout: 2 * sampleTime})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	return client
}

func fillMemcached(t testing.TB, client *memcache.Client, random *rand.Rand, keys []string) {
	t.Helper()
	var items []memcache.Item
	for _, key := range keys {
		items = append(items, memcache.Item{Key: key, Value: make([]byte, 20+int(random.ExpFloat64()*300)), TTL: time.Hour})
	}
	if err := client.SetMulti(sampleContext(t), items); err != nil {
		t.Fatal(err)
	}
}

// As for Redis; the sizes are those of the server's own dump.
func TestSampleMemcached(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	p, owned := fleetPlan(t, 20_000)
	held := make(heldKeys)
	clients := make(map[string]*memcache.Client)
	for _, id := range p.Sources() {
		clients[id] = sampleMemcacheClient(t, servertest.Memcached(t).Addr())
		fillMemcached(t, clients[id], random, owned[id])
		all, err := SampleMemcached(sampleContext(t), clients[id], SampleConfig{Time: sampleTime})
		if err != nil || all.Population != int64(len(owned[id])) || all.Seen != all.Population || len(all.Wanted) != int(all.Seen) {
			t.Fatalf("%s: %d keys, population %d, seen %d, %v", id, len(owned[id]), all.Population, all.Seen, err)
		}
		held[id] = all.Wanted
	}
	samples, whole := make(map[string]Sample), make(map[string]Sample)
	for id, client := range clients {
		for into, keys := range map[*map[string]Sample]int{&samples: 2000, &whole: 20_000} {
			s, err := SampleMemcached(sampleContext(t), client, SampleConfig{Keys: keys, Time: sampleTime, Wanted: p.Wanted(id)})
			if err != nil || s.Population != int64(len(owned[id])) || s.Seen != min(int64(keys), s.Population) {
				t.Fatalf("%d: population %d, seen %d, %v", keys, s.Population, s.Seen, err)
			}
			(*into)[id] = s
		}
	}
	some, all := p.Estimate(samples), p.Estimate(whole)
	for group, want := range held.truth(p) {
		checkEstimate(t, fmt.Sprint("keys of ", group), some[group].Keys, want.keys, 0.1)
		checkEstimate(t, fmt.Sprint("bytes of ", group), *some[group].Bytes, want.bytes, 0.15)
		checkEstimate(t, fmt.Sprint("counted keys of ", group), all[group].Keys, want.keys, 0)
		checkEstimate(t, fmt.Sprint("counted bytes of ", group), *all[group].Bytes, want.bytes, 0)
	}
}

// Other prefixes, tombstones and fences are not counted; small items are.
func TestSampleMemcachedCountsOursOnly(t *testing.T) {
	client := sampleMemcacheClient(t, servertest.Memcached(t).Addr())
	ctx := sampleContext(t)
	fillMemcached(t, client, planRandom(), []string{"app:1", "app:odd \r\nkey", "web:1", strings.Repeat("app:", 60)})
	for key, flags := range map[string]uint32{"app:empty": 0, "app:flags": 7, "app:gone": transit.FlagsClosed, "app:open": transit.FlagsOpen, transit.FenceKey("app:"): 0} {
		if _, err := client.MetaSet(ctx, memcache.SetRequest{Key: key, EncodeKey: true, ClientFlags: flags}); err != nil {
			t.Fatal(err)
		}
	}
	for prefix, want := range map[string]int64{"app:": 5, "": 6, "none": 0} {
		s, err := SampleMemcached(ctx, client, SampleConfig{Prefix: prefix, Time: sampleTime})
		if err != nil || s.Population != 9 || s.Seen != 9 || s.Kept != want || len(s.Wanted) != int(want) {
			t.Errorf("prefix %q: %+v, %v, want %d", prefix, s, err, want)
		}
	}
}

// What has expired counts as an item of the server, and is none.
func TestSampleMemcachedExpired(t *testing.T) {
	client := sampleMemcacheClient(t, servertest.Memcached(t, "-o", "no_lru_maintainer").Addr())
	ctx := sampleContext(t)
	fillMemcached(t, client, planRandom(), []string{"a", "b"})
	if err := client.FlushAll(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(sampleTime); ; time.Sleep(20 * time.Millisecond) { // the server's clock counts seconds
		s, err := SampleMemcached(ctx, client, SampleConfig{Time: sampleTime})
		if err == nil && s.Population == 0 && s.Seen == 0 {
			return
		}
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("%+v, %v", s, err)
		}
	}
}

func TestSampleMemcachedRefused(t *testing.T) {
	server := servertest.Memcached(t, "-X")
	client := sampleMemcacheClient(t, server.Addr())
	fillMemcached(t, client, planRandom(), []string{"a"})
	if _, err := SampleMemcached(sampleContext(t), client, SampleConfig{Time: sampleTime}); err == nil || !strings.Contains(err.Error(), "metadump") {
		t.Errorf("%v", err)
	}
	if _, err := SampleMemcached(sampleContext(t), client, SampleConfig{Keys: -1}); err == nil {
		t.Error("a sample of -1 keys")
	}
	server.Stop()
	t.Cleanup(server.Cont)
	began := time.Now()
	if _, err := SampleMemcached(sampleContext(t), client, SampleConfig{Time: 50 * time.Millisecond}); err == nil || time.Since(began) > sampleTime/2 {
		t.Errorf("a server that hangs: %v after %v", err, time.Since(began))
	}
}

func TestMemcachedMemory(t *testing.T) {
	ctx := sampleContext(t)
	for _, test := range []struct {
		args   []string
		policy string
	}{{[]string{"-m", "24"}, "lru"}, {[]string{"-m", "24", "-M"}, NoEviction}} {
		client := sampleMemcacheClient(t, servertest.Memcached(t, test.args...).Addr())
		fillMemcached(t, client, planRandom(), []string{"a"})
		m, err := MemcachedMemory(ctx, client)
		if err != nil || m.Limit != 24<<20 || m.Used <= 0 || m.Used > 1000 || m.Policy != test.policy || m.From != ByServer {
			t.Errorf("%v: %+v, %v", test.args, m, err)
		}
	}
	if _, err := MemcachedMemory(ctx, sampleMemcacheClient(t, "127.0.0.1:1")); err == nil {
		t.Error("memory of a server that is not there")
	}
}
