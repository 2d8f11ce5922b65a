package gossip

// freeze is whether an agent evicts nobody, since it sees too few of the nodes that
// stay in the ring: it is probably the one that is cut off. An operator has to know:
// a node that is dead then stays in the ring.
type freeze struct {
	on         bool
	here, stay int // nodes seen, or that answered the roll call, and how many there are
}

// Freeze is what a member knows of a majority; all zero for a client.
type Freeze struct {
	On   bool // nobody is evicted by this member
	Here int  // nodes of the ring that it sees
	Stay int  // of so many that stay in it
}

// mustered notes how many nodes were seen, or answered: the freeze begins without a
// majority, and ends with one.
func (n *node) mustered(here, stay int) {
	f := &n.freeze
	f.here, f.stay = here, stay
	on := stay > 0 && 2*here <= stay
	if on == f.on {
		return
	}
	f.on = on
	if on {
		n.counters.freezes.Add(1)
		n.log.Warn("nobody is evicted: too few nodes of the ring answer, so this one may be cut off", "answer", here, "of", stay)
	} else {
		n.log.Info("most of the ring answers again: dead nodes are evicted", "answer", here, "of", stay)
	}
}
