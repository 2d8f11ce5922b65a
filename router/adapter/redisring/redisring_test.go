package redisring

import (
	"fmt"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/ring"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestSameOwners writes through redis.Ring and looks on the servers: each key,
// tags included, is on the node that the ring names.
func TestSameOwners(t *testing.T) {
	ctx := t.Context()
	addrs := make(map[string]string)
	for i := range 3 {
		addrs[fmt.Sprint("node", i)] = servertest.Redis(t).Addr()
	}
	client := redis.NewRing(&redis.RingOptions{Addrs: addrs, NewConsistentHash: New(ring.Config{})})
	defer client.Close()
	r, err := ring.New(ring.Nodes("node0", "node1", "node2"), ring.Config{Hasher: ring.Hasher{HashTags: true}})
	if err != nil {
		t.Fatal(err)
	}
	used := make(map[string]bool)
	for i := range 100 {
		key := fmt.Sprintf("{tag%d}:%d", i, i*i)
		if i%2 == 0 {
			key = fmt.Sprint("key", i)
		}
		if err := client.Set(ctx, key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		owner := r.Owner(key).ID
		used[owner] = true
		direct := redis.NewClient(&redis.Options{Addr: addrs[owner]})
		if got, err := direct.Get(ctx, key).Int(); got != i || err != nil {
			t.Errorf("%s on %s: got %d, %v", key, owner, got, err)
		}
		direct.Close()
	}
	if len(used) != 3 {
		t.Errorf("nodes used: %v", used)
	}
}

func TestNoRing(t *testing.T) {
	for _, shards := range [][]string{nil, {""}, {strings.Repeat("x", 256)}, {"a", "a"}} {
		if got := New(ring.Config{})(shards).Get("key"); got != "" {
			t.Errorf("%.20q: got owner %q", shards, got)
		}
	}
	if got := New(ring.Config{VirtualNodes: -1})([]string{"a"}).Get("key"); got != "" {
		t.Errorf("a bad config: got owner %q", got)
	}
}
