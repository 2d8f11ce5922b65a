package router_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// threeServers starts redis-servers for an example.
func threeServers() (members []membership.Member, stop func()) {
	var stops []func()
	stop = func() {
		for _, s := range stops {
			s()
		}
	}
	for _, id := range []string{"cache-a", "cache-b", "cache-c"} {
		dir, err := os.MkdirTemp("", "ringway")
		if err != nil {
			log.Fatal(err)
		}
		server, err := servers.Start(context.Background(), servers.Config{Kind: servers.Redis, Dir: dir})
		if err != nil {
			log.Fatal(err)
		}
		stops = append(stops, func() { server.Close(); os.RemoveAll(dir) })
		members = append(members, membership.Member{ID: id, Address: server.Addr()})
	}
	return members, stop
}

func ExampleNewRedis() {
	ctx := context.Background()
	members, stop := threeServers() // cache-a, cache-b and cache-c
	defer stop()

	source, err := membership.Static(members...)
	if err != nil {
		log.Fatal(err)
	}
	r, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	var client redis.UniversalClient = r // the rest is go-redis

	client.MSet(ctx, "apple", 1, "banana", 2, "cherry", 3, "date", 4) // to whom they belong
	values, err := client.MGet(ctx, "date", "cherry", "none", "apple").Result()
	fmt.Println(values, err)
	fmt.Println(client.DBSize(ctx).Val(), "keys in all")

	// Keys that belong together have a common hash tag.
	err = client.Rename(ctx, "apple", "banana").Err()
	var crossing *router.CrossNodeError
	fmt.Println(errors.As(err, &crossing), r.NodeFor("{fruit}apple") == r.NodeFor("{fruit}banana"))

	// Output:
	// [4 3 <nil> 1] <nil>
	// 4 keys in all
	// true true
}

func ExampleRedis_Subscribe() {
	ctx := context.Background()
	members, stop := threeServers()
	defer stop()
	source, err := membership.Static(members...)
	if err != nil {
		log.Fatal(err)
	}
	r, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	sub := r.Subscribe(ctx, "news")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil { // the confirmation
		log.Fatal(err)
	}
	r.Publish(ctx, "news", "hello")
	fmt.Println(<-sub.Channel())
	// Output: Message<news: hello>
}

func ExampleRedis_ForEachNode() {
	ctx := context.Background()
	members, stop := threeServers()
	defer stop()
	source, err := membership.Static(members...)
	if err != nil {
		log.Fatal(err)
	}
	r, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()

	roles := make(chan string, len(members))
	err = r.ForEachNode(ctx, func(ctx context.Context, id string, node *redis.Client) error {
		section, err := node.InfoMap(ctx, "replication").Result()
		roles <- section["Replication"]["role"]
		return err
	})
	fmt.Println(<-roles, <-roles, <-roles, err)
	// Output: master master master <nil>
}
