// Command caches measures package cache beside a plain local cache, a plain client
// with a codec, and the cache that others use, and prints what it comes to in
// Markdown: docs/performance-cache.md is its output.
//
//	go run ./caches [-rounds 31] [-benchtime 200ms] [-only REGEX] [-cpuprofile FILE]
//
// It starts four redis-servers on loopback. All caches have the same keys and values,
// the same codec and the same time to live. Each round runs every cache once, one
// after the other; a ratio is taken within a round, and what is printed is the median
// over the rounds: see package contest.
package main

import (
	"fmt"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/servers"
)

var program = contest.Program{
	Name: "caches", Target: "bench-cache", Title: "Performance of the cache",
	Groups: groups, Claims: claims,
	Kinds:   []servers.Kind{servers.Redis},
	Modules: []string{"github.com/maypok86/otter/v2", "github.com/go-redis/cache/v9", "github.com/redis/go-redis/v9", "github.com/redis/rueidis"},
	Setting: fmt.Sprintf("%d redis-servers and all caches share the machine, over loopback. "+
		"Every cache has the same %d keys, values of about 120 bytes of JSON (`encoding/json`), and times to live of %v, reads them in the same order, and looks at what it got. "+
		"Pools are large enough for %d goroutines.", contest.Shards, contest.KeyCount, life, many),
	AboutClaims: "Ratios are multiples of the time of the other, so that less is better. CPU: by the time of the processors in place of the time that passes.",
	AboutFigures: "Microseconds an operation: the time in which all goroutines together finish one more; of a miss, from the first call until the last caller has the value. " +
		"The time of the processors is that of this program, without the servers; on a machine that is busy it varies far less. Allocations are those of the whole program. Commands and loads are those of one operation.",
	Behind: behind,
}

func main() { program.Main() }
