package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/cmd/ringway/internal/fleettest"
)

const (
	workers = 4
	perSort = 24 // keys of each sort
	pause   = 8 * time.Millisecond

	longLife  = time.Hour
	shortLife = 4 * time.Second
)

// Sorts of keys, by what their writer does with them.
const (
	still   = "still"   // nothing: they are written once, with longLife
	changed = "changed" // overwrites and deletes
	hashed  = "hashed"  // the same, as a field of a hash
	counted = "counted" // increments
	brief   = "brief"   // overwrites with shortLife
)

var sorts = []string{still, changed, hashed, counted, brief}

// nameOf is a key of a historian.
func nameOf(kind, who, sort string, i int) string {
	return fmt.Sprint(kind, ":", who, ":", sort, ":", i)
}

func isHash(key string) bool {
	return strings.HasPrefix(key, "redis:") && strings.Contains(key, ":"+hashed+":")
}

// writer is a historian's work on one kind of servers.
type writer struct {
	kind, name string
	peers      []string
	seed       uint64
	store      store
	out        *record
	version    map[string]int64 // of each key, written last; a key has one worker
}

func newWriter(o options, kind string, s store, out *record) *writer {
	return &writer{kind: kind, name: o.finder.Name, peers: strings.Split(o.peers, ","), seed: o.seed, store: s, out: out}
}

// begin writes every key once. A historian that was killed and is started again
// goes on from what it had written down.
func (w *writer) begin(ctx context.Context) error {
	w.version = make(map[string]int64)
	if w.out.last != nil {
		maps.Copy(w.version, w.out.last)
		return nil
	}
	for _, sort := range sorts {
		for i := range perSort {
			key := nameOf(w.kind, w.name, sort, i)
			if e := w.write(ctx, key, sort, 1); e.Error != "" {
				return fmt.Errorf("%s: %s", key, e.Error)
			}
			w.version[key] = 1
		}
	}
	return nil
}

// run works until ctx ends.
func (w *writer) run(ctx context.Context) {
	var all sync.WaitGroup
	for i := range workers {
		mine := make(map[string]int64)
		for n := i; n < perSort; n += workers {
			for _, sort := range sorts {
				key := nameOf(w.kind, w.name, sort, n)
				mine[key] = w.version[key]
			}
		}
		all.Go(func() { w.work(ctx, i, mine) })
	}
	all.Wait()
}

func (w *writer) work(ctx context.Context, worker int, versions map[string]int64) {
	r := rand.New(rand.NewPCG(w.seed, uint64(worker)))
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		sort := sorts[r.IntN(len(sorts))]
		if sort == still || r.IntN(3) > 0 {
			w.read(ctx, r, nameOf(w.kind, w.peers[r.IntN(len(w.peers))], sort, r.IntN(perSort)), sort)
			continue
		}
		key := nameOf(w.kind, w.name, sort, worker+workers*r.IntN(perSort/workers))
		versions[key]++
		if sort != counted && sort != brief && r.IntN(4) == 0 {
			w.remove(ctx, key, versions[key])
		} else {
			w.write(ctx, key, sort, versions[key])
		}
	}
}

// note does something and writes it down; what changes a key beforehand too, since
// the historian may be killed meanwhile.
func (w *writer) note(e fleettest.Event, do func(e *fleettest.Event) error) fleettest.Event {
	e.Begin = time.Now().UnixNano()
	if e.Op != fleettest.OpGet && e.Op != fleettest.OpTTL {
		begun := e
		begun.End, begun.Error = e.Begin, "under way"
		w.out.add(begun)
	}
	err := do(&e)
	e.End = time.Now().UnixNano()
	if err != nil {
		e.Error = err.Error()
	}
	w.out.add(e)
	return e
}

func (w *writer) write(ctx context.Context, key, sort string, version int64) fleettest.Event {
	if sort == counted {
		return w.note(fleettest.Event{Key: key, Op: fleettest.OpCount}, func(e *fleettest.Event) (err error) {
			e.Version, err = w.store.count(ctx, key)
			return err
		})
	}
	ttl := longLife
	if sort == brief {
		ttl = shortLife
	}
	if isHash(key) {
		ttl = 0
	}
	return w.note(fleettest.Event{Key: key, Op: fleettest.OpSet, Version: version, TTL: ttl.Milliseconds()},
		func(*fleettest.Event) error { return w.store.set(ctx, key, version, ttl) })
}

func (w *writer) remove(ctx context.Context, key string, version int64) {
	w.note(fleettest.Event{Key: key, Op: fleettest.OpDelete, Version: version},
		func(*fleettest.Event) error { return w.store.remove(ctx, key) })
}

func (w *writer) read(ctx context.Context, r *rand.Rand, key, sort string) {
	if sort == still && r.IntN(4) == 0 {
		w.note(fleettest.Event{Key: key, Op: fleettest.OpTTL}, func(e *fleettest.Event) error {
			left, err := w.store.left(ctx, key)
			e.TTL = left.Milliseconds()
			return err
		})
		return
	}
	w.note(fleettest.Event{Key: key, Op: fleettest.OpGet}, func(e *fleettest.Event) (err error) {
		e.Version, err = w.store.get(ctx, key)
		return err
	})
}
