package cache

import (
	"context"
	"math"
	"time"
)

// Store is where entries are kept: a fleet of Redis or Memcached servers, or
// memory. OnRedis, OnMemcached and NewMemory make one; all three behave alike, and
// one test suite says so. What else a store can do it says by implementing Leaser,
// Batcher and Counter.
//
// Keys are up to 200 bytes without spaces and control characters. A Store is safe
// for concurrent use.
type Store interface {
	// Get returns the entry under the key, or ErrMiss. Its Value is the caller's.
	Get(ctx context.Context, key string) (Entry, error)

	// Set stores the entry, and ends leases of the key, unless there is a
	// newer one: an entry of a higher version, if this one has a version, or a
	// hold-off (see Delete) that does not admit it.
	Set(ctx context.Context, key string, entry Entry) (stored bool, err error)

	// Delete removes the entry, and ends leases of the key. One with a version
	// of below or higher stays. For as long as holdOff nothing is stored under
	// the key that has no version, or one lower than below; with 0 anything is,
	// unless an earlier Delete holds off. It is no error if there is no entry.
	Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error
}

// AnyVersion as the version for Delete stands for all of them.
const AnyVersion uint64 = math.MaxUint64

// Entry is a value as a Store keeps it.
type Entry struct {
	Value   []byte
	Version uint64        // of the source; 0: it has none
	TTL     time.Duration // for Set and Fill: more than 0. Get leaves it 0
}

// Leaser is a Store that can let one of many callers, in all processes, make the
// value that is missing.
type Leaser interface {
	// Lease returns the entry under the key, or who is to make it.
	Lease(ctx context.Context, key string, request LeaseRequest) (Grant, error)

	// Fill stores the entry if the lease still holds: it has not run out, and
	// the key was neither set nor deleted since. The lease is over after it.
	Fill(ctx context.Context, key string, lease Lease, entry Entry) (Filled, error)

	// Release gives the lease back, and leaves the entry that was there. A
	// lease that does not hold any more is left alone, and so is a lease of
	// somebody else.
	Release(ctx context.Context, key string, lease Lease) error
}

// LeaseRequest says what for a lease is wanted.
type LeaseRequest struct {
	Life  time.Duration // how long it holds; more than 0
	Renew bool          // also if there is an entry, to replace it

	// Void is a lease of somebody else that the caller has seen for all of its
	// Life, so that its holder must be dead. A store that ends leases by itself
	// ignores it.
	Void Lease
}

// Grant is the answer to a LeaseRequest.
type Grant struct {
	State LeaseState
	Lease Lease // Won: the caller's own. Pending: tells that of the holder from later ones
	Entry Entry // Hit, and with Renew Won and Pending too: what is there; else its Value is nil
}

// LeaseState says what there is under a key.
type LeaseState uint8

// The states.
const (
	Hit     LeaseState = iota + 1 // an entry
	Won                           // a lease for the caller
	Pending                       // a lease of somebody else
	HoldOff                       // nothing, and it is too early to store something: see Store.Delete
)

// Lease tells one lease from all others.
type Lease struct {
	token   [16]byte
	cas     uint64 // Memcached
	version uint64 // Memcached: of the entry that is there
	epoch   uint64 // Memcached: of the view of the fleet that it was taken by
	until   time.Time
	far     *Lease // Tiered: of the far store; nil: none
}

// Filled is the outcome of Fill.
type Filled uint8

// The outcomes.
const (
	Stored Filled = iota + 1
	Lost          // the lease did not hold any more; nothing was changed
	Older         // there is an entry of a higher version; the lease is over
)

// Batcher is a Store that does with many keys what Leaser and Store do with one, in
// one round trip to each node. Results are in the order of the keys; one that
// failed has an Err, and the others are valid.
type Batcher interface {
	GetMany(ctx context.Context, keys []string) []Result
	LeaseMany(ctx context.Context, keys []string, request LeaseRequest) []Result
	StoreMany(ctx context.Context, writes []Write) []Result
}

// Write is a Set, or with a Lease a Fill.
type Write struct {
	Key   string
	Lease *Lease
	Entry Entry
}

// Result is that of one key of a batch: of Get, Lease, Set or Fill.
type Result struct {
	Entry  Entry
	Grant  Grant
	Filled Filled // Set: Stored or Older
	Err    error  // ErrMiss, or that of the node
}

// Counter is a Store with atomic counters.
type Counter interface {
	// Incr adds delta to the counter under the key and returns the sum. A
	// counter that is not there begins at 0 and lives for ttl. It counts to
	// 2^63-1; what would lie beyond is an error and changes nothing.
	Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error)
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func checkTTL(ttl time.Duration) error {
	if ttl <= 0 || ttl > maxTTL {
		return configError("time to live", ttl, "more than 0 and at most 30 days")
	}
	return nil
}

// maxTTL is where Memcached begins to take a time to live for a point in time.
const maxTTL = 30 * 24 * time.Hour

func checkEntry(e Entry) error { return checkTTL(e.TTL) }

func checkLease(r LeaseRequest) error {
	if r.Life <= 0 || r.Life > maxTTL {
		return configError("life of a lease", r.Life, "more than 0 and at most 30 days")
	}
	return nil
}
