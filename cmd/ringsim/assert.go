package main

import (
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/simulations"
)

// asserts is the flag --assert.
type asserts struct {
	texts  []string
	parsed []*simulations.Assertion
}

func (a *asserts) add(cmd *cobra.Command, example string) {
	cmd.Flags().StringArrayVar(&a.texts, "assert", nil, "exit with 1 unless this `EXPR` holds, such as '"+example+"' (repeatable)")
	complete(cmd, "assert", cobra.NoFileCompletions)
}

// parse checks the expressions before anything is run: rows are the names that
// they may use, sample is a result with all of its fields.
func (a *asserts) parse(rows []string, sample cli.Record) error {
	for _, text := range a.texts {
		parsed, err := simulations.ParseAssertion(text, rows, sample.Names())
		if err != nil {
			return usage(err, "")
		}
		a.parsed = append(a.parsed, parsed)
	}
	return nil
}

// check evaluates the assertions over the rows, and returns a line for each one
// that is false. The error is about an assertion that cannot be evaluated.
func (a *asserts) check(rows map[string]cli.Record, where string) (failed []string, err error) {
	env := make(map[string]map[string]any, len(rows))
	for name, record := range rows {
		env[name] = make(map[string]any, len(record))
		for _, f := range record {
			env[name][f.Name] = f.Value
		}
	}
	for _, assertion := range a.parsed {
		ok, actual, err := assertion.Check(env)
		if err != nil {
			return nil, usage(err, "")
		}
		if !ok {
			failed = append(failed, "assertion failed: "+assertion.String()+where+" ("+actual+")")
		}
	}
	return failed, nil
}

// finish prints the report, and fails if assertions did.
func finish(cmd *cobra.Command, report cli.Report, f cli.Format, failed []string) error {
	if err := report.Print(cmd.OutOrStdout(), f); err != nil {
		return err
	}
	if len(failed) > 0 {
		return &cli.FailedError{Lines: failed}
	}
	return nil
}
