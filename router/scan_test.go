package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

func named(ids ...string) (nodes []*redisNode) {
	for _, id := range ids {
		n := &redisNode{}
		n.setMember(membership.Member{ID: id})
		nodes = append(nodes, n)
	}
	return nodes
}

func TestScanOrder(t *testing.T) {
	var ids []string
	for i := range 200 {
		ids = append(ids, fmt.Sprint("cache-", i))
	}
	ordered, tags, err := scanOrder(named(ids...))
	if err != nil || !slices.IsSorted(tags) {
		t.Fatalf("%v, %v", tags, err)
	}
	tagOf := make(map[string]uint64)
	for i, n := range ordered {
		tagOf[n.member().ID] = tags[i]
	}
	fewer, tags, err := scanOrder(named(ids[100:]...)) // the others have left
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range fewer {
		if tagOf[n.member().ID] != tags[i] {
			t.Errorf("%s was %d, and is %d since others have left", n.member().ID, tagOf[n.member().ID], tags[i])
		}
	}
}

// Two names with one tag are refused: either might be skipped.
func TestScanRefusesCollidingNames(t *testing.T) {
	seen := make(map[uint64]string)
	for i := range 1 << 20 {
		id := fmt.Sprint("n", i)
		other, taken := seen[scanTag(id)]
		if !taken {
			seen[scanTag(id)] = id
			continue
		}
		var unsupported *UnsupportedError
		if _, _, err := scanOrder(named("a", id, other)); !errors.As(err, &unsupported) ||
			!strings.Contains(err.Error(), `"`+id+`"`) || !strings.Contains(err.Error(), `"`+other+`"`) {
			t.Errorf("%s and %s: %v", id, other, err)
		}
		return
	}
	t.Error("no two of a million names have one of 16 million tags")
}

// fill sets n keys and returns them by their owners.
func fill(t *testing.T, r *Redis, n int) map[string][]string {
	t.Helper()
	owned := make(map[string][]string)
	for i := range n {
		key := fmt.Sprint("k", i)
		if err := r.Set(t.Context(), key, i, 0).Err(); err != nil {
			t.Fatal(err)
		}
		owned[r.NodeFor(key)] = append(owned[r.NodeFor(key)], key)
	}
	return owned
}

// walk scans on from a cursor until the end, or until stop says so.
func walk(t *testing.T, r *Redis, cursor uint64, stop func(cursor uint64) bool) (found map[string]bool, last uint64) {
	t.Helper()
	found = make(map[string]bool)
	for {
		keys, next, err := r.Scan(t.Context(), cursor, "*", 10).Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			found[key] = true
		}
		if cursor = next; cursor == 0 || stop != nil && stop(cursor) {
			return found, cursor
		}
	}
}

// A node leaves in the middle of a scan: what the others have had all the time is
// found. With tags of 16 bits these names had the same one.
func TestScanWhileANodeLeaves(t *testing.T) {
	ids := []string{"cache-178", "cache-313"}
	for gone, id := range ids {
		servers := []*servertest.Server{servertest.Redis(t), servertest.Redis(t)}
		stays := membership.Member{ID: ids[1-gone], Address: servers[1-gone].Addr()}
		source, err := membership.NewManual(stays, membership.Member{ID: id, Address: servers[gone].Addr()})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		r := newRedis(t, Config{Source: source})
		owned := fill(t, r, 200)
		// The scan is in the middle of the first node, or at its end.
		for _, stop := range []func(uint64) bool{
			func(uint64) bool { return true },
			func(cursor uint64) bool { _, inNode := unpackCursor(cursor); return inNode == 0 },
		} {
			found, cursor := walk(t, r, 0, stop)
			epoch := r.Epoch()
			if err := source.Set(stays); err != nil {
				t.Fatal(err)
			}
			for r.Epoch() == epoch && t.Context().Err() == nil {
			}
			if cursor != 0 {
				rest, _ := walk(t, r, cursor, nil)
				for key := range rest {
					found[key] = true
				}
			}
			for _, key := range owned[stays.ID] {
				if !found[key] {
					t.Errorf("%s left: %s, which %s has had all the time, was not found", id, key, stays.ID)
				}
			}
			epoch = r.Epoch()
			if err := source.Set(stays, membership.Member{ID: id, Address: servers[gone].Addr()}); err != nil {
				t.Fatal(err)
			}
			for r.Epoch() == epoch && t.Context().Err() == nil {
			}
		}
	}
}

func TestScanRefusesOtherCursors(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	for _, cursor := range []uint64{1, 5, 1 << 39, 1 << 40, 1 << 47, 1 << 63, 1<<64 - 1} {
		if keys, next, err := r.Scan(t.Context(), cursor, "*", 10).Result(); !errors.Is(err, ErrCursor) {
			t.Errorf("%d: %v, %d, %v", cursor, keys, next, err)
		}
	}
	for _, cursor := range []any{"", "x", -1, "18446744073709551616", 1.5} {
		if cmd := r.Do(t.Context(), "scan", cursor); !errors.Is(cmd.Err(), ErrCursor) {
			t.Errorf("%v: %v", cursor, cmd)
		}
	}
	if err := r.Process(t.Context(), redis.NewIntCmd(t.Context(), "scan", 0)); !errors.As(err, new(*UnsupportedError)) {
		t.Errorf("as a number: %v", err)
	}
}

func TestScanOfACursorThatDoesNotFit(t *testing.T) {
	for reply, fits := range map[string]bool{
		"*2\r\n$13\r\n1099511627775\r\n*1\r\n+k\r\n":  true, // 2^40 - 1
		"*2\r\n$13\r\n1099511627776\r\n*0\r\n":        false,
		"*2\r\n$20\r\n18446744073709551615\r\n*0\r\n": false,
	} {
		r := hostileFleet(t, reply, false)
		keys, cursor, err := r.Scan(t.Context(), 0, "", 10).Result()
		if fits != (err == nil) || fits && len(keys) != 1 || !fits && (!errors.Is(err, ErrCursor) || !strings.Contains(err.Error(), "node")) {
			t.Errorf("%q: %v, %d, %v", reply, keys, cursor, err)
		}
	}
	for _, reply := range []string{"*2\r\n+x\r\n*0\r\n", "*2\r\n+1\r\n+x\r\n", "*2\r\n+1\r\n*1\r\n:1\r\n", "*1\r\n+0\r\n", "+OK\r\n"} {
		var failed *NodeError
		if err := hostileFleet(t, reply, false).Scan(t.Context(), 0, "", 10).Err(); !errors.As(err, &failed) {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

// A dead node is named, and the scan goes on with the same cursor once it is back.
func TestScanOfADeadNode(t *testing.T) {
	var servers []*servertest.Server
	for range 3 {
		servers = append(servers, servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "always"))
	}
	r := newRedis(t, Config{Source: sourceOf(t, servers...), Breaker: BreakerConfig{Disabled: true}})
	fill(t, r, 150)
	found, cursor := walk(t, r, 0, func(cursor uint64) bool { _, inNode := unpackCursor(cursor); return inNode == 0 })
	tag, _ := unpackCursor(cursor)
	for i, s := range servers {
		id := fmt.Sprint("node", i)
		if scanTag(id) != tag {
			continue
		}
		s.Kill()
		var failed *NodeError
		keys, next, err := r.Scan(t.Context(), cursor, "*", 10).Result()
		if !errors.As(err, &failed) || failed.Node != id || next != cursor || len(keys) != 0 {
			t.Errorf("%s is dead: %v, %d, %v; asked with %d", id, keys, next, err, cursor)
		}
		s.Restart()
	}
	rest, _ := walk(t, r, cursor, nil)
	for key := range rest {
		found[key] = true
	}
	if len(found) != 150 {
		t.Errorf("found %d of 150 keys", len(found))
	}
}

func FuzzCursor(f *testing.F) {
	for _, cursor := range []uint64{0, 1, 1 << 39, 1 << 40, scanTag("node1")<<cursorBits | 7, 1<<64 - 1} {
		f.Add(cursor)
	}
	_, tags, err := scanOrder(named("node0", "node1", "node2"))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, cursor uint64) {
		tag, inNode := unpackCursor(cursor)
		if again, fits := packCursor(tag, inNode); again != cursor || fits != (tag > 0) {
			t.Errorf("%d is %d, %d, and that %d, %t", cursor, tag, inNode, again, fits)
		}
		if _, fits := packCursor(scanTag("x"), cursor); fits != (cursor <= cursorMask) {
			t.Errorf("%d of a node fits: %t", cursor, fits)
		}
		at, there, err := (&Redis{}).scanPlace(tags, cursor)
		known := slices.Index(tags, tag)
		switch {
		case cursor == 0 && (at != 0 || there != 0 || err != nil),
			known >= 0 && (at != known || there != inNode || err != nil),
			cursor != 0 && known < 0 && !errors.Is(err, ErrCursor):
			t.Errorf("%d is at %d, %d, %v", cursor, at, there, err)
		}
	})
}
