package cache

import (
	"container/heap"
	"math"
	"time"
)

// sketch finds the keys that are asked for most, in bounded memory: Space-Saving of
// "Efficient Computation of Frequent and Top-k Elements in Data Streams" (Metwally,
// Agrawal, El Abbadi, ICDT 2005). A key that has no counter takes over the smallest
// one, with its count, which is then how much it may be overestimated by. With m
// counters no key is missed of which there is more than one in m.
//
// Counts fade: what was counted a half-life ago counts half. Instead of all counts
// sinking, each new one weighs more than those before ("forward decay": Cormode,
// Shkapenyuk, Srivastava, Xu, ICDE 2009).
type sketch[K comparable] struct {
	size     int
	halfLife time.Duration
	begun    time.Time // when a count weighed 1
	total    float64   // of all counts, by the weight of begun
	byKey    map[K]*tally[K]
	least    tallies[K] // the smallest first
}

type tally[K comparable] struct {
	key   K
	count float64
	error float64 // by how much count may be too high
	index int     // in tallies
}

func newSketch[K comparable](size int, halfLife time.Duration) *sketch[K] {
	return &sketch[K]{size: size, halfLife: halfLife, byKey: make(map[K]*tally[K], size)}
}

// rebase is where weights begin anew, before they lose digits.
const rebase = 1 << 30

func (s *sketch[K]) weight(now time.Time) float64 {
	if s.begun.IsZero() {
		s.begun = now
	}
	w := math.Exp2(now.Sub(s.begun).Seconds() / s.halfLife.Seconds())
	if w < rebase {
		return w
	}
	s.total /= w
	for _, t := range s.least {
		t.count /= w
		t.error /= w
	}
	s.begun = now
	return 1
}

// add counts a key n times.
func (s *sketch[K]) add(key K, n float64, now time.Time) {
	n *= s.weight(now)
	s.total += n
	t := s.byKey[key]
	switch {
	case t != nil:
		t.count += n
		heap.Fix(&s.least, t.index)
	case len(s.least) < s.size:
		t = &tally[K]{key: key, count: n}
		s.byKey[key] = t
		heap.Push(&s.least, t)
	default:
		t = s.least[0]
		delete(s.byKey, t.key)
		t.key, t.error, t.count = key, t.count, t.count+n
		s.byKey[key] = t
		heap.Fix(&s.least, 0)
	}
}

// frequent is what is known of one key.
type frequent[K comparable] struct {
	key   K
	rate  float64 // a second, at least
	share float64 // of all, at least
}

// above returns the keys of at least that rate and share, in no order.
func (s *sketch[K]) above(rate, share float64, now time.Time) (found []frequent[K]) {
	w := s.weight(now)
	perSecond := math.Ln2 / s.halfLife.Seconds() // of a steady stream, a count is this many seconds of it
	for _, t := range s.least {
		f := frequent[K]{key: t.key, rate: (t.count - t.error) / w * perSecond, share: (t.count - t.error) / s.total}
		if f.rate >= rate && f.share >= share && t.count > t.error {
			found = append(found, f)
		}
	}
	return found
}

// tallies is a heap.Interface.
type tallies[K comparable] []*tally[K]

func (h tallies[K]) Len() int           { return len(h) }
func (h tallies[K]) Less(i, j int) bool { return h[i].count < h[j].count }

func (h tallies[K]) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *tallies[K]) Push(x any) {
	t := x.(*tally[K])
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *tallies[K]) Pop() any {
	old := *h
	t := old[len(old)-1]
	*h = old[:len(old)-1]
	return t
}
