// Mutants shows that the tests would notice if one of the fleet's protections were
// gone: it takes them away, one at a time, in a copy of the sources, and demands
// that the tests it names fail then, while they pass as things are.
//
// To build a test binary takes much longer than to run a test in it. So a mutation
// within one function becomes a second version of that function beside the first,
// which gives way to it where an environment variable says so: one test binary then
// has all mutants of a package. What cannot be done so (a constant, a script in a
// variable) is built on its own.
//
// It ends with exit code 1 if a mutant lives or nothing can be said of it, if a test
// fails without one, or if a text that is to be replaced is not there (exactly once)
// any more. Mutants whose tests are skipped on this machine are only counted.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"
	"time"
)

func main() {
	only := flag.String("run", "", "only mutations whose names match the regular expression")
	list := flag.Bool("list", false, "show the mutations and run nothing")
	write := flag.String("write", "", "write what came of it to this Markdown file")
	root := flag.String("root", ".", "folder of the main module")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
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
	var chosen []*trial
	for i, m := range mutations {
		if match.MatchString(m.name) {
			chosen = append(chosen, &trial{mutation: m, number: i + 1})
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
	p := page{command: command(only), began: time.Now()}
	results, err := work.tryAll(ctx, chosen)
	if err != nil {
		return err
	}
	if write != "" {
		if err := os.WriteFile(write, p.of(results), 0o644); err != nil {
			return fmt.Errorf("-write: %w", err)
		}
	}
	return complaint(results)
}
