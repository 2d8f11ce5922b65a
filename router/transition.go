package router

import (
	"slices"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// transition is what a snapshot knows beside its ring while keys are on the move,
// or have been until a moment ago. It never changes.
type transition[P peer] struct {
	number uint64
	phase  membership.Phase // Stable: it has ended

	// The next ring and its clients; nil once the transition has ended. Nodes
	// that are in both rings have one client.
	placement ring.Placement
	nodes     []P            // in the order of placement.Nodes
	index     map[string]int // of each node's ID in nodes

	// careful says that tombstones of this or another transition may stand where
	// items are looked for, also of keys that do not move.
	careful bool

	// late: it ended so long ago that it matters no more, but for nodes that still
	// owe something on keys that they own now.
	late bool
}

// forgives reports whether a node that is not asked for a key need not be told
// about it any more.
func (t *transition[P]) forgives() bool { return t == nil || t.late }

// swept reports whether all who acquire keys have been swept since another transition
// was under way: what one of them had to be told then has gone.
func (t *transition[P]) swept(since uint64) bool {
	if !t.underWay() || t.phase != membership.PhaseImporting {
		return false
	}
	now, _ := membership.IsRollback(t.number)
	was, _ := membership.IsRollback(since)
	return now != was
}

// underWay reports whether keys have two owners.
func (t *transition[P]) underWay() bool { return t != nil && t.placement != nil }

// transitionOf returns the transition of the next snapshot: the one that its view
// tells of, or the end of the old one's.
func (f *fleet[P]) transitionOf(old, next *snapshot[P]) (*transition[P], error) {
	number, phase := next.view.Transition(f.kind)
	nodes := next.view.Next(f.kind)
	if phase == membership.Stable || len(nodes) == 0 { // nobody is left to move keys to
		return f.afterTransition(old, next), nil
	}
	if err := f.place.room(nodes); err != nil {
		return nil, err
	}
	placement, err := next.placement.Update(keepOrder(next.placement.Nodes(), nodes))
	if err == nil && f.check != nil {
		err = f.check(placement)
	}
	if err != nil {
		return nil, err
	}
	t := &transition[P]{number: number, phase: phase, placement: placement, careful: f.isNew(old, next)}
	if old != nil && old.moving != nil {
		t.careful = old.moving.careful
	}
	return t, nil
}

// afterTransition returns what is left of a transition when none is under way: a
// note that there was one, for as long as what it leaves behind matters. Where
// that is tombstones, one may also have gone by between two views, or before the first.
func (f *fleet[P]) afterTransition(old, next *snapshot[P]) *transition[P] {
	missed := f.tombstones && old != nil && !sameRing(old.built, next.placement)
	switch {
	case missed, f.isNew(old, next), old != nil && old.moving.underWay():
		return &transition[P]{phase: membership.Stable, careful: f.tombstones}
	case old != nil:
		return old.moving
	}
	return nil
}

// isNew reports the first view of a fleet of agents: what has gone by just before it is
// not known.
func (f *fleet[P]) isNew(old, next *snapshot[P]) bool {
	return f.tombstones && (old == nil || old.placement == nil) &&
		slices.ContainsFunc(next.view.Members, func(m membership.Member) bool { return m.Generation > 0 })
}

func sameRing(a, b ring.Placement) bool {
	return a != nil && b != nil && slices.Equal(a.Nodes(), b.Nodes())
}

// calmLater takes the note of a transition that has just ended out of the
// snapshot when it no longer matters. From then on requests know nothing of it.
func (f *fleet[P]) calmLater(old, next *snapshot[P]) {
	ended := next.moving
	if ended == nil || ended.underWay() || f.ctx == nil || old != nil && old.moving == ended {
		return
	}
	f.drains.Go(func() {
		for pause := f.aftermath; ended != nil; pause = maxPause {
			timer := time.NewTimer(pause)
			select {
			case <-f.ctx.Done():
				timer.Stop()
				return
			case <-timer.C:
				ended = f.calm(ended)
			}
		}
	})
}

// calm replaces the note of a transition that no longer matters. It returns the one
// that is left as long as nodes owe something, and nil if there is none, or another
// transition has begun.
func (f *fleet[P]) calm(ended *transition[P]) *transition[P] {
	f.change.Lock()
	defer f.change.Unlock()
	s := f.current.Load()
	if s.moving != ended {
		return nil
	}
	owed := f.owes != nil && f.owes()
	if owed && ended.late {
		return ended
	}
	calm := *s
	calm.moving, calm.superseded = nil, make(chan struct{})
	if owed {
		calm.moving = &transition[P]{phase: membership.Stable, late: true}
	}
	f.replace(&calm)
	return calm.moving
}

// all returns the clients of both rings, each once.
func (s *snapshot[P]) all() []P {
	if !s.moving.underWay() {
		return s.nodes
	}
	all := s.nodes[:len(s.nodes):len(s.nodes)]
	for _, p := range s.moving.nodes {
		if _, both := s.index[p.member().ID]; !both {
			all = append(all, p)
		}
	}
	return all
}
