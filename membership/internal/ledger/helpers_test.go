package ledger

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/ringway/ringway/membership"
	"pgregory.net/rapid"
)

// record is what a node of weight 1 says of itself.
func record(id string, state membership.State, stamp uint64) Record {
	return Record{ID: id, Kind: membership.Redis, Address: "h:1", Weight: 1, State: state,
		Generation: 1, Sequence: stamp, Stamp: stamp}
}

// drawRecord returns a valid record with an ID of that alphabet. Its numbers are
// small, so that records of one node often compete, and often are as new as each
// other.
func drawRecord(t *rapid.T, ids []string) Record {
	small := rapid.Uint64Range(0, 4)
	r := Record{
		ID:         rapid.SampledFrom(ids).Draw(t, "id"),
		Kind:       rapid.SampledFrom(kinds[:2]).Draw(t, "kind"),
		Address:    rapid.SampledFrom([]string{"h:1", "10.0.0.1:65535", "[::1]:6379", "é.example:2", "unix:///s"}).Draw(t, "address"),
		Zone:       rapid.SampledFrom([]string{"", "z1", "é"}).Draw(t, "zone"),
		Weight:     rapid.SampledFrom([]float64{5e-324, 0.1, 1, 1 << 20}).Draw(t, "weight"),
		State:      rapid.SampledFrom(states).Draw(t, "state"),
		Unhealthy:  rapid.Bool().Draw(t, "unhealthy"),
		Generation: small.Draw(t, "generation"),
		Sequence:   small.Draw(t, "sequence"),
		Stamp:      rapid.Uint64Range(1, 40).Draw(t, "stamp"),
		Transition: rapid.SampledFrom([]uint64{0, 3, MaxStamp, membership.RollbackOf(3)}).Draw(t, "transition"),
		Swept:      small.Draw(t, "swept"),
		Done:       small.Draw(t, "done"),
		Purged:     rapid.Uint64Range(0, 40).Draw(t, "purged"),
		Returns:    rapid.Byte().Draw(t, "returns") % (MaxReturns + 1),
		Since:      rapid.Int64Range(-3, 100).Draw(t, "since"),
	}
	if r.State == membership.Active && rapid.Bool().Draw(t, "reweighed") {
		r.Step = rapid.SampledFrom([]membership.State{membership.Announced, membership.Importing}).Draw(t, "step")
		r.NextWeight = 2
	}
	if err := r.Validate(); err != nil {
		t.Fatal(err)
	}
	return r
}

func drawEviction(t *rapid.T, ids []string) Eviction {
	e := Eviction{
		ID:         rapid.SampledFrom(ids).Draw(t, "evicted"),
		Generation: rapid.Uint64Range(0, 3).Draw(t, "generation"),
		Stamp:      rapid.Uint64Range(1, 40).Draw(t, "stamp"),
		Since:      rapid.Int64Range(0, 100).Draw(t, "since"),
		By:         rapid.SampledFrom(append(ids, "")).Draw(t, "by"),
	}
	if err := e.Validate(); err != nil {
		t.Fatal(err)
	}
	return e
}

func drawAbort(t *rapid.T, ids []string) Abort {
	a := Abort{
		Kind:       rapid.SampledFrom(kinds[:2]).Draw(t, "kind"),
		Transition: rapid.SampledFrom([]uint64{1, 3}).Draw(t, "transition"),
		Stage:      rapid.SampledFrom([]Stage{Halted, Withdrawn, Turned}).Draw(t, "stage"),
		Stamp:      rapid.Uint64Range(1, 40).Draw(t, "stamp"),
		Since:      rapid.Int64Range(0, 100).Draw(t, "since"),
		By:         rapid.SampledFrom(append(ids, "")).Draw(t, "by"),
	}
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	return a
}

// drawMessages returns what members told each other, a few changes at a time.
func drawMessages(t *rapid.T) []Message {
	ids := []string{"a", "b", "c"}
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Message {
		return Message{
			Cluster:   "c",
			Epoch:     rapid.SampledFrom([]uint64{0, 0, 20, 60}).Draw(t, "epoch"),
			Records:   rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Record { return drawRecord(t, ids) }), 0, 3).Draw(t, "records"),
			Evictions: rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Eviction { return drawEviction(t, ids) }), 0, 2).Draw(t, "evictions"),
			Aborts:    rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Abort { return drawAbort(t, ids) }), 0, 2).Draw(t, "aborts"),
		}
	}), 1, 8).Draw(t, "messages")
}

// shown is all that can be seen of a ledger.
func shown(l *Ledger) string {
	var evicted []string
	for id := range l.evictions {
		if l.Evicted(id) {
			evicted = append(evicted, id)
		}
	}
	slices.Sort(evicted)
	return fmt.Sprintf("epoch %d\nrecords %+v\nevictions %+v\nevicted %v\naborts %+v\nview %+v",
		l.Epoch(), l.Records(), l.Evictions(), evicted, l.Aborts(), l.View())
}

// merged returns a ledger that has taken in the messages one after the other.
func merged(messages ...Message) *Ledger {
	l := New()
	for _, m := range messages {
		l.Merge(m)
	}
	return l
}

// clone returns a ledger of its own with the same contents.
func clone(l *Ledger) *Ledger {
	return &Ledger{records: maps.Clone(l.records), evictions: maps.Clone(l.evictions), aborts: maps.Clone(l.aborts), clock: l.clock}
}

func mustFail(t *testing.T, what string, err error) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", what)
	}
}
