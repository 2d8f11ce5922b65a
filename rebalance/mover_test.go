package rebalance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// someItems returns keys and values of many forms.
func someItems(prefix string, n int, seed uint64) map[string]testItem {
	random := rand.New(rand.NewPCG(seed, 1))
	items := make(map[string]testItem, n)
	for i := range n {
		key, value := fmt.Sprintf("%skey:%d", prefix, i), make([]byte, random.IntN(200))
		for j := range value {
			value[j] = byte(random.Uint32())
		}
		if i%10 == 3 {
			key = fmt.Sprintf("%s\x00 \xff\r\n%d", prefix, i)
		}
		item := testItem{value: string(value)}
		if i%3 == 0 {
			item.ttl = time.Duration(600+random.IntN(3600)) * time.Second
		}
		items[key] = item
	}
	return items
}

// spread stores items where the current ring has them, and returns how many of them
// the next one has elsewhere.
func (f *testFleet) spread(items map[string]testItem) (moving int64) {
	f.t.Helper()
	now, next := f.rings()
	at := make(map[string]map[string]testItem)
	for key, item := range items {
		id := now.Owner(key).ID
		if at[id] == nil {
			at[id] = make(map[string]testItem)
		}
		at[id][key] = item
		if next.Owner(key).ID != id {
			moving++
		}
	}
	for id, items := range at {
		must(f.t, f.store(id).fill(f.t.Context(), items))
	}
	return moving
}

// check looks for every item on every node: it is to be on its owner alone.
func (f *testFleet) check(items map[string]testItem, owner *ring.Ring, began time.Time) {
	f.t.Helper()
	bad := 0
	for id := range f.servers {
		s := f.store(id)
		for key, item := range items {
			value, ttl, there, err := s.get(f.t.Context(), key)
			must(f.t, err)
			want := owner.Owner(key).ID == id
			late := time.Since(began) + 2*time.Second
			switch {
			case there != want:
				f.t.Errorf("%q on %s: %v, want %v", key, id, there, want)
			case there && value != item.value:
				f.t.Errorf("%q on %s: %q, want %q", key, id, value, item.value)
			case there && (ttl > item.ttl+time.Second || ttl < item.ttl-late || item.ttl == 0 && ttl != 0 || item.ttl > 0 && ttl <= 0):
				f.t.Errorf("%q on %s: lives %v, want %v", key, id, ttl, item.ttl)
			default:
				continue
			}
			if bad++; bad > 10 {
				f.t.FailNow()
			}
		}
	}
}

// TestHandOver: two nodes hand over to two newcomers.
func TestHandOver(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), active("b"), coming("c"), coming("d"))
			f.fence("c", "d")
			items := someItems("", 20_000, 1)
			began := time.Now()
			moving := f.spread(items)
			var all sync.WaitGroup
			var moved, bytes atomic.Int64
			for _, id := range []string{"a", "b"} {
				m := f.mover(id)
				all.Go(func() {
					if err := m.HandOver(within(t), f.view, testTransition); err != nil {
						t.Error(err)
					}
					p := m.Progress()
					moved.Add(p.KeysMoved)
					bytes.Add(p.BytesMoved)
					if p.State != Idle || p.KeysLeft != 0 || p.Ended.IsZero() || p.Error != "" || len(p.Receivers) != 2 {
						t.Errorf("%s: %+v", id, p)
					}
				})
			}
			all.Wait()
			_, next := f.rings()
			f.check(items, next, began)
			if moved.Load() != moving || bytes.Load() == 0 {
				t.Errorf("moved %d keys of %d bytes, want %d", moved.Load(), bytes.Load(), moving)
			}
		})
	}
}

// TestPrefixAndDatabase: what is not the fleet's stays what it is.
func TestPrefixAndDatabase(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.config.Source.Prefix = "app:*"
			other := someItems("app:", 500, 2)
			if kind == membership.Redis {
				must(t, f.redis("a").Set(t.Context(), "app:*elsewhere", "v", 0).Err()) // in database 0
				f.suffix, f.stores = "/2", make(map[string]store)
			}
			f.fence("b")
			items := someItems("app:*", 500, 3)
			began := time.Now()
			f.spread(items)
			f.spread(other)
			f.handOver("a")
			now, next := f.rings()
			f.check(items, next, began)
			f.check(other, now, began)
			if kind == membership.Redis {
				f.suffix, f.stores = "/0", make(map[string]store)
				if _, _, there, err := f.store("a").get(t.Context(), "app:*elsewhere"); !there || err != nil {
					t.Errorf("a key of another database: %v, %v", there, err)
				}
			}
		})
	}
}

// TestLeavingAndWeights: the other ways in which keys change owner.
func TestLeavingAndWeights(t *testing.T) {
	for _, kind := range bothKinds {
		for name, members := range map[string][]membership.Member{
			"leaves":   {active("a"), active("b"), {ID: "c", State: membership.Exporting}},
			"replaced": {active("a"), {ID: "b", State: membership.Exporting}, coming("c")},
			"weight":   {active("a"), {ID: "b", State: membership.Active, Step: membership.Importing, Weight: 2, NextWeight: 0.5}, active("c")},
		} {
			t.Run(string(kind)+"/"+name, func(t *testing.T) {
				f := newFleet(t, kind, members...)
				f.fence("a", "b", "c")
				items := someItems("", 1500, 4)
				began := time.Now()
				if f.spread(items) == 0 {
					t.Fatal("nothing is to move")
				}
				now, next := f.rings()
				for _, n := range now.Nodes() {
					f.handOver(n.ID)
				}
				f.check(items, next, began)
			})
		}
	}
}

// TestStrays: keys that the node does not own are none of the mover's business, and
// what the receiver has is not replaced; a key that was deleted there in an earlier
// transition, and has been written since, goes there.
func TestStrays(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), active("b"), coming("c"))
			f.fence("c")
			ctx := t.Context()
			a, c := f.store("a"), f.store("c")
			stray := f.ownedBy("b", "c", "stray", 1)[0]
			newer := f.ownedBy("a", "c", "newer", 1)[0]
			deleted := f.ownedBy("a", "c", "deleted", 1)[0]
			for _, key := range []string{stray, newer, deleted} {
				must(t, a.set(ctx, key, "old", 0))
			}
			must(t, c.set(ctx, newer, "new", 0))
			must(t, c.bury(ctx, deleted))
			type sight struct {
				s     store
				key   string
				want  string
				there bool
			}
			var more []sight
			if r, ok := c.(redisStore); ok { // with Memcached the sweep before has removed it
				returned := f.ownedBy("a", "c", "returned", 1)[0]
				r.Transition = testTransition - 2
				must(t, a.set(ctx, returned, "late", 0))
				_, err := r.Bury(ctx, transit.Closed, returned)
				must(t, err)
				more = []sight{{a, returned, "", false}, {c, returned, "late", true}}
			}
			f.handOver("a")
			for _, tt := range append(more, []sight{{a, stray, "old", true}, {c, stray, "", false}, {a, newer, "", false}, {c, newer, "new", true},
				{a, deleted, "", false}, {c, deleted, "", false}}...) {
				if value, _, there, err := tt.s.get(ctx, tt.key); value != tt.want || there != tt.there || err != nil {
					t.Errorf("%s: %q, %v, %v, want %q, %v", tt.key, value, there, err, tt.want, tt.there)
				}
			}
		})
	}
}

// TestCopies: with two copies of each key, both of the new holders have it, and
// whoever is no holder any more does not.
func TestCopies(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), active("b"), active("c"), coming("d"))
			f.config.Copies = 2
			f.fence("a", "b", "c", "d") // each of them is asked
			now, next := f.rings()
			items := someItems("", 2000, 5)
			at := map[string]map[string]testItem{"a": {}, "b": {}, "c": {}}
			n := 0
			for key, item := range items {
				holders := now.Replicas(nil, key, 2)
				if n++; n%20 == 0 { // the first holder has lost it
					holders = holders[1:]
				}
				for _, h := range holders {
					at[h.ID][key] = item
				}
			}
			for id, items := range at {
				must(t, f.store(id).fill(t.Context(), items))
			}
			var all sync.WaitGroup
			for id := range at {
				m := f.mover(id)
				all.Go(func() {
					if err := m.HandOver(within(t), f.view, testTransition); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			for key := range items {
				was, is := now.Replicas(nil, key, 2), next.Replicas(nil, key, 2)
				stays := holds(is, was[0].ID) && holds(is, was[1].ID) // nobody looks at these
				for _, id := range []string{"a", "b", "c", "d"} {
					_, had := at[id][key]
					want := holds(is, id) && (had || !stays)
					if _, _, there, err := f.store(id).get(t.Context(), key); there != want || err != nil {
						t.Fatalf("%q on %s: %v, %v, want %v", key, id, there, err, want)
					}
				}
			}
		})
	}
}

// TestBeganAnew: movers that end at any moment leave nothing that another one
// could not go on from.
func TestBeganAnew(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			f.config.Limits = Limits{Keys: 20_000}
			items := someItems("", 5000, 6)
			began := time.Now()
			f.spread(items)
			for range 5 {
				m := f.mover("a")
				wait, cut := f.inBackground(m)
				eventually(t, "some keys have moved", func() bool {
					p := m.Progress()
					return p.KeysMoved > 300 || p.KeysLeft == 0
				})
				cut()
				if err := wait(); err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			}
			f.handOver("a")
			_, next := f.rings()
			f.check(items, next, began)
		})
	}
}

// TestClientsAtWork: clients follow the protocol while keys move. What is not
// written is found at every moment; what is written or deleted stays so.
func TestClientsAtWork(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			f.config.Limits = Limits{Keys: 5000}
			ctx := t.Context()
			quiet, busy := make(map[string]testItem), make(map[string]testItem)
			for _, key := range f.ownedBy("a", "b", "quiet", 3000) {
				quiet[key] = testItem{value: key}
			}
			for _, key := range f.ownedBy("a", "b", "busy", 2000) {
				busy[key] = testItem{value: "0"}
			}
			began := time.Now()
			f.spread(quiet)
			f.spread(busy)
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			stop := make(chan struct{})
			var clients sync.WaitGroup
			a, b := f.store("a"), f.store("b")
			for i := range 2 {
				clients.Go(func() { f.readAll(stop, quiet, uint64(i)) })
			}
			want := maps.Clone(busy)
			clients.Go(func() { f.writeAll(stop, want) })
			err := wait()
			close(stop)
			clients.Wait()
			must(t, err)
			_, next := f.rings()
			f.check(quiet, next, began)
			for key, item := range want {
				value, _, there, err := b.get(ctx, key)
				if _, _, old, _ := a.get(ctx, key); old || err != nil || value != item.value || there == (item.value == "") {
					t.Errorf("%s: %q, %v, %v and at the old owner %v; want %q", key, value, there, err, old, item.value)
				}
			}
		})
	}
}

// readAll reads keys that nobody writes, as clients do: the next owner, the
// current one, and the next one again.
func (f *testFleet) readAll(stop chan struct{}, items map[string]testItem, seed uint64) {
	ctx, random := f.t.Context(), rand.New(rand.NewPCG(seed, 2))
	var keys []string
	for key := range items {
		keys = append(keys, key)
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		key := keys[random.IntN(len(keys))]
		found := false
		for _, id := range []string{"b", "a", "b"} {
			value, _, there, err := f.stores[id].get(ctx, key)
			if err != nil {
				f.t.Error(err)
				return
			}
			if found = found || there; there && value != key {
				f.t.Errorf("%s is %q", key, value)
			}
		}
		if !found {
			f.t.Errorf("%s is nowhere (seed %d)", key, seed)
			return
		}
	}
}

// writeAll overwrites and deletes each key once, as clients do, and notes what it
// wrote.
func (f *testFleet) writeAll(stop chan struct{}, items map[string]testItem) {
	ctx, n := f.t.Context(), 0
	a, b := f.stores["a"], f.stores["b"]
	for key := range items {
		select {
		case <-stop:
			return
		default:
		}
		var err error
		if n++; n%2 == 0 {
			items[key] = testItem{}
			err = errors.Join(b.bury(ctx, key), a.del(ctx, key))
		} else {
			items[key] = testItem{value: "new"}
			if r, ok := b.(redisStore); ok { // the guard
				err = r.Client.Process(ctx, transit.NewGuard(ctx, testTransition, key))
			}
			err = errors.Join(err, b.set(ctx, key, "new", 0), a.del(ctx, key))
		}
		if err != nil {
			f.t.Error(err)
			return
		}
	}
}
