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
	asking, ended := s.observe(ctx, OpLookup)
	e, have, err := s.lookOne(asking, k)
	ended(Outcome{Err: err})
	if err != nil {
		s.storeFailed(ctx, err)
		return a, false, s.noteLookup(ctx, err, &a)
	}
	a, usable = s.open(k, e)
	if usable && !s.tagsHold(ctx, have, &a) {
		a, usable = answer[V]{}, false
	}
	return a, usable, s.noteLookup(ctx, nil, &a)
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
	a, err := s.decodeEntry(k, e)
	if err != nil {
		s.counters.useless(err)
		return answer[V]{}, false
	}
	a.opened = time.Now()
	return a, a.opened.Before(a.hard)
}

func (s *Space[K, V]) decodeEntry(k storeKey, e Entry) (a answer[V], err error) {
	if a.envelope, err = decodeEnvelope(e.Value, s.cfg.Schema, k.identity); err != nil {
		return answer[V]{}, err
	}
	if a.epoch != k.epoch || k.noEpoch {
		return answer[V]{}, errOtherEpoch
	}
	if !k.hasTags(&a.envelope) {
		return answer[V]{}, errOtherTags
	}
	if !a.negative {
		if a.value, err = s.decode(a.envelope.payload, k.identity); err != nil {
			return answer[V]{}, err
		}
	}
	a.payload, a.id, a.source, a.turn, a.asked = a.envelope.payload, k.identity, FromL2, k.turn, k.asked
	return a, nil
}

// decode never panics, whatever the codec makes of bytes from outside.
func (s *Space[K, V]) decode(payload []byte, id identity) (v V, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &PanicError{Value: p}
		}
	}()
	return s.cfg.Codec.Decode(payload, id[:])
}
