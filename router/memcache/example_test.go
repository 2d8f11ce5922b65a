package memcache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/router/memcache"
)

// connect starts a memcached for an example. A program has an address of its
// own to give.
func connect() (client *memcache.Client, end func()) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	server, err := servers.Start(context.Background(), servers.Config{Kind: servers.Memcached, Dir: dir})
	if err != nil {
		panic(err)
	}
	client, err = memcache.New(memcache.Config{Address: server.Addr()})
	if err != nil {
		panic(err)
	}
	return client, func() {
		client.Close()
		server.Close()
		os.RemoveAll(dir)
	}
}

func Example() {
	client, end := connect()
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()

	err := client.Set(ctx, memcache.Item{Key: "user:7", Value: []byte("Ada"), TTL: time.Hour})
	fmt.Println("set:", err)

	item, err := client.Get(ctx, "user:7")
	fmt.Printf("get: %s, %v\n", item.Value, err)

	_, err = client.Get(ctx, "user:8")
	fmt.Println("miss:", errors.Is(err, memcache.ErrCacheMiss))

	n, err := client.IncrementWithInitial(ctx, "visits", 1, 1, 0)
	fmt.Println("count:", n, err)
	// Output:
	// set: <nil>
	// get: Ada, <nil>
	// miss: true
	// count: 1 <nil>
}

// Of all who miss a key at once, one is told to load it; the others wait, or
// take what is there.
func ExampleClient_MetaGet_lease() {
	client, end := connect()
	defer end()
	ctx := context.Background()

	get := memcache.GetRequest{
		Key:    "report",
		Return: memcache.ReturnValue | memcache.ReturnCAS,
		Vivify: memcache.ExpireIn(10 * time.Second), // how long the winner has
	}
	first, _ := client.MetaGet(ctx, get)
	second, _ := client.MetaGet(ctx, get)
	fmt.Println("first won:", first.Won, "second waits:", second.Pending)

	// Fills only if nobody has deleted or replaced the lease meanwhile.
	filled, _ := client.MetaSet(ctx, memcache.SetRequest{
		Key: "report", Value: []byte("42 pages"), TTL: time.Hour, CompareCAS: first.CAS,
	})
	fmt.Println("filled:", filled.Status == memcache.StatusOK)

	third, _ := client.MetaGet(ctx, get)
	fmt.Printf("third: %s\n", third.Value)
	// Output:
	// first won: true second waits: true
	// filled: true
	// third: 42 pages
}

// Copying an item as a mover does: what is left of its time to live goes along,
// nothing newer is overwritten, and the original goes only if it is unchanged.
func ExampleClient_MetaSet_move() {
	from, endFrom := connect()
	defer endFrom()
	to, endTo := connect()
	defer endTo()
	ctx := context.Background()
	from.Set(ctx, memcache.Item{Key: "k", Value: []byte("v"), Flags: 7, TTL: time.Hour})

	read, _ := from.MetaGet(ctx, memcache.GetRequest{
		Key: "k", NoBump: true,
		Return: memcache.ReturnValue | memcache.ReturnFlags | memcache.ReturnTTL | memcache.ReturnCAS,
	})
	copied, _ := to.MetaSet(ctx, memcache.SetRequest{
		Key: "k", Value: read.Value, ClientFlags: read.ClientFlags, TTL: read.TTL, Mode: memcache.ModeAdd,
	})
	removed, _ := from.MetaDelete(ctx, memcache.DeleteRequest{Key: "k", CompareCAS: read.CAS})
	fmt.Println(copied.Status, removed.Status)

	item, err := to.Get(ctx, "k")
	fmt.Printf("%s %d %v\n", item.Value, item.Flags, err)
	// Output:
	// HD HD
	// v 7 <nil>
}
