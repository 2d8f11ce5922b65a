package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// A space's epoch is a number on the fleet that each of its entries carries: an
// entry with another number is a miss. BumpEpoch replaces it, which is one request
// however many entries there are.
//
// It is no counter but random. A counter that is lost (evicted, or with its node)
// would begin anew, and make entries of an earlier round valid again; a random
// number that is lost is replaced by one that no entry has. Whoever misses it makes
// one, under a lease, so that a whole fleet that starts agrees at once.
const (
	epochMark = '*' // of its key: no field begins with it

	epochFresh = time.Second            // how long a process goes by what it has read
	epochAhead = epochFresh / 2         // and from when on it reads anew, while nobody waits
	epochLease = 2 * time.Second        // for who makes one
	epochRenew = 24 * time.Hour         // after which it is stored anew, unchanged, to outlive maxTTL
	epochTry   = 250 * time.Millisecond // for who cannot read it, until the next try
)

// epochs is what a process knows of the epoch of a space.
type epochs struct {
	key   string
	reads flights[struct{}]

	mu     sync.Mutex // guards the following
	number uint64     // 0: not known
	fresh  time.Time  // until then nobody need ask
	turn   uint64     // counts what makes an answer that is under way too old
}

// now returns the number, how long it may be used, and whether it is known.
func (e *epochs) now() (number uint64, left time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.number, time.Until(e.fresh)
}

func (e *epochs) learn(number, turn uint64, fresh time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.turn == turn {
		e.number, e.fresh = number, fresh
	}
}

// set is for a process that has changed the epoch itself.
func (e *epochs) set(number uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn++
	e.number, e.fresh = number, time.Now().Add(epochFresh)
}

// expire has the next caller ask.
func (e *epochs) expire() (turn uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.turn++
	e.fresh = time.Time{}
	return e.turn
}

func (e *epochs) begin() (turn uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.turn
}

// epochOf returns the epoch of the space, 0 if it has none, and false if it cannot
// be learnt. One caller a second asks the fleet. If the fleet does not answer, what
// was known last goes on: it cannot be changed there either.
func (s *Space[K, V]) epochOf(ctx context.Context) (number uint64, known bool) {
	if s.epochs == nil {
		return 0, true
	}
	number, left := s.epochs.now()
	if left > epochAhead {
		return number, number != 0
	}
	f, _, err := s.epochs.reads.join("", s.m.run, func(*flight[struct{}]) (struct{}, error) {
		return struct{}{}, s.readEpoch()
	})
	if left > 0 {
		return number, number != 0
	}
	if err == nil {
		select {
		case <-f.done:
		case <-ctx.Done():
		}
		number, _ = s.epochs.now()
	}
	return number, number != 0
}

// readEpoch asks the fleet. It runs in the flight of all who want to know.
func (s *Space[K, V]) readEpoch() error {
	ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	turn, begun := s.epochs.begin(), time.Now()
	e, err := s.m.cfg.Store.Get(ctx, s.epochs.key)
	number, written, whole := decodeEpoch(e.Value)
	if err != nil && !errors.Is(err, ErrMiss) {
		s.epochUnknown(ctx, turn, err)
		return err
	}
	if err != nil || !whole || time.Since(written) > epochRenew {
		if number, err = s.makeEpoch(ctx); err != nil {
			s.epochUnknown(ctx, turn, err)
			return err
		}
	}
	s.epochs.learn(number, turn, begun.Add(epochFresh))
	return nil
}

// epochUnknown has callers go on with what was known, and not all of them try.
func (s *Space[K, V]) epochUnknown(ctx context.Context, turn uint64, err error) {
	s.storeFailed(ctx, err)
	number, _ := s.epochs.now()
	s.epochs.learn(number, turn, time.Now().Add(epochAhead+epochTry))
}

var errEpochBusy = errors.New("cache: epoch: its lease was lost again and again")

// makeEpoch stores a number where there is none, and stores one that is old once
// more, under a lease: so it never replaces what BumpEpoch has stored meanwhile.
func (s *Space[K, V]) makeEpoch(ctx context.Context) (uint64, error) {
	w := wait{request: LeaseRequest{Life: epochLease, Renew: true}, begun: time.Now(), counted: true}
	for range 100 {
		g, err := s.m.leaser.Lease(ctx, s.epochs.key, w.request)
		if err != nil {
			return 0, err
		}
		number, _, whole := decodeEpoch(g.Entry.Value)
		switch {
		case g.State == Won:
			if !whole {
				number = newEpoch()
			}
			filled, err := s.m.leaser.Fill(ctx, s.epochs.key, g.Lease, epochEntry(number))
			if err != nil || filled == Stored {
				return number, err
			}
		case whole:
			return number, nil
		case g.State == Pending:
			if err := s.sleep(ctx, &w, g.Lease); err != nil {
				return 0, err
			}
		}
	}
	return 0, errEpochBusy
}

func newEpoch() uint64 { return max(1, rand.Uint64()) }

func epochEntry(number uint64) Entry {
	value := binary.BigEndian.AppendUint64(nil, number)
	return Entry{Value: binary.BigEndian.AppendUint64(value, uint64(time.Now().UnixMilli())), TTL: maxTTL}
}

func decodeEpoch(value []byte) (number uint64, written time.Time, whole bool) {
	if len(value) != 16 {
		return 0, time.Time{}, false
	}
	number = binary.BigEndian.Uint64(value)
	return number, milli(value[8:]), number != 0
}

// BumpEpoch makes all entries of the space misses, at the cost of one request. A Get
// that begins in this process after it returned sees what the source had then, or
// later; in another process the same is true a second later, or as soon as the Bus
// has told. Counters stay. ErrUnsupported: the space has no epochs, see
// SpaceConfig.Epochs; ErrNotInvalidated: the fleet could not be told, and it is
// repeated, see InvalidationConfig.
//
// All of the space is cold then. Versions may begin anew, as those of a source that was
// restored: an entry of before that has a higher one refuses the first value that is
// loaded, and is removed, so that the next Get loads once more, and what that brings is
// stored; with LifeConfig.HoldOff, after that. A hold-off of before goes on to its end.
func (s *Space[K, V]) BumpEpoch(ctx context.Context) error {
	switch {
	case s.m.ctx.Err() != nil:
		return ErrClosed
	case s.epochs == nil:
		return ErrUnsupported
	}
	s.counters.invalidated(1)
	err := s.bumpEpoch(ctx)
	if err != nil {
		s.counters.storeErrors.Add(1)
		s.later.again(ctx, laterEpoch, s.epochID, s.epochs.key)
	}
	return err
}

func (s *Space[K, V]) bumpEpoch(ctx context.Context) error {
	if s.epochs == nil {
		return ErrUnsupported // of a journal from when it had them
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Loads.Timeout)
	defer cancel()
	number := newEpoch()
	if _, err := s.m.cfg.Store.Set(ctx, s.epochs.key, epochEntry(number)); err != nil {
		s.epochs.expire() // it may be there all the same
		return fmt.Errorf("%w: %s: %w", ErrNotInvalidated, s.name, err)
	}
	s.epochs.set(number)
	if s.m.cfg.Bus != nil {
		s.m.cfg.Bus.Tell(Change{Space: s.name, Key: s.epochID, All: true})
	}
	return nil
}
