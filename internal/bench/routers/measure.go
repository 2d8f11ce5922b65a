package main

import (
	"context"
	"errors"
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
	group
	operations []operation // of the contenders
}

func openAll(e *environment, groups []group) ([]open, error) {
	var all []open
	for _, g := range groups {
		o := open{group: g}
		for _, c := range g.contenders {
			do, err := c.open(e)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", g.nameOf(c), err)
			}
			o.operations = append(o.operations, do)
		}
		all = append(all, o)
	}
	return all, nil
}

// oneRound measures every client once. From round to round another of a group's
// clients is the first, so that none always has the servers as the same other
// one left them.
func oneRound(ctx context.Context, groups []open, lookups operation, number int, d time.Duration) (rounds.Round, error) {
	round := make(rounds.Round)
	for _, g := range groups {
		ns, err := timeOfLookup(ctx, lookups, d/10)
		if err != nil {
			return nil, err
		}
		round[yardstick.Name] = max(round[yardstick.Name], ns)
		for i := range g.contenders {
			turn := (i + number) % len(g.contenders)
			name := g.nameOf(g.contenders[turn])
			if err := measure(ctx, g.group, name, g.operations[turn], d, round); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return round, nil
}

// measure writes time and allocations of an operation into the round. It warms
// up first: connections are opened, and the servers' attention is turned.
// Allocations are those of the whole process, background goroutines of the
// client included. What the heartbeats of others add is in the third decimal
// place, and is rounded away.
func measure(ctx context.Context, g group, name string, do operation, d time.Duration, round rounds.Round) error {
	if _, _, err := repeat(ctx, g.goroutines, g.batch, do, d/10); err != nil {
		return err
	}
	runtime.GC() // what the one before left is not this one's work
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	operations, took, err := repeat(ctx, g.goroutines, g.batch, do, d)
	runtime.ReadMemStats(&after)
	if err != nil {
		return err
	}
	round[name] = float64(took.Nanoseconds()) / float64(operations)
	round[allocations(name)] = math.Round(100*float64(after.Mallocs-before.Mallocs)/float64(operations)) / 100
	return nil
}

// repeat has the goroutines do the operation again and again for that long, each
// at least once, and returns how many operations all of them did in what time.
// They go through the keys in the same order, from different places.
func repeat(ctx context.Context, goroutines, batch int, do operation, d time.Duration) (operations int64, took time.Duration, err error) {
	var stop atomic.Bool
	timer := time.AfterFunc(d, func() { stop.Store(true) })
	defer timer.Stop()
	defer context.AfterFunc(ctx, func() { stop.Store(true) })()

	keys, errs := benchKeys(), make([]error, goroutines)
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

// errWrong: a client that returns something else may be as fast as it likes.
var errWrong = errors.New("the value is not the one that was stored")
