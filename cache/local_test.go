package cache

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
)

// A Redis beside the service, by its Unix socket: entries, leases and the bus go over it.
func TestUnixSocket(t *testing.T) {
	folder, err := os.MkdirTemp("", "rw") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	path := filepath.Join(folder, "redis.sock")
	server := servertest.Redis(t, "--unixsocket", path)
	addresses := []string{"unix://" + path}
	var src numbered
	var spaces []*Space[userKey, user]
	for range 2 {
		client := redisFleet(t, addresses)
		spaces = append(spaces, overRedis(t, OnRedis(client), client, BusConfig{}, src.load))
	}
	inL1(t, spaces[1])
	src.n.Add(1)
	if err := spaces[0].Invalidate(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	wantSoon(t, spaces[1], "1")
	over := redis.NewClient(&redis.Options{Addr: server.Addr()})
	defer over.Close()
	k, _ := storeKeyOf(spaces[0].prefix, ada, nil, nil)
	if n, err := over.Exists(t.Context(), k.text).Result(); err != nil || n != 1 {
		t.Errorf("on the server there are %d entries of the key, %v: want 1", n, err)
	}
}
