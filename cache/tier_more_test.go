package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

// overtaking is memory that lets something happen just after an entry was read.
type overtaking struct {
	*Memory
	after func() // is called once
}

func (s *overtaking) Get(ctx context.Context, key string) (Entry, error) {
	e, err := s.Memory.Get(ctx, key)
	if after := s.after; after != nil {
		s.after = nil
		after()
	}
	return e, err
}

// What was read of the far store is not kept near if it was deleted just then.
func TestTiersDeletedWhileTheyAreRead(t *testing.T) {
	near, far := NewMemory(), &overtaking{Memory: NewMemory()}
	tiers, err := NewTiered(near, far, TieredConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer tiers.Close()
	set(t, far, "k", stored("old", 0))
	far.after = func() { del(t, tiers, "k", AnyVersion, 0) }
	_, _ = tiers.Get(t.Context(), "k") // the old one or none: it was asked for before
	if e, err := near.Get(t.Context(), "k"); !errors.Is(err, ErrMiss) {
		t.Errorf("the near store has %q, %v", e.Value, err)
	}
	set(t, far, "k", stored("new", 0))
	if e, err := tiers.Get(t.Context(), "k"); err != nil || string(e.Value) != "new" {
		t.Errorf("%q, %v; want what there is", e.Value, err)
	}
}

// A key that takes the place of another in the sketch is not hot for the count that it
// finds there.
func TestSketchOfNewKeys(t *testing.T) {
	s, now := newSketch[uint64](2, 10*time.Second), time.Unix(1000, 0)
	for range 1000 {
		s.add(1, 1, now)
		s.add(2, 1, now)
	}
	s.add(3, 1, now)
	if s.byKey[3] == nil {
		t.Fatal("the key has no place: the test shows nothing")
	}
	for _, f := range s.above(0, 0.01, now) {
		if f.key == 3 {
			t.Errorf("a key that came once has a share of %v", f.share)
		}
	}
}

// What was erased is not only dead: level 1 of no process holds it any more.
func TestEraseLeavesNothingInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, store, src := newEther(1, 0), NewMemory(), newSource()
		change := func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Tags.OfKey = src.load, func(userKey) []Tag { return kind("t") }
		}
		here, m, _ := e.process(t, store, change)
		there, m2, _ := e.process(t, store, change)
		defer m.Close()
		defer m2.Close()
		time.Sleep(time.Minute) // the bus is heard
		for _, s := range []*Space[userKey, user]{here, there} {
			mustGet(t, s, ada)
			wantName(t, s, "Ada", FromL1)
			if n := s.report().L1.Entries; n != 1 {
				t.Fatalf("%d entries in level 1, want 1", n)
			}
		}
		if _, err := m.EraseTag(context.Background(), Tag{Name: "t"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		for i, s := range []*Space[userKey, user]{here, there} {
			if n := s.report().L1.Entries; n != 0 {
				t.Errorf("process %d: %d entries in level 1", i, n)
			}
		}
	})
}

// A token can say of no time further away than a value lives that first levels are to
// be passed over until then: without a secret anybody can make one.
func TestSessionTokenOfAFarFuture(t *testing.T) {
	body := binary.BigEndian.AppendUint32([]byte{tokenVersion}, 1<<32-1)
	s, err := ParseSession(encodeToken(append(body, signatureOf(body, nil)...)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if latest := time.Now().Add(maxTTL); s.until.After(latest) || s.until.IsZero() {
		t.Errorf("until %v, want %v at the latest", s.until, latest)
	}
}

// An audit leaves no trace on a Memcached: what it looked at counts as never read.
func TestInspectLeavesNoTrace(t *testing.T) {
	client := memcachedFleet(t, []string{servertest.Memcached(t).Addr()})
	store := OnMemcached(client)
	set(t, store, "k", stored("value", 0))
	look := func() bool {
		t.Helper()
		resp, err := client.MetaGet(t.Context(), memcache.GetRequest{Key: "k", Return: memcache.ReturnHit, NoBump: true})
		if err != nil || !resp.Found() {
			t.Fatalf("%+v, %v", resp, err)
		}
		return resp.Hit
	}
	if in := store.Inspect(t.Context(), []string{"k"}); in[0].Err != nil || string(in[0].Entry.Value) != "value" {
		t.Fatalf("%+v", in)
	}
	if look() {
		t.Error("it counts as read after Inspect")
	}
	if _, err := store.Get(t.Context(), "k"); err != nil || !look() {
		t.Errorf("it does not after Get, %v: the test shows nothing", err)
	}
}
