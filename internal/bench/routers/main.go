// Command routers measures the clients of package router beside the clients that
// others use for the same task, and prints what it comes to in Markdown:
// docs/performance-router.md is its output.
//
//	go run ./routers [-rounds 31] [-benchtime 200ms] [-only REGEX] [-cpuprofile FILE]
//
// It starts four redis-servers and four memcacheds on loopback, puts the same
// keys into all of them, and has each client read them in the same order. Each
// round runs every client once, one after the other; a ratio is taken within a
// round, and what is printed is the median over the rounds. They are many and
// short: a lone goroutine and the server that it waits for are now on one
// processor and now on two, by the system's whim, which made a GET take 11 or
// 50 µs for tenths of a second.
//
// Clients, servers and whatever else the machine does share its processors: what
// a client saves on work or system calls is there for the servers. That is how a
// service and its cache share a machine in a test, not how they do in
// production, where the network is slower and the servers have processors of
// their own; the ratios say how much a client costs, and no more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"

	"github.com/ringway/ringway/internal/bench/rounds"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run returns the exit code: 0 done, 1 it did not complete, 2 wrong usage.
// Nothing but a whole page is written to stdout.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "routers:", err)
		return 2
	}
	page, err := runProfiled(ctx, o, stderr)
	if err == nil {
		_, err = io.WriteString(stdout, page)
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintln(stderr, "routers:", err)
		return 1
	}
	return 0
}

// runProfiled is measureAll with the profile that was asked for.
func runProfiled(ctx context.Context, o options, stderr io.Writer) (page string, err error) {
	if o.cpuprofile == "" {
		return measureAll(ctx, o, stderr)
	}
	f, err := os.Create(o.cpuprofile)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := pprof.StartCPUProfile(f); err != nil {
		return "", err
	}
	defer pprof.StopCPUProfile()
	return measureAll(ctx, o, stderr)
}

func measureAll(ctx context.Context, o options, stderr io.Writer) (page string, err error) {
	e := &environment{ctx: ctx}
	defer func() { err = errors.Join(err, e.close()) }()
	opened, err := openAll(e, o.groups)
	if err != nil {
		return "", err
	}
	lookups, err := newLookups()
	if err != nil {
		return "", err
	}
	var all rounds.Rounds
	for i := range o.rounds {
		fmt.Fprintf(stderr, "round %d of %d\n", i+1, o.rounds)
		round, err := oneRound(ctx, opened, lookups, i, o.benchtime)
		if err != nil {
			return "", err
		}
		all = append(all, round)
	}
	if warning := yardstick.Warning(all); warning != "" {
		fmt.Fprintln(stderr, "routers:", warning)
	}
	p := report{options: o, rounds: all, machine: describe(ctx)}
	return p.page()
}
