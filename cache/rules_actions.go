package cache

import (
	"context"
	"errors"
)

// Keys of a map of gatherings: what may be put together.
type (
	keysTarget    struct{ space any }
	tagsTarget    struct{ manager *Manager }
	epochTarget   struct{ space any }
	patternTarget struct{ _ byte } // by address: each for itself
)

// known says that the space was made by NewSpace.
func (s *Space[K, V]) known() bool { return s != nil && s.m != nil }

// checkAction is for NewRules to refuse what would panic at the first event.
func checkAction(name string, known, noFunction bool) error {
	switch {
	case !known:
		return configError(name, "nil, or a zero value", "a space of NewSpace or a manager of NewManager")
	case noFunction:
		return configError(name, "a nil function", "one")
	}
	return nil
}

// KeysOf invalidates the keys that an event names: Space.InvalidateMany.
func KeysOf[E any, K Key, V any](s *Space[K, V], keys func(E) []K) Action[E] {
	if err := checkAction("KeysOf", s.known(), keys == nil); err != nil {
		return Action[E]{wrong: err}
	}
	return Action[E]{by: "key", space: s.name, target: keysTarget{s},
		begin: func() gathering { return &gatheredKeys[K, V]{space: s} },
		add: func(g gathering, e E) (err error) {
			defer caught("KeysOf", &err)
			all := g.(*gatheredKeys[K, V])
			all.keys = append(all.keys, keys(e)...)
			return nil
		}}
}

type gatheredKeys[K Key, V any] struct {
	space *Space[K, V]
	keys  []K
}

func (g *gatheredKeys[K, V]) flush(ctx context.Context) error {
	return g.space.InvalidateMany(ctx, g.keys)
}

// TagsOf invalidates the tags that an event names: Manager.InvalidateTags.
func TagsOf[E any](m *Manager, tags func(E) []Tag) Action[E] {
	if err := checkAction("TagsOf", m != nil && m.ctx != nil, tags == nil); err != nil {
		return Action[E]{wrong: err}
	}
	return Action[E]{by: "tag", target: tagsTarget{m},
		begin: func() gathering { return &gatheredTags{manager: m} },
		add: func(g gathering, e E) (err error) {
			defer caught("TagsOf", &err)
			all := g.(*gatheredTags)
			all.tags = append(all.tags, tags(e)...)
			return nil
		}}
}

type gatheredTags struct {
	manager *Manager
	tags    []Tag
}

func (g *gatheredTags) flush(ctx context.Context) error {
	return g.manager.InvalidateTags(ctx, g.tags...)
}

// PatternOf invalidates the keys that match a pattern: Space.InvalidatePattern, with
// what that costs for each event.
func PatternOf[E any, K Key, V any](s *Space[K, V], pattern func(E, *PatternBuilder)) Action[E] {
	if err := checkAction("PatternOf", s.known(), pattern == nil); err != nil {
		return Action[E]{wrong: err}
	}
	return Action[E]{by: "pattern", space: s.name, target: &patternTarget{},
		begin: func() gathering { return &gatheredPatterns[E, K, V]{space: s, build: pattern} },
		add: func(g gathering, e E) error {
			all := g.(*gatheredPatterns[E, K, V])
			all.events = append(all.events, e)
			return nil
		}}
}

type gatheredPatterns[E any, K Key, V any] struct {
	space  *Space[K, V]
	build  func(E, *PatternBuilder)
	events []E
}

func (g *gatheredPatterns[E, K, V]) flush(ctx context.Context) error {
	var errs []error
	done := make(map[string]bool)
	for _, e := range g.events {
		build := func(b *PatternBuilder) { g.build(e, b) }
		text, err := g.space.patternOf(build)
		if err == nil && !done[text] {
			done[text] = true
			_, err = g.space.InvalidatePattern(ctx, build)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// EpochOf invalidates all of a space: Space.BumpEpoch.
func EpochOf[E any, K Key, V any](s *Space[K, V]) Action[E] {
	if err := checkAction("EpochOf", s.known(), false); err != nil {
		return Action[E]{wrong: err}
	}
	return Action[E]{by: "epoch", space: s.name, target: epochTarget{s},
		begin: func() gathering { return gatheredEpoch[K, V]{s} },
		add:   func(gathering, E) error { return nil }}
}

type gatheredEpoch[K Key, V any] struct{ space *Space[K, V] }

func (g gatheredEpoch[K, V]) flush(ctx context.Context) error { return g.space.BumpEpoch(ctx) }
