package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringway/ringway/internal/cli/printable"
)

// Exit codes.
const (
	ExitDone        = 0
	ExitFailed      = 1   // an assertion is false, or the operation did not complete
	ExitUsage       = 2   // wrong usage or bad input; nothing was printed or done
	ExitInterrupted = 130 // Ctrl-C, as shells report it
)

// UsageError is wrong usage or bad input: exit code 2.
type UsageError struct {
	Where string // the flag (or argument), and for a file its name and line
	Found string
	Want  string // empty where Found tells all
	Err   error  // the cause, where there is one
}

func (e *UsageError) Error() string {
	text := e.Where + ": found " + e.Found
	if e.Want != "" {
		text += ", expected " + e.Want
	}
	return text
}

func (e *UsageError) Unwrap() error { return e.Err }

// FailedError says, in one line each, what did not hold: exit code 1.
type FailedError struct{ Lines []string }

func (e *FailedError) Error() string { return strings.Join(e.Lines, "\n") }

// InterruptedError is the end of the command's context while something goes on that
// it has begun.
type InterruptedError struct {
	Err   error  // the context's
	Still string // what goes on, said on the line that says that the command was interrupted
}

func (e *InterruptedError) Error() string { return e.Err.Error() + ": " + e.Still }

func (e *InterruptedError) Unwrap() error { return e.Err }

// flagError restates what pflag says about a flag.
func flagError(cmd *cobra.Command, err error) error {
	help := fmt.Sprintf("a flag that %q lists", cmd.CommandPath()+" --help")
	var (
		unknown *pflag.NotExistError
		missing *pflag.ValueRequiredError
		invalid *pflag.InvalidValueError
		syntax  *pflag.InvalidSyntaxError
	)
	switch {
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		if short := unknown.GetSpecifiedShortnames(); short != "" {
			name = "-" + short
		}
		return &UsageError{Where: name, Found: "an unknown flag", Want: help, Err: err}
	case errors.As(err, &missing):
		return &UsageError{Where: "--" + missing.GetFlag().Name, Found: "no value", Want: wantOf(missing.GetFlag()), Err: err}
	case errors.As(err, &invalid):
		if known := (*UsageError)(nil); errors.As(err, &known) {
			return known
		}
		return &UsageError{Where: "--" + invalid.GetFlag().Name, Found: Quote(invalid.GetValue()), Want: wantOf(invalid.GetFlag()), Err: err}
	case errors.As(err, &syntax):
		return &UsageError{Where: "flags", Found: Quote(syntax.GetSpecifiedFlag()), Want: help, Err: err}
	}
	return err
}

func wantOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "int", "int64":
		return "a whole number"
	case "uint64":
		return "a whole number from 0 to 18446744073709551615"
	case "float64":
		return "a number"
	case "bool":
		return "true or false"
	}
	if placeholder, _ := pflag.UnquoteUsage(f); placeholder != "" {
		return placeholder
	}
	return "a " + f.Value.Type()
}

// Quote shows what was found on one line and never at length.
func Quote(s string) string { return printable.Quote(s) }

// NoArgs refuses arguments. It stands for cobra.NoArgs, whose error does not
// say what was expected.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return &UsageError{Where: cmd.Name(), Found: "the argument " + Quote(args[0]), Want: "flags only"}
	}
	return nil
}

// Subcommand refuses arguments of a command that has subcommands, and names
// those.
func Subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return &UsageError{Where: "command", Found: Quote(args[0]), Want: "one of " + strings.Join(names, ", ")}
}
