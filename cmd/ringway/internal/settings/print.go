package settings

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
)

// Print writes the settings in force as a YAML file, each with its source as a
// comment. hide has a function for flags whose values hold secrets: what it
// returns is shown.
func (s *Settings) Print(w io.Writer, hide map[string]func(value string) string) error {
	type line struct{ setting, source string }
	var lines []line
	width := 0
	var failed error
	s.flags.VisitAll(func(f *pflag.Flag) {
		if failed != nil || !layered(f) {
			return
		}
		value, err := written(f, hide[f.Name])
		if err != nil {
			failed = err
			return
		}
		l := line{f.Name + ": " + value, "default"}
		if source, known := s.source[f.Name]; known {
			l.source = strings.TrimSuffix(source, ": "+f.Name)
		}
		lines = append(lines, l)
		if n := cli.Width(l.setting); n <= cli.MaxWidth/2 {
			width = max(width, n)
		}
	})
	if failed != nil {
		return failed
	}
	var b bytes.Buffer
	for _, l := range lines {
		fmt.Fprintf(&b, "%s%s  # %s\n", l.setting, strings.Repeat(" ", max(0, width-cli.Width(l.setting))), printable.Escape(l.source))
	}
	_, err := w.Write(b.Bytes())
	return err
}

// written returns a flag's value in YAML, on one line.
func written(f *pflag.Flag, hide func(string) string) (string, error) {
	show := func(value string) (string, error) {
		if hide != nil {
			value = hide(value)
		}
		return quoted(value)
	}
	list, isList := f.Value.(pflag.SliceValue)
	if !isList {
		if f.Value.Type() == "string" {
			return show(f.Value.String())
		}
		return f.Value.String(), nil
	}
	var items []string
	for _, item := range list.GetSlice() {
		text, err := show(item)
		if err != nil {
			return "", err
		}
		items = append(items, text)
	}
	return "[" + strings.Join(items, ", ") + "]", nil
}

// quoted returns a text as YAML reads it back, quoted where it must be.
func quoted(text string) (string, error) {
	if text == "" {
		return `""`, nil
	}
	if !printable.Is(text) || strings.ContainsAny(text, ",[]{}#'\"") {
		return fmt.Sprintf("%q", text), nil // within [ ] more is special than elsewhere
	}
	out, err := yaml.Marshal(text)
	return strings.TrimSpace(string(out)), err
}
