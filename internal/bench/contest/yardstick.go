package contest

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/bench"
	"github.com/ringway/ringway/internal/bench/rounds"
)

// yardstick is the slowest of the times of a lookup that were taken during a
// round, each on all processors at once: whoever else uses one of them shows.
var yardstick = rounds.Yardstick{Name: "lookup by modulo", Text: "a lookup by modulo, on all processors at once,"}

var sink atomic.Int64

// newLookups returns the operation whose time is the yardstick's: a lookup of
// each key among ten nodes.
func newLookups() (Operation, error) {
	const name = "modulo"
	for _, c := range bench.Contenders() {
		if c.Name != name {
			continue
		}
		pass, err := c.New(bench.Nodes(10))
		return func(keys []string) error {
			sink.Add(int64(pass(keys)))
			return nil
		}, err
	}
	return nil, fmt.Errorf("no contender %q in package bench", name)
}

// timeOfLookup returns nanoseconds.
func timeOfLookup(ctx context.Context, lookups Operation, d time.Duration) (float64, error) {
	processors, batch := runtime.GOMAXPROCS(0), KeyCount
	passes, took, err := repeat(ctx, processors, batch, lookups, d)
	if err != nil {
		return 0, err
	}
	return float64(took.Nanoseconds()) * float64(processors) / float64(passes) / float64(batch), nil
}
