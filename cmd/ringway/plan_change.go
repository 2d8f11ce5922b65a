package main

import (
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
)

// changeFlags say what is done to the fleet.
type changeFlags struct {
	added, removed, weighed, memory []string
}

func (f *changeFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.added, "add", nil, "add a `NODE`: id[:weight[:zone]][@host:port], several separated by commas")
	flags.StringSliceVar(&f.removed, "remove", nil, "remove the node of that `ID`, several separated by commas")
	flags.StringSliceVar(&f.weighed, "weight", nil, "give a node another weight, `ID=WEIGHT`, several separated by commas")
	flags.StringSliceVar(&f.memory, "memory", nil, "what the server of a node may use if it cannot be asked, `ID=SIZE` such as cache-d=8GB")
	settings.CommandLineOnly(flags, "add", "remove", "weight", "memory")
	noWords(cmd, "add", "remove", "weight", "memory")
}

// change is what the flags say.
type change struct {
	add    []addition
	remove []string
	weigh  map[string]float64
	memory map[string]int64 // bytes
}

// addition is a node to be added. What the flag does not say is zero.
type addition struct {
	node    ring.Node
	address string
}

func (c change) empty() bool { return len(c.add)+len(c.remove)+len(c.weigh) == 0 }

func (f *changeFlags) parse() (c change, err error) {
	c = change{remove: f.removed, weigh: make(map[string]float64), memory: make(map[string]int64)}
	for _, text := range f.added {
		a, err := parseAddition(text)
		if err != nil {
			return c, err
		}
		c.add = append(c.add, a)
	}
	for _, text := range f.weighed {
		id, value, err := parsePair("--weight", text, "ID=WEIGHT, such as cache-a=2")
		if err != nil {
			return c, err
		}
		if _, twice := c.weigh[id]; twice {
			return c, twiceError("--weight", id)
		}
		if c.weigh[id], err = parseWeight("--weight", value); err != nil {
			return c, err
		}
	}
	for _, text := range f.memory {
		id, value, err := parsePair("--memory", text, "ID=SIZE, such as cache-d=8GB")
		if err != nil {
			return c, err
		}
		if _, twice := c.memory[id]; twice {
			return c, twiceError("--memory", id)
		}
		if c.memory[id], err = parseSize("--memory", value); err != nil {
			return c, err
		}
	}
	return c, nil
}

func twiceError(flag, id string) error {
	return &cli.UsageError{Where: flag, Found: cli.Quote(id) + ", a node named twice", Want: "each node once"}
}

// parseAddition reads id[:weight[:zone]][@address].
func parseAddition(text string) (addition, error) {
	wrong := func(want string) (addition, error) {
		return addition{}, &cli.UsageError{Where: "--add", Found: cli.Quote(text), Want: want}
	}
	node, address, hasAddress := strings.Cut(text, "@")
	parts := strings.Split(node, ":")
	if parts[0] == "" || len(parts) > 3 || len(parts) > 1 && parts[1] == "" {
		return wrong("id[:weight[:zone]][@host:port], such as cache-d:2:eu-1@10.0.0.4:6379")
	}
	a := addition{node: ring.Node{ID: parts[0]}, address: address}
	var err error
	if len(parts) > 1 {
		if a.node.Weight, err = parseWeight("--add", parts[1]); err != nil {
			return a, err
		}
	}
	if len(parts) > 2 {
		a.node.Zone = parts[2]
	}
	if !hasAddress {
		return a, nil
	}
	if checkHTTP("--add", address) != nil || strings.HasPrefix(address, ":") { // they have the same form
		return wrong("an address host:port or unix:///path behind the @")
	}
	return a, nil
}

func parseWeight(flag, text string) (float64, error) {
	weight, err := strconv.ParseFloat(text, 64)
	if err != nil || !(weight > 0 && weight <= ring.MaxWeight) {
		return 0, &cli.UsageError{Where: flag, Found: cli.Quote(text), Want: "a weight above 0, at most 1048576"}
	}
	return weight, nil
}

// parsePair reads ID=VALUE; an ID may have a = in it.
func parsePair(flag, text, want string) (id, value string, err error) {
	at := strings.LastIndexByte(text, '=')
	if at < 1 {
		return "", "", &cli.UsageError{Where: flag, Found: cli.Quote(text), Want: want}
	}
	return text[:at], text[at+1:], nil
}

// parseSize reads a number of bytes with its unit.
func parseSize(where, text string) (int64, error) {
	c, err := simulations.ParseCapacity(text)
	if err != nil || c.Bytes == 0 {
		return 0, &cli.UsageError{Where: where, Found: cli.Quote(text), Want: "a number of bytes such as 500B, 64MB or 8GiB", Err: err}
	}
	return c.Bytes, nil
}

// of returns the change of the ring. What was not said of a node that the fleet
// knows, but that owns nothing yet, is as the fleet has it; of others it is a weight
// of 1 and no zone.
func (c change) of(view membership.View, kind membership.Kind) rebalance.Change {
	out := rebalance.Change{Remove: c.remove, Weigh: c.weigh}
	for _, a := range c.add {
		n := a.node
		if m, known := view.Member(n.ID); known && m.Kind == kind {
			if n.Weight == 0 {
				n.Weight = m.Weight
			}
			if n.Zone == "" {
				n.Zone = m.Zone
			}
		}
		if n.Weight == 0 {
			n.Weight = 1
		}
		out.Add = append(out.Add, n)
	}
	return out
}
