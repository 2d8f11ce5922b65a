package cli

import (
	"bytes"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// Format is how a result is printed.
type Format string

const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
)

var formats = []string{string(Table), string(JSON), string(CSV)}

// FormatFlag gives the command a flag --format.
func FormatFlag(cmd *cobra.Command) *Format {
	f := Table
	cmd.Flags().Var(&f, "format", "print the result as `table|json|csv`")
	// It fails only for a flag that does not exist.
	_ = cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(completions(formats), cobra.ShellCompDirectiveNoFileComp))
	return &f
}

func completions(names []string) []cobra.Completion { return names }

// String, Set and Type make *Format a flag's value.
func (f *Format) String() string { return string(*f) }

func (f *Format) Set(s string) error {
	for _, name := range formats {
		if s == name {
			*f = Format(s)
			return nil
		}
	}
	return &UsageError{Where: "--format", Found: Quote(s), Want: "one of " + strings.Join(formats, ", ")}
}

func (f *Format) Type() string { return "format" }

// A Report is a result in each of the formats.
type Report struct {
	JSON  func() Record
	CSV   func() []Record
	Table func(b *bytes.Buffer, s Style)
}

// Print writes the report in one write.
func (r Report) Print(w io.Writer, f Format) error {
	var b bytes.Buffer
	switch f {
	case JSON:
		if err := WriteJSON(&b, r.JSON()); err != nil {
			return err
		}
	case CSV:
		if err := WriteCSV(&b, r.CSV()); err != nil {
			return err
		}
	default:
		r.Table(&b, StyleFor(w))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Style is how text is set off on a terminal. The zero value does nothing.
type Style struct{ colour bool }

// StyleFor returns the style for a writer: plain unless it is a terminal, and
// plain with NO_COLOR set (https://no-color.org) or a dumb terminal.
func StyleFor(w io.Writer) Style {
	return Style{colour: IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

// Bold returns the text in bold.
func (s Style) Bold(text string) string { return s.set("1", text) }

// Dim returns the text in a fainter colour.
func (s Style) Dim(text string) string { return s.set("2", text) }

func (s Style) set(code, text string) string {
	if !s.colour {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// IsTerminal reports whether the writer is a terminal.
func IsTerminal(w io.Writer) bool {
	f, isFile := w.(*os.File)
	return isFile && term.IsTerminal(int(f.Fd()))
}
