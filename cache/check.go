package cache

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// CheckConfig has values compared with the source when they are read: for data of
// which a version is cheap to ask for, a row's version column, and a value is not. A
// value that is older than the source is loaded anew before anybody gets it.
type CheckConfig[K Key] struct {
	// Version asks the source for the version that the key has now, or returns
	// ErrNotFound. 0 says nothing, and nor does an error: the value is handed out
	// then, as without a check, and ManagerConfig.OnError is told. It may take
	// LoadsConfig.SoftTimeout. Callers who ask for a key at the same moment share
	// a call that begins after they came. nil: there is no check.
	//
	// It needs Loaded.Version: a value without one is not checked.
	Version func(ctx context.Context, key K) (uint64, error)

	// After is how long a value is not checked once it was loaded or, with L1,
	// checked: that is how old it may be. 0: every read asks the source, and level 1
	// answers none.
	After time.Duration
}

func (c CheckConfig[K]) withDefaults() (CheckConfig[K], error) {
	if c.After < 0 || c.After > maxTTL {
		return c, configError("Check.After", c.After, "0 to 30 days")
	}
	return c, nil
}

// current is what the source says of a key.
type current struct {
	version uint64
	missing bool
	err     error
}

// lastChecked is when the source said that the value is the newest.
func lastChecked[V any](a *answer[V]) time.Time {
	if a.checked.IsZero() {
		return a.stored.Add(-a.delta)
	}
	return a.checked
}

// outdated says whether the source has something newer than an entry, and which
// version. It notes when an entry was found to be the newest.
func (s *Space[K, V]) outdated(ctx context.Context, key K, k storeKey, a *answer[V], now time.Time) (least uint64, old bool) {
	check := s.cfg.Check
	if check.Version == nil || a.version == 0 && !a.negative || now.Sub(lastChecked(a)) < check.After {
		return 0, false
	}
	s.counters.checks.Add(1)
	c := s.checks.get(ctx, k.share(), s.cfg.Loads.SoftTimeout, s.m.run, func(ctx context.Context) (c current) {
		c.version, c.err = call(ctx, s.cfg.Loads.SoftTimeout, s.m.run, func(ctx context.Context) (version uint64, err error) {
			defer caught("Check.Version", &err)
			return check.Version(ctx, key)
		})
		c.missing = errors.Is(c.err, ErrNotFound)
		return c
	})
	switch {
	case c.missing && a.negative, !c.missing && c.err == nil && !a.negative && c.version <= a.version && c.version != 0:
		a.checked = now
		return 0, false
	case c.err != nil && !c.missing:
		if ctx.Err() == nil {
			s.m.tell(s.name, fmt.Errorf("cache: version of a key of %s: %w", s.name, c.err))
		}
		return 0, false
	case c.version == 0 && !c.missing:
		return 0, false
	}
	s.counters.outdated.Add(1)
	return c.version, true
}

// heldChecked says whether what level 1 keeps need not be checked.
func (s *Space[K, V]) heldChecked(h *held[V], now time.Time) bool {
	return s.cfg.Check.Version == nil || h.version == 0 || now.Sub(h.checked) < s.cfg.Check.After
}
