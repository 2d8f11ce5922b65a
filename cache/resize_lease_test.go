package cache

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// What the other client does while somebody holds a lease, and whether the holder
// must have lost it then.
var meanwhile = []struct {
	name string
	lost bool
	do   func(t *testing.T, c *resizeClient, key string)
}{
	{"nothing", false, func(*testing.T, *resizeClient, string) {}},
	{"asks", false, func(t *testing.T, c *resizeClient, key string) {
		if _, err := c.Lease(t.Context(), key, LeaseRequest{Life: time.Minute, Renew: true}); err != nil {
			t.Error(err)
		}
	}},
	{"delete", true, func(t *testing.T, c *resizeClient, key string) { del(t, c, key, AnyVersion, 0) }},
	{"delete below", true, func(t *testing.T, c *resizeClient, key string) { del(t, c, key, 5, 0) }},
	{"hold-off", true, func(t *testing.T, c *resizeClient, key string) { del(t, c, key, AnyVersion, time.Hour) }},
	{"delete and ask", true, func(t *testing.T, c *resizeClient, key string) {
		del(t, c, key, AnyVersion, 0)
		lease(t, c, key, LeaseRequest{}, Won)
	}},
	{"set and delete", true, func(t *testing.T, c *resizeClient, key string) {
		// Memcached refuses it where the lease is on an owner that is not to be
		// written to any more.
		_, _ = c.Set(t.Context(), key, stored("set", 0))
		del(t, c, key, AnyVersion, 0)
	}},
}

// A journey is how far the views of two clients are while one of them holds a
// lease: it took it when both saw the state from, and uses it when it sees to and the
// other sees that or the state beside it. early: the other does what it does before
// the views change.
type journey struct {
	from, to, other int // of joining
	early           bool
}

func journeys() (all []journey) {
	for from := range joining {
		for to := from; to < len(joining); to++ {
			for other := max(to-1, from); other <= min(to+1, len(joining)-1); other++ {
				all = append(all, journey{from, to, other, false})
				if to > from {
					all = append(all, journey{from, to, other, true})
				}
			}
		}
	}
	return all
}

// A lease that was taken before the owner of its key changed, and is used later,
// stores or is lost; after an invalidation it is lost, whoever invalidated, whichever
// of the two was ahead.
func TestLeaseAcrossResize(t *testing.T) {
	eachFleet(t, func(t *testing.T, f *resize) {
		per := 2 * len(meanwhile)
		keys, move := f.moving(per*len(journeys())), f.mover(0, 2)
		outcomes := make(map[Filled]int)
		for i, j := range journeys() {
			f.travel(j, keys[per*i:per*(i+1)], move, outcomes)
		}
		t.Logf("stored %d, lost %d", outcomes[Stored], outcomes[Lost])
		if !t.Failed() {
			proofs.Record(t, proofs.Row{Proof: "lease across a resize", Got: fmt.Sprintf("%d leases: %d stored, %d lost, none after an invalidation", per*len(journeys()), outcomes[Stored], outcomes[Lost])})
		}
		if outcomes[Stored] == 0 || outcomes[Lost] == 0 {
			t.Error("want some of both: else the test shows nothing")
		}
	})
}

// travel makes one journey, with two keys for each of meanwhile: with a value that is
// to be replaced, and without.
func (f *resize) travel(j journey, keys []userKey, move func(string) error, outcomes map[Filled]int) {
	t := f.t
	holder, other := f.client(joining[0]), f.client(joining[0])
	at := [2]int{}
	reach := func(h, o int) {
		for at != [2]int{h, o} {
			if at[0] < h {
				at[0]++
				holder.sees(joining[at[0]])
			}
			if at[1] < min(o, at[0]+1) {
				at[1]++
				other.sees(joining[at[1]])
			}
			if min(at[0], at[1]) == 2 { // all know that keys move
				for _, key := range keys {
					if err := move(f.text(key)); err != nil {
						t.Error(err)
					}
				}
			}
		}
	}
	reach(j.from, j.from)
	leases := make([]Lease, len(keys))
	for i, key := range keys {
		if i%2 == 1 {
			set(t, other, f.text(key), stored("old", 0))
		}
		leases[i] = lease(t, holder, f.text(key), LeaseRequest{Renew: i%2 == 1}, Won).Lease
	}
	act := func() {
		for i, key := range keys {
			meanwhile[i/2].do(t, other, f.text(key))
		}
	}
	if j.early {
		act()
	}
	reach(j.to, j.other)
	if !j.early {
		act()
	}
	filled := make([]Filled, len(keys))
	for i, key := range keys {
		got, err := holder.Fill(t.Context(), f.text(key), leases[i], stored("held", 0))
		what := fmt.Sprintf("%+v, %s, there %v", j, meanwhile[i/2].name, i%2 == 1)
		if filled[i] = got; err != nil || got != Stored && got != Lost || got == Stored && meanwhile[i/2].lost {
			t.Errorf("%s: Fill = %d, %v", what, got, err)
		}
		outcomes[got]++
		f.check(what, key, got, meanwhile[i/2].lost, holder, other)
	}
	reach(3, 3)
	for i, key := range keys {
		f.check(fmt.Sprintf("%+v, %s, there %v, at the end", j, meanwhile[i/2].name, i%2 == 1), key, filled[i], meanwhile[i/2].lost, holder, other)
	}
}

// check reads the key by both clients.
func (f *resize) check(what string, key userKey, got Filled, gone bool, clients ...*resizeClient) {
	f.t.Helper()
	for i, c := range clients {
		e, err := c.Get(context.Background(), f.text(key))
		switch value := string(e.Value); {
		case gone && err != ErrMiss, got == Lost && value == "held":
			f.t.Errorf("%s: client %d reads %q, %v", what, i, value, err)
		case got == Stored && value != "held":
			f.t.Errorf("%s: client %d reads %q, %v; it was stored", what, i, value, err)
		}
	}
}

// A lease of a memcached server is the CAS of an item, and each server counts them
// by itself. The holder of one must not store by another's that has, by accident,
// the same number at the new owner.
func TestLeaseOfAnotherServer(t *testing.T) {
	f := newResize(t, membership.Memcached)
	c, keys := f.client(membership.Joining), f.moving(2)
	raise := func(server int, by uint64) (now uint64) {
		m := f.memcached(server)
		for range by {
			resp, err := m.MetaSet(t.Context(), memcache.SetRequest{Key: "other", TTL: time.Hour, Return: memcache.ReturnCAS})
			if err != nil {
				t.Fatal(err)
			}
			now = resp.CAS
		}
		return now
	}
	raise(0, 200)
	held := lease(t, c, f.text(keys[0]), LeaseRequest{}, Won)
	lease(t, c, f.text(keys[1]), LeaseRequest{}, Won)
	c.sees(membership.Announced)
	c.sees(membership.Importing)

	// How far the other server counts for what is to follow.
	again := func(key string) uint64 {
		del(t, c, key, AnyVersion, 0)
		return lease(t, c, key, LeaseRequest{}, Won).Lease.cas
	}
	begun := raise(2, 1)
	steps := again(f.text(keys[1])) - begun
	raise(2, held.Lease.cas-steps-raise(2, 1))
	if cas := again(f.text(keys[0])); cas != held.Lease.cas {
		t.Fatalf("the new lease has CAS %d, want %d: the test shows nothing", cas, held.Lease.cas)
	}
	fill(t, c, f.text(keys[0]), held.Lease, stored("stale", 0), Lost)
	wantMiss(t, c, f.text(keys[0]))
}

// What was deleted while its key moves leaves a tombstone, and a lease of that place is
// one of the tombstone, which no reader is told of. It too is given back when it can
// fill no more: nobody waits until it ends.
func TestLeaseOfATombstone(t *testing.T) {
	f := newResize(t, membership.Memcached)
	for i, key := range f.moving(len(joining)) {
		holder, other := f.client(membership.Importing), f.client(membership.Importing)
		text := f.text(key)
		del(t, holder, text, AnyVersion, 0)
		held := lease(t, holder, text, LeaseRequest{}, Won).Lease
		lease(t, other, text, LeaseRequest{}, Pending)
		switch i {
		case 0: // the load has failed
			if err := holder.Release(t.Context(), text, held); err != nil {
				t.Error(err)
			}
		case 1: // the transition ends meanwhile
			holder.sees(membership.Active)
			fill(t, holder, text, held, stored("late", 0), Lost)
			other.sees(membership.Active)
		case 2: // the holder is dead
			g := lease(t, other, text, LeaseRequest{}, Pending)
			lease(t, other, text, LeaseRequest{Void: g.Lease}, Won)
			continue
		case 3: // it is somebody else's by now
			del(t, other, text, AnyVersion, 0)
			again := lease(t, other, text, LeaseRequest{}, Won).Lease
			if err := holder.Release(t.Context(), text, held); err != nil {
				t.Error(err)
			}
			fill(t, other, text, again, stored("new", 0), Stored)
			continue
		}
		wantMiss(t, other, text)
		lease(t, other, text, LeaseRequest{}, Won)
	}
}

// What replaces or invalidates a key reaches a lease of its tombstone, though it reads
// nothing.
func TestChangesReachALeaseOfATombstone(t *testing.T) {
	f := newResize(t, membership.Memcached)
	keys := f.moving(2)
	c := f.client(membership.Importing)
	for i, change := range []func(text string) (found string){
		func(text string) string { del(t, c, text, AnyVersion, time.Hour); return "" },
		func(text string) string { set(t, c, text, stored("new", 0)); return "new" },
	} {
		text := f.text(keys[i])
		del(t, c, text, AnyVersion, 0)
		held := lease(t, c, text, LeaseRequest{}, Won).Lease
		want := change(text)
		fill(t, c, text, held, stored("late", 0), Lost)
		if e, err := c.Get(t.Context(), text); string(e.Value) != want || (err == ErrMiss) != (want == "") {
			t.Errorf("%d: %q, %v, want %q", i, e.Value, err, want)
		}
	}
}
