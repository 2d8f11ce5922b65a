package cache

import (
	"context"
	"errors"
	"time"
)

// lookup asks the store, and returns what can be used of it, be it stale.
func (s *Space[K, V]) lookup(ctx context.Context, k storeKey) (a answer[V], usable bool) {
	a, usable, _ = s.look(ctx, k)
	return a, usable
}

// look is lookup that tells a miss from a store that fails, which is an error.
func (s *Space[K, V]) look(ctx context.Context, k storeKey) (a answer[V], usable bool, err error) {
	var l looked[V]
	s.lookInto(ctx, &k, &l)
	return l.a, l.usable, l.err
}

// lookInto is look into the place of the caller, which is empty: answers are large, and
// would be copied at every step between the store and the caller of Get.
func (s *Space[K, V]) lookInto(ctx context.Context, k *storeKey, l *looked[V]) {
	asking, ended := s.observe(ctx, OpLookup)
	e, have, err := s.lookOne(asking, k)
	ended(Outcome{Err: err})
	if err != nil {
		s.storeFailed(ctx, err)
		l.err = s.noteLookup(ctx, err, &l.a)
		return
	}
	l.usable = s.openInto(k, e, &l.a)
	if l.usable && !s.tagsHold(ctx, have, &l.a) {
		l.a, l.usable = answer[V]{}, false
	}
	l.err = s.noteLookup(ctx, nil, &l.a)
}

// storeFailed counts and reports an error of the store that is no miss.
func (s *Space[K, V]) storeFailed(ctx context.Context, err error) {
	if err == nil || errors.Is(err, ErrMiss) || ctx.Err() != nil {
		return
	}
	s.counters.storeErrors.Add(1)
	s.m.tell(s.name, err)
}

// open decodes an entry. One that is no use is counted, and no error.
func (s *Space[K, V]) open(k storeKey, e Entry) (a answer[V], usable bool) {
	usable = s.openInto(&k, e, &a)
	return a, usable
}

// openInto is open into the place of the caller, which is empty.
func (s *Space[K, V]) openInto(k *storeKey, e Entry, a *answer[V]) (usable bool) {
	if err := s.decodeInto(k, e, a); err != nil {
		s.counters.useless(err)
		*a = answer[V]{}
		return false
	}
	a.opened = time.Now()
	return a.opened.Before(a.hard)
}

func (s *Space[K, V]) decodeEntry(k storeKey, e Entry) (a answer[V], err error) {
	if err = s.decodeInto(&k, e, &a); err != nil {
		return answer[V]{}, err
	}
	return a, nil
}

// decodeInto leaves whatever it has read if there is an error.
func (s *Space[K, V]) decodeInto(k *storeKey, e Entry, a *answer[V]) (err error) {
	if a.envelope, err = decodeEnvelope(e.Value, s.cfg.Schema, k.identity); err != nil {
		return err
	}
	if a.epoch != k.epoch || k.noEpoch {
		return errOtherEpoch
	}
	if !k.hasTags(&a.envelope) {
		return errOtherTags
	}
	if !a.negative {
		if a.value, err = s.decodeOf(a.envelope.payload, identityIn(e.Value)); err != nil {
			return err
		}
	}
	a.payload, a.id, a.source, a.turn, a.asked = a.envelope.payload, k.identity, FromL2, k.turn, k.asked
	return nil
}
