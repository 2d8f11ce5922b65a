package contest

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"time"
)

// options are the flags, checked.
type options struct {
	rounds     int
	benchtime  time.Duration
	only       string  // as given, "" for everything
	groups     []Group // those that only leaves
	cpuprofile string
}

func (p Program) parseOptions(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error is printed once, by Run
	flags.IntVar(&o.rounds, "rounds", 31, "`number` of rounds to take medians over")
	flags.DurationVar(&o.benchtime, "benchtime", 200*time.Millisecond, "`time` for each client in each round")
	flags.StringVar(&o.only, "only", "", "measure only what this `regular expression` matches, such as "+p.Groups[0].Name+" or /router.Redis$")
	flags.StringVar(&o.cpuprofile, "cpuprofile", "", "write a profile of this program's processor time to the `file`")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			flags.SetOutput(stderr)
			flags.Usage()
		}
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		return o, fmt.Errorf("arguments: got %q, want none", flags.Arg(0))
	case o.rounds < 1:
		return o, fmt.Errorf("-rounds: got %d, want 1 or more", o.rounds)
	case o.benchtime <= 0:
		return o, fmt.Errorf("-benchtime: got %v, want more than 0", o.benchtime)
	}
	pattern, err := regexp.Compile(o.only)
	if err != nil {
		return o, fmt.Errorf("-only: got %q, want a regular expression: %w", o.only, err)
	}
	if o.groups = matching(p.Groups, pattern); len(o.groups) == 0 {
		return o, fmt.Errorf("-only: got %q, want what matches at least one of\n%s", o.only, listOf(p.Groups))
	}
	return o, nil
}

// command is how the run is repeated.
func (p Program) command(o options) string {
	text := fmt.Sprintf("go -C internal/bench run ./%s -rounds %d -benchtime %v", p.Name, o.rounds, o.benchtime)
	if o.only != "" {
		text += fmt.Sprintf(" -only '%s'", o.only)
	}
	return text
}
