package router

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// historian is one router of a history. how chooses among the ways to do the same.
type historian interface {
	see(state membership.State)                               // of the node that joins and leaves; returns once the router works by it
	get(how int, keys ...string) (values []string, err error) // "" for what is absent
	set(how int, value string, keys ...string) error
	delete(how int, keys ...string) (existed int, err error) // -1: it does not say
	append(how int, key, value string) error                 // to "" too
	take(key string) (old string, err error)
}

// history is a run of random operations through two routers, while a node joins
// and leaves again.
type history struct {
	*oracle
	t       *testing.T
	seed    uint64
	routers [2]historian
	pass    func() (finished bool) // of the mover, over all nodes
	ops     atomic.Int64
	stop    atomic.Bool

	// sameView is read-locked by operations of which nothing is promised while
	// the routers are in different phases: those that depend on the value.
	sameView sync.RWMutex
	// under is read-locked by every operation. Who locks it knows that all those
	// are over that were under way before.
	under sync.RWMutex
}

const (
	historyWriters = 6
	historyReaders = 3
	keysOfWriter   = 8
)

// run checks that no acknowledged write or delete is undone, and that no key that
// is there is missed, whichever router is asked.
func (h *history) run() {
	h.oracle = newOracle()
	h.seed = rand.Uint64()
	h.t.Logf("seed %d", h.seed)
	var workers sync.WaitGroup
	for i := range historyWriters {
		workers.Go(func() { h.writer(i) })
	}
	for i := range historyReaders {
		workers.Go(func() { h.reader(i) })
	}
	h.transition(membership.Announced, membership.Importing, membership.Active)
	h.transition(membership.Leaving, membership.Exporting, membership.Left)
	h.stop.Store(true)
	workers.Wait()
	for key := range h.keys {
		h.readSome(h.routers[0], 0, key)
	}
	for i, wrong := range h.wrong {
		if i < 20 {
			h.t.Error(wrong)
		}
	}
	h.t.Logf("%d operations, %d wrong", h.ops.Load(), len(h.wrong))
	if h.ops.Load() < 5000 {
		h.t.Errorf("only %d operations", h.ops.Load())
	}
}

// transition takes both routers through a transition, the first one always a step
// ahead. The mover begins once both know.
func (h *history) transition(first, second, last membership.State) {
	h.sees(first)
	h.mixed(func() {
		h.routers[0].see(second)
		h.during(1500)
		h.routers[1].see(second)
	})
	mover := make(chan struct{})
	go func() {
		defer close(mover)
		for !h.pass() && h.t.Context().Err() == nil {
		}
	}()
	h.during(1500)
	<-mover
	h.copiesEnd()
	h.sees(last)
}

// copiesEnd waits for the copies that are under way.
func (h *history) copiesEnd() {
	h.under.Lock()
	defer h.under.Unlock()
}

func (h *history) sees(state membership.State) {
	h.mixed(func() {
		h.routers[0].see(state)
		h.during(500)
		h.routers[1].see(state)
	})
	h.during(500)
}

func (h *history) mixed(f func()) {
	h.sameView.Lock()
	defer h.sameView.Unlock()
	f()
}

// during lets n operations go by.
func (h *history) during(n int64) {
	for until := h.ops.Load() + n; h.ops.Load() < until && h.t.Context().Err() == nil; {
		time.Sleep(time.Millisecond) // makes room for them
	}
}

// pauseAtRandom makes room between two steps of the mover for what others do.
func pauseAtRandom() {
	if rand.IntN(3) == 0 {
		time.Sleep(time.Duration(rand.IntN(1000)) * time.Microsecond)
	}
}

func keyOfWriter(writer, i int) string { return fmt.Sprintf("w%d:%d", writer, i) }

func (h *history) writer(id int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(id)))
	for n := 0; !h.stop.Load() && h.t.Context().Err() == nil; n++ {
		h.under.RLock()
		r, key := h.routers[rng.IntN(2)], keyOfWriter(id, rng.IntN(keysOfWriter))
		if rng.IntN(3) == 0 && h.sameView.TryRLock() {
			h.change(r, rng, key)
			h.sameView.RUnlock()
		} else {
			h.overwrite(r, rng, key, n)
		}
		h.ops.Add(1)
		h.under.RUnlock()
	}
}

func (h *history) reader(id int) {
	rng := rand.New(rand.NewPCG(h.seed, uint64(100+id)))
	for !h.stop.Load() && h.t.Context().Err() == nil {
		h.under.RLock()
		h.readSome(h.routers[rng.IntN(2)], rng.IntN(100), keyOfWriter(rng.IntN(historyWriters), rng.IntN(keysOfWriter)))
		h.ops.Add(1)
		h.under.RUnlock()
	}
}

// overwrite does something that does not depend on the value.
func (h *history) overwrite(r historian, rng *rand.Rand, key string, n int) {
	keys := []string{key}
	if rng.IntN(3) == 0 {
		keys = append(keys, key+"+") // of the same writer
	}
	how := rng.IntN(100)
	value, what := fmt.Sprintf("%s=%d", key, n), rng.IntN(4)
	if what == 0 {
		h.readSome(r, how, keys...)
		return
	}
	if what == 1 {
		value = ""
	}
	before, acknowledged := 0, make([]func(), len(keys))
	for i, key := range keys {
		if h.latest(key) != "" {
			before++
		}
		acknowledged[i] = h.writes(key, value)
	}
	var err error
	if what == 1 {
		var existed int
		existed, err = r.delete(how, keys...)
		if existed >= 0 && existed != before && h.sameView.TryRLock() {
			h.fail("a delete of %q returned %d, there were %d", keys, existed, before)
			h.sameView.RUnlock()
		}
	} else {
		err = r.set(how, value, keys...)
	}
	if err != nil {
		h.fail("%q: %v", keys, err)
	}
	for _, done := range acknowledged {
		done()
	}
}

// change does something that depends on the value.
func (h *history) change(r historian, rng *rand.Rand, key string) {
	before, err := h.latest(key), error(nil)
	value := before + "."
	if len(value) > 60 {
		value = ""
	}
	acknowledged := h.writes(key, value)
	defer acknowledged()
	if value == "" {
		var old string
		if old, err = r.take(key); old != before {
			h.fail("take %s returned %q, there was %q", key, old, before)
		}
	} else {
		err = r.append(rng.IntN(100), key, ".")
	}
	if err != nil {
		h.fail("%s: %v", key, err)
	}
}

func (h *history) readSome(r historian, how int, keys ...string) {
	began := h.now()
	values, err := r.get(how, keys...)
	if err != nil || len(values) != len(keys) {
		h.fail("get %q: %q, %v", keys, values, err)
		return
	}
	for i, key := range keys {
		h.read(fmt.Sprintf("get %d", how%3), key, values[i], began)
	}
}
