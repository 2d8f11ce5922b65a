package rebalance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// inTwo carries a parcel, with something that happens between the copy and the
// removal at the source: the mover may be stopped there for as long as it likes.
func inTwo(t *testing.T, h *handover, p *parcel, between func()) error {
	t.Helper()
	ctx := within(t)
	before, err := witnesses(ctx, p)
	must(t, err)
	trip := newTrip(make([]fate, len(p.keys)), len(p.keys))
	switch c := h.carrier.(type) {
	case *redisCarrier:
		values, _, held, err := c.copy(ctx, p, trip)
		must(t, errors.Join(held, err))
		between()
		return c.remove(ctx, p, trip, before, values)
	case *memcachedCarrier:
		values, _, held, err := c.copy(ctx, p, trip)
		must(t, errors.Join(held, err))
		between()
		return c.remove(ctx, p, trip, before, values)
	}
	t.Fatal("a carrier of another kind")
	return nil
}

// TestReceiverForgets: what was copied to a server that is restarted, and empty
// then, is not removed at the source, although the fence stands again; the next
// passes bring it.
func TestReceiverForgets(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			keys := f.ownedBy("a", "b", "key", 100)
			items := make(map[string]testItem)
			var all []dataserver.Found
			for _, key := range keys {
				items[key] = testItem{value: key, ttl: time.Hour}
				all = append(all, found(key))
			}
			must(t, f.store("a").fill(t.Context(), items))
			m := f.mover("a")
			to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
			must(t, err)
			h, err := m.take(within(t), f.view, to, testTransition)
			must(t, err)
			p := &parcel{keys: all, to: []*receiver{h.receivers["b"]}, leave: true}
			if err := inTwo(t, h, &parcel{keys: all[:10], to: p.to, leave: true}, func() {}); err != nil {
				t.Errorf("nothing happens: %v", err)
			}
			err = inTwo(t, h, p, func() {
				if n := f.count("b", keys); n != len(keys) {
					t.Errorf("%d keys were copied", n)
				}
				f.servers["b"].Kill()
				f.servers["b"].Restart()
				f.fence("b")
			})
			if here, there := f.count("a", keys), f.count("b", keys); err == nil || here != len(keys)-10 || there != 0 {
				t.Errorf("%v, and %d keys at the source, %d at the receiver", err, here, there)
			}
			h.close()
			m.release(false)
			f.handOver("a")
			if here, there := f.count("a", keys), f.count("b", keys[10:]); here != 0 || there != len(keys)-10 {
				t.Errorf("in the end %d keys at the source, %d at the receiver", here, there)
			}
		})
	}
}

// TestServersRestart: servers are killed and started again, empty, while keys move.
// What is at the source then, and stays there, is lost on no account; the receiver
// may forget what it was given before.
func TestServersRestart(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			f.config.Source.URL = f.url("a")
			f.config.Limits.Keys = 2000
			keys := f.ownedBy("a", "b", "key", 1500)
			items := make(map[string]testItem)
			for _, key := range keys {
				items[key] = testItem{value: key, ttl: time.Hour}
			}
			must(t, f.store("a").fill(t.Context(), items))
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			eventually(t, "some keys have moved", func() bool { return m.Progress().KeysMoved > 100 })
			m.Pause()
			eventually(t, "it stands still", func() bool {
				n := m.Progress().KeysMoved
				time.Sleep(20 * time.Millisecond)
				return m.Progress().KeysMoved == n
			})
			f.servers["b"].Kill()
			left := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return f.count("a", []string{key}) == 0 })
			f.servers["b"].Restart()
			f.fence("b")
			m.Resume()
			must(t, wait())
			if here, there := f.count("a", keys), f.count("b", left); here != 0 || there != len(left) {
				t.Errorf("%d keys at the source, and %d of %d at the receiver", here, there, len(left))
			}
		})
	}
}

// TestSourceComesBackWithOldKeys: a source that is restarted in the middle of a
// hand-over, with a snapshot that has what was deleted since, gives nothing of that away:
// neither in the pass under way nor in another one, before it is trusted again.
func TestSourceComesBackWithOldKeys(t *testing.T) {
	f := newFleetWith(t, membership.Redis, map[string][]string{"a": {"--dir", t.TempDir(), "--dbfilename", "old.rdb"}}, active("a"), coming("b"))
	f.fence("b")
	f.config.Limits.Keys = 500
	var trusted atomic.Bool
	var first atomic.Value
	f.config.Trust = func(_ context.Context, process string) error {
		if first.CompareAndSwap(nil, process) || first.Load() == process || trusted.Load() {
			return nil
		}
		return errors.New("not trusted")
	}
	a, b := f.redis("a"), f.redis("b")
	keys := f.ownedBy("a", "b", "key", 1500)
	items := make(map[string]testItem)
	for _, key := range keys {
		items[key] = testItem{value: "old", ttl: time.Hour}
	}
	big := f.ownedBy("a", "b", "big", 1)[0]
	must(t, f.store("a").fill(t.Context(), items))
	fillValue(t, a, valuesOf[2].script, big, 12_000)
	must(t, a.Save(t.Context()).Err())
	gone := append(keys[:700:700], big)
	must(t, a.Del(t.Context(), gone...).Err())
	m := f.mover("a")
	wait, _ := f.inBackground(m)
	eventually(t, "some keys have moved", func() bool { return m.Progress().KeysMoved > 100 })
	f.servers["a"].Kill()
	f.servers["a"].Restart()
	must(t, m.SetLimits(Limits{}))
	eventually(t, "it waits", func() bool { return strings.Contains(m.Progress().Error, "not trusted") })
	must(t, a.FlushDB(t.Context()).Err()) // as the agent does
	late := f.ownedBy("a", "b", "late", 1)[0]
	must(t, a.Set(t.Context(), late, "new", 0).Err())
	trusted.Store(true)
	must(t, wait())
	if n := f.count("b", gone); n > 0 {
		t.Errorf("%d keys that had been deleted are at the receiver", n)
	}
	if got := b.Get(t.Context(), late).Val(); got != "new" {
		t.Errorf("what was written since: %q", got)
	}
}
