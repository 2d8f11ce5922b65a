package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router"
)

type cacheKey string

func (k cacheKey) AppendKey(b *cache.KeyBuilder) { b.String(string(k)) }

// cacheFleetOf starts two servers and an agent that tells of them, and returns a store
// over them.
func cacheFleetOf(t *testing.T, kind membership.Kind, args ...string) (url string, store cache.Store, servers map[string]*servertest.Server) {
	t.Helper()
	servers = make(map[string]*servertest.Server)
	for _, id := range []string{"cache-a", "cache-b"} {
		if kind == membership.Redis {
			servers[id] = servertest.Redis(t, args...)
		} else {
			servers[id] = servertest.Memcached(t, args...)
		}
	}
	members := withServers(servers, kind)
	_, url = newAgentOf(t, ring.Config{}, 7, members...)
	source, err := membership.Static(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	if kind == membership.Redis {
		client, err := router.NewRedis(t.Context(), router.Config{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return url, cache.OnRedis(client), servers
	}
	client, err := router.NewMemcached(t.Context(), router.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return url, cache.OnMemcached(client), servers
}

func cacheSpace(t *testing.T, store cache.Store) (*cache.Manager, *cache.Space[cacheKey, string]) {
	t.Helper()
	m, err := cache.NewManager(cache.ManagerConfig{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s, err := cache.NewSpace(m, cache.SpaceConfig[cacheKey, string]{Name: "svc:user", Schema: 3, Controls: true,
		Tags: cache.TagsConfig[cacheKey, string]{OfKey: func(cacheKey) []cache.Tag { return []cache.Tag{{Name: "all"}} }}})
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

func both(t *testing.T, test func(t *testing.T, kind membership.Kind)) {
	for _, kind := range nodeKinds {
		t.Run(string(kind), func(t *testing.T) { test(t, kind) })
	}
}

// ask runs a command and reads its JSON.
func ask(t *testing.T, wantCode int, into any, args ...string) (stderr string) {
	t.Helper()
	code, stdout, stderr := run(append([]string{"cache"}, append(args, "--format", "json")...)...)
	if err := json.Unmarshal([]byte(stdout), into); err != nil || code != wantCode {
		t.Fatalf("%v: exit %d, want %d, %v\n%s%s", args, code, wantCode, err, stdout, stderr)
	}
	return stderr
}

func TestCacheVerify(t *testing.T) {
	both(t, func(t *testing.T, kind membership.Kind) {
		url, store, servers := cacheFleetOf(t, kind)
		_, s := cacheSpace(t, store)
		for i := range 30 {
			s.GetWith(t.Context(), cacheKey(fmt.Sprint(i)), func(context.Context, cacheKey) (cache.Loaded[string], error) {
				return cache.Loaded[string]{Value: "v"}, nil
			})
		}
		var got struct {
			Schema   string
			Complete bool
			Keys     int
			Nodes    int
			Failed   map[string]string
			Spaces   []struct {
				Space     string
				Entries   int
				NoTTL     int `json:"no_ttl"`
				Misplaced int `json:"wrong_identity"`
				Schema    int `json:"unknown_schema"`
				Broken    int `json:"undecodable"`
				Examples  map[string][]string
			}
		}
		verify := []string{"verify", "--agent", url, "--sample", "0", "--rate", "1000000", "--examples", "2"}
		if stderr := ask(t, cli.ExitDone, &got, verify...); stderr != "" || !got.Complete || got.Nodes != 2 || len(got.Spaces) != 1 ||
			got.Spaces[0].Space != "svc:user/3" || got.Spaces[0].Entries != 30 || got.Schema != "ringway.cache.verify/1" {
			t.Fatalf("%+v, %s", got, stderr)
		}
		// An entry that lies under another key, and one that is not whole.
		e, err := store.Get(t.Context(), "svc:user/3/s1:1")
		if err != nil {
			t.Fatal(err)
		}
		for key, value := range map[string][]byte{"svc:user/3/s1:2": e.Value, "svc:user/3/s1:3": e.Value[:len(e.Value)-1]} {
			if _, err := store.Set(t.Context(), key, cache.Entry{Value: value, TTL: time.Hour}); err != nil {
				t.Fatal(err)
			}
		}
		stderr := ask(t, cli.ExitFailed, &got, verify...)
		if s := got.Spaces[0]; s.Misplaced != 1 || s.Broken != 1 || s.NoTTL != 0 || s.Examples["wrong identity"][0] != "svc:user/3/s1:2" {
			t.Errorf("%+v", s)
		}
		if !strings.Contains(stderr, "svc:user/3: 1 of ") || !strings.Contains(stderr, "wrong identity") {
			t.Errorf("stderr %q", stderr)
		}
		if ask(t, cli.ExitFailed, &got, append(verify, "--space", "svc:other/1")...); got.Spaces[0].Schema != 30 {
			t.Errorf("another space: %+v", got.Spaces[0])
		}
		_, table, _ := run(append([]string{"cache"}, verify...)...)
		checkWidth(t, table)
		servers["cache-b"].Kill()
		if stderr := ask(t, cli.ExitFailed, &got, verify...); got.Complete || got.Failed["cache-b"] == "" || !strings.Contains(stderr, "cache-b: ") {
			t.Errorf("a node is down: %+v, %s", got, stderr)
		}
	})
}

func TestCacheTags(t *testing.T) {
	both(t, func(t *testing.T, kind membership.Kind) {
		url, store, _ := cacheFleetOf(t, kind)
		_, s := cacheSpace(t, store)
		loads := 0
		load := func(context.Context, cacheKey) (cache.Loaded[string], error) {
			loads++
			return cache.Loaded[string]{Value: "v"}, nil
		}
		get := func() {
			if _, _, err := s.GetWith(t.Context(), "k", load); err != nil {
				t.Fatal(err)
			}
		}
		get()
		get()
		var before, after, list struct {
			Tags []tagCell
		}
		ask(t, cli.ExitDone, &before, "tags", "all", "none", "--agent", url)
		if len(before.Tags) != 2 || before.Tags[0].Version == 0 || before.Tags[0].Done || before.Tags[1].Version != 0 {
			t.Fatalf("%+v", before)
		}
		ask(t, cli.ExitDone, &after, "tags", "all", "--invalidate", "--agent", url)
		if after.Tags[0].Version == before.Tags[0].Version || after.Tags[0].Version == 0 || !after.Tags[0].Done || after.Tags[0].Left == 0 {
			t.Errorf("%+v after %+v", after, before)
		}
		if get(); loads != 2 {
			t.Errorf("%d loads, want one more since the tag was invalidated", loads)
		}
		ask(t, cli.ExitDone, &list, "tags", "--agent", url)
		if len(list.Tags) != 1 || list.Tags[0].Key != before.Tags[0].Key || list.Tags[0].Node != before.Tags[0].Node {
			t.Errorf("list: %+v", list)
		}
		_, table, _ := run("cache", "tags", "all", "none", "--agent", url)
		checkWidth(t, table)
		for line := range strings.Lines(table) { // how long something has been that is not there, nobody knows
			if words := strings.Fields(line); words[0] == "none" && strings.Join(words[2:], " ") != missing+" "+missing+" not there" {
				t.Errorf("%q", line)
			}
		}
		if !strings.Contains(table, "not there") {
			t.Errorf("%s", table)
		}
	})
}

func TestCacheBypass(t *testing.T) {
	both(t, func(t *testing.T, kind membership.Kind) {
		url, store, _ := cacheFleetOf(t, kind)
		_, s := cacheSpace(t, store)
		var got struct {
			Spaces []struct{ Space, Bypass, Until, Node string }
		}
		is := func(want cache.Bypass, args ...string) {
			t.Helper()
			got.Spaces = nil
			ask(t, cli.ExitDone, &got, append([]string{"bypass", "svc:user/3", "--agent", url}, args...)...)
			if len(got.Spaces) != 1 || got.Spaces[0].Bypass != want.String() || (got.Spaces[0].Until == "") != (want == cache.BypassNothing) {
				t.Fatalf("%v: %+v, want %v", args, got, want)
			}
			for end := time.Now().Add(30 * time.Second); s.Bypassed() != want; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("%v: the space bypasses %v", args, s.Bypassed())
				}
			}
		}
		is(cache.BypassNothing)
		is(cache.BypassAll, "--set", "all", "--for", "10m")
		is(cache.BypassAll)
		_, table, _ := run("cache", "bypass", "svc:user/3", "--agent", url)
		checkWidth(t, table)
		is(cache.BypassFleet, "--set", "fleet")
		is(cache.BypassNothing, "--set", "nothing")
	})
}

func TestCacheHot(t *testing.T) {
	url, _, servers := cacheFleetOf(t, membership.Redis, "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lfu")
	for id, s := range servers {
		client := redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer client.Close()
		pipe := client.Pipeline()
		for i := range 200 {
			pipe.Set(t.Context(), fmt.Sprint("cold:", id, i), 1, time.Hour)
		}
		pipe.Set(t.Context(), "hot:"+id, 1, time.Hour)
		for range 3000 {
			pipe.Get(t.Context(), "hot:"+id)
		}
		if _, err := pipe.Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var got struct {
		Seen int `json:"keys_seen"`
		Keys []hotKey
	}
	hot := []string{"hot", "--agent", url, "--sample", "0", "--rate", "1000000", "--most", "2"}
	ask(t, cli.ExitDone, &got, hot...)
	if len(got.Keys) != 2 || !strings.HasPrefix(got.Keys[0].Key, "hot:") || !strings.HasPrefix(got.Keys[1].Key, "hot:") || got.Seen < 402 ||
		got.Keys[0].Freq < 6 || got.Keys[0].Node == got.Keys[1].Node {
		t.Errorf("%+v", got)
	}
	ask(t, cli.ExitDone, &got, "hot", "--agent", url, "--sample", "10", "--rate", "1000000")
	if got.Seen != 20 {
		t.Errorf("a sample of 10 of each node has %d", got.Seen)
	}
	_, table, _ := run(append([]string{"cache"}, hot...)...)
	checkWidth(t, table)

	plain, store, _ := cacheFleetOf(t, membership.Redis)
	if _, err := store.Set(t.Context(), "k", cache.Entry{Value: []byte("v"), TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if stderr := ask(t, cli.ExitFailed, &got, "hot", "--agent", plain); !strings.Contains(stderr, "allkeys-lfu") {
		t.Errorf("without counts: %q", stderr)
	}
	// One node of two that does not count: it is named, and the other's are shown.
	client := redis.NewClient(&redis.Options{Addr: servers["cache-b"].Addr()})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction").Err(); err != nil {
		t.Fatal(err)
	}
	stderr := ask(t, cli.ExitFailed, &got, hot...)
	if len(got.Keys) != 2 || got.Keys[0].Node != "cache-a" || !strings.Contains(stderr, "cache-b: it counts no reads") || strings.Contains(stderr, "cache-a") {
		t.Errorf("one node without counts: %+v, %q", got, stderr)
	}
}

func TestCacheUsage(t *testing.T) {
	url, _, _ := cacheFleetOf(t, membership.Redis)
	for _, args := range [][]string{
		{"frob"}, {"verify", "--sample", "-1"}, {"verify", "--rate", "0"}, {"verify", "--large", "x"}, {"verify", "--examples", "-1"},
		{"verify", "--kind", "x"}, {"tags", "--invalidate"}, {"tags", ""}, {"tags", "--tag-space", "a b"}, {"tags", "--most", "-1"},
		{"bypass"}, {"bypass", "nonsense"}, {"bypass", "svc:user/3", "--set", "x"}, {"bypass", "svc:user/3", "--for", "0s"},
		{"hot", "--rate", "NaN"}, {"hot", "--most", "-1"}, {"verify", "--server", "memcached://x"},
		// What names no space, and what would do or show nothing.
		{"verify", "--space", "svc:user"}, {"verify", "--space", "svc:user/3,foo"}, {"verify", "--space", "svc:user/03"},
		{"bypass", "svc:user/03", "--set", "all"}, {"bypass", "svc:user/3", "svc:user/4294967296"},
		{"bypass", "svc:user/3", "--for", "1h"}, {"bypass", "svc:user/3", "--prefix", "svc:"}, {"tags", "--prefix", "@tags/"},
		{"tags", "--most", "0"}, {"hot", "--most", "0"},
	} {
		full := append([]string{"cache"}, args...)
		if args[0] != "frob" {
			full = append(full, "--agent", url)
		}
		code, stdout, stderr := run(full...)
		if checkUsageError(t, code, stdout, stderr); t.Failed() {
			t.Fatalf("%q", args)
		}
	}
}
