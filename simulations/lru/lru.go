package lru

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
)

// MaxItems bounds the number of entries of a Cache.
const MaxItems = 1 << 31

// Config bounds a Cache. At least one of the limits must be set.
type Config struct {
	Items int64 // entries at most; 0 means no limit but MaxItems
	Bytes int64 // sum of the entries' sizes at most; 0 means no limit
}

// Entry is what a Cache holds of a key.
type Entry struct {
	ID      uint32
	Size    int64  // bytes; not kept where Config.Bytes is 0
	Expires int64  // the first second in which the entry is gone; 0 means never
	Used    uint64 // the tick of its last use
	Version uint32 // of the value, kept for the caller, who alone knows what it means
}

// Cache is an LRU cache. New and Clone make one.
type Cache struct {
	cfg   Config
	bytes int64

	slab    []slot
	sizes   []int64 // beside slab; nil where Config.Bytes is 0
	expires []int64 // beside slab; nil until an entry expires
	free    uint32  // first of the slots that are not in use, linked by next; 0 if none

	table []uint64 // ID<<32 | position in slab; 0 is free, since position 0 is no entry
	shift uint8    // 64 - log2(len(table))
	count int
}

// A slot is one entry. Slot 0 is the head of the ring of entries: its next is the
// one used last, its prev the one to be evicted first.
type slot struct {
	id         uint32
	prev, next uint32
	version    uint32 // where padding would be
	used       uint64
}

// New returns an empty cache, or an error where the Config sets no limit or a
// limit below 0.
func New(cfg Config) (*Cache, error) {
	if cfg.Items < 0 || cfg.Bytes < 0 || cfg.Items == 0 && cfg.Bytes == 0 {
		return nil, fmt.Errorf("lru: found a capacity of %d items and %d bytes, expected one above 0", cfg.Items, cfg.Bytes)
	}
	if cfg.Items == 0 || cfg.Items > MaxItems {
		cfg.Items = MaxItems
	}
	c := &Cache{cfg: cfg, slab: make([]slot, 1, 8)}
	if cfg.Bytes > 0 {
		c.sizes = make([]int64, 1, 8)
	}
	c.resize(minTable)
	return c, nil
}

// Clone returns a copy that shares nothing with the cache.
func (c *Cache) Clone() *Cache {
	twin := *c
	twin.slab = slices.Clone(c.slab)
	twin.sizes = slices.Clone(c.sizes)
	twin.expires = slices.Clone(c.expires)
	twin.table = slices.Clone(c.table)
	return &twin
}

// Len returns the number of entries, expired ones included.
func (c *Cache) Len() int { return c.count }

// Bytes returns the sum of the entries' sizes; 0 where Config.Bytes is 0.
func (c *Cache) Bytes() int64 { return c.bytes }

// Get reports whether the key is cached and has not expired by that second, and
// marks it as used at that tick.
func (c *Cache) Get(id uint32, tick uint64, second int64) bool {
	at := c.find(id)
	if at == 0 {
		return false
	}
	if c.expires != nil && expired(c.expires[at], second) {
		c.remove(at)
		return false
	}
	c.use(at, tick)
	return true
}

// Holds reports the same as Get, and changes nothing.
func (c *Cache) Holds(id uint32, second int64) bool {
	at := c.find(id)
	return at != 0 && (c.expires == nil || !expired(c.expires[at], second))
}

// Find returns the entry of the key, expired or not, and whether there is one. It
// changes nothing.
func (c *Cache) Find(id uint32) (Entry, bool) {
	at := c.find(id)
	if at == 0 {
		return Entry{}, false
	}
	return c.entry(at), true
}

func expired(at, second int64) bool { return at != 0 && at <= second }

// Put stores the entry, in the place of the one with its ID if there is one, as
// the one used last, and evicts until it fits. An entry larger than the whole
// cache is not stored, and the one in whose place it came is gone: Put returns
// false.
func (c *Cache) Put(e Entry) bool {
	at := c.find(e.ID)
	if c.cfg.Bytes > 0 && e.Size > c.cfg.Bytes {
		if at != 0 {
			c.remove(at)
		}
		return false
	}
	if at == 0 {
		at = c.insert(e.ID)
		c.link(at, 0, e.Used)
	} else {
		c.use(at, e.Used)
	}
	c.describe(at, e)
	for c.bytes > c.cfg.Bytes {
		c.remove(c.slab[0].prev) // never at, which alone would fit
	}
	return true
}

// describe notes the size, the expiry and the version of an entry that is linked.
func (c *Cache) describe(at uint32, e Entry) {
	c.slab[at].version = e.Version
	if c.sizes != nil {
		c.bytes += e.Size - c.sizes[at]
		c.sizes[at] = e.Size
	}
	if c.expires == nil && e.Expires != 0 {
		c.expires = make([]int64, len(c.slab), cap(c.slab))
	}
	if c.expires != nil {
		c.expires[at] = e.Expires
	}
}

// Delete removes the key, and reports whether it was there.
func (c *Cache) Delete(id uint32) bool {
	at := c.find(id)
	if at == 0 {
		return false
	}
	c.remove(at)
	return true
}

// Entries yields the entries, the one used last first. The cache must not be
// changed meanwhile.
func (c *Cache) Entries() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for at := c.slab[0].next; at != 0; at = c.slab[at].next {
			if !yield(c.entry(at)) {
				return
			}
		}
	}
}

func (c *Cache) entry(at uint32) Entry {
	e := Entry{ID: c.slab[at].id, Used: c.slab[at].used, Version: c.slab[at].version}
	if c.sizes != nil {
		e.Size = c.sizes[at]
	}
	if c.expires != nil {
		e.Expires = c.expires[at]
	}
	return e
}

// Merge adds entries of other caches, each at the place in the order of use that
// its tick gives it. Of two entries with one ID, the one used last stays. Entries
// larger than the whole cache are left out; of the others, as many of those used
// last stay as fit. It costs O(n log n) of all entries.
func (c *Cache) Merge(entries []Entry) {
	all := slices.AppendSeq(slices.Clone(entries), c.Entries())
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Used, a.Used), cmp.Compare(a.ID, b.ID))
	})
	for at := c.slab[0].next; at != 0; at = c.slab[0].next {
		c.remove(at)
	}
	// The one used last goes first and evicts nothing: an older entry of the same
	// ID must not take room from others before the newer one takes its place.
	for _, e := range all {
		switch {
		case c.find(e.ID) != 0 || c.cfg.Bytes > 0 && e.Size > c.cfg.Bytes:
			continue
		case int64(c.count) >= c.cfg.Items || c.cfg.Bytes > 0 && c.bytes+e.Size > c.cfg.Bytes:
			return
		}
		at := c.insert(e.ID)
		c.link(at, c.slab[0].prev, e.Used)
		c.describe(at, e)
	}
}
