package simulations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
	"github.com/ringway/ringway/ring/bounded"
	"github.com/ringway/ringway/ring/jump"
	"github.com/ringway/ringway/ring/ketama"
	"github.com/ringway/ringway/ring/maglev"
	"github.com/ringway/ringway/ring/modulo"
	"github.com/ringway/ringway/ring/multiprobe"
	"github.com/ringway/ringway/ring/rendezvous"
)

// Options decides how Build makes a placement. The zero value is the default of
// every placement.
type Options struct {
	// VirtualNodes is the number of tokens of a node of weight 1; 0 means
	// ring.DefaultVirtualNodes. It concerns the placements that have tokens:
	// ring, and bounded, which stands on a ring.
	VirtualNodes int

	// MaglevTable is the number of slots of maglev; 0 means maglev.DefaultTableSize.
	MaglevTable int

	// Hasher places keys; see ring.Hasher. Ketama has its own hash.
	Hasher ring.Hasher
}

// algorithms lists the placements in the order of tables: the ring first, the
// one that everybody starts with second.
var algorithms = []struct {
	name  string
	build func([]ring.Node, Options) (ring.Placement, error)
}{
	{"ring", buildRing},
	{"modulo", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(modulo.New(nodes, modulo.Config{Hasher: o.Hasher}))
	}},
	{"jump", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(jump.New(nodes, jump.Config{Hasher: o.Hasher}))
	}},
	{"rendezvous", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(rendezvous.New(nodes, rendezvous.Config{Hasher: o.Hasher}))
	}},
	{"maglev", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(maglev.New(nodes, maglev.Config{TableSize: o.MaglevTable, Hasher: o.Hasher}))
	}},
	{"multiprobe", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(multiprobe.New(nodes, multiprobe.Config{Hasher: o.Hasher}))
	}},
	{"ketama", func(nodes []ring.Node, _ Options) (ring.Placement, error) {
		return placement(ketama.New(nodes, ketama.Config{}))
	}},
	{"bounded", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		below, err := buildRing(nodes, o)
		if err != nil {
			return nil, err
		}
		return placement(bounded.New(below, bounded.Config{}))
	}},
	{"balanced", func(nodes []ring.Node, o Options) (ring.Placement, error) {
		return placement(balanced.New(nodes, balanced.Config{Hasher: o.Hasher}))
	}},
}

func buildRing(nodes []ring.Node, o Options) (ring.Placement, error) {
	return placement(ring.New(nodes, ring.Config{VirtualNodes: o.VirtualNodes, Hasher: o.Hasher}))
}

// placement turns what a New returns into the interface: a nil pointer in an
// interface is not nil.
func placement[P ring.Placement](p P, err error) (ring.Placement, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Algorithms returns the names of the placements, in the order of tables. The
// slice is the caller's.
func Algorithms() []string {
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = a.name
	}
	return names
}

// Build returns the placement of that name over these nodes. It fails with an
// *InputError for a name that Algorithms does not list, and with the
// *ring.InputError of the placement for nodes or options that it refuses.
func Build(name string, nodes []ring.Node, o Options) (ring.Placement, error) {
	for _, a := range algorithms {
		if a.name == name {
			return a.build(nodes, o)
		}
	}
	return nil, unknownAlgorithm(name)
}

func unknownAlgorithm(name string) error {
	return &InputError{What: "algorithms", Found: quote(name), Want: "one of " + strings.Join(Algorithms(), ", ")}
}

// validate checks what holds for every placement, so that whatever Build
// refuses after that is the one placement's own limit.
func (o Options) validate() error {
	if o.VirtualNodes < 0 || o.VirtualNodes > ring.MaxTokens {
		return &InputError{What: "vnodes", Found: strconv.Itoa(o.VirtualNodes), Want: fmt.Sprintf("1 to %d, or 0 for %d", ring.MaxTokens, ring.DefaultVirtualNodes)}
	}
	if o.MaglevTable != 0 { // maglev knows which sizes there are
		if _, err := maglev.New(ring.Nodes("any"), maglev.Config{TableSize: o.MaglevTable}); err != nil {
			return inputError("maglev-table", err)
		}
	}
	if err := o.Hasher.Validate(); err != nil {
		return inputError("hash", err)
	}
	return nil
}

// ParseAlgorithms reads a list of names separated by commas, each at most once.
// "all" stands for all of them.
func ParseAlgorithms(text string) ([]string, error) {
	if text == "all" {
		return Algorithms(), nil
	}
	names := strings.Split(text, ",")
	for i, name := range names {
		if !slices.Contains(Algorithms(), name) {
			return nil, unknownAlgorithm(name)
		}
		if slices.Contains(names[:i], name) {
			return nil, &InputError{What: "algorithms", Found: quote(name) + " twice", Want: "every placement once"}
		}
	}
	return names, nil
}
