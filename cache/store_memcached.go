package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// MemcachedClient is what a store needs of a client: a *router.Memcached, or a
// *memcache.Client of one server.
type MemcachedClient interface {
	memcache.Meta
	GetMulti(ctx context.Context, keys []string) (map[string]memcache.Item, error)
}

// Memcached keeps entries in memcached servers, by the meta commands: mg with N
// and R says who makes a value, and the CAS of the item is the lease, which every
// set and delete ends.
//
// The server counts whole seconds: times to live and the lives of leases are
// rounded up to them.
type Memcached struct {
	client MemcachedClient

	// epoch is that of the client's view of the fleet; 0 for ever with one server.
	// Each server counts CAS by itself, so that a lease of one says nothing to the
	// next owner of the key, and may match there by accident. While the epoch is the
	// same, so is the server that is asked for a key.
	epoch func() uint64

	tags sightings // of tags that are young
}

// longest is how long a value lives at most. The server gives an item to be renewed to
// the first who asks, if it has less to live than he says, which is maxTTL at most: more
// is a time of day to it, by the clock of this process. It counts whole seconds.
const longest = maxTTL - 2*time.Second

// OnMemcached returns a store over a client, such as a *router.Memcached. The
// client stays the caller's. Its largest value must hold the entries of a space,
// with 100 bytes for each beside what the codec makes: one that is larger is handed out,
// and loaded for each Get, is counted by Stats.StoreErrors, and told to OnError.
func OnMemcached(client MemcachedClient) *Memcached {
	m := &Memcached{client: client, epoch: func() uint64 { return 0 }}
	if fleet, is := client.(interface{ Epoch() uint64 }); is {
		m.epoch = fleet.Epoch
	}
	return m
}

// A cell on Memcached is kind 1 · version 8 · value. An empty item is a lease.
const memcachedHeader = 1 + 8

func memcachedCell(data []byte) (kind cellKind, version uint64, value []byte) {
	switch {
	case len(data) == 0:
		return cellLease, 0, nil
	case len(data) < memcachedHeader:
		return 0, 0, nil
	}
	return cellKind(data[0]), binary.BigEndian.Uint64(data[1:]), data[memcachedHeader:]
}

func memcachedItem(kind cellKind, version uint64, value []byte) []byte {
	out := make([]byte, 0, memcachedHeader+len(value))
	return append(binary.BigEndian.AppendUint64(append(out, byte(kind)), version), value...)
}

func memcachedEntry(data []byte) (Entry, error) {
	if kind, version, value := memcachedCell(data); kind == cellValue {
		return Entry{Version: version, Value: value}, nil
	}
	return Entry{}, ErrMiss
}

const look = memcache.ReturnValue | memcache.ReturnCAS | memcache.ReturnTTL

// Get is Store.Get.
func (m *Memcached) Get(ctx context.Context, key string) (Entry, error) {
	resp, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: memcache.ReturnValue})
	if err != nil {
		return Entry{}, fmt.Errorf("cache: memcached: get: %w", keyless(err))
	}
	if !resp.Found() {
		return Entry{}, ErrMiss
	}
	return memcachedEntry(resp.Value)
}

// Set is Store.Set.
func (m *Memcached) Set(ctx context.Context, key string, e Entry) (stored bool, err error) {
	if err := checkEntry(e); err != nil {
		return false, err
	}
	data := memcachedItem(cellValue, e.Version, e.Value)
	err = m.change(ctx, "set", key, func(there memcache.Response) (memcache.SetRequest, bool) {
		kind, version, _ := memcachedCell(there.Value)
		stored = !there.Found() || admits(kind, version, e.Version)
		return memcache.SetRequest{Value: data, TTL: min(e.TTL, longest)}, stored
	})
	return stored && err == nil, err
}

var errBusyKey = errors.New("the key changes all the time")

// change reads the item, has decide say what to store, if anything, and stores that
// if the item has not changed meanwhile: else it begins again.
func (m *Memcached) change(ctx context.Context, what, key string, decide func(memcache.Response) (memcache.SetRequest, bool)) error {
	var beyond uint64
	var unseen bool
	for range 100 {
		there, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: look, NoBump: true})
		if err != nil {
			return fmt.Errorf("cache: memcached: %s: %w", what, keyless(err))
		}
		r, proceed := decide(there)
		if !proceed {
			return nil
		}
		r.Key, r.CompareCAS = key, there.CAS
		if !there.Found() {
			r.Mode = memcache.ModeAdd
		}
		resp, err := m.client.MetaSet(ctx, r)
		switch {
		case err != nil:
			return fmt.Errorf("cache: memcached: %s: %w", what, keyless(err))
		case resp.Status == memcache.StatusOK:
			return nil
		case outOfReach(there, resp, &beyond):
			return fmt.Errorf("cache: memcached: %s: %w", what, errBusyKey)
		case outOfSight(there, resp, &unseen):
			if _, err := m.client.MetaDelete(ctx, memcache.DeleteRequest{Key: key}); err != nil {
				return fmt.Errorf("cache: memcached: %s: %w", what, keyless(err))
			}
		}
	}
	return fmt.Errorf("cache: memcached: %s: %w", what, errBusyKey)
}

// outOfReach reports whether the same item has been found, and been absent to the
// request that named its CAS, twice. While keys move it may be on the other owner,
// and be leased there, so that it is read from there but not brought over.
func outOfReach(there, resp memcache.Response, before *uint64) bool {
	if !there.Found() || resp.Status != memcache.StatusNotFound {
		return false
	}
	is := *before == there.CAS
	*before = there.CAS
	return is
}

// outOfSight reports whether nothing has been found, and yet something was in the way of
// what was to be added, twice: while keys move a lease may be one of a tombstone, which
// nobody reads. A delete ends it.
func outOfSight(there, resp memcache.Response, before *bool) bool {
	is := !there.Found() && resp.Status == memcache.StatusNotStored
	again := is && *before
	*before = is
	return again
}

// Delete is Store.Delete.
func (m *Memcached) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	var beyond uint64
	var unseen bool
	for range 100 {
		there, err := m.client.MetaGet(ctx, memcache.GetRequest{Key: key, Return: look, NoBump: true})
		if err != nil {
			return fmt.Errorf("cache: memcached: delete: %w", keyless(err))
		}
		resp, err := m.deleteOnce(ctx, key, there, below, holdOff)
		if err == nil && (outOfReach(there, resp, &beyond) || outOfSight(there, resp, &unseen)) { // without a CAS it is deleted on both owners
			_, err = m.client.MetaDelete(ctx, memcache.DeleteRequest{Key: key})
		}
		switch {
		case err != nil:
			return fmt.Errorf("cache: memcached: delete: %w", keyless(err))
		case resp.Status == memcache.StatusOK:
			return nil
		}
	}
	return fmt.Errorf("cache: memcached: delete: %w", errBusyKey)
}

// deleteOnce deletes the item that is there, or puts a hold-off in its place. The
// status is OK if that is done, or nothing is to be done; else the item has changed
// meanwhile.
func (m *Memcached) deleteOnce(ctx context.Context, key string, there memcache.Response, below uint64, holdOff time.Duration) (memcache.Response, error) {
	kind, version, _ := memcachedCell(there.Value)
	heldOff := there.Found() && kind == cellHoldOff
	if there.Found() && (keeps(kind, version, below) || heldOff && holdOff <= 0) {
		return memcache.Response{Status: memcache.StatusOK}, nil
	}
	if holdOff <= 0 {
		resp, err := m.client.MetaDelete(ctx, memcache.DeleteRequest{Key: key, CompareCAS: there.CAS})
		if !there.Found() && resp.Status == memcache.StatusNotFound {
			// It was asked all the same. A client with the policy Miss says "not there"
			// of a node that it does not reach, and while keys move the other owner may
			// have leased a place where nothing is read.
			resp.Status = memcache.StatusOK
		}
		return resp, err
	}
	// One second more: see Lease.
	r := memcache.SetRequest{Key: key, Value: memcachedItem(cellHoldOff, below, nil), TTL: holdOff + time.Second, CompareCAS: there.CAS}
	if heldOff {
		r.TTL = max(r.TTL, there.TTL)
	}
	if !there.Found() {
		r.Mode = memcache.ModeAdd
	}
	return m.client.MetaSet(ctx, r)
}
