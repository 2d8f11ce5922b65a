package demo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/ring"
)

// Moved is which keys changed their node in a step, as the servers say.
type Moved struct {
	Keys  int `json:"keys"`  // that were there before and after; with a killed node: before
	Moved int `json:"moved"` // of them on another node; with a killed node: lost with it

	Share   float64 `json:"share"`   // Moved / Keys
	Ideal   float64 `json:"ideal"`   // 1/N, of the larger of the two fleets
	Exact   float64 `json:"exact"`   // of the hash space, by the two rings
	Sigmas  float64 `json:"sigmas"`  // how far Share is from Exact, in standard deviations of so many keys
	Between int     `json:"between"` // of Moved: between two nodes that both stay

	// Modulo is the share of the same keys that modulo gives another node. It is
	// computed.
	Modulo float64 `json:"modulo_computed"`

	Doubled int `json:"doubled"` // keys that lie on two nodes afterwards
}

// errNothing says that no server had a key.
var errNothing = errors.New("no key was found on any server")

// places is where keys are: of each key the node's ID, empty if it is nowhere.
type places struct {
	node    []string
	doubled int
}

// locate asks every server for its keys.
func (d *demo) locate(ctx context.Context) (places, error) {
	found := places{node: make([]string, len(d.work.keys))}
	owner, err := d.ring(d.watch.now().current)
	if err != nil {
		return found, err
	}
	index := make(map[string]int, len(d.work.keys))
	for i, key := range d.work.keys {
		index[key] = i
	}
	var mu sync.Mutex // guards found
	var all sync.WaitGroup
	errs := make([]error, len(d.fleet.nodes))
	for n, node := range d.fleet.nodes {
		all.Go(func() {
			errs[n] = node.eachKey(ctx, d.cfg.Backend, func(key string) {
				i, ours := index[key]
				if !ours {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				switch {
				case found.node[i] == "":
					found.node[i] = node.id
				case found.node[i] != node.id:
					found.doubled++
					if owner.Owner(key).ID == node.id {
						found.node[i] = node.id
					}
				}
			})
		})
	}
	all.Wait()
	for n, err := range errs {
		if err != nil {
			return found, fmt.Errorf("the keys of %s: %w", d.fleet.nodes[n].id, err)
		}
	}
	return found, nil
}

// eachKey calls f for every key that the server has; for one that moves within the
// server while it is looked at, possibly twice.
func (n *node) eachKey(ctx context.Context, b Backend, f func(key string)) error {
	server, err := dataserver.Open(dataserver.Config{URL: string(b.kind()) + "://" + n.server.Addr()})
	if err != nil {
		return err
	}
	defer server.Close()
	had := make(map[string]bool)
	return dataserver.Each(ctx, server, func(key string) bool { return !had[key] }, func(page []dataserver.Found) error {
		for _, found := range page {
			if !had[found.Key] {
				had[found.Key] = true
				f(found.Key)
			}
		}
		return nil
	})
}

// ring is the fleet's, over those nodes.
func (d *demo) ring(nodes []string) (*ring.Ring, error) {
	return ring.New(ring.Nodes(nodes...), ring.Config{Hasher: ring.Hasher{HashTags: true}})
}

// compare says what a change of the fleet has moved.
func (d *demo) compare(before, after places, from, to []string, killed string) (Moved, error) {
	m := Moved{Ideal: 1 / float64(max(len(from), len(to))), Doubled: after.doubled}
	old, err := d.ring(from)
	if err != nil {
		return m, err
	}
	next, err := d.ring(to)
	if err != nil {
		return m, err
	}
	if m.Exact, err = old.Moved(next); err != nil {
		return m, err
	}
	was, err := moduloOwners(d.work.keys, from)
	if err != nil {
		return m, err
	}
	becomes, err := moduloOwners(d.work.keys, to)
	if err != nil {
		return m, err
	}
	stays := make(map[string]bool)
	for _, id := range to {
		stays[id] = true
	}
	inBoth := make(map[string]bool)
	for _, id := range from {
		inBoth[id] = stays[id]
	}
	other := 0
	for i := range d.work.keys {
		a, b := before.node[i], after.node[i]
		if a == "" || b == "" && a != killed {
			continue
		}
		m.Keys++
		if was[i] != becomes[i] {
			other++
		}
		if a != b {
			m.Moved++
			if inBoth[a] && inBoth[b] {
				m.Between++
			}
		}
	}
	if m.Keys == 0 {
		return m, errNothing
	}
	m.Share, m.Modulo = float64(m.Moved)/float64(m.Keys), float64(other)/float64(m.Keys)
	m.Sigmas = math.Abs(m.Share-m.Exact) / math.Sqrt(m.Exact*(1-m.Exact)/float64(m.Keys))
	return m, nil
}
