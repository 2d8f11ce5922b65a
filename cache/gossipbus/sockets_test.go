package gossipbus

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/membership/gossip"
)

// Three members over the loopback device, encrypted: what one changes is read in the
// others, though their first level holds what was there before.
func TestOverSockets(t *testing.T) {
	f := &fleet{t: t}
	t.Cleanup(func() {
		for _, g := range f.members {
			_ = g.Close()
		}
	})
	var value atomic.Int64
	load := func(context.Context, number) (cache.Loaded[int64], error) {
		return cache.Loaded[int64]{Value: value.Load()}, nil
	}
	store := cache.NewMemory()
	var spaces []*cache.Space[number, int64]
	for i := range 3 {
		cfg := gossip.Config{Name: fmt.Sprint("m", i), Network: gossip.Local, Bind: "127.0.0.1:0", Logger: quiet, Keys: [][]byte{[]byte("0123456789abcdef")}}
		if i == 0 {
			cfg.Node = &gossip.NodeConfig{Address: "m0:6379", Server: server{}, Bootstrap: true}
		} else {
			cfg.Seeds = []string{f.members[0].Status().Gossip.String()}
		}
		s, m := process(t, f.add(cfg), store, true, load)
		t.Cleanup(func() { _ = m.Close() })
		spaces = append(spaces, s)
	}
	want := func(s *cache.Space[number, int64], source cache.Source) {
		t.Helper()
		for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			v, meta := mustGet(t, s, 1)
			if v == value.Load() && (source == 0 || meta.Source == source) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("not within a minute: %d, it is %d from %v", value.Load(), v, meta.Source)
			}
		}
	}
	for round := range 6 {
		for _, s := range spaces {
			want(s, cache.FromL1)
		}
		value.Add(1)
		if err := spaces[round%3].Invalidate(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		for _, s := range spaces {
			want(s, 0)
		}
	}
}
