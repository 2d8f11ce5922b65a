package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/maglev"
	"github.com/ringway/ringway/simulations"
)

// placementFlags are the flags of all commands that build placements.
type placementFlags struct {
	algorithms string
	hash       string
	hashSeed   uint64
	seed       uint64
	vnodes     int // not of balance, which takes a list
	maglev     int // nor is this
}

func (f *placementFlags) add(cmd *cobra.Command, algorithms string) {
	cmd.Flags().StringVar(&f.algorithms, "algorithms", algorithms, "placements, a `LIST` of "+strings.Join(simulations.Algorithms(), ", ")+", or all")
	cmd.Flags().StringVar(&f.hash, "hash", ring.XXHash64.String(), "hash of keys and tokens: `xxhash64|murmur3`")
	cmd.Flags().Uint64Var(&f.hashSeed, "hash-seed", 0, "the placements' secret `SEED`; 0 for none")
	cmd.Flags().Uint64Var(&f.seed, "seed", 1, "`SEED` of whatever is generated: the same seed and input give the same output")
	complete(cmd, "algorithms", listOf(simulations.Algorithms))
	complete(cmd, "hash", cobra.FixedCompletions([]cobra.Completion{"xxhash64", "murmur3"}, cobra.ShellCompDirectiveNoFileComp))
	for _, name := range []string{"hash-seed", "seed"} {
		complete(cmd, name, cobra.NoFileCompletions)
	}
}

func (f *placementFlags) addVirtualNodes(cmd *cobra.Command) {
	cmd.Flags().IntVar(&f.vnodes, "vnodes", ring.DefaultVirtualNodes, "virtual nodes, the tokens of a node of weight 1: a `NUMBER`")
	cmd.Flags().IntVar(&f.maglev, "maglev-table", maglev.DefaultTableSize, "slots of maglev's table, a prime: a `NUMBER`")
	complete(cmd, "vnodes", cobra.NoFileCompletions)
	complete(cmd, "maglev-table", cobra.NoFileCompletions)
}

// names returns the placements asked for.
func (f *placementFlags) names() ([]string, error) {
	names, err := simulations.ParseAlgorithms(f.algorithms)
	return names, usage(err, "")
}

func (f *placementFlags) hasher() (ring.Hasher, error) {
	function, err := ring.ParseHashFunction(f.hash)
	if err != nil {
		return ring.Hasher{}, &cli.UsageError{Where: "--hash", Found: cli.Quote(f.hash), Want: "xxhash64 or murmur3", Err: err}
	}
	h := ring.Hasher{Function: function, Seed: f.hashSeed}
	if err := h.Validate(); err != nil {
		return h, &cli.UsageError{Where: "--hash-seed", Found: "a seed over 32 bits", Want: "at most 4294967295 with murmur3", Err: err}
	}
	return h, nil
}

func (f *placementFlags) options() (simulations.Options, error) {
	h, err := f.hasher()
	if err == nil && (f.vnodes < 1 || f.vnodes > ring.MaxTokens) {
		err = &cli.UsageError{Where: "--vnodes", Found: itoa(f.vnodes), Want: "1 to 16777216"}
	}
	if err == nil && f.maglev < 0 {
		err = &cli.UsageError{Where: "--maglev-table", Found: itoa(f.maglev), Want: "a prime, or 0 for " + itoa(maglev.DefaultTableSize)}
	}
	return simulations.Options{VirtualNodes: f.vnodes, MaglevTable: f.maglev, Hasher: h}, err
}

// complete sets how the shell completes a flag's value.
func complete(cmd *cobra.Command, flag string, f cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // the flag does not exist: a slip in this program
	}
}

// listOf completes a list separated by commas from names that are not in it yet.
func listOf(names func() []string) cobra.CompletionFunc {
	return func(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		given := ""
		if i := strings.LastIndexByte(typed, ','); i >= 0 {
			given = typed[:i+1]
		}
		var out []cobra.Completion
		for _, name := range names() {
			if !strings.Contains(","+given, ","+name+",") {
				out = append(out, given+name)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}
