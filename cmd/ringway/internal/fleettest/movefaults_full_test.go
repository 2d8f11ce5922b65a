package fleettest

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringway/ringway/membership/observer"
	"github.com/ringway/ringway/router"
)

// full has a Redis server behave as one that has reached its maxmemory and evicts nothing.
func (f *fleet) full(n *node, is bool) {
	f.t.Helper()
	limit := "0"
	if is {
		limit = "1"
	}
	for name, value := range map[string]string{"maxmemory-policy": "noeviction", "maxmemory": limit} {
		if err := f.redisOf(n).ConfigSet(context.Background(), name, value).Err(); err != nil {
			f.t.Fatal(err)
		}
	}
}

// readable reads every key of the stock as clients do: each is there, and no read fails.
func (f *fleet) readable(when string, s *stock) {
	f.t.Helper()
	ctx := context.Background()
	source, err := observer.New(ctx, observer.Config{Agents: []string{f.node("redis-a").http}, Cluster: cluster})
	if err != nil {
		f.t.Fatal(err)
	}
	defer source.Close()
	client, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		f.t.Fatal(err)
	}
	defer client.Close()
	var trouble []string
	for key := range s.redis {
		if kind, err := client.Type(ctx, key).Result(); err != nil || kind == "none" {
			trouble = append(trouble, key+" is of type "+kind+", "+errorText(err))
		}
	}
	if len(trouble) > 0 {
		slices.Sort(trouble)
		f.t.Errorf("%s: of %d keys that nobody has written:\n%s", when, len(s.redis), Summary(trouble))
	}
}

func errorText(err error) string {
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// TestReceiverIsFull: the receiver has no memory for what comes to it. The
// transition waits, says why, and goes on once it has; meanwhile everything is read
// where it is.
func TestReceiverIsFull(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t, slowly...)
	s := f.fill()
	historians := f.startHistorians(seed)
	n := f.newNode("redis-x")
	f.full(n, true)
	f.nodes = append(f.nodes, n)
	f.startAgent(n, false)
	f.waits("redis-b", "OOM", "no keys at present", "redis-x")
	f.readable("the receiver is full", s)
	for key := range f.heldBy(n) {
		t.Errorf("%s is on the server that takes nothing", key)
	}
	f.full(n, false)
	f.settled("there is memory")
	f.intact("there is memory", s)
	f.promisesKept(historians, false, 1)
	f.tidy("at the end")
}

// TestSourceIsFull: a fleet is scaled out because a server has no memory left. It gives
// its keys away, and everything is read all the while.
func TestSourceIsFull(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t, slowly...)
	s := f.fill()
	historians := f.startHistorians(seed)
	source, n := f.node("redis-b"), f.newNode("redis-x")
	f.full(source, true)
	f.nodes = append(f.nodes, n)
	f.startAgent(n, false)
	f.moving("redis-b")
	f.readable("the source is full", s)
	f.settled("a full server has given keys away")
	f.full(source, false)
	f.intact("a full server has given keys away", s)
	f.promisesKept(historians, false, 1)
	f.tidy("at the end")
}
