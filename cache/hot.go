package cache

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// HotConfig has the keys found that are asked for most, and something done about
// them: one key is on one node, and a fleet does not help it. The zero value: nothing
// is looked for. With Keys alone they are only listed, by Space.HotKeys.
type HotConfig struct {
	// Keys is how many keys may be hot at a time; 0: none is looked for; 1,000 at most.
	Keys int

	// A key is hot in a process while it has at least this part of the process's
	// Gets of the space (0 means 0.01), and this many a second (0 means 50). Both are
	// averages in which what is a HalfLife ago counts half; 0 means 10 s.
	Share    float64
	Rate     float64
	HalfLife time.Duration

	// PinBytes above 0 keeps hot keys in this process. Where there is no level 1
	// there is one of this size, for hot keys alone; with L1Config.TTL, and NeedsBus.
	// Where there is one hot keys stay in it until their time ends, whatever else
	// comes, and may need this much beyond L1Config.MaxBytes.
	PinBytes uint64

	// Copies above 1 spreads hot keys: beside its entry a hot key has copies under
	// keys of their own, on other nodes mostly, up to this many in all, of which
	// each look takes one by chance; 16 at most. The store must be a Leaser. All processes
	// must have the same here, for each invalidation deletes all of them, of hot
	// keys or not: that many requests at once in place of one.
	Copies int
}

// HotKey is a key that is asked for often, in this process.
type HotKey struct {
	Key   string  // as the store has it; personal fields are hashed
	Rate  float64 // Gets a second, at least
	Share float64 // of all Gets of the space, at least
}

const maxCopies = 16 // of a hot key, with its entry

func (c HotConfig) withDefaults() (HotConfig, error) {
	switch {
	case c.Keys < 0 || c.Keys > 1000:
		return c, configError("Hot.Keys", c.Keys, "0 to 1,000")
	case math.IsNaN(c.Share) || c.Share < 0 || c.Share > 1:
		return c, configError("Hot.Share", c.Share, "0 to 1")
	case math.IsNaN(c.Rate) || math.IsInf(c.Rate, 0) || c.Rate < 0:
		return c, configError("Hot.Rate", c.Rate, "0 or more")
	case c.HalfLife < 0 || c.HalfLife > time.Hour:
		return c, configError("Hot.HalfLife", c.HalfLife, "0 to 1 h")
	case c.Copies < 0 || c.Copies > maxCopies:
		return c, configError("Hot.Copies", c.Copies, "0 to 16")
	case c.Keys == 0 && (c.PinBytes > 0 || c.Copies > 1):
		return c, configError("Hot", fmt.Sprintf("PinBytes %d, Copies %d", c.PinBytes, c.Copies), "Keys with them")
	}
	setDefault(&c.Share, 0.01)
	setDefault(&c.Rate, 50)
	setDefault(&c.HalfLife, 10*time.Second)
	return c, nil
}

// hotKeys finds the hot keys of one space in this process. nil: it looks for none.
type hotKeys[K Key] struct {
	cfg HotConfig
	hot atomic.Pointer[map[K]struct{}] // not nil; replaced, never changed

	mu     sync.Mutex // guards what follows
	sketch *sketch[K]
	next   time.Time // when hot is made anew
}

const (
	// One Get in so many is counted, for all of them: counting takes a lock.
	hotSample = 8
	// How often the keys that are hot are found anew.
	hotEvery = 250 * time.Millisecond
)

func newHotKeys[K Key](cfg HotConfig) *hotKeys[K] {
	if cfg.Keys == 0 {
		return nil
	}
	size := max(256, 8*cfg.Keys, min(int(4/cfg.Share), 1<<13))
	h := &hotKeys[K]{cfg: cfg, sketch: newSketch[K](size, cfg.HalfLife)}
	h.hot.Store(&map[K]struct{}{})
	return h
}

// touch counts a Get.
func (h *hotKeys[K]) touch(key K) {
	if h == nil || rand.Uint32()%hotSample != 0 {
		return
	}
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sketch.add(key, hotSample, now)
	if !now.Before(h.next) {
		h.next = now.Add(hotEvery)
		h.publish(h.top(now))
	}
}

// top returns the hot keys, the hottest first. mu is held.
func (h *hotKeys[K]) top(now time.Time) []frequent[K] {
	found := h.sketch.above(h.cfg.Rate, h.cfg.Share, now)
	slices.SortFunc(found, func(a, b frequent[K]) int { return cmp.Compare(b.rate, a.rate) })
	return found[:min(len(found), h.cfg.Keys)]
}

func (h *hotKeys[K]) publish(top []frequent[K]) {
	before := *h.hot.Load()
	same := len(before) == len(top)
	hot := make(map[K]struct{}, len(top))
	for _, f := range top {
		hot[f.key] = struct{}{}
		_, was := before[f.key]
		same = same && was
	}
	if !same {
		h.hot.Store(&hot)
	}
}

func (h *hotKeys[K]) has(key K) bool {
	if h == nil {
		return false
	}
	_, hot := (*h.hot.Load())[key]
	return hot
}

// HotKeys returns the keys that are hot in this process, the hottest first: see
// HotConfig. nil: it does not look for them.
func (s *Space[K, V]) HotKeys() []HotKey {
	if s.hot == nil {
		return nil
	}
	s.hot.mu.Lock()
	top := s.hot.top(time.Now())
	s.hot.mu.Unlock()
	keys := make([]HotKey, 0, len(top))
	for _, f := range top {
		k, err := storeKeyOf(s.prefix, f.key, nil, s.m.cfg.Secret)
		if err == nil {
			keys = append(keys, HotKey{Key: k.text, Rate: f.rate, Share: f.share})
		}
	}
	return keys
}

// pinOnly says whether level 1 is there for hot keys alone.
func (s *Space[K, V]) pinOnly() bool { return s.cfg.L1.MaxBytes == 0 }

// levelOne returns the level 1 that the space is to have; MaxBytes 0: none.
func (c SpaceConfig[K, V]) levelOne() L1Config {
	l := c.L1
	if l.MaxBytes == 0 {
		l.MaxBytes = c.Hot.PinBytes
	}
	return l
}

// pin returns how much an entry counts in level 1, and whether it may be there at all.
// What counts nothing is not removed before its time ends.
func (s *Space[K, V]) pin(key K, weight uint32) (uint32, bool) {
	switch hot := s.cfg.Hot; {
	case s.pinOnly():
		return weight, s.hot.has(key)
	case hot.PinBytes > 0 && uint64(weight) <= hot.PinBytes/uint64(hot.Keys) && s.hot.has(key):
		return 0, true
	}
	return weight, true
}

// timed gives a value the time to live that SpaceConfig.TTLFor says.
func (s *Space[K, V]) timed(key K, l Loaded[V]) (_ Loaded[V], err error) {
	defer caught("TTLFor", &err)
	if s.cfg.TTLFor != nil && l.TTL <= 0 {
		l.TTL = s.cfg.TTLFor(key, l.Value)
	}
	return l, nil
}
