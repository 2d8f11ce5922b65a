// Command page reads the events of `go test -json` and makes of what the tests have
// recorded (internal/proofs) the page docs/evidence/caching.md:
//
//	go test -json -run "$(go run ./internal/proofs/page -tests)" $(go run ./internal/proofs/page -packages) |
//		go run ./internal/proofs/page -write docs/evidence/caching.md
//
// The events of several runs may follow one another: a test counts as it was run last.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	write := flag.String("write", "", "write the page to this file; empty: to the standard output")
	tests := flag.Bool("tests", false, "print what go test -run is to be told, and end")
	pkgs := flag.Bool("packages", false, "print the packages that have the tests, and end")
	flag.Parse()
	switch {
	case *tests:
		fmt.Println(pattern())
	case *pkgs:
		fmt.Println(packages())
	default:
		if err := run(*write); err != nil {
			fmt.Fprintln(os.Stderr, "page:", err)
			os.Exit(1)
		}
	}
}

func run(file string) error {
	o := newOutcomes()
	if err := o.read(os.Stdin, os.Stderr); err != nil {
		return fmt.Errorf("the events of the tests: %w", err)
	}
	if file == "" {
		_, err := os.Stdout.WriteString(o.text())
		return err
	}
	return os.WriteFile(file, []byte(o.text()), 0o644)
}
