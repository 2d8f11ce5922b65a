package rebalance

import (
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/membership"
)

// through has movers reach a receiver by a proxy only; clients reach it as ever.
func (f *testFleet) through(id string) *faultproxy.Proxy {
	f.t.Helper()
	p := faultproxy.New(f.t, f.servers[id].Addr())
	f.config.Receiver = func(m membership.Member) (Server, error) {
		if m.ID == id {
			m.Address = p.Addr()
		}
		return f.config.Source.At(m.Address)
	}
	return p
}

// TestCutOff: the network between source and receiver is cut while keys move, and
// clients, which reach both, overwrite and delete meanwhile. The mover waits and
// says so, and brings nothing back afterwards.
func TestCutOff(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"))
			f.fence("b")
			f.config.Source.URL = f.url("a")
			f.config.Source.Timeout = 100 * time.Millisecond
			f.config.Limits.Keys = 1000
			cut := f.through("b")
			keys := f.ownedBy("a", "b", "key", 600)
			items := make(map[string]testItem)
			for _, key := range keys {
				items[key] = testItem{value: "old", ttl: time.Hour}
			}
			began := time.Now()
			f.spread(items)
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			eventually(t, "some keys have moved", func() bool { return m.Progress().KeysMoved > 0 })
			cut.Hang()
			cut.Reset()
			eventually(t, "the mover waits and says for whom", func() bool {
				p := m.Progress()
				return p.State == Waiting && p.Receivers[0].Waiting != "" && p.Error != ""
			})
			moved := m.Progress().KeysMoved
			for _, key := range keys[:100] {
				must(t, f.store("b").set(t.Context(), key, "new", time.Hour))
				must(t, f.store("a").del(t.Context(), key))
				items[key] = testItem{value: "new", ttl: time.Hour}
			}
			for _, key := range keys[100:200] {
				must(t, f.store("b").bury(t.Context(), key))
				must(t, f.store("a").del(t.Context(), key))
				delete(items, key)
			}
			if now := m.Progress().KeysMoved; now != moved {
				t.Errorf("%d keys moved while nothing could", now-moved)
			}
			cut.Heal()
			must(t, wait())
			_, next := f.rings()
			f.check(items, next, began)
			if n := f.count("b", keys[100:200]); n != 0 {
				t.Errorf("%d deleted keys are back", n)
			}
		})
	}
}

// TestLostReplies: a connection to the receiver breaks after so many bytes of
// replies. What was done, but not acknowledged, is not done again.
func TestLostReplies(t *testing.T) {
	for _, kind := range bothKinds {
		for _, bytes := range []int{0, 40, 300, 2000, 6000, 12_000} {
			t.Run(fmt.Sprint(kind, "/", bytes), func(t *testing.T) {
				f := newFleet(t, kind, active("a"), coming("b"))
				f.fence("b")
				f.config.Source.URL = f.url("a")
				cut := f.through("b")
				items := make(map[string]testItem)
				for _, key := range f.ownedBy("a", "b", "key", 600) {
					items[key] = testItem{value: key, ttl: time.Hour}
				}
				began := time.Now()
				f.spread(items)
				cut.CutOneReply(bytes)
				f.handOver("a")
				_, next := f.rings()
				f.check(items, next, began)
			})
		}
	}
}
