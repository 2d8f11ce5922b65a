package lru

import (
	"cmp"
	"container/list"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// oracle is the LRU that everybody writes first.
type oracle struct {
	cfg   Config
	order *list.List // of Entry; the front was used last
	byID  map[uint32]*list.Element
}

func newOracle(cfg Config) *oracle {
	return &oracle{cfg: cfg, order: list.New(), byID: map[uint32]*list.Element{}}
}

func (o *oracle) delete(id uint32) bool {
	e := o.byID[id]
	if e == nil {
		return false
	}
	o.order.Remove(e)
	delete(o.byID, id)
	return true
}

func (o *oracle) holds(id uint32, second int64) bool {
	e := o.byID[id]
	if e == nil {
		return false
	}
	at := e.Value.(Entry).Expires
	return at == 0 || at > second
}

func (o *oracle) get(id uint32, tick uint64, second int64) bool {
	if !o.holds(id, second) {
		o.delete(id)
		return false
	}
	e := o.byID[id].Value.(Entry)
	e.Used = tick
	return o.put(e)
}

func (o *oracle) put(e Entry) bool {
	o.delete(e.ID)
	if o.cfg.Bytes > 0 && e.Size > o.cfg.Bytes {
		return false
	}
	o.byID[e.ID] = o.order.PushFront(e)
	for o.cfg.Items > 0 && int64(o.order.Len()) > o.cfg.Items || o.cfg.Bytes > 0 && o.bytes() > o.cfg.Bytes {
		o.delete(o.order.Back().Value.(Entry).ID)
	}
	return true
}

func (o *oracle) bytes() (sum int64) {
	for _, e := range o.entries() {
		sum += e.Size
	}
	return sum
}

func (o *oracle) entries() (all []Entry) {
	for e := o.order.Front(); e != nil; e = e.Next() {
		all = append(all, e.Value.(Entry))
	}
	return all
}

// merge keeps the newest entry of each ID, then the longest run of newest
// entries that fits.
func (o *oracle) merge(entries []Entry) {
	all := append(o.entries(), entries...)
	slices.SortFunc(all, func(a, b Entry) int { return cmp.Compare(b.Used, a.Used) })
	*o = *newOracle(o.cfg)
	full := false
	for _, e := range all {
		if o.byID[e.ID] != nil || o.cfg.Bytes > 0 && e.Size > o.cfg.Bytes {
			continue
		}
		full = full || o.cfg.Items > 0 && int64(o.order.Len()) == o.cfg.Items || o.cfg.Bytes > 0 && o.bytes()+e.Size > o.cfg.Bytes
		if !full {
			o.byID[e.ID] = o.order.PushBack(e)
		}
	}
}

// pair runs a Cache and the oracle side by side.
type pair struct {
	c *Cache
	o *oracle
}

func newPair(t *rapid.T, cfg Config) pair {
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return pair{c, newOracle(cfg)}
}

func (p pair) check(t *rapid.T) {
	want := p.o.entries()
	if p.o.cfg.Bytes == 0 {
		for i := range want {
			want[i].Size = 0
		}
	}
	got := slices.Collect(p.c.Entries())
	if !slices.Equal(got, want) {
		t.Fatalf("entries %v, want %v", got, want)
	}
	for id := range uint32(70) { // the table leads to the same entries
		if got, want := p.c.Holds(id, 0), p.o.holds(id, 0); got != want {
			t.Fatalf("Holds(%d) = %v, want %v", id, got, want)
		}
	}
	var bytes int64
	for _, e := range want {
		bytes += e.Size
	}
	if p.c.Len() != len(want) || p.c.Bytes() != bytes {
		t.Fatalf("Len, Bytes = %d, %d, want %d, %d", p.c.Len(), p.c.Bytes(), len(want), bytes)
	}
}

// Whatever is done, the cache holds what container/list holds.
func TestAgainstOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := rapid.SampledFrom([]Config{{Items: 1}, {Items: 5}, {Items: 40}, {Bytes: 30}, {Bytes: 200}, {Items: 7, Bytes: 60}}).Draw(t, "config")
		expiring := rapid.Bool().Draw(t, "expiring")
		p := newPair(t, cfg)
		var clone pair // made on the way, to see that it is left alone
		id := rapid.Uint32Range(0, 60)
		for tick := uint64(1); tick <= 300; tick++ {
			second := int64(tick / 3)
			e := Entry{ID: id.Draw(t, "id"), Used: tick, Size: rapid.Int64Range(0, 35).Draw(t, "size")}
			if expiring && rapid.Bool().Draw(t, "expires") {
				e.Expires = second + rapid.Int64Range(0, 20).Draw(t, "ttl")
			}
			switch rapid.SampledFrom([]string{"get", "get", "put", "put", "delete", "holds", "clone"}).Draw(t, "do") {
			case "get":
				if got, want := p.c.Get(e.ID, tick, second), p.o.get(e.ID, tick, second); got != want {
					t.Fatalf("Get(%d) = %v, want %v", e.ID, got, want)
				}
			case "put":
				if got, want := p.c.Put(e), p.o.put(e); got != want {
					t.Fatalf("Put(%v) = %v, want %v", e, got, want)
				}
			case "delete":
				if got, want := p.c.Delete(e.ID), p.o.delete(e.ID); got != want {
					t.Fatalf("Delete(%d) = %v, want %v", e.ID, got, want)
				}
			case "holds":
				if got, want := p.c.Holds(e.ID, second), p.o.holds(e.ID, second); got != want {
					t.Fatalf("Holds(%d) = %v, want %v", e.ID, got, want)
				}
			case "clone":
				if clone.c != nil {
					clone.check(t)
				}
				clone = pair{p.c.Clone(), newOracle(cfg)}
				for _, e := range slices.Backward(p.o.entries()) {
					clone.o.put(e)
				}
			}
			p.check(t)
		}
		if clone.c != nil {
			clone.check(t)
		}
	})
}

func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := rapid.SampledFrom([]Config{{Items: 3}, {Items: 20}, {Bytes: 40}, {Bytes: 300}, {Items: 5, Bytes: 60}}).Draw(t, "config")
		p := newPair(t, cfg)
		var others []Entry
		for tick := uint64(1); tick <= 40; tick++ {
			e := Entry{ID: rapid.Uint32Range(0, 30).Draw(t, "id"), Used: tick, Size: rapid.Int64Range(0, 45).Draw(t, "size")}
			e.Expires = rapid.SampledFrom([]int64{0, 0, 9}).Draw(t, "expires")
			switch {
			case rapid.Bool().Draw(t, "of another"):
				// Another cache has each ID once: two of one would be one entry.
				others = slices.DeleteFunc(others, func(o Entry) bool { return o.ID == e.ID })
				others = append(others, e)
			default:
				p.c.Put(e)
				p.o.put(e)
			}
		}
		p.c.Merge(others)
		p.o.merge(others)
		p.check(t)
	})
}

func TestNew(t *testing.T) {
	for _, cfg := range []Config{{}, {Items: -1}, {Bytes: -1}, {Items: 1, Bytes: -1}} {
		if c, err := New(cfg); err == nil {
			t.Errorf("New(%+v) = %v", cfg, c)
		}
	}
	if _, err := New(Config{Items: 1 << 40}); err != nil {
		t.Error(err)
	}
}

// Memory stays with the capacity, however many keys pass through.
func TestMemoryIsBounded(t *testing.T) {
	c, err := New(Config{Items: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for id := range uint32(1_000_000) {
		c.Put(Entry{ID: id, Used: uint64(id)})
	}
	if c.Len() != 1000 || len(c.slab) != 1001 || len(c.table) != 2048 {
		t.Errorf("%d entries, %d slots, %d in the table", c.Len(), len(c.slab), len(c.table))
	}
}

func TestAllocatesNothing(t *testing.T) {
	c, err := New(Config{Items: 100, Bytes: 5000})
	if err != nil {
		t.Fatal(err)
	}
	var tick uint64
	step := func() {
		tick++
		id := uint32(tick * 7 % 300)
		if !c.Get(id, tick, int64(tick)) {
			c.Put(Entry{ID: id, Used: tick, Size: int64(id), Expires: int64(tick) + 50})
		}
		c.Delete(uint32(tick * 13 % 300))
	}
	for range 1000 {
		step()
	}
	if n := testing.AllocsPerRun(1000, step); n != 0 {
		t.Errorf("%v allocations a request", n)
	}
}

func BenchmarkGetPut(b *testing.B) {
	c, err := New(Config{Items: 40_000})
	if err != nil {
		b.Fatal(err)
	}
	x := uint32(1)
	var tick uint64
	for b.Loop() {
		tick++
		x = x*1664525 + 1013904223 // a linear congruential generator
		if id := x >> 16; !c.Get(id, tick, 0) {
			c.Put(Entry{ID: id, Used: tick})
		}
	}
}
