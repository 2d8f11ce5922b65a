package rebalance

import (
	"errors"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestBatchOfAnotherProcess: what was found by a walk over one process of the source is
// not read from the next one, which may have brought old keys from its disk. A walk over
// the next one takes them.
func TestBatchOfAnotherProcess(t *testing.T) {
	f := newFleetWith(t, membership.Redis, map[string][]string{"a": {"--dir", t.TempDir(), "--dbfilename", "old.rdb"}}, active("a"), coming("b"))
	f.fence("b")
	keys := f.ownedBy("a", "b", "key", 4)
	must(t, f.store("a").fill(t.Context(), map[string]testItem{keys[0]: {"old", time.Hour}, keys[1]: {"old", 0}}))
	inParts, whole := keys[2], keys[3]
	a := f.redis("a")
	fillValue(t, a, valuesOf[2].script, inParts, 12_000)
	fillValue(t, a, valuesOf[5].script, whole, 12_000)
	must(t, a.Save(t.Context()).Err())

	m := f.mover("a")
	to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
	must(t, err)
	h, err := m.take(within(t), f.view, to, testTransition)
	must(t, err)
	defer func() { h.close(); m.release(false) }()
	before, err := h.server.Identity(t.Context())
	must(t, err)
	f.servers["a"].Kill()
	f.servers["a"].Restart()

	parcelOf := func(process string, keys ...string) *parcel {
		p := &parcel{to: []*receiver{h.receivers["b"]}, leave: true, process: process}
		for _, key := range keys {
			p.add(found(key))
		}
		return p
	}
	// The connections of before are lost first, which is another error.
	refused := func(what string, move func() error) {
		t.Helper()
		eventually(t, what+" is refused", func() bool {
			err := move()
			if err == nil {
				t.Fatalf("%s goes", what)
			}
			return errors.Is(err, errSourceRestarted)
		})
	}
	batch := func(process string) error {
		_, _, err := h.carrier.carry(within(t), parcelOf(process, keys[:2]...))
		return err
	}
	single := func(key, process string) error {
		_, _, err := h.carrier.single(within(t), parcelOf(process, key))
		return err
	}
	exist := func(id string) int64 {
		n, err := f.redis(id).Exists(within(t), keys...).Result()
		must(t, err)
		return n
	}
	refused("a batch", func() error { return batch(before) })
	refused("a key in parts", func() error { return single(inParts, before) })
	refused("a key as a whole", func() error { return single(whole, before) })
	if here, there := exist("a"), exist("b"); here != 4 || there != 0 {
		t.Errorf("%d keys at the source and %d at the receiver, want 4 and 0", here, there)
	}

	after, err := h.server.Identity(within(t))
	must(t, err)
	must(t, errors.Join(batch(after), single(inParts, after), single(whole, after)))
	if here, there := exist("a"), exist("b"); here != 0 || there != 4 {
		t.Errorf("%d keys at the source and %d at the receiver, want 0 and 4", here, there)
	}
}
