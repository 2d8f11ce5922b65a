package cache

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/memory"
	"github.com/ringway/ringway/cache/journal/streams"
	"github.com/ringway/ringway/internal/servertest"
)

// What Close leaves in a journal is counted: of writes of its own, about which it returns
// an error, and of those of others, about which it does not.
func TestWritesLeftAtClose(t *testing.T) {
	client := redisFleet(t, []string{servertest.Redis(t, "--appendonly", "yes").Addr()})
	open := func() journal.Journal {
		log, err := streams.New(client, streams.Config{Lease: 30 * time.Second, Poll: 5 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	l, store := newLate(), NewMemory()
	defer l.hold()()
	reader := newManager(t, store)
	busy := behindUsers(t, reader, l, open(), nil)
	other := newManager(t, store)
	idle := behindUsers(t, other, l, open(), nil)
	for range 3 {
		put(t, busy, "waits")
	}
	if n := idle.Stats().Behind.Left; n != 0 {
		t.Errorf("%d left before it is closed", n)
	}
	if err := other.Close(); err != nil {
		t.Errorf("a process that has written nothing: %v", err)
	}
	if n := idle.Stats().Behind.Left; n != 3 {
		t.Errorf("%d writes of others left, want 3", n)
	}
	if err := reader.Close(); !errors.Is(err, ErrNotApplied) {
		t.Errorf("the process that has written: %v", err)
	}
	if n := busy.Stats().Behind.Left; n != 3 {
		t.Errorf("%d writes left, want 3", n)
	}
	drained := newManager(t, NewMemory())
	s := behindUsers(t, drained, newLate(), memory.New(0), func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Drain = time.Minute })
	put(t, s, "done")
	if err := drained.Close(); err != nil || s.Stats().Behind.Left != 0 {
		t.Errorf("%v, %d left of what was applied", err, s.Stats().Behind.Left)
	}
}
