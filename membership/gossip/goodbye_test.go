package gossip

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership/internal/ledger"
)

// TestLeavesWhileNewsAreManyIsHeard: that a node is LEFT is heard although there is
// no room for it among the news, as in a fleet of 200 nodes that has just swept. What
// is not heard would be found out by an eviction, after half a minute.
func TestLeavesWhileNewsAreManyIsHeard(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c", "d")
		d := f.members["d"]
		delete(f.members, "d")
		d.queue.mu.Lock()
		for i := range 7000 {
			router := fmt.Sprint("router-", i)
			text := ledger.Message{Cluster: "ringway", Evictions: []ledger.Eviction{{ID: router, Generation: 1, Stamp: 1, By: "d"}}}.Encode()
			d.queue.byName[router] = &message{text: text, number: 1 << 62}
		}
		d.queue.mu.Unlock()
		began := time.Now()
		if err := d.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.agree(5*time.Second, "a", "b", "c")
		for name, g := range f.members {
			if n := g.Stats().Evictions; n != 0 {
				t.Errorf("%s has evicted %d", name, n)
			}
		}
		t.Logf("all agree after %v", time.Since(began))
	})
}

// TestGoodbyeIsGivenTime: as long as the news were not sent, within limits.
func TestGoodbyeIsGivenTime(t *testing.T) {
	for name, c := range map[string]struct {
		members, sent int
		client        bool
		want          time.Duration
	}{
		"not sent yet":    {members: 3, want: goodbyeRounds * 200 * time.Millisecond},
		"sent twice":      {members: 3, sent: 2, want: goodbyeRounds * 200 * time.Millisecond},
		"sent":            {members: 3, sent: enoughSent},
		"nobody is there": {members: 1},
		"a client":        {members: 3, client: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			cfg := Config{Name: "a", Node: goodNode()}
			if c.client {
				cfg.Node = nil
			}
			g, _ := unopened(t, cfg)
			g.members.Store(int64(c.members))
			g.queue.put(recordName("a"), []byte("left"))
			for range c.sent {
				g.queue.take(0, 100)
			}
			began := time.Now()
			g.spreadLeft(t.Context())
			if took := time.Since(began); took != c.want {
				t.Errorf("%s: %v, want %v", name, took, c.want)
			}
		})
	}
}
