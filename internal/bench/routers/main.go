// Command routers measures the clients of package router beside the clients that
// others use for the same task, and prints what it comes to in Markdown:
// docs/performance-router.md is its output.
//
//	go run ./routers [-rounds 31] [-benchtime 200ms] [-only REGEX] [-cpuprofile FILE]
//
// It starts four redis-servers and four memcacheds on loopback, puts the same
// keys into all of them, and has each client read them in the same order. Each
// round runs every client once, one after the other; a ratio is taken within a
// round, and what is printed is the median over the rounds: see package contest.
package main

import (
	"fmt"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/servers"
)

var program = contest.Program{
	Name: "routers", Target: "bench-router", Title: "Performance of the router",
	Groups: groups, Claims: claims,
	Kinds:   []servers.Kind{servers.Redis, servers.Memcached},
	Modules: []string{"github.com/redis/go-redis/v9", "github.com/redis/rueidis", "github.com/bradfitz/gomemcache"},
	Setting: fmt.Sprintf("%d servers of each kind and all clients share the machine, over loopback. "+
		"Every client reads the same %d keys in the same order, with values of %d bytes, and looks at what it got. "+
		"Pools are large enough for %d goroutines.", contest.Shards, contest.KeyCount, valueSize, many),
	AboutClaims:  "Throughput is in operations a second; \"by hand\" is with a client for each server, chosen by our ring.",
	AboutFigures: "Microseconds an operation: the time in which all goroutines together finish one more. The time of the processors is that of this program, without the servers. Allocations are those of the whole program.",
}

func main() { program.Main() }
