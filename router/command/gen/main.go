// Gen writes redis7.go of package command: what a Redis server says of its own
// commands in COMMAND INFO and COMMAND DOCS.
//
//	go run ./router/command/gen                        starts the installed redis-server
//	go run ./router/command/gen -addr 127.0.0.1:6379   asks that server
//
// It writes to standard output, or to the file of -o.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servers"
)

func main() {
	addr := flag.String("addr", "", "ask the server at this `address` in place of one that is started")
	out := flag.String("o", "", "write to this `file` in place of standard output")
	flag.Parse()
	if err := run(context.Background(), *addr, *out); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, out string) error {
	if addr == "" {
		dir, err := os.MkdirTemp("", "ringway-gen")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		server, err := servers.Start(ctx, servers.Config{Kind: servers.Redis, Dir: dir})
		if err != nil {
			return err
		}
		defer server.Close()
		addr = server.Addr()
	}
	client := redis.NewClient(&redis.Options{Addr: addr, Protocol: 2})
	defer client.Close()
	source, err := generate(ctx, client)
	if err != nil {
		return err
	}
	if out == "" {
		_, err = os.Stdout.Write(source)
		return err
	}
	return os.WriteFile(out, source, 0o644)
}
