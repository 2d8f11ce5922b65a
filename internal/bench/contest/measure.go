package contest

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/bench/rounds"
)

// open is a group whose clients are ready.
type open struct {
	Group
	contenders []opened // in the order of Contenders
}

type opened struct {
	do    Operation
	count func() (int64, error) // nil: it counts nothing
}

func openAll(e *Environment, groups []Group) ([]open, error) {
	var all []open
	for _, g := range groups {
		o := open{Group: g}
		for _, c := range g.Contenders {
			e.counts = nil
			do, err := c.Open(e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", g.NameOf(c), err)
			}
			if g.Counted != "" && e.counts == nil {
				return nil, fmt.Errorf("%s: it does not count %s", g.NameOf(c), g.Counted)
			}
			o.contenders = append(o.contenders, opened{do, e.counts})
		}
		all = append(all, o)
	}
	return all, nil
}

// oneRound measures every client once. From round to round another of a group's
// clients is the first, so that none always has the servers as the same other
// one left them.
func oneRound(ctx context.Context, groups []open, lookups Operation, number int, d time.Duration) (rounds.Round, error) {
	round := make(rounds.Round)
	for _, g := range groups {
		ns, err := timeOfLookup(ctx, lookups, d/10)
		if err != nil {
			return nil, err
		}
		round[yardstick.Name] = max(round[yardstick.Name], ns)
		for i := range g.Contenders {
			turn := (i + number) % len(g.Contenders)
			name := g.NameOf(g.Contenders[turn])
			if err := measure(ctx, g.Group, name, g.contenders[turn], d, round); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return round, nil
}

// measure writes times and allocations of an operation into the round, and what it
// counts. It warms up first: connections are opened, and the servers' attention is
// turned. Allocations are those of the whole process, background goroutines of the
// client included. What the heartbeats of others add is in the third decimal
// place, and is rounded away.
func measure(ctx context.Context, g Group, name string, c opened, d time.Duration, round rounds.Round) error {
	if _, _, err := repeat(ctx, g.Goroutines, g.Batch, c.do, d/10); err != nil {
		return err
	}
	runtime.GC() // what the one before left is not this one's work
	var before, after runtime.MemStats
	counted, err := c.counted()
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&before)
	used := processorTime()
	operations, took, err := repeat(ctx, g.Goroutines, g.Batch, c.do, d)
	used = processorTime() - used
	runtime.ReadMemStats(&after)
	if err != nil {
		return err
	}
	round[Processors(name)] = float64(used.Nanoseconds()) / float64(operations)
	round[name] = float64(took.Nanoseconds()) / float64(operations)
	round[Allocations(name)] = math.Round(100*float64(after.Mallocs-before.Mallocs)/float64(operations)) / 100
	if c.count == nil {
		return nil
	}
	total, err := c.counted()
	round[Counted(name)] = float64(total-counted) / float64(operations)
	return err
}

func (c opened) counted() (int64, error) {
	if c.count == nil {
		return 0, nil
	}
	return c.count()
}

// repeat has the goroutines do the operation again and again for that long, each
// at least once, and returns how many operations all of them did in what time.
// They go through the keys in the same order, from different places.
func repeat(ctx context.Context, goroutines, batch int, do Operation, d time.Duration) (operations int64, took time.Duration, err error) {
	var stop atomic.Bool
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()

	keys, errs := Keys(), make([]error, goroutines)
	var total atomic.Int64
	var running sync.WaitGroup
	begin := time.Now()
	for i := range goroutines {
		running.Go(func() {
			at := i * len(keys) / goroutines / batch * batch
			done := int64(0)
			for errs[i] == nil && (done == 0 || !stop.Load()) {
				errs[i] = do(keys[at : at+batch])
				done++
				if at += batch; at+batch > len(keys) {
					at = 0
				}
			}
			if errs[i] != nil {
				stop.Store(true)
			}
			total.Add(done)
		})
	}
	running.Wait()
	took = time.Since(begin)
	return total.Load(), took, firstError(ctx, errs)
}

func firstError(ctx context.Context, errs []error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}
