package settings

import (
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Repeat sets on a fresh command of the same kind what the command line set on the
// one of s: a Load of that command then reads environment and file anew.
func (s *Settings) Repeat(fresh *cobra.Command) (err error) {
	s.flags.VisitAll(func(f *pflag.Flag) {
		if err == nil && s.source[f.Name] == "--"+f.Name {
			err = copyFlag(fresh.Flags(), f)
		}
	})
	return err
}

func copyFlag(into *pflag.FlagSet, f *pflag.Flag) error {
	list, isList := f.Value.(pflag.SliceValue)
	if !isList {
		return into.Set(f.Name, f.Value.String())
	}
	copied := into.Lookup(f.Name)
	if copied == nil {
		return fmt.Errorf("settings: there is no flag %q", f.Name)
	}
	if err := into.Set(f.Name, ""); err != nil { // only what was set counts as set
		return err
	}
	return copied.Value.(pflag.SliceValue).Replace(list.GetSlice())
}

// Differing returns the names of the flags that have another value in other, settings
// of a command of the same kind, in the order of their names.
func (s *Settings) Differing(other *Settings) (names []string) {
	s.flags.VisitAll(func(f *pflag.Flag) {
		theirs := other.flags.Lookup(f.Name)
		if layered(f) && (theirs == nil || theirs.Value.String() != f.Value.String()) {
			names = append(names, f.Name)
		}
	})
	return names
}
