package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// placementFlags decide which node owns which key: the same for all agents and
// clients of a fleet.
type placementFlags struct {
	virtualNodes int
	hash         string
	hashTags     bool
	seedFile     string
}

func (f *placementFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.virtualNodes, "virtual-nodes", ring.DefaultVirtualNodes, "tokens of a node of weight 1, a `NUMBER`; the same for the whole fleet")
	flags.StringVar(&f.hash, "hash", ring.XXHash64.String(), "hash of keys and tokens, `xxhash64|murmur3`; the same for the whole fleet")
	flags.BoolVar(&f.hashTags, "hash-tags", true, "keys with the same {tag} have the same owner; the same for the whole fleet")
	addSeedFile(cmd, &f.seedFile)
	oneOf(cmd, "hash", "xxhash64", "murmur3")
	noWords(cmd, "virtual-nodes")
}

func addSeedFile(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "hash-seed-file", "", "`FILE` with the fleet's secret seed, a number; none without")
}

func (f *placementFlags) config(s *settings.Settings) (cfg ring.Config, err error) {
	if f.virtualNodes < 1 || f.virtualNodes > membership.MaxNodeTokens {
		return cfg, &cli.UsageError{Where: s.Where("virtual-nodes"), Found: strconv.Itoa(f.virtualNodes), Want: fmt.Sprintf("1 to %d", membership.MaxNodeTokens)}
	}
	cfg.VirtualNodes, cfg.Hasher.HashTags = f.virtualNodes, f.hashTags
	if cfg.Hasher.Function, err = ring.ParseHashFunction(f.hash); err != nil {
		return cfg, &cli.UsageError{Where: s.Where("hash"), Found: cli.Quote(f.hash), Want: "xxhash64 or murmur3", Err: err}
	}
	if cfg.Hasher.Seed, err = readSeed(f.seedFile, s.Where("hash-seed-file")); err != nil {
		return cfg, err
	}
	if err := cfg.Hasher.Validate(); err != nil {
		return cfg, &cli.UsageError{Where: s.Where("hash-seed-file"), Found: "a seed over 32 bits", Want: "at most 4294967295 with murmur3", Err: err}
	}
	return cfg, nil
}

// readSeed reads a secret seed from a file; without a name there is none. What
// the file holds is in no error.
func readSeed(file, where string) (uint64, error) {
	if file == "" {
		return 0, nil
	}
	text, err := readSecret(file, where)
	if err != nil {
		return 0, err
	}
	digits, base := text, 10
	if hex, isHex := strings.CutPrefix(text, "0x"); isHex {
		digits, base = hex, 16
	}
	seed, err := strconv.ParseUint(digits, base, 64)
	if err != nil || seed == 0 {
		return 0, &cli.UsageError{Where: where, Found: fmt.Sprintf("%d bytes in %s that are no seed", len(text), cli.Quote(file)),
			Want: "a number from 1 to 18446744073709551615, or 0x and hexadecimal digits"}
	}
	return seed, nil
}

// readSecret reads a file of one line.
func readSecret(file, where string) (string, error) {
	content, err := readBounded(file)
	if err != nil {
		return "", unreadable(file, where, err)
	}
	text := strings.TrimSpace(string(content))
	if text == "" || strings.ContainsAny(text, "\r\n") {
		return "", &cli.UsageError{Where: where, Found: fmt.Sprintf("%d bytes in %s", len(content), cli.Quote(file)), Want: "one line"}
	}
	return text, nil
}

func unreadable(file, where string, err error) error {
	return &cli.UsageError{Where: where, Found: fmt.Sprintf("%s, which cannot be read: %v", cli.Quote(file), reasonOf(err)), Want: "a file", Err: err}
}

func readBounded(file string) ([]byte, error) {
	const most = 64 << 10 // bytes
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAtMost(f, most)
}
