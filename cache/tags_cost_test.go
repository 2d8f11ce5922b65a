package cache

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/internal/servertest"
)

var countedCalls = regexp.MustCompile(`cmdstat_(\w+):calls=(\d+)`)

// callsOf returns how many commands of each kind all nodes have had.
func callsOf(t *testing.T, client interface {
	ForEachNode(context.Context, func(context.Context, string, *redis.Client) error) error
}) map[string]int {
	t.Helper()
	results := make(chan string, 16)
	err := client.ForEachNode(t.Context(), func(ctx context.Context, _ string, node *redis.Client) error {
		stats, err := node.Info(ctx, "commandstats").Result()
		results <- stats
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	calls := make(map[string]int)
	for close(results); ; {
		stats, more := <-results
		if !more {
			return calls
		}
		for _, m := range countedCalls.FindAllStringSubmatch(stats, -1) {
			n, _ := strconv.Atoi(m[2])
			calls[m[1]] += n
		}
	}
}

// Twenty thousand entries (a million with RINGWAY_SOAK=1) have a tag: to invalidate it
// is one script of five commands at one node, as with ten entries; and none of them is
// read any more. A read of many is one MGET a node, tags and all.
func TestTagCost(t *testing.T) {
	proctest.Computes(t)
	entries := int64(20_000)
	if os.Getenv("RINGWAY_SOAK") == "1" {
		entries = 1_000_000
	}
	var addresses []string
	for range 3 {
		addresses = append(addresses, servertest.Redis(t).Addr())
	}
	client := redisFleet(t, addresses)
	m := newManager(t, OnRedis(client))
	s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Life.TTL = time.Hour
		c.Loads.Timeout = time.Minute
		c.Tags.OfKey = func(k userKey) []Tag { return kind("tenant:" + k.Tenant) }
		c.LoadMany = func(_ context.Context, keys []userKey) (map[userKey]Loaded[user], error) {
			all := make(map[userKey]Loaded[user], len(keys))
			for _, k := range keys {
				all[k] = Loaded[user]{Value: user{Name: "x"}}
			}
			return all, nil
		}
	})
	fill := func(tenant string, n int64) {
		const page = 5000
		for from := int64(0); from < n; from += page {
			var keys []userKey
			for i := from; i < min(from+page, n); i++ {
				keys = append(keys, userKey{tenant, i})
			}
			s.GetMany(t.Context(), keys)
		}
	}
	fill("few", 10)
	fill("many", entries)
	if st := s.Stats(); st.Stored != uint64(entries)+10 {
		t.Fatalf("%d entries are stored, want %d", st.Stored, entries+10)
	}
	untag(t, m, "warm") // the script is known
	cost := func(tag string) (calls int, took time.Duration) {
		before := callsOf(t, client)
		begun := time.Now()
		untag(t, m, tag)
		took = time.Since(begun)
		for name, n := range callsOf(t, client) {
			if name != "info" {
				calls += n - before[name]
			}
		}
		return calls, took
	}
	untag(t, m, "warm again") // on another node perhaps
	few, tookFew := cost("tenant:few")
	many, tookMany := cost("tenant:many")
	t.Logf("10 entries: %d commands in %v; %d entries: %d commands in %v", few, tookFew, entries, many, tookMany)
	proofs.Record(t, proofs.Row{Proof: "tag cost", Got: fmt.Sprintf("10 entries: %d commands, %v; %d entries: %d commands, %v", few, tookFew.Round(time.Microsecond), entries, many, tookMany.Round(time.Microsecond))})
	if many > 8 || few > 8 { // evalsha, get, incr, pttl, pexpire, get; and eval where a node is new to the script
		t.Errorf("%d commands for %d entries, and %d for 10", many, entries, few)
	}
	if _, meta := mustGetWith(t, s, userKey{"many", 7}); meta.Source != 0 {
		t.Errorf("an entry of the tag from %v", meta.Source)
	}
	var page []userKey
	for i := range int64(1000) {
		page = append(page, userKey{"untouched", i})
	}
	s.GetMany(t.Context(), page)
	before := callsOf(t, client)
	s.GetMany(t.Context(), page)
	if n := callsOf(t, client)["mget"] - before["mget"]; n > 3 {
		t.Errorf("%d MGET for a thousand entries with their tags, want one a node", n)
	}
	if st := s.Stats(); st.OtherTags == 0 {
		t.Error("no entry had another tag")
	}
}

// mustGetWith only looks.
func mustGetWith(t *testing.T, s *Space[userKey, user], key userKey) (user, Meta) {
	t.Helper()
	v, meta, err := s.GetWith(t.Context(), key, nil)
	if err != ErrNoLoader {
		t.Errorf("%+v, %v; want ErrNoLoader", v, err)
	}
	return v, meta
}

// To invalidate never shortens the life of a tag, nor does it keep one that ends from
// living on.
func TestTagLife(t *testing.T) {
	client := redisFleet(t, []string{servertest.Redis(t).Addr()})
	store := OnRedis(client)
	const key = "@tags/a"
	for _, c := range []struct {
		name string
		ttl  time.Duration // 0: none
		want time.Duration
	}{{"about to end", time.Minute, tagLife}, {"longer", 2 * tagLife, 2 * tagLife}, {"without an end", 0, -1}} {
		if err := client.Set(t.Context(), key, 12345, c.ttl).Err(); err != nil {
			t.Fatal(err)
		}
		if v := store.MakeTags(t.Context(), []string{key})[0]; v.Version != 12345 {
			t.Errorf("%s: %+v", c.name, v)
		}
		if v := store.BumpTags(t.Context(), []string{key})[0]; v.Version != 12346 || v.Err != nil {
			t.Errorf("%s: %+v", c.name, v)
		}
		left, err := client.PTTL(t.Context(), key).Result()
		if err != nil || c.want > 0 && (left > c.want || left < c.want-time.Hour) || c.want < 0 && left >= 0 {
			t.Errorf("%s: lives for %v, %v; want %v", c.name, left, err, c.want)
		}
	}
	for _, foreign := range []string{"9223372036854775807", "-4", "0", "1.5", "99999999999999999999"} {
		if err := client.Set(t.Context(), key, foreign, 0).Err(); err != nil {
			t.Fatal(err)
		}
		if v := store.BumpTags(t.Context(), []string{key})[0]; v.Err != nil || v.Version == 0 {
			t.Errorf("in place of %s: %+v", foreign, v)
		}
	}
}
