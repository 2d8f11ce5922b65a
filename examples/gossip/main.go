// Gossip finds a fleet by one of its agents, sets a few keys and shows where they
// went. The fleet of the README's section "A fleet by hand" will do:
//
//	go run ./examples/gossip 127.0.0.1:7946
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: gossip SEED…   for example: gossip 127.0.0.1:7946")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gossip:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, seeds []string) (err error) {
	fleet, err := gossip.Join(ctx, gossip.Config{Seeds: seeds, Network: gossip.Local, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()

	found, cancel := context.WithTimeout(ctx, 10*time.Second) // no seed may answer
	defer cancel()
	client, err := router.NewRedis(found, router.Config{Source: fleet})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()

	for _, city := range []string{"Oslo", "Rome", "Lima", "Cairo", "Tokyo", "Quito"} {
		if err := client.Set(ctx, "city:"+city, len(city), time.Minute).Err(); err != nil {
			return err
		}
		fmt.Fprintf(out, "city:%s is on %s\n", city, client.NodeFor("city:"+city))
	}
	return nil
}
