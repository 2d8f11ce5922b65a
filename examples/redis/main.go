// Redis spreads a few keys over the servers whose addresses it is given, and
// shows where they went.
//
//	redis-server --port 7001 & redis-server --port 7002 & redis-server --port 7003 &
//	go run ./examples/redis 127.0.0.1:7001 127.0.0.1:7002 127.0.0.1:7003
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: redis ADDRESS…   for example: redis 127.0.0.1:7001 127.0.0.1:7002")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "redis:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, addresses []string) (err error) {
	// Who is in the fleet. The ID decides which keys a node owns, so that it is
	// better a name that stays than an address that may change.
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("cache-", i+1), Address: address})
	}
	source, err := membership.Static(members...)
	if err != nil {
		return err
	}
	client, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	for _, part := range []func(context.Context, io.Writer, *router.Redis) error{spread, together, listen} {
		if err := part(ctx, out, client); err != nil {
			return err
		}
	}
	return nil
}

// spread sets keys on all nodes, one by one, in a pipeline and in one command.
func spread(ctx context.Context, out io.Writer, client *router.Redis) error {
	if err := client.Set(ctx, "greeting", "hello", 0).Err(); err != nil {
		return err
	}
	var cities []string
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, city := range []string{"Oslo", "Rome", "Lima", "Cairo", "Tokyo", "Quito"} {
			cities = append(cities, "city:"+city)
			p.Set(ctx, "city:"+city, i, 0)
		}
		return nil
	})
	if err != nil {
		return err
	}
	values, err := client.MGet(ctx, cities...).Result()
	if err != nil {
		return err // a *router.MultiError: values has what could be read
	}
	for i, city := range cities {
		fmt.Fprintf(out, "%s = %v on %s\n", city, values[i], client.NodeFor(city))
	}
	return nil
}

// together uses keys that have to be on one node: a common hash tag does it.
func together(ctx context.Context, out io.Writer, client *router.Redis) error {
	_, err := client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Set(ctx, "{user:1}:name", "Ada", 0)
		p.Incr(ctx, "{user:1}:visits")
		return nil
	})
	fmt.Fprintf(out, "a transaction with a hash tag: %v\n", err == nil)
	return err
}

// listen hears a channel. It is subscribed to where PUBLISH goes.
func listen(ctx context.Context, out io.Writer, client *router.Redis) error {
	news := client.Subscribe(ctx, "news")
	defer news.Close()
	if _, err := news.Receive(ctx); err != nil { // confirmed
		return err
	}
	if err := client.Publish(ctx, "news", "it works").Err(); err != nil {
		return err
	}
	msg, err := news.ReceiveMessage(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n", msg.Channel, msg.Payload)
	return nil
}
