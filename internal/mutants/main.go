// Mutants shows that the tests would notice if one of the fleet's protections were
// gone: it takes them away, one at a time, in a copy of the sources, and demands
// that the tests it names fail then, while they pass as things are.
//
// It ends with exit code 1 if a mutant lives, if a test fails without one, or if a
// text that is to be replaced is not there (exactly once) any more.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"time"
)

func main() {
	only := flag.String("run", "", "only mutations whose names match the regular expression")
	list := flag.Bool("list", false, "show the mutations and run nothing")
	write := flag.String("write", "", "write what came of it to this Markdown file")
	root := flag.String("root", ".", "folder of the main module")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *root, *only, *write, *list); err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root, only, write string, list bool) error {
	match, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	var chosen []mutation
	for _, m := range mutations {
		if match.MatchString(m.name) {
			chosen = append(chosen, m)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("-run: got %q, which matches no mutation", only)
	}
	if list {
		for _, m := range chosen {
			fmt.Printf("%-34s %s\n", m.name, m.what)
		}
		return nil
	}
	work, err := newCopy(root)
	if err != nil {
		return err
	}
	defer work.remove()
	if err := work.findAll(chosen); err != nil {
		return err
	}
	if err := work.allPass(ctx, chosen); err != nil {
		return err
	}
	var results []result
	alive := 0
	for _, m := range chosen {
		began := time.Now()
		r, err := work.try(ctx, m)
		if err != nil {
			return err
		}
		fmt.Printf("%-8s %-34s %5.1f s  %s\n", r.word(), m.name, time.Since(began).Seconds(), r.killers())
		if results = append(results, r); len(r.failed) == 0 {
			alive++
		}
	}
	if write != "" {
		err = os.WriteFile(write, report(results), 0o644)
	}
	if alive > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d mutants live", alive, len(results)))
	}
	return err
}
