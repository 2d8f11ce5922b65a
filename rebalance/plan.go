package rebalance

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/modulo"
)

// PlanConfig says which change is planned. From and To are required.
type PlanConfig struct {
	From, To *ring.Ring // before and after; they must hash keys alike
	Copies   int        // nodes that hold each key, the clients' replication factor; 0 means 1
}

// Plan is what a change of the fleet moves, exactly: it follows from the two
// rings alone, and no server is asked. Estimate tells how many keys and bytes that
// is. It is immutable and safe for concurrent use.
type Plan struct {
	// Moved is the fraction of the hash space whose owner changes.
	Moved float64

	// Ideal is the least that any placement has to move for the same change:
	// what the nodes that grow are due by their weights more than before.
	Ideal float64

	// Copied is what the movements add up to. With one copy of each key it is
	// Moved; with more it may be above that, and above 1.
	Copied float64

	// Modulo is what a client that takes the hash modulo the number of nodes
	// would move, at best: its list has the new nodes at its end. -1: no such
	// client can have these weights.
	Modulo float64

	// Movements, by From, then To.
	Movements []PairMovement

	from, to *ring.Ring
	copies   int
}

// Pair is two nodes, by ID, of which one brings keys to the other.
type Pair struct{ From, To string }

// PairMovement is the part of the hash space that goes from one node to another.
//
// With several copies of each key From is its owner before: that one sends the key
// to every node that is to hold it and does not. (Where it does not answer, the
// next holder does.)
type PairMovement struct {
	Pair
	Fraction float64 // from 0 to 1, correctly rounded
}

// NewPlan computes the movements between two rings. It fails as ring.Diff does
// for rings that cannot be compared, and for a negative number of copies. It takes
// time in proportion to the tokens of both rings, times the copies.
func NewPlan(cfg PlanConfig) (*Plan, error) {
	if cfg.Copies < 0 {
		return nil, fmt.Errorf("rebalance: plan: Copies: got %d, want 1 or more, or 0 for 1", cfg.Copies)
	}
	p := &Plan{from: cfg.From, to: cfg.To, copies: max(cfg.Copies, 1)}
	widths := make(map[Pair]*width)
	add := func(pair Pair, g ring.Range) {
		if widths[pair] == nil {
			widths[pair] = new(width)
		}
		widths[pair].add(g)
	}
	moved, err := p.eachMove(add)
	if err != nil {
		return nil, fmt.Errorf("rebalance: plan: %w", err)
	}
	total := new(width)
	for pair, w := range widths {
		p.Movements = append(p.Movements, PairMovement{pair, w.fraction()})
		total.merge(w)
	}
	slices.SortFunc(p.Movements, func(a, b PairMovement) int { return a.compare(b.Pair) })
	p.Moved, p.Copied = moved.fraction(), total.fraction()
	p.Ideal = idealMoved(cfg.From.Nodes(), cfg.To.Nodes())
	p.Modulo = moduloMoved(cfg.From, cfg.To.Nodes())
	return p, nil
}

func (p Pair) compare(q Pair) int {
	return cmp.Or(strings.Compare(p.From, q.From), strings.Compare(p.To, q.To))
}

// eachMove calls add for every range that goes from one node to another, and
// returns how much changes owner.
func (p *Plan) eachMove(add func(pair Pair, g ring.Range)) (moved width, err error) {
	movements, err := ring.Diff(p.from, p.to)
	if err != nil {
		return moved, err
	}
	for _, m := range movements {
		moved.add(m.Range)
		if p.copies == 1 {
			add(Pair{m.From, m.To}, m.Range)
		}
	}
	if p.copies == 1 {
		return moved, nil
	}
	return moved, eachHolders(p.from, p.to, p.copies, func(g ring.Range, old, new []string) {
		for _, pair := range pairsOf(old, new) {
			add(pair, g)
		}
	})
}

// pairsOf returns who brings a key to whom when its holders change, owners first.
func pairsOf(old, new []string) []Pair {
	var pairs []Pair
	for _, id := range new {
		if !slices.Contains(old, id) {
			pairs = append(pairs, Pair{old[0], id})
		}
	}
	return pairs
}

// keyMoves returns who held a key, its owner first, and who brings it to whom.
func (p *Plan) keyMoves(key string) (old []string, pairs []Pair) {
	old = idsOf(p.from.Replicas(nil, key, p.copies))
	return old, pairsOf(old, idsOf(p.to.Replicas(nil, key, p.copies)))
}

func idsOf(nodes []ring.Node) []string {
	ids := make([]string, len(nodes))
	for i, n := range nodes {
		ids[i] = n.ID
	}
	return ids
}

// Wanted returns the function that picks, of the keys that a node holds, those
// that move and that the node is the owner of: those whose sizes are of interest
// in a sample of it. (What other holders have are copies of keys that are counted
// at their owner.)
func (p *Plan) Wanted(node string) func(key string) bool {
	return func(key string) bool {
		old, pairs := p.keyMoves(key)
		return len(pairs) > 0 && old[0] == node
	}
}

// Sources returns the IDs of the nodes that send keys, those to sample, by ID.
func (p *Plan) Sources() []string {
	set := make(map[string]bool)
	for _, m := range p.Movements {
		set[m.From] = true
	}
	return sortedKeys(set)
}

// Receivers returns the IDs of the nodes that keys come to, by ID.
func (p *Plan) Receivers() []string {
	set := make(map[string]bool)
	for _, m := range p.Movements {
		set[m.To] = true
	}
	return sortedKeys(set)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// idealMoved is the sum of what the nodes that grow are due more than before.
func idealMoved(from, to []ring.Node) float64 {
	due := func(nodes []ring.Node) map[string]float64 {
		total := 0.0
		for _, n := range nodes {
			total += n.Weight
		}
		parts := make(map[string]float64)
		for _, n := range nodes {
			parts[n.ID] = n.Weight / total
		}
		return parts
	}
	before, after := due(from), due(to)
	ideal := 0.0
	for _, n := range to {
		ideal += max(0, after[n.ID]-before[n.ID])
	}
	return ideal
}

// moduloMoved is what a modulo client would move. The list before is in the order
// of the IDs; after it, what has stayed is in the same order, and what is new
// comes last.
func moduloMoved(from *ring.Ring, to []ring.Node) float64 {
	var list []ring.Node
	after := make(map[string]ring.Node)
	for _, n := range to {
		after[n.ID] = n
	}
	for _, n := range from.Nodes() {
		if stays, is := after[n.ID]; is {
			list = append(list, stays)
			delete(after, n.ID)
		}
	}
	for _, id := range sortedKeys(after) {
		list = append(list, after[id])
	}
	before, err := modulo.New(from.Nodes(), modulo.Config{Hasher: from.Config().Hasher})
	if err != nil {
		return -1
	}
	then, err := before.Update(list)
	if err != nil {
		return -1
	}
	moved, err := before.Moved(then)
	if err != nil || math.IsNaN(moved) {
		return -1
	}
	return moved
}
