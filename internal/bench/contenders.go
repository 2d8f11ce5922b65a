package bench

import (
	"slices"

	"github.com/cespare/xxhash/v2"

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

// Pass looks up each key once and returns a sum over what it got, so that no
// lookup can be left out. The loop is inside, on a concrete type: a call by way
// of an interface or a function value would add the same nanosecond or two to
// everyone, and so make slow placements look better by comparison.
type Pass func(keys []string) (sum int)

// Contender is a rule from keys to nodes, ready to be measured.
type Contender struct {
	Name string
	Note string // what a reader has to know to compare; "" for the defaults
	New  func(nodes []ring.Node) (Pass, error)
}

// Contenders returns all of them: modulo, which is the unit, then ours, then the
// Peers. They go from a key to a ring.Node, or to the name of a node where that
// is what a library returns.
func Contenders() []Contender { return slices.Concat(ours, peers) }

// Peers returns the libraries by others.
func Peers() []Contender { return slices.Clone(peers) }

var ours = []Contender{
	{"modulo", "", func(nodes []ring.Node) (Pass, error) {
		p, err := modulo.New(nodes, modulo.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"ring", "160 virtual nodes", func(nodes []ring.Node) (Pass, error) {
		p, err := ring.New(nodes, ring.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"balanced", "2^16 slots", func(nodes []ring.Node) (Pass, error) {
		p, err := balanced.New(nodes, balanced.Config{Slots: 1 << 16})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"jump", "", func(nodes []ring.Node) (Pass, error) {
		p, err := jump.New(nodes, jump.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"maglev", "65537 slots", func(nodes []ring.Node) (Pass, error) {
		p, err := maglev.New(nodes, maglev.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"rendezvous", "", func(nodes []ring.Node) (Pass, error) {
		p, err := rendezvous.New(nodes, rendezvous.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"multiprobe", "21 probes", func(nodes []ring.Node) (Pass, error) {
		p, err := multiprobe.New(nodes, multiprobe.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"ketama", "MD5", func(nodes []ring.Node) (Pass, error) {
		p, err := ketama.New(nodes, ketama.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += len(p.Owner(key).ID)
			}
			return sum
		}, err
	}},
	{"bounded", "over ring, 16 requests a node in flight; Acquire and Release, which lock", newBounded},
}

// Positions returns those contenders once more, by the method of the Placement
// interface: from a key to a node's position, which saves the read of the node.
// "bare" is modulo as one would write it in place, without a type around it.
func Positions() []Contender { return slices.Clone(positions) }

var positions = []Contender{
	{"modulo", "", func(nodes []ring.Node) (Pass, error) {
		p, err := modulo.New(nodes, modulo.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += p.OwnerIndex(key)
			}
			return sum
		}, err
	}},
	{"bare", "xxhash.Sum64String(key) % n", func(nodes []ring.Node) (Pass, error) {
		n := uint64(len(nodes))
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += int(xxhash.Sum64String(key) % n)
			}
			return sum
		}, nil
	}},
	{"ring", "160 virtual nodes", func(nodes []ring.Node) (Pass, error) {
		p, err := ring.New(nodes, ring.Config{})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += p.OwnerIndex(key)
			}
			return sum
		}, err
	}},
	{"balanced", "2^16 slots", func(nodes []ring.Node) (Pass, error) {
		p, err := balanced.New(nodes, balanced.Config{Slots: 1 << 16})
		return func(keys []string) (sum int) {
			for _, key := range keys {
				sum += p.OwnerIndex(key)
			}
			return sum
		}, err
	}},
}

// newBounded keeps as many requests in flight as a fleet has that is at work:
// with none, no node would ever be full, and nothing of the placement measured.
func newBounded(nodes []ring.Node) (Pass, error) {
	inner, err := ring.New(nodes, ring.Config{})
	if err != nil {
		return nil, err
	}
	p, err := bounded.New(inner, bounded.Config{})
	if err != nil {
		return nil, err
	}
	nodes = p.Nodes()
	inFlight, next := make([]int, 16*len(nodes)), 0
	for i := range inFlight {
		inFlight[i] = p.Acquire(Keys()[i%KeyCount])
	}
	return func(keys []string) (sum int) {
		for _, key := range keys {
			p.Release(inFlight[next])
			owner := p.Acquire(key)
			inFlight[next] = owner
			if next++; next == len(inFlight) {
				next = 0
			}
			sum += len(nodes[owner].ID)
		}
		return sum
	}, nil
}
