package cache

import (
	"fmt"
	"sync/atomic"
	"time"
)

// seal makes the entry of what was loaded, and the answer to callers. An error says that
// the value cannot be stored, since the codec does not make it of what it has made of it;
// the answer is whole all the same.
func (s *Space[K, V]) seal(k storeKey, loaded Loaded[V], negative bool, took time.Duration) (a answer[V], e Entry, err error) {
	a.value, a.id, a.source, a.turn, a.asked = loaded.Value, k.identity, FromLoader, k.turn, k.asked
	now := time.Now()
	life := s.cfg.Life
	ttl := life.NegativeTTL
	hold := time.Duration(0)
	if negative {
		var none V
		a.value = none
	} else {
		var made V
		switch made, a.payload, err = s.encodeWhole(loaded.Value, k.identity); {
		case s.copiesGiven():
		case err != nil:
			a.sole = new(atomic.Bool)
		default:
			a.value = made // of which copied makes copies; else nobody gets it
		}
		if ttl = loaded.TTL; ttl <= 0 {
			ttl = life.TTL
		}
		hold = max(life.StaleOnError, life.StaleWhileRevalidate)
	}
	ttl = jittered(min(ttl, maxTTL), life, s.m.cfg.random())
	a.envelope = envelope{schema: s.cfg.Schema, identity: k.identity, version: loaded.Version, epoch: k.epoch, negative: negative, tags: k.marks,
		stored: now, soft: now.Add(ttl), hard: now.Add(ttl + hold), delta: took, payload: a.payload}
	if err != nil {
		return a, e, err
	}
	e = Entry{Value: a.encode(), Version: loaded.Version, TTL: min(ttl+hold, maxTTL)}
	return a, e, nil
}

// encodeWhole encodes a value, if it can be decoded again, and returns what that makes: an
// entry that cannot would be a miss for ever, and be stored anew by each.
func (s *Space[K, V]) encodeWhole(v V, id identity) (made V, payload []byte, err error) {
	if payload, err = s.encode(v, id); err != nil {
		return made, nil, err
	}
	if made, err = s.decode(payload, id); err != nil {
		return made, nil, fmt.Errorf("cache: what was encoded does not decode: %w", err)
	}
	return made, payload, nil
}

// unstorable counts and reports a value that is handed out and that the codec keeps from
// being stored. err may be nil: it does not.
func (s *Space[K, V]) unstorable(err error) {
	if err == nil {
		return
	}
	s.counters.unstorable.Add(1)
	s.m.tell(s.name, fmt.Errorf("cache: a value of %s is not stored: %w", s.name, err))
}

// free says whether a caller may have the answer. One that cannot be copied is for one
// caller alone; the others, who would have to share it, load their own.
func (a *answer[V]) free() bool { return a.sole == nil || a.sole.CompareAndSwap(false, true) }

// jittered spreads a time to live by u, a random number in [0,1).
func jittered(ttl time.Duration, life LifeConfig, u float64) time.Duration {
	part := life.Jitter * (2*u - 1)
	if life.Ceiling {
		part = -life.Jitter * u
	}
	return max(time.Millisecond, min(ttl+time.Duration(part*float64(ttl)), maxTTL))
}
