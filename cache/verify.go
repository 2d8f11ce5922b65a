package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"time"
)

// VerifyConfig says which entries Space.Verify compares with the source, and how. The
// zero value compares those that level 1 has.
type VerifyConfig[K Key, V any] struct {
	// Keys to be verified, in any number: they are read as they are needed. nil:
	// those in level 1, which is an error where there is none.
	Keys iter.Seq[K]

	// Every is how many keys are passed over between two that are verified, by
	// chance: with 100, one key in a hundred is. 0 and 1: all.
	Every int

	// Limit is how many keys are verified; 0: all of them.
	Limit int

	// Rate is how many keys a second are verified; 0 means 10. Each costs the
	// source a load, and twice that if it looks like drift.
	Rate float64

	// Settle is how long after both sides were found to differ they are read once
	// more; 0 means 1 s. What changes meanwhile is no drift: give it more than a
	// write takes until its invalidation has arrived, and than replicas lag.
	Settle time.Duration

	// Equal compares a stored value with that of the source; nil: by what the
	// codec makes of them. Values with different versions are different; those with
	// the same, and those of which one has none, are compared.
	Equal func(stored, source V) bool

	// Repair: invalidate what drifts.
	Repair bool

	// OnDrift is told of each key that drifts, by the goroutine that called Verify.
	// nil: they are only counted.
	OnDrift func(Drift[K, V])
}

// Drift is an entry that is not what the source has.
type Drift[K Key, V any] struct {
	Key                      K
	Differs                  Difference // in which way
	Stored, Source           V
	StoredAbsent             bool // it is remembered that the source does not have it
	SourceAbsent             bool // the source does not have it
	StoredVersion, SourceVer uint64
	Age                      time.Duration // of the entry
}

// Difference says in which way an entry is not what the source has.
type Difference uint8

// The differences. Where versions differ the values are not compared. Values that differ
// under one version are a source that changes a row without its version, or a loader that
// reads the two at different moments.
const (
	DiffersNot      Difference = iota
	DiffersPresence            // one side has the key, and the other one says that it is absent
	DiffersVersion             // both have versions, which are not the same
	DiffersValue               // the values are not the same; the versions are, or one side has none
)

// String returns the difference in a word.
func (d Difference) String() string {
	return [...]string{"not", "presence", "version", "value", "unknown"}[min(int(d), 4)]
}

// VerifyReport is what Verify has found.
type VerifyReport struct {
	Checked int // keys whose entry was compared with the source
	Missing int // keys that have no entry, or none that is fresh
	Equal   int // of those that were checked
	Moving  int // of them differed, and changed while they were looked at again
	Drifted int // of them differed, and went on to
	Errors  int // keys of which a side could not be read
	Repairs int // that were invalidated
}

func (c VerifyConfig[K, V]) check() error {
	switch {
	case c.Every < 0 || c.Limit < 0:
		return configError("verify", fmt.Sprintf("Every %d, Limit %d", c.Every, c.Limit), "none below 0")
	case c.Settle < 0:
		return configError("Settle", c.Settle, "0 or more")
	}
	return checkRate("Rate", c.Rate)
}

// Verify compares a sample of entries of the fleet with the source, at a limited rate:
// each entry is read, then the source. Where they differ, both are read once more after
// Settle; only if neither has changed by then it is drift. It loads by SpaceConfig.Load,
// and stores nothing. An entry is to be equal to the source as long as it is fresh, so
// that a source which others write without an Invalidate drifts, until TTL ends.
//
// The error is that of the context, or of the configuration; what fails for a key is
// counted, and told to ManagerConfig.OnError.
func (s *Space[K, V]) Verify(ctx context.Context, cfg VerifyConfig[K, V]) (r VerifyReport, err error) {
	setDefault(&cfg.Rate, 10)
	setDefault(&cfg.Settle, time.Second)
	setDefault(&cfg.Every, 1)
	switch {
	case s.m.ctx.Err() != nil:
		return r, ErrClosed
	case s.cfg.Load == nil:
		return r, ErrNoLoader
	case cfg.Keys == nil && s.l1 == nil:
		return r, configError("Keys", "nil", "keys, or a space with L1")
	}
	if err := cfg.check(); err != nil {
		return r, err
	}
	if cfg.Keys == nil {
		cfg.Keys = s.l1.cache.Keys()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.m.ctx, func() { cancel(ErrClosed) })()
	for key := range cfg.Keys {
		if cfg.Every > 1 && s.m.cfg.random()*float64(cfg.Every) >= 1 {
			continue
		}
		s.verify(ctx, key, &cfg, &r)
		if cfg.Limit > 0 && r.Checked+r.Missing+r.Errors >= cfg.Limit {
			break
		}
		if err := pause(ctx, time.Duration(float64(time.Second)/cfg.Rate)); err != nil {
			return r, err
		}
	}
	return r, context.Cause(ctx)
}

// sides are what the fleet and the source have of a key.
type sides[V any] struct {
	stored answer[V]
	source Loaded[V]
	absent bool // the source does not have it
	encode []byte
}

func (s *Space[K, V]) verify(ctx context.Context, key K, cfg *VerifyConfig[K, V], r *VerifyReport) {
	first, there, err := s.bothSides(ctx, key)
	switch {
	case err != nil:
		s.verifyFailed(ctx, err, r)
		return
	case !there:
		r.Missing++
		return
	}
	r.Checked++
	if s.differ(&first, cfg) == DiffersNot {
		r.Equal++
		return
	}
	if pause(ctx, cfg.Settle) != nil {
		r.Checked--
		return
	}
	second, there, err := s.bothSides(ctx, key)
	if err != nil {
		r.Checked--
		s.verifyFailed(ctx, err, r)
		return
	}
	differs := DiffersNot
	if there {
		differs = s.differ(&second, cfg)
	}
	switch {
	case !there, second.stored.stamp != first.stored.stamp, differs == DiffersNot,
		second.absent != first.absent, second.source.Version != first.source.Version, !bytes.Equal(second.encode, first.encode):
		r.Moving++
		return
	}
	r.Drifted++
	if cfg.OnDrift != nil {
		cfg.OnDrift(Drift[K, V]{Key: key, Differs: differs, Stored: second.stored.value, Source: second.source.Value,
			StoredAbsent: second.stored.negative, SourceAbsent: second.absent,
			StoredVersion: second.stored.version, SourceVer: second.source.Version, Age: max(0, time.Since(second.stored.stored))})
	}
	if cfg.Repair {
		if err := s.Invalidate(ctx, key); err != nil {
			s.verifyFailed(ctx, err, r)
			return
		}
		r.Repairs++
	}
}

func (s *Space[K, V]) verifyFailed(ctx context.Context, err error, r *VerifyReport) {
	if ctx.Err() != nil {
		return
	}
	r.Errors++
	s.m.tell(s.name, fmt.Errorf("verify: %w", err))
}

// bothSides reads the fleet, past level 1, and then the source. there is false if the
// fleet has nothing that a Get would hand out as fresh.
func (s *Space[K, V]) bothSides(ctx context.Context, key K) (b sides[V], there bool, err error) {
	k, err := s.keyOf(ctx, key)
	if err != nil {
		return b, false, err
	}
	a, usable, err := s.look(ctx, k)
	if err != nil || !usable || !time.Now().Before(a.soft) {
		return b, false, firstError(err, ctx.Err())
	}
	b.stored = a
	b.source, err = call(ctx, s.cfg.Loads.Timeout, s.m.run, func(ctx context.Context) (Loaded[V], error) {
		return limited(ctx, s.limit, &s.counters, 1, func(ctx context.Context) (Loaded[V], error) { return s.cfg.Load(ctx, key) })
	})
	if errors.Is(err, ErrNotFound) {
		b.absent = true
		return b, true, nil
	}
	if err == nil {
		b.encode, err = s.comparable(b.source.Value, k.identity)
	}
	return b, true, err
}

// comparable returns the bytes by which values are compared: what the codec makes of
// them; of one that encrypts, whose bytes are never twice the same, the one inside.
func (s *Space[K, V]) comparable(v V, id identity) ([]byte, error) {
	codec := s.cfg.Codec
	if sealed, is := codec.(interface{ plain() Codec[V] }); is {
		codec = sealed.plain()
	}
	data, err := codec.Encode(v, id[:])
	if err != nil {
		return nil, err
	}
	// Once more, for a codec may leave something out, which the stored one lacks.
	if v, err = codec.Decode(data, id[:]); err != nil {
		return nil, err
	}
	return codec.Encode(v, id[:])
}

func (a *AES[V]) plain() Codec[V] { return a.inner }

// differ compares both sides. The same version does not make values equal: a source that
// changes a row and leaves its version is what nobody else would ever notice.
func (s *Space[K, V]) differ(b *sides[V], cfg *VerifyConfig[K, V]) Difference {
	if b.stored.negative || b.absent {
		if b.stored.negative == b.absent {
			return DiffersNot
		}
		return DiffersPresence
	}
	if b.stored.version != 0 && b.source.Version != 0 && b.stored.version != b.source.Version {
		return DiffersVersion
	}
	if cfg.Equal != nil {
		if cfg.Equal(b.stored.value, b.source.Value) {
			return DiffersNot
		}
		return DiffersValue
	}
	stored, err := s.comparable(b.stored.value, b.stored.id)
	if err != nil || !bytes.Equal(stored, b.encode) {
		return DiffersValue
	}
	return DiffersNot
}
