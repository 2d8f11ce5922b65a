// Command memcached stores and reads a few items over a fleet of memcached
// servers, and shows which node has which:
//
//	go run ./examples/memcached 127.0.0.1:11211 127.0.0.1:11212
//
// Nodes are named node1, node2 … in the order of the addresses: the names decide
// which keys a node owns, so a server that moves keeps its keys if it keeps its
// place in the list.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: memcached HOST:PORT …")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "memcached:", err)
		os.Exit(1)
	}
}

func run(addresses []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i+1), Kind: membership.Memcached, Address: address})
	}
	source, err := membership.Static(members...)
	if err != nil {
		return err
	}
	defer source.Close()
	client, err := router.NewMemcached(ctx, router.Config{Source: source})
	if err != nil {
		return err
	}
	defer client.Close()

	var keys []string
	for i := range 5 {
		key := fmt.Sprint("user:", i)
		keys = append(keys, key)
		if err := client.Set(ctx, router.Item{Key: key, Value: []byte(fmt.Sprint("profile ", i)), TTL: time.Minute}); err != nil {
			return err
		}
	}
	items, err := client.GetMulti(ctx, append(keys, "user:absent"))
	if err != nil {
		return err // items still holds what the other nodes gave
	}
	for _, key := range keys {
		fmt.Printf("%s on %s: %s\n", key, client.NodeFor(key), items[key].Value)
	}
	if _, err := client.Get(ctx, "user:absent"); !errors.Is(err, router.ErrCacheMiss) {
		return fmt.Errorf("user:absent: got %v, want a miss", err)
	}
	return nil
}
