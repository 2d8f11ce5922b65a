package rebalance

import (
	"slices"
	"strings"
	"sync"
	"time"
)

// A record is what Progress is made from. It is safe for concurrent use.
type record struct {
	mu       sync.Mutex
	p        Progress
	by       map[string]*ReceiverProgress
	meter    meter
	waiting  bool
	total    int64 // keys of the server at the beginning of the pass; -1: not known
	seen     int64 // of them in this pass
	found    int64 // of those, keys to move
	settled  int64 // of those, keys that are done with, for this pass
	changing bool  // a hand-over is under way
}

func newRecord() *record { return &record{total: -1} }

func (r *record) begin(transition uint64, receivers []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p = Progress{Transition: transition, State: Moving, Began: time.Now()}
	r.by = make(map[string]*ReceiverProgress)
	for _, id := range receivers {
		r.by[id] = &ReceiverProgress{ID: id}
	}
	r.meter, r.waiting, r.changing = meter{}, false, true
}

func (r *record) end(done bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changing, r.waiting, r.p.Ended, r.p.BigKeys = false, false, time.Now(), nil
	if done {
		r.found, r.settled, r.total, r.p.KeysWaiting, r.p.Error, r.p.ErrorAt = 0, 0, 0, 0, "", time.Time{}
		r.seen = 0
	}
}

func (r *record) beginPass(pass int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.Pass, r.p.KeysWaiting = pass, 0
	r.total, r.seen, r.found, r.settled, r.waiting = -1, 0, 0, 0, false
}

func (r *record) setTotal(n int64) { r.do(func() { r.total = n }) }
func (r *record) wait(on bool)     { r.do(func() { r.waiting = on }) }

func (r *record) do(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// scanned counts keys that the walk came upon, and how many of them are to move.
func (r *record) scanned(seen, found int64) {
	r.do(func() { r.seen += seen; r.found += found })
}

// settle counts keys that are done with for this pass; waiting of them are left
// for the next one.
func (r *record) settle(n, waiting int64) {
	r.do(func() { r.settled += n; r.p.KeysWaiting += waiting })
}

// arrived counts what a receiver has got.
func (r *record) arrived(id string, keys, bytes int64) {
	r.do(func() {
		if to := r.by[id]; to != nil {
			to.Keys, to.Bytes = to.Keys+keys, to.Bytes+bytes
		}
	})
}

// moved counts keys that are where they belong now.
func (r *record) moved(keys, bytes int64) {
	r.do(func() {
		r.p.KeysMoved, r.p.BytesMoved = r.p.KeysMoved+keys, r.p.BytesMoved+bytes
		r.meter.add(time.Now(), keys, bytes)
	})
}

// receiver says why nothing goes to a node; empty: it does.
func (r *record) receiver(id, why string) {
	r.do(func() {
		if to := r.by[id]; to != nil {
			to.Waiting = why
		}
	})
}

func (r *record) failed(text string) {
	r.do(func() { r.p.Error, r.p.ErrorAt = text, time.Now() })
}

// big announces a key that is moved singly. The function that it returns says how
// much of it was sent, or with a negative number that it is done with.
func (r *record) big(key BigKey) (sent func(n int64)) {
	at := &key
	r.mu.Lock()
	defer r.mu.Unlock()
	r.p.BigKeys = append(slices.Clone(r.p.BigKeys), key)
	place := func() int {
		return slices.IndexFunc(r.p.BigKeys, func(b BigKey) bool { return b.Key == at.Key })
	}
	return func(n int64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		i := place()
		if i < 0 {
			return
		}
		list := slices.Clone(r.p.BigKeys)
		if list[i].Sent = n; n < 0 {
			list = slices.Delete(list, i, i+1)
		}
		r.p.BigKeys = list
	}
}

// snapshot returns the Progress as of now.
func (r *record) snapshot(paused bool, pace float64) Progress {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.p
	p.Pace = pace
	p.KeysPerSecond, p.BytesPerSecond = r.meter.rates(time.Now())
	p.KeysLeft, p.TimeLeft = r.left(), -1
	switch {
	case paused:
		p.State = Paused
	case !r.changing:
		p.State = Idle
	case r.waiting:
		p.State = Waiting
	default:
		p.State = Moving
	}
	switch {
	case p.KeysLeft == 0:
		p.TimeLeft = 0
	case p.KeysLeft > 0 && p.KeysPerSecond > 0 && p.State == Moving:
		p.TimeLeft = time.Duration(float64(p.KeysLeft) / p.KeysPerSecond * float64(time.Second)).Round(time.Second)
	}
	for _, to := range r.by {
		p.Receivers = append(p.Receivers, *to)
	}
	slices.SortFunc(p.Receivers, func(a, b ReceiverProgress) int { return strings.Compare(a.ID, b.ID) })
	return p
}

// left estimates how many keys are still to move: those found so far, and of those
// not seen yet as large a part as of those seen.
func (r *record) left() int64 {
	known := r.found - r.settled + r.p.KeysWaiting
	switch {
	case r.total < 0 || r.total > 0 && r.seen == 0:
		return -1
	case r.seen == 0 || r.seen >= r.total:
		return known
	}
	return known + int64(float64(r.found)/float64(r.seen)*float64(r.total-r.seen))
}

// A meter measures rates over the last seconds.
type meter struct {
	slots [meterSlots]struct{ at, keys, bytes int64 } // at: which half second since 1970
}

const (
	meterSlots = 10
	meterSlot  = 500 * time.Millisecond
)

func (m *meter) add(now time.Time, keys, bytes int64) {
	at := now.UnixNano() / int64(meterSlot)
	s := &m.slots[at%meterSlots]
	if s.at != at {
		s.at, s.keys, s.bytes = at, 0, 0
	}
	s.keys, s.bytes = s.keys+keys, s.bytes+bytes
}

func (m *meter) rates(now time.Time) (keys, bytes float64) {
	at := now.UnixNano() / int64(meterSlot)
	first := at
	for _, s := range m.slots {
		if s.at > at-meterSlots && s.at <= at {
			keys, bytes, first = keys+float64(s.keys), bytes+float64(s.bytes), min(first, s.at)
		}
	}
	over := now.Sub(time.Unix(0, first*int64(meterSlot))).Seconds()
	if over <= 0 {
		return 0, 0
	}
	return keys / over, bytes / over
}
