package cache

import (
	"testing"
	"time"
)

// A value without an end, which somebody else has stored, is renewed like any other: and
// nothing older takes its place.
func TestValueThatLivesForEver(t *testing.T) {
	for _, b := range backends {
		if b.name != "memcached" { // who gives such values to nobody
			continue
		}
		addresses := b.start(t, 2)
		store := b.open(t, addresses)
		for version, want := range map[uint64]Filled{7: Older, 8: Stored, 9: Stored} {
			key := "forever" + string(rune('0'+version))
			writeForeign(t, b.name, addresses, key, memcachedItem(cellValue, 8, []byte("there")))
			g := lease(t, store, key, LeaseRequest{Life: time.Minute, Renew: true}, Won)
			if string(g.Entry.Value) != "there" || g.Entry.Version != 8 {
				t.Errorf("it was given %+v", g.Entry)
			}
			fill(t, store, key, g.Lease, stored("filled", version), want)
		}
		wantMiss(t, store, "forever7")
		wantEntry(t, store, "forever9", "filled", 9)
	}
}

// A value that lives for as long as any may is there while it is renewed, and nobody
// else is given it meanwhile, from its first moment on.
func TestRenewalOfTheLongestLife(t *testing.T) {
	eachBackend(t, func(t *testing.T, store allStores) {
		for _, put := range []func(){
			func() { set(t, store, "key", Entry{Value: []byte("there"), Version: 1, TTL: maxTTL}) },
			func() {
				g := lease(t, store, "key", LeaseRequest{Life: time.Minute, Renew: true}, Won)
				fill(t, store, "key", g.Lease, Entry{Value: []byte("there"), Version: 1, TTL: maxTTL}, Stored)
			},
		} {
			del(t, store, "key", AnyVersion, 0)
			put()
			lease(t, store, "key", LeaseRequest{Life: time.Minute, Renew: true}, Won)
			lease(t, store, "key", LeaseRequest{Life: time.Minute, Renew: true}, Pending)
			wantEntry(t, store, "key", "there", 1)
		}
	})
}
