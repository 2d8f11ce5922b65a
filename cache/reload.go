package cache

import (
	"context"
	"time"
)

// Reload has a value loaded anew although the one that is stored has not ended: by one
// process of the fleet, which all callers share, and while it loads the old value stays
// where it is. If the load fails nothing has changed. A stored value that is enough is
// not loaded anew, but returned: another process may have been quicker. enough may be
// nil: none is.
//
// It is for values that say themselves how long they are fresh, such as the responses
// of package httpcache.
func (s *Space[K, V]) Reload(ctx context.Context, key K, load Loader[K, V], enough func(V) bool) (v V, meta Meta, err error) {
	if s.m.ctx.Err() != nil {
		return v, meta, ErrClosed
	}
	if load == nil {
		return v, meta, ErrNoLoader
	}
	if mode := s.Bypassed(); mode != BypassNothing {
		return s.reloadThrough(ctx, key, load, enough, mode)
	}
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return v, meta, err
	}
	generation := s.l1.generation(k.identity)
	q := query[K, V]{key: key, store: k, load: load, ofCall: true}
	if a, usable := s.lookup(ctx, k); usable {
		fresh := enough != nil && !a.negative && time.Now().Before(a.soft)
		if fresh { // what enough is given the caller gets, whatever enough does to it
			v, meta, err = s.deliver(&a)
		}
		if err == nil {
			fresh, err = isEnough(enough, v, fresh)
		}
		if err != nil {
			var none V
			return none, Meta{}, err
		}
		if fresh {
			s.keepL1(key, generation, &a)
			s.hit(&a)
			meta.Source = a.source
			return v, meta, nil
		}
		q.seen = a.stamp
	}
	return s.await(ctx, &q, nil, false)
}

// isEnough is enough of a value that is fresh.
func isEnough[V any](enough func(V) bool, v V, fresh bool) (_ bool, err error) {
	defer caught("enough", &err)
	return fresh && enough(v), nil
}
