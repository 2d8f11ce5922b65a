package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

// announced is the log of the keys that are about to be created: one cell on the
// fleet, changed under its lease, so that two who announce never overwrite each
// other. It has the last of them, and counts all. Who has missed more than it has, or
// finds another log, knows that his filter is not complete. The log is random, like
// an epoch: one that is lost is not taken for one that begins.
type announced struct {
	log    uint64 // 0: none
	number uint64 // of all announcements
	last   []identity
}

const (
	logMark = '!' // of its key: no field begins with it
	logKeys = 512 // that it has, of 16 bytes
	logHead = 8 + 8
)

func (a announced) encode() []byte {
	out := binary.BigEndian.AppendUint64(nil, a.log)
	out = binary.BigEndian.AppendUint64(out, a.number)
	for _, id := range a.last {
		out = append(out, id[:]...)
	}
	return out
}

func decodeAnnounced(data []byte) (a announced, whole bool) {
	if len(data) < logHead || (len(data)-logHead)%16 != 0 {
		return a, false
	}
	a.log, a.number = binary.BigEndian.Uint64(data), binary.BigEndian.Uint64(data[8:])
	for rest := data[logHead:]; len(rest) > 0; rest = rest[16:] {
		a.last = append(a.last, identity(rest))
	}
	return a, a.log != 0 && uint64(len(a.last)) <= a.number
}

// since returns what was announced after another state of the log, and false if that
// is not known.
func (a announced) since(seen announced) ([]identity, bool) {
	if a.log != seen.log || a.number < seen.number {
		return nil, false
	}
	n := a.number - seen.number
	if n > uint64(len(a.last)) {
		return nil, false
	}
	return a.last[uint64(len(a.last))-n:], true
}

// with returns the log with more. Of too many only their number is kept, so that
// everybody notices.
func (a announced) with(ids []identity) announced {
	a.number += uint64(len(ids))
	a.last = append(slices.Clone(a.last), ids...)
	if more := len(a.last) - logKeys; more > 0 {
		a.last = a.last[more:]
	}
	return a
}

var errLogBusy = errors.New("cache: filter: the lease of the announcements was lost again and again")

// announce adds to the log, and begins one where there is none.
func (s *Space[K, V]) announce(ctx context.Context, ids []identity) (announced, error) {
	w := wait{request: LeaseRequest{Life: epochLease, Renew: true}, begun: time.Now(), counted: true}
	for range 1000 {
		g, err := s.m.leaser.Lease(ctx, s.filterKey, w.request)
		if err != nil {
			return announced{}, err
		}
		switch g.State {
		case Won:
			a, whole := decodeAnnounced(g.Entry.Value)
			if !whole {
				a = announced{log: newEpoch()}
			}
			a = a.with(ids)
			filled, err := s.m.leaser.Fill(ctx, s.filterKey, g.Lease, Entry{Value: a.encode(), TTL: maxTTL})
			if err != nil || filled == Stored {
				return a, err
			}
		case Pending:
			if err := s.sleep(ctx, &w, g.Lease); err != nil {
				return announced{}, err
			}
		}
	}
	return announced{}, errLogBusy
}

// Announce says that keys are about to be created at the source. It must return
// without an error before the source commits them, and they must be there within
// FilterConfig.Commit; else the filters of processes may refuse them until they are
// built anew. Put and PutMany call it. Without a filter it does nothing. More than
// 512 new keys in a second, in the whole fleet, can cost processes their filter until
// it is built anew: nothing is refused meanwhile.
func (s *Space[K, V]) Announce(ctx context.Context, keys ...K) error {
	if s.filter == nil || len(keys) == 0 {
		return nil
	}
	ids := make([]identity, len(keys))
	for i, key := range keys {
		k, err := s.keyIn(key, 0, true)
		if err != nil {
			return err
		}
		ids[i] = k.identity
	}
	return s.announceIDs(ctx, ids)
}
