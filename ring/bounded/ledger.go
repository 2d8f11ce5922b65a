package bounded

import "sync"

// ledger keeps the counts of a Bounded and of all that come from it by Update.
// They share the counters of the nodes that they have in common.
//
// The newest is the one that requests go through, so its total is kept ready.
// The others only see the end of requests that they began; where one is asked
// for more, it adds up. So nothing needs to be known of older ones, and they
// can be collected.
type ledger struct {
	mu sync.Mutex // guards what follows, every counter, and the scratch of a Bounded

	newest      uint64 // generation
	newestTotal int    // requests in flight at its nodes
}

type counter struct {
	load       int
	generation uint64 // the newest that has this node
}

// count changes the load of a node.
func (l *ledger) count(c *counter, by int) {
	c.load += by
	if c.generation == l.newest {
		l.newestTotal += by
	}
}

// total returns the number of requests in flight at the nodes of b.
func (l *ledger) total(b *Bounded) int {
	if b.generation == l.newest {
		return l.newestTotal
	}
	return sum(b.counters)
}

func sum(counters []*counter) int {
	total := 0
	for _, c := range counters {
		total += c.load
	}
	return total
}

// adopt makes b the newest, with the counters of the nodes that from has too.
func (l *ledger) adopt(b, from *Bounded) {
	known := make(map[string]*counter)
	if from != nil {
		for i, n := range from.nodes {
			known[n.ID] = from.counters[i]
		}
	}
	l.newest++
	b.generation = l.newest
	b.counters = make([]*counter, len(b.nodes))
	for i, n := range b.nodes {
		c := known[n.ID]
		if c == nil {
			c = new(counter)
		}
		c.generation = b.generation
		b.counters[i] = c
	}
	l.newestTotal = sum(b.counters)
}
