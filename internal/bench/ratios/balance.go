package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ringway/ringway/internal/bench"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
)

// An evenness is a placement of which the shares and the movement are known for
// the whole hash space, not for a sample of keys.
type evenness interface {
	ring.HashPlacement
	Shares() []float64
}

// A setup is a line of the table about balance and movement.
type setup struct {
	text  string
	nodes int
	mixed bool // weights 1, 2, 4, 1, 2, 4 … rather than 1
	build func(nodes []ring.Node) (evenness, error)
}

func setups() []setup {
	var list []setup
	for _, mixed := range []bool{false, true} {
		for _, n := range bench.Sizes {
			list = append(list, setup{"ring, 160 virtual nodes", n, mixed, func(nodes []ring.Node) (evenness, error) {
				return ring.New(nodes, ring.Config{})
			}})
		}
		for _, b := range []struct {
			nodes, bits int
			epsilon     float64
		}{{10, 14, 0.01}, {10, 16, 0.01}, {100, 16, 0.01}, {100, 16, 0.02}, {100, 18, 0.01}, {100, 18, 0.02}, {1000, 18, 0.02}, {1000, 20, 0.02}} {
			text := fmt.Sprintf("balanced, 2^%d slots, ε %g%%", b.bits, 100*b.epsilon)
			list = append(list, setup{text, b.nodes, mixed, func(nodes []ring.Node) (evenness, error) {
				return balanced.New(nodes, balanced.Config{Slots: 1 << b.bits, Epsilon: b.epsilon})
			}})
		}
	}
	return list
}

func balanceTable(ctx context.Context, list []setup) (string, error) {
	var b strings.Builder
	b.WriteString("\n## Balance and movement\n\nExact, over the whole hash space; these figures depend on the names of the nodes, here `cache0000` and so on, and not on the machine. ")
	b.WriteString("Peak: the largest load of a node as a multiple of its fair share. Join and leave: what moves, as a multiple of the share of the node that joins or leaves; a leave is the mean over five nodes. ")
	b.WriteString("The ring moves exactly what its uneven shares make necessary, so that its multiples scatter around 1. Mixed weights are 1, 2, 4, 1, 2, 4 …\n\n")
	b.WriteString("| placement | nodes | weights | peak | join | leave |\n|---|---|---|---|---|---|\n")
	for _, s := range list {
		if ctx.Err() != nil {
			return "", errors.New("interrupted")
		}
		peak, join, leave, err := s.measure()
		if err != nil {
			return "", fmt.Errorf("%s, %d nodes: %w", s.text, s.nodes, err)
		}
		weights := "equal"
		if s.mixed {
			weights = "mixed"
		}
		fmt.Fprintf(&b, "| %s | %d | %s | %.3f | %.3f | %.3f |\n", s.text, s.nodes, weights, peak, join, leave)
	}
	return b.String(), nil
}

// measure builds the placement and changes it.
func (s setup) measure() (peak, join, leave float64, err error) {
	nodes := bench.Nodes(s.nodes + 1)
	if s.mixed {
		for i := range nodes {
			nodes[i].Weight = float64(int(1) << (i % 3))
		}
	}
	newcomer, nodes := nodes[s.nodes], nodes[:s.nodes:s.nodes]
	p, err := s.build(nodes)
	if err != nil {
		return 0, 0, 0, err
	}
	total := 0.0
	for _, n := range nodes {
		total += n.Weight
	}
	for i, share := range p.Shares() { // in the order of IDs, which is that of nodes
		peak = max(peak, share/(nodes[i].Weight/total))
	}
	join, err = movedTo(p, append(nodes, newcomer), newcomer.Weight/(total+newcomer.Weight))
	if err != nil {
		return 0, 0, 0, err
	}
	const leavers = 5
	for i := range leavers {
		at := (2*i + 1) * s.nodes / (2 * leavers)
		fewer := append(append([]ring.Node(nil), nodes[:at]...), nodes[at+1:]...)
		moved, err := movedTo(p, fewer, nodes[at].Weight/total)
		if err != nil {
			return 0, 0, 0, err
		}
		leave += moved / leavers
	}
	return peak, join, leave, nil
}

// movedTo returns what a change to these nodes moves, as a multiple of ideal.
func movedTo(p ring.HashPlacement, nodes []ring.Node, ideal float64) (float64, error) {
	next, err := p.Update(nodes)
	if err != nil {
		return 0, err
	}
	moved, err := p.Moved(next)
	return moved / ideal, err
}
