package contest

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
	"github.com/ringway/ringway/internal/servers"
)

// Program is a command that measures groups of clients and prints a page of it.
type Program struct {
	Name    string // of the command
	Target  string // of the Makefile
	Title   string // of the page
	Groups  []Group
	Claims  []rounds.Claim
	Kinds   []servers.Kind // the page states their versions
	Modules []string       // and those of these, by path

	// Sentences of the page: what holds for all figures, what a reader of the
	// claims has to know, and one of the figures. Behind, if it is not "", is
	// Markdown that follows the figures.
	Setting, AboutClaims, AboutFigures, Behind string
}

// Main is the main function of the command.
func (p Program) Main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := p.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Run returns the exit code: 0 done, 1 it did not complete, 2 wrong usage.
// Nothing but a whole page is written to stdout.
func (p Program) Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := p.parseOptions(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return 2
	}
	page, err := p.runProfiled(ctx, o, stderr)
	if err == nil {
		_, err = io.WriteString(stdout, page)
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", p.Name, err)
		return 1
	}
	return 0
}

// runProfiled is measureAll with the profile that was asked for.
func (p Program) runProfiled(ctx context.Context, o options, stderr io.Writer) (page string, err error) {
	if o.cpuprofile == "" {
		return p.measureAll(ctx, o, stderr)
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
	return p.measureAll(ctx, o, stderr)
}

func (p Program) measureAll(ctx context.Context, o options, stderr io.Writer) (page string, err error) {
	e := &Environment{Ctx: ctx}
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
		fmt.Fprintf(stderr, "%s: %s\n", p.Name, warning)
	}
	r := report{program: p, options: o, rounds: all, machine: describe(ctx, p.Kinds, p.Modules)}
	return r.page()
}
