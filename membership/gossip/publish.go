package gossip

import (
	"crypto/sha256"
	"maps"
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// publish makes the view that follows from what is known, and hands it to the
// readers if it is another one. Before the first contact there is none: an empty
// fleet and one that is not yet known must not look alike.
func (l *loop) publish(now time.Time) {
	view := l.currentView()
	view.Disagree = l.disagreeing(now, view)
	if !l.contact.made {
		l.view = view
		return
	}
	if l.hold(); l.held != nil || l.published && sameView(l.view, view) {
		return
	}
	l.healths.note(view.Members, now)
	l.view, l.published = view, true
	// The box is closed only when the member is.
	_ = l.views.Set(func(_ membership.View, version uint64) membership.View {
		view.Version = version
		return view
	})
}

// currentView is what the ledger says, with what gossip sees of it. All that
// decides where keys go is the ledger's: members with the same ledger have the
// same rings, whoever they see.
func (l *loop) currentView() membership.View {
	if !l.stale {
		return l.base
	}
	view := l.ledger.View()
	for i := range view.Members {
		m := &view.Members[i]
		counts := ownsKeys(m.State) || m.State == membership.Announced || m.State == membership.Importing
		if counts && !l.alive(m.ID) {
			m.Health = membership.Dead
		}
	}
	view.Fingerprints = l.prints.of(view, l.cfg.Placement)
	l.base, l.stale, l.crowded = view, false, l.cfg.roomFor(view)
	return view
}

func sameView(a, b membership.View) bool {
	return a.Epoch == b.Epoch && slices.Equal(a.Members, b.Members) &&
		maps.Equal(a.Fingerprints, b.Fingerprints) && slices.Equal(a.Disagree, b.Disagree)
}

// prints remembers fingerprints: most changes of a view leave the rings alone.
type prints map[membership.Kind]print

type print struct {
	nodes []ring.Node
	value ring.Fingerprint
}

// of returns the fingerprint of the current ring of each kind that has nodes. A
// ring that cannot be made (too many tokens) has none.
func (p *prints) of(view membership.View, cfg ring.Config) map[membership.Kind]ring.Fingerprint {
	all := make(map[membership.Kind]ring.Fingerprint)
	next := make(prints)
	for _, kind := range []membership.Kind{membership.Memcached, membership.Redis} {
		nodes := view.Current(kind)
		if len(nodes) == 0 {
			continue
		}
		known, has := (*p)[kind]
		if !has || !slices.Equal(known.nodes, nodes) {
			value, err := ring.FingerprintOf(nodes, cfg)
			if err != nil {
				continue
			}
			known = print{nodes, value}
		}
		next[kind] = known
		all[kind] = known.value
	}
	*p = next
	return all
}

// shortFingerprint is what meta data have room for: the first bytes of the only
// ring's fingerprint, or of a hash of all of them in the order of their kinds.
func shortFingerprint(all map[membership.Kind]ring.Fingerprint) (short [8]byte) {
	switch len(all) {
	case 0:
		return short
	case 1:
		for _, only := range all {
			copy(short[:], only[:])
		}
		return short
	}
	h := sha256.New()
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		f := all[kind]
		h.Write(f[:])
	}
	copy(short[:], h.Sum(nil))
	return short
}

// disagreeing returns the names of the visible members whose ring has differed
// from the view's for longer than convergence takes.
//
// Members of a fleet that changes differ most of the time, but each time in
// another way: when a member's ring changes, the clock starts again. One that has
// been reported stays so until it agrees: a client with another placement differs
// after each change too.
func (l *loop) disagreeing(now time.Time, view membership.View) (names []string) {
	short := shortFingerprint(view.Fingerprints)
	limit := l.cfg.Timing.Convergence + l.slowestTelling()
	for name, p := range l.seen {
		if !p.understood || p.meta.Epoch == view.Epoch && p.meta.Fingerprint == short {
			p.differs, p.disagrees = time.Time{}, false
			continue
		}
		if p.differs.IsZero() || p.moved {
			p.differs = now
		}
		p.moved = false
		if now.Sub(p.differs) >= limit && !p.disagrees {
			p.disagrees = true
			l.log.Warn("member has another ring", "name", name, "its epoch", p.meta.Epoch, "epoch", view.Epoch,
				"configured differently", p.meta.Epoch == view.Epoch)
		}
		if p.disagrees {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
