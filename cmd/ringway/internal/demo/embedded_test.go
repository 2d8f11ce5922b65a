package demo

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/transit"
)

// startEmbedded serves in this process until the test ends.
func startEmbedded(t *testing.T) *redis.Client {
	t.Helper()
	in, hold := io.Pipe()
	out, says := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- ServeEmbedded(context.Background(), in, says) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address, found := strings.CutPrefix(strings.TrimSpace(line), listening)
	if !found {
		t.Fatalf("it says %q", line)
	}
	client := redis.NewClient(&redis.Options{Addr: address})
	t.Cleanup(func() {
		client.Close()
		hold.Close()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return client
}

// Time passes for its keys, and an end that was set stays the same to the
// millisecond: the mover compares it.
func TestEmbeddedClock(t *testing.T) {
	client, ctx := startEmbedded(t), context.Background()
	if err := client.Set(ctx, "long", "v", time.Hour).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.Set(ctx, "short", "v", 50*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	first, err := client.PExpireTime(ctx, "long").Result()
	if err != nil {
		t.Fatal(err)
	}
	if off := time.Until(time.Unix(0, int64(first))) - time.Hour; off > 0 || off < -bound {
		t.Errorf("an hour ends %v off", off)
	}
	eventually(t, "the short one ends", func() (bool, string) {
		if now, err := client.PExpireTime(ctx, "long").Result(); err != nil || now != first {
			t.Fatalf("the end of the long one moves: %v, then %v (%v)", first, now, err)
		}
		err := client.Get(ctx, "short").Err()
		return errors.Is(err, redis.Nil), "it is there"
	})
}

// An agent takes it for a server, and keys can be copied and removed as the mover
// and the clients do it.
func TestEmbeddedIsAServer(t *testing.T) {
	from, to, ctx := startEmbedded(t), startEmbedded(t), context.Background()
	server, err := dataserver.Open(dataserver.Config{URL: "redis://" + from.Options().Addr})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if err := server.Probe(ctx); err != nil {
		t.Error(err)
	}
	if id, err := server.Identity(ctx); err != nil || len(id) != 32 {
		t.Errorf("identity %q, %v", id, err)
	}
	if used, _, err := server.Memory(ctx); err != nil || used == 0 {
		t.Errorf("memory %d, %v", used, err)
	}
	keys := []string{"a", "b", "forever"}
	for _, key := range keys[:2] {
		if err := from.Set(ctx, key, strings.Repeat("value of "+key, 20), time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if err := from.Set(ctx, "forever", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	source, target := transit.Redis{Client: from}, transit.Redis{Client: to}
	values, results, err := source.Copy(ctx, target, 0, keys...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Outcome != transit.Copied {
			t.Errorf("%s: %v %v", keys[i], r.Outcome, r.Err)
		}
	}
	removed, err := source.Remove(ctx, values...)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range removed {
		if r.Outcome != transit.Removed {
			t.Errorf("%s: %v %v", keys[i], r.Outcome, r.Err)
		}
	}
	for i, key := range keys {
		at, err := to.PExpireTime(ctx, key).Result()
		if err != nil || at > 0 && at.Milliseconds() != values[i].Expires || at <= 0 && key != "forever" {
			t.Errorf("%s ends at %v, want %d ms (%v)", key, at, values[i].Expires, err)
		}
	}
	if n, err := server.Count(ctx); err != nil || n != 0 {
		t.Errorf("%d keys are left, %v", n, err)
	}
}
