package fleettest

import (
	"strings"
	"testing"
	"time"
)

// TestCheck: what breaks a promise is found, and what does not is let pass.
func TestCheck(t *testing.T) {
	const s = int64(time.Second)
	set := func(version, begin, end int64) Event {
		return Event{Key: "k", Op: OpSet, Version: version, Begin: begin * s, End: end * s}
	}
	brief := func(version, begin, end int64) Event {
		e := set(version, begin, end)
		e.TTL = 10_000
		return e
	}
	remove := func(version, begin, end int64) Event {
		return Event{Key: "k", Op: OpDelete, Version: version, Begin: begin * s, End: end * s}
	}
	failed := func(e Event) Event { e.Error = "no answer"; return e }
	read := func(version, begin, end int64) Event {
		return Event{Key: "k", Op: OpGet, Version: version, Begin: begin * s, End: end * s}
	}
	count := func(version, begin, end int64) Event {
		return Event{Key: "k", Op: OpCount, Version: version, Begin: begin * s, End: end * s}
	}
	ttl := func(left, begin int64) Event {
		return Event{Key: "k", Op: OpTTL, TTL: left * 1000, Begin: begin * s, End: begin * s}
	}
	for _, c := range []struct {
		name   string
		events []Event
		broken string // part of the complaint; empty: none
	}{
		{"found", []Event{set(1, 1, 2), read(1, 5, 6)}, ""},
		{"not yet there", []Event{set(1, 10, 12), read(0, 5, 6)}, ""},
		{"before its time", []Event{set(1, 10, 12), read(1, 5, 6)}, "before it was written"},
		{"from the future", []Event{set(1, 1, 2), read(2, 5, 6)}, "the last version"},
		{"stale", []Event{set(1, 1, 2), set(2, 3, 4), read(1, 5, 6)}, "after set of version 2"},
		{"while it is written", []Event{set(1, 1, 2), set(2, 3, 6), read(1, 5, 6)}, ""},
		{"lost", []Event{set(1, 1, 2), read(0, 5, 6)}, "not found"},
		{"just written", []Event{set(1, 1, 4), read(0, 5, 6)}, ""},
		{"being written anew", []Event{set(1, 1, 2), set(2, 9, 11), read(0, 10, 12)}, ""},
		{"after a failure", []Event{set(1, 1, 2), failed(remove(2, 3, 4)), read(0, 10, 11)}, ""},
		{"after a failure and a success", []Event{failed(remove(1, 1, 2)), set(2, 3, 4), read(0, 10, 11)}, "not found"},
		{"a failed write that came through", []Event{set(1, 1, 2), failed(set(2, 3, 4)), read(2, 10, 11)}, ""},
		{"deleted", []Event{set(1, 1, 2), remove(2, 3, 4), read(0, 10, 11)}, ""},
		{"back to life", []Event{set(1, 1, 2), remove(2, 3, 4), read(1, 10, 11)}, "after delete of version 2"},
		{"a read that failed", []Event{set(1, 1, 2), failed(read(0, 10, 11))}, ""},
		{"expired", []Event{brief(1, 1, 2), read(0, 20, 21)}, ""},
		{"expired and there", []Event{brief(1, 1, 2), read(1, 20, 21)}, "had expired"},
		{"gone too early", []Event{brief(1, 1, 2), read(0, 6, 7)}, "not found"},
		{"counted", []Event{count(1, 1, 2), count(2, 3, 4), read(2, 8, 9)}, ""},
		{"a count that was lost", []Event{count(1, 1, 2), count(1, 3, 4)}, "returned 1, want 2 to 2"},
		{"a count too many", []Event{count(1, 1, 2), count(3, 3, 4)}, "returned 3, want 2 to 2"},
		{"a count that failed", []Event{count(1, 1, 2), failed(count(0, 3, 4)), count(3, 5, 6), count(4, 7, 8)}, ""},
		{"time to live", []Event{brief(1, 1, 2), ttl(6, 6)}, ""},
		{"time to live lost", []Event{brief(1, 1, 2), ttl(0, 6)}, "to live"},
		{"time to live from the beginning of a write that took long", []Event{brief(1, 1, 6), ttl(1, 10)}, ""},
		{"time to live from its end", []Event{brief(1, 1, 6), ttl(6, 10)}, ""},
		{"time to live after its end", []Event{brief(1, 1, 6), ttl(10, 10)}, "to live"},
		{"time to live begun anew", []Event{brief(1, 1, 2), ttl(10, 6)}, "to live"},
	} {
		broken, _ := Check(c.events, 1)
		text := strings.Join(broken, "\n")
		if (c.broken == "") != (text == "") || !strings.Contains(text, c.broken) {
			t.Errorf("%s: got %q, want %q", c.name, text, c.broken)
		}
	}
}
