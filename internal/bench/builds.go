package bench

import (
	"slices"

	"github.com/golang/groupcache/consistenthash"
	"github.com/serialx/hashring"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
	"github.com/ringway/ringway/ring/maglev"
)

// Build is the making of a placement, or a change of one.
type Build struct {
	Name string
	// Prepare makes what the build starts from.
	Prepare func() (build func() error, err error)
}

// Builds returns all of them. One more node means the last of the list.
func Builds() []Build { return slices.Clone(builds) }

var builds = []Build{
	{"ring.New/1000x160", func() (func() error, error) {
		nodes := Nodes(1000)
		return func() error {
			_, err := ring.New(nodes, ring.Config{})
			return err
		}, nil
	}},
	{"ring.With/1000x160+1", func() (func() error, error) {
		nodes := Nodes(1001)
		r, err := ring.New(nodes[:1000], ring.Config{})
		return func() error {
			_, err := r.With(nodes[1000])
			return err
		}, err
	}},
	{"ring.Without/1000x160-1", func() (func() error, error) {
		nodes := Nodes(1000)
		r, err := ring.New(nodes, ring.Config{})
		return func() error {
			_, err := r.Without(nodes[500].ID)
			return err
		}, err
	}},
	{"balanced.New/100x2^16", func() (func() error, error) {
		nodes := Nodes(100)
		return func() error {
			_, err := balanced.New(nodes, balanced.Config{Slots: 1 << 16})
			return err
		}, nil
	}},
	{"balanced.Update/100x2^16+1", func() (func() error, error) {
		nodes := Nodes(101)
		p, err := balanced.New(nodes[:100], balanced.Config{Slots: 1 << 16})
		return func() error {
			_, err := p.Update(nodes)
			return err
		}, err
	}},
	{"balanced.Update/100x2^16-1", func() (func() error, error) {
		nodes := Nodes(100)
		p, err := balanced.New(nodes, balanced.Config{Slots: 1 << 16})
		fewer := slices.Delete(slices.Clone(nodes), 50, 51)
		return func() error {
			_, err := p.Update(fewer)
			return err
		}, err
	}},
	{"maglev.New/100x65537", func() (func() error, error) {
		nodes := Nodes(100)
		return func() error {
			_, err := maglev.New(nodes, maglev.Config{})
			return err
		}, nil
	}},
	{"golang/groupcache/1000x160", func() (func() error, error) {
		names := ids(Nodes(1000))
		return func() error {
			consistenthash.New(ring.DefaultVirtualNodes, nil).Add(names...)
			return nil
		}, nil
	}},
	{"serialx/hashring/1000x160", func() (func() error, error) {
		w := weights(Nodes(1000))
		return func() error {
			hashring.NewWithWeights(w)
			return nil
		}, nil
	}},
	{"serialx/hashring/1000x160+1", func() (func() error, error) {
		nodes := Nodes(1001)
		h := hashring.NewWithWeights(weights(nodes[:1000]))
		return func() error {
			h.AddWeightedNode(nodes[1000].ID, ring.DefaultVirtualNodes)
			return nil
		}, nil
	}},
}
