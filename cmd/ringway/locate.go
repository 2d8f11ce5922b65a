package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

type locateFlags struct {
	clientFlags
	seedFile   string
	kind       string
	successors int
}

func newLocate() *cobra.Command {
	var f locateFlags
	cmd := &cobra.Command{
		Use:   "locate KEY…",
		Short: "Show where keys live",
		Long: `Locate tells for each key its place in the hash space, the node that owns it now with
that node's address, the successors, which are the next distinct nodes on the ring, and
while keys move the owner to come. Whether the key exists is not asked. With "-" keys
are read from standard input, one a line, empty lines passed over. An empty argument is
the empty key, which Redis has and Memcached has not. In a fleet with a secret seed the
places are not known without --hash-seed-file.`,
		Example: `  ringway locate user:1 user:2
  ringway locate --successors 3 --format json session:77
  ringway locate --kind memcached --agent unix:///run/ringway/agent.sock page:/index.html
  redis-cli --scan | ringway locate --format csv -`,
		Args: someKeys,
		RunE: func(cmd *cobra.Command, keys []string) error { return f.run(cmd, keys) },
	}
	f.clientFlags.add(cmd)
	addSeedFile(cmd, &f.seedFile)
	flags := cmd.Flags()
	flags.StringVar(&f.kind, "kind", "", "nodes of that kind, `redis|memcached`; needed if the fleet has both")
	flags.IntVar(&f.successors, "successors", 2, "show a `NUMBER` of successors")
	oneOf(cmd, "kind", string(membership.Redis), string(membership.Memcached))
	noWords(cmd, "successors")
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	return cmd
}

func someKeys(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return &cli.UsageError{Where: "locate", Found: "no key", Want: "keys, or - to read them from standard input"}
	}
	return nil
}

func (f *locateFlags) run(cmd *cobra.Command, args []string) error {
	client, err := f.open(cmd)
	if err != nil {
		return err
	}
	defer client.Close()
	if f.successors < 0 {
		return &cli.UsageError{Where: f.settings.Where("successors"), Found: strconv.Itoa(f.successors), Want: "0 or more"}
	}
	if f.kind != "" && f.kind != string(membership.Redis) && f.kind != string(membership.Memcached) {
		return &cli.UsageError{Where: f.settings.Where("kind"), Found: cli.Quote(f.kind), Want: "redis or memcached"}
	}
	seed, err := readSeed(f.seedFile, f.settings.Where("hash-seed-file"))
	if err != nil {
		return err
	}
	keys, err := readKeys(args, cmd.InOrStdin())
	if err != nil {
		return err
	}
	r, from, err := client.Ring(cmd.Context())
	if err != nil {
		return err
	}
	fleet, err := newFleet(r)
	if err != nil {
		return err
	}
	located, err := f.locate(fleet, seed, keys)
	if err != nil {
		return err
	}
	return locateReport(fleet, located, from).Print(cmd.OutOrStdout(), *f.format)
}

const maxKeys = 256 << 20 // bytes of standard input

// readKeys returns the keys that are meant: "-" stands for the lines of standard
// input.
func readKeys(args []string, stdin io.Reader) ([]string, error) {
	var keys []string
	read := false
	for _, arg := range args {
		if arg != "-" {
			keys = append(keys, arg)
			continue
		}
		if read {
			return nil, &cli.UsageError{Where: "locate", Found: "- twice", Want: "it once: it reads standard input to its end"}
		}
		read = true
		lines := bufio.NewReader(io.LimitReader(stdin, maxKeys+1))
		size := 0
		for {
			line, err := lines.ReadString('\n')
			if size += len(line); size > maxKeys {
				return nil, &cli.UsageError{Where: "-", Found: fmt.Sprintf("over %d bytes", maxKeys), Want: "fewer keys at a time"}
			}
			if err != nil && !errors.Is(err, io.EOF) {
				return nil, fmt.Errorf("standard input: %w", err)
			}
			if key := strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r"); key != "" {
				keys = append(keys, key)
			}
			if err != nil {
				break
			}
		}
	}
	return keys, nil
}

// located is where one key lives.
type located struct {
	Key         string   `json:"key"`
	Hash        string   `json:"hash"` // 16 hexadecimal digits: JSON's numbers are too short
	Owner       string   `json:"owner"`
	Address     string   `json:"address"`
	Successors  []string `json:"successors"`
	NextOwner   string   `json:"next_owner"` // that of Owner while nothing moves
	NextAddress string   `json:"next_address"`
	KeyBase64   string   `json:"key_base64"` // of a key that is no UTF-8, which JSON cannot hold; else empty
}

// locate finds the keys in the ring of the kind that is meant.
func (f *locateFlags) locate(fleet fleet, seed uint64, keys []string) ([]located, error) {
	kind, err := f.kindOf(fleet)
	if err != nil {
		return nil, err
	}
	if kind == membership.Memcached && slices.Contains(keys, "") {
		return nil, &cli.UsageError{Where: "locate", Found: "an empty key", Want: "one of 1 byte or more: Memcached has no empty key (Redis has)"}
	}
	cfg, err := fleet.config(seed)
	switch {
	case errors.Is(err, errSeed) && seed == 0:
		return nil, &cli.UsageError{Where: f.settings.Where("hash-seed-file"), Found: "no file, and " + err.Error(), Want: "the file with it", Err: err}
	case errors.Is(err, errSeed):
		return nil, &cli.UsageError{Where: f.settings.Where("hash-seed-file"), Found: "a seed that the fleet does not use", Want: "the fleet's", Err: err}
	case err != nil:
		return nil, err
	}
	now, err := fleet.current(kind, cfg)
	if err != nil {
		return nil, err
	}
	next := now
	if nodes := fleet.view.Next(kind); len(nodes) > 0 {
		if next, err = ring.New(nodes, cfg); err != nil {
			return nil, err
		}
	}
	addresses := make(map[string]string)
	for _, m := range fleet.view.Members {
		addresses[m.ID] = m.Address
	}
	all := make([]located, len(keys))
	for i, key := range keys {
		owner, then := now.Owner(key).ID, next.Owner(key).ID
		all[i] = located{Key: key, Hash: fmt.Sprintf("%016x", now.Hash(key)), Owner: owner, Address: addresses[owner],
			Successors: []string{}, NextOwner: then, NextAddress: addresses[then]}
		if !utf8.ValidString(key) {
			all[i].KeyBase64 = base64.StdEncoding.EncodeToString([]byte(key))
		}
		for _, n := range now.Successors(nil, key, f.successors) {
			all[i].Successors = append(all[i].Successors, n.ID)
		}
	}
	return all, nil
}

// kindOf returns the kind that is meant: the one that owns keys.
func (f *locateFlags) kindOf(fleet fleet) (membership.Kind, error) {
	var owning []membership.Kind
	for _, kind := range nodeKinds {
		if len(fleet.view.Current(kind)) > 0 {
			owning = append(owning, kind)
			if f.kind == string(kind) {
				return kind, nil
			}
		}
	}
	switch {
	case len(owning) == 0 || f.kind != "":
		return "", &cli.FailedError{Lines: []string{strings.TrimSpace(fmt.Sprintf("no %s", f.kind)) + " node of the fleet owns keys"}}
	case len(owning) > 1:
		return "", &cli.UsageError{Where: f.settings.Where("kind"), Found: "none, and the fleet has nodes of both kinds", Want: "redis or memcached"}
	}
	return owning[0], nil
}

func locateReport(fleet fleet, keys []located, from string) cli.Report {
	records := make([]cli.Record, len(keys))
	for i, k := range keys {
		records[i] = cli.RecordOf(k)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: "ringway.locate/1"},
				{Name: "epoch", Value: fleet.view.Epoch},
				{Name: "agent", Value: from},
				{Name: "keys", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { locateTable(b, s, keys) },
	}
}

// keyText shows a key; an empty one must be seen to be one.
func keyText(key string) string {
	if key == "" {
		return `""`
	}
	return printable.Text(key)
}

func locateTable(b *bytes.Buffer, s cli.Style, keys []located) {
	moving := false
	for _, k := range keys {
		moving = moving || k.NextOwner != k.Owner
	}
	columns := []column{name("key", 12), words("hash"), name("owner", 8), address()}
	if moving {
		columns = append(columns, name("next", 8))
	}
	columns = append(columns, name("successors", 8))
	rows := make([][]string, len(keys))
	for i, k := range keys {
		row := []string{keyText(k.Key), k.Hash, shown(k.Owner), shown(k.Address)}
		if moving {
			next := "stays"
			if k.NextOwner != k.Owner {
				next = shown(k.NextOwner)
			}
			row = append(row, next)
		}
		var successors []string
		for _, id := range k.Successors {
			successors = append(successors, shown(id))
		}
		rows[i] = append(row, shown(strings.Join(successors, ", ")))
	}
	writeTable(b, s, columns, rows)
}
