package settings

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringway/ringway/internal/cli"
)

// Prefix is that of the environment variables.
const Prefix = "RINGWAY_"

// ConfigFlag is the flag that names the file; it has a variable, and no key.
const ConfigFlag = "config"

// commandLineOnly annotates flags that have neither variable nor key.
const commandLineOnly = "ringway_command_line_only"

// CommandLineOnly takes a flag out of the environment and the file: one that is
// about a single call.
func CommandLineOnly(flags *pflag.FlagSet, names ...string) {
	for _, name := range names {
		if err := flags.SetAnnotation(name, commandLineOnly, nil); err != nil {
			panic(err) // the flag does not exist: a slip in this program
		}
	}
}

// Settings tell where the values of a command's flags came from.
type Settings struct {
	flags  *pflag.FlagSet
	file   string
	source map[string]string // of flags that are not defaults

	// Unread are the environment variables that begin with Prefix, that nothing
	// reads, and that look like ones that are misspelled, each as a sentence.
	Unread []string
}

// Load sets the flags of a command that its command line did not set. environ is
// what os.Environ returns. The error is a *cli.UsageError.
func Load(cmd *cobra.Command, environ []string) (*Settings, error) {
	s := &Settings{flags: cmd.Flags(), source: make(map[string]string)}
	variables := s.variables(environ)
	s.flags.Visit(func(f *pflag.Flag) { s.source[f.Name] = "--" + f.Name })

	entries, err := s.entries(cmd, variables)
	if err != nil {
		return nil, err
	}
	var first error
	s.flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || first != nil || !layered(f) {
			return
		}
		if value := variables[Variable(f.Name)]; value != "" {
			first = s.set(f, Variable(f.Name), value)
		} else if e, found := entries[f.Name]; found {
			first = s.setEntry(f, e)
		}
	})
	if first != nil {
		return nil, first
	}
	s.findUnread(cmd, variables)
	return s, nil
}

// Variable returns the environment variable of a flag.
func Variable(flag string) string {
	return Prefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// variables returns those that begin with Prefix.
func (s *Settings) variables(environ []string) map[string]string {
	variables := make(map[string]string)
	for _, entry := range environ {
		if name, value, _ := strings.Cut(entry, "="); strings.HasPrefix(name, Prefix) {
			variables[name] = value
		}
	}
	return variables
}

// entries reads the file, if there is one.
func (s *Settings) entries(cmd *cobra.Command, variables map[string]string) (map[string]entry, error) {
	f := s.flags.Lookup(ConfigFlag)
	if f == nil {
		return nil, nil
	}
	if value := variables[Variable(ConfigFlag)]; !f.Changed && value != "" {
		if err := s.set(f, Variable(ConfigFlag), value); err != nil {
			return nil, err
		}
	}
	if s.file = f.Value.String(); s.file == "" {
		if f.Changed {
			return nil, &cli.UsageError{Where: "--" + ConfigFlag, Found: "no name", Want: "a file"}
		}
		return nil, nil
	}
	return readFile(s.file, s.source[ConfigFlag], keys(cmd))
}

// layered reports whether a flag has a variable and a key.
func layered(f *pflag.Flag) bool {
	_, only := f.Annotations[commandLineOnly]
	return !only && f.Name != "help" && f.Name != "version" && f.Name != ConfigFlag
}

// keys returns the keys that a file may have: those of all commands, so that one
// file serves them all.
func keys(cmd *cobra.Command) []string {
	var names []string
	var collect func(*cobra.Command)
	collect = func(c *cobra.Command) {
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if layered(f) && !slices.Contains(names, f.Name) {
				names = append(names, f.Name)
			}
		})
		for _, child := range c.Commands() {
			if child.IsAvailableCommand() && child.Name() != "help" && child.Name() != "completion" {
				collect(child)
			}
		}
	}
	collect(cmd.Root())
	slices.Sort(names)
	return names
}

// set sets a flag to a text from elsewhere.
func (s *Settings) set(f *pflag.Flag, where, value string) error {
	if err := s.flags.Set(f.Name, value); err != nil {
		return wrong(f, where, value, err)
	}
	s.source[f.Name] = where
	return nil
}

func (s *Settings) setEntry(f *pflag.Flag, e entry) error {
	if e.list == nil {
		return s.set(f, e.where, e.text)
	}
	values, isList := f.Value.(pflag.SliceValue)
	if !isList {
		return &cli.UsageError{Where: e.where, Found: "a list", Want: wanted(f)}
	}
	if err := values.Replace(e.list); err != nil {
		return wrong(f, e.where, strings.Join(e.list, ","), err)
	}
	f.Changed = true
	s.source[f.Name] = e.where
	return nil
}

// wrong says that a flag does not take a value.
func wrong(f *pflag.Flag, where, value string, err error) error {
	if known := (*cli.UsageError)(nil); errors.As(err, &known) {
		return &cli.UsageError{Where: where, Found: known.Found, Want: known.Want, Err: err}
	}
	return &cli.UsageError{Where: where, Found: cli.Quote(value), Want: wanted(f), Err: err}
}

func wanted(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int", "uint64":
		return "a whole number"
	case "float64":
		return "a number"
	case "duration":
		return "a duration such as 30s"
	}
	if placeholder, _ := pflag.UnquoteUsage(f); placeholder != "" {
		return placeholder
	}
	return "a " + f.Value.Type()
}

// Where names a flag by the place that set it, for errors: "--weight",
// "RINGWAY_WEIGHT" or "agent.yaml:3:9: weight".
func (s *Settings) Where(flag string) string {
	if where, known := s.source[flag]; known {
		return where
	}
	return "--" + flag
}

// findUnread looks for variables that are probably meant for this program.
func (s *Settings) findUnread(cmd *cobra.Command, variables map[string]string) {
	known := append(keys(cmd), ConfigFlag)
	for name := range variables {
		flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(name, Prefix), "_", "-"))
		// Others may use the prefix: Kubernetes makes RINGWAY_PORT of a service
		// of that name.
		if near := nearest(flag, known); near != "" && near != flag {
			s.Unread = append(s.Unread, fmt.Sprintf("environment variable %s: nothing reads it; is %s meant?", cli.Quote(name), Variable(near)))
		}
	}
	slices.Sort(s.Unread)
}
