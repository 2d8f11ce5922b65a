package rebalance

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

func leaving(id string) membership.Member {
	return membership.Member{ID: id, State: membership.Exporting}
}

// flush empties a server, as a restart does.
func (f *testFleet) flush(id string) {
	f.t.Helper()
	switch s := f.store(id).(type) {
	case redisStore:
		must(f.t, s.Client.FlushAll(f.t.Context()).Err())
	case memcachedStore:
		must(f.t, s.Client.FlushAll(f.t.Context()))
	}
}

// fillHolders stores items on all their holders of the current ring.
func (f *testFleet) fillHolders(items map[string]testItem) {
	f.t.Helper()
	now, _ := f.rings()
	at := make(map[string]map[string]testItem)
	for key, item := range items {
		for _, n := range now.Replicas(nil, key, f.config.Copies) {
			if at[n.ID] == nil {
				at[n.ID] = make(map[string]testItem)
			}
			at[n.ID][key] = item
		}
	}
	for id, items := range at {
		must(f.t, f.store(id).fill(f.t.Context(), items))
	}
}

// TestEmptyHolders: nodes leave while others that hold copies of the same keys, and
// are to hold them on, have lost theirs. No key is removed before these have it.
func TestEmptyHolders(t *testing.T) {
	for _, kind := range bothKinds {
		for _, c := range []struct {
			name    string
			copies  int
			members []membership.Member
			flushed []string
		}{
			{"2 of 2 nodes", 2, []membership.Member{leaving("a"), active("b")}, []string{"b"}},
			{"3 of 3 nodes", 3, []membership.Member{leaving("a"), active("b"), active("c")}, []string{"b", "c"}},
			{"3 of 3 nodes, one is left", 3, []membership.Member{leaving("a"), leaving("b"), active("c")}, []string{"b", "c"}},
			{"2 of 2 nodes, and one comes", 2, []membership.Member{leaving("a"), active("b"), coming("c")}, []string{"b"}},
		} {
			t.Run(fmt.Sprint(kind, "/", c.name), func(t *testing.T) {
				t.Parallel() // they wait for the first holder most of the time
				f := newFleet(t, kind, c.members...)
				f.config.Copies = c.copies
				f.config.Limits.BigKeyBytes = 64 << 10
				items := someItems("", 700, 11)
				items["big"] = testItem{value: strings.Repeat("big", 40_000), ttl: time.Hour}
				began := time.Now()
				f.fillHolders(items)
				for _, id := range c.flushed {
					f.flush(id)
				}
				// What has been written there since, stays what it is.
				newer := testItem{value: "newer", ttl: 2 * time.Hour}
				last := c.flushed[len(c.flushed)-1]
				for _, key := range []string{"key:0", "key:1"} {
					must(t, f.store(last).set(t.Context(), key, newer.value, newer.ttl))
				}
				_, next := f.rings()
				for _, n := range next.Nodes() {
					f.fence(n.ID)
				}
				for _, m := range c.members {
					if m.State != membership.Importing {
						f.handOver(m.ID)
					}
				}
				for _, m := range c.members {
					want := maps.Clone(items)
					if m.ID == last {
						want["key:0"], want["key:1"] = newer, newer
					}
					if m.State == membership.Exporting {
						clear(want)
					}
					f.checkNode(m.ID, items, want, began)
				}
			})
		}
	}
}

// checkNode looks for all items on one node.
func (f *testFleet) checkNode(id string, all, want map[string]testItem, began time.Time) {
	f.t.Helper()
	late := time.Since(began) + 2*time.Second
	for key := range all {
		value, ttl, there, err := f.store(id).get(f.t.Context(), key)
		must(f.t, err)
		item, wanted := want[key]
		switch {
		case there != wanted:
			f.t.Fatalf("%q on %s: %v, want %v", key, id, there, wanted)
		case value != item.value:
			f.t.Fatalf("%q on %s: %.50q, want %.50q", key, id, value, item.value)
		case ttl > item.ttl+time.Second || ttl < item.ttl-late || item.ttl > 0 && ttl <= 0:
			f.t.Fatalf("%q on %s: lives %v, want %v", key, id, ttl, item.ttl)
		}
	}
}

// TestHolderIsNotFenced: a node that holds copies already is asked like any other,
// and nothing is removed before it has answered.
func TestHolderIsNotFenced(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, leaving("a"), active("b"))
			f.config.Copies = 2
			items := someItems("", 100, 12)
			began := time.Now()
			f.fillHolders(items)
			f.flush("b")
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			waits(t, m, "b", "does not let keys of this transition in")
			f.checkNode("a", items, items, began)
			f.fence("b")
			must(t, wait())
			f.checkNode("a", items, nil, began)
			f.checkNode("b", items, items, began)
		})
	}
}

// TestPresentIsNotSent: values that the next holders have are not sent to them, also
// where others of the batch are, and the pass after the removal is the last.
func TestPresentIsNotSent(t *testing.T) {
	const keys, size = 200, 10 << 10
	for _, lost := range []int{0, 20} {
		t.Run(fmt.Sprint(lost, " lost"), func(t *testing.T) {
			f := newFleet(t, membership.Redis, leaving("a"), active("b"))
			f.config.Copies = 2
			items := make(map[string]testItem)
			for i := range keys {
				items[fmt.Sprint("key", i)] = testItem{value: strings.Repeat("v", size)}
			}
			began := time.Now()
			f.fillHolders(items)
			for i := range lost {
				must(t, f.store("b").del(t.Context(), fmt.Sprint("key", i)))
			}
			f.fence("b")
			must(t, f.redis("b").ConfigResetStat(t.Context()).Err())
			m := f.mover("a")
			must(t, m.HandOver(within(t), f.view, testTransition))
			var received int
			for _, line := range strings.Split(f.redis("b").Info(t.Context(), "stats").Val(), "\r\n") {
				_, _ = fmt.Sscanf(line, "total_net_input_bytes:%d", &received)
			}
			if received < lost*size || received > (lost+keys/4)*size {
				t.Errorf("%d bytes were sent, want some more than %d", received, lost*size)
			}
			p := m.Progress()
			if p.Pass > 3 || p.BytesMoved != int64(lost*size) || p.KeysMoved != keys {
				t.Errorf("%+v", p)
			}
			f.checkNode("a", items, nil, began)
			f.checkNode("b", items, items, began)
		})
	}
}

// TestRoutesOfCopies: who has to have a key before this node is done with it.
func TestRoutesOfCopies(t *testing.T) {
	members := []membership.Member{leaving("a"), active("b"), active("c"), coming("d")}
	for i := range members {
		members[i].Kind, members[i].Address = membership.Redis, fmt.Sprintf("127.0.0.1:%d", 1000+i)
		if members[i].State != membership.Active {
			members[i].Transition = testTransition
		}
	}
	view, err := membership.NewView(1, members...)
	must(t, err)
	for copies := 1; copies <= 4; copies++ {
		for _, self := range []string{"a", "b", "c"} {
			r, err := newRoutes(Config{Self: self, Copies: copies}, membership.Redis, view, testTransition)
			must(t, err)
			for i := range 2000 {
				key := fmt.Sprint("key", i)
				now, next := r.current.Replicas(nil, key, copies), r.next.Replicas(nil, key, copies)
				leave := holds(now, self) && !holds(next, self)
				var to []string
				for _, n := range next {
					if leave || holds(now, self) && !holds(now, n.ID) {
						to = append(to, n.ID)
					}
				}
				slices.Sort(to)
				if way := r.of(key); way.leave != leave || !slices.Equal(way.to, to) {
					t.Fatalf("%d copies, %q at %s: %+v, want %v, leaving %v", copies, key, self, way, to, leave)
				}
			}
		}
	}
}
