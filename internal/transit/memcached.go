package transit

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// Client flags of tombstones on memcached servers, with an empty value. They are
// reserved: an application must not store empty values with them.
//
// One that is leased was given to somebody who makes a value. The server's own way to
// say that, by which it gives a stale item to the first who asks, is of no use here: the
// first may be one who only looks what is there.
const (
	FlagsClosed       uint32 = 0x52696e43 // "RinC"
	FlagsOpen         uint32 = 0x52696e4f // "RinO"
	FlagsClosedLeased uint32 = 0x52696e63 // "Rinc"
	FlagsOpenLeased   uint32 = 0x52696e6f // "Rino"
)

// TombstoneOf reports whether an item of these flags and this size of its value
// is a tombstone, and of which kind.
func TombstoneOf(flags uint32, size int) (kind Kind, is bool) {
	switch {
	case size != 0:
	case flags == FlagsClosed, flags == FlagsClosedLeased:
		return Closed, true
	case flags == FlagsOpen, flags == FlagsOpenLeased:
		return Open, true
	}
	return 0, false
}

// Flags returns the client flags of a tombstone of that kind.
func (k Kind) Flags() uint32 {
	if k == Open {
		return FlagsOpen
	}
	return FlagsClosed
}

// LeasedFlags returns those of one that is leased.
func (k Kind) LeasedFlags() uint32 {
	if k == Open {
		return FlagsOpenLeased
	}
	return FlagsClosedLeased
}

// Memcached is one memcached server, through a client of the caller's.
type Memcached struct {
	Client    *memcache.Client
	EncodeKey bool // send keys in base64, whatever they are made of
}

// MemcachedLook is what N says of a key before O is read.
type MemcachedLook struct {
	At        time.Time // by the clock of this machine, before N was asked
	Present   bool      // there is an item that is no tombstone
	Tombstone bool
	Kind      Kind   // of the tombstone
	Leased    bool   // the tombstone is: somebody is making a value
	Won       bool   // the item is stale, and the look was given it to renew
	CAS       uint64 // of the item or the tombstone
	Refused   error  // why the server took no reservation: see ReserveFenced
}

// LookRequest returns the request of a look, for batches.
func LookRequest(key string) memcache.GetRequest {
	return memcache.GetRequest{Key: key, NoBump: true,
		Return: memcache.ReturnFlags | memcache.ReturnCAS | memcache.ReturnSize}
}

// LookOf reads the reply to a LookRequest that was sent at some time, or to
// another one whose reply has flags, CAS, and value or size.
func LookOf(at time.Time, r *memcache.Response) MemcachedLook {
	l := MemcachedLook{At: at}
	if r.Found() {
		l.CAS = r.CAS
		l.Kind, l.Tombstone = TombstoneOf(r.ClientFlags, max(r.Size, len(r.Value)))
		l.Present = !l.Tombstone
		l.Leased = l.Tombstone && r.ClientFlags == l.Kind.LeasedFlags()
		l.Won = r.Won
	}
	return l
}

// Look looks at a key of N. It comes before Take at O.
func (m Memcached) Look(ctx context.Context, key string) (MemcachedLook, error) {
	at := time.Now()
	r := LookRequest(key)
	r.EncodeKey = m.EncodeKey
	resp, err := m.Client.MetaGet(ctx, r)
	if err != nil {
		return MemcachedLook{}, err
	}
	return LookOf(at, &resp), nil
}

// Reserve looks at a key of N, and where nothing is leaves an open tombstone that lives
// for CopyLimit: a copy takes the place of that very one. What is written there in
// between, and has ended or was evicted when the copy arrives, so bars it all the same.
func (m Memcached) Reserve(ctx context.Context, key string) (MemcachedLook, error) {
	at := time.Now()
	resp, err := m.Client.MetaSet(ctx, m.reservation(key))
	switch {
	case err != nil:
		return MemcachedLook{}, err
	case resp.Status == memcache.StatusOK:
		return MemcachedLook{At: at, Tombstone: true, Kind: Open, CAS: resp.CAS}, nil
	}
	return m.Look(ctx, key)
}

func (m Memcached) reservation(key string) memcache.SetRequest {
	return memcache.SetRequest{Key: key, EncodeKey: m.EncodeKey, ClientFlags: FlagsOpen, TTL: CopyLimit,
		Mode: memcache.ModeAdd, Return: memcache.ReturnCAS}
}

// MemcachedValue is an item as it stands at O.
type MemcachedValue struct {
	Item  memcache.Item // with TTL, the time that was left when it was read; 0: for ever
	At    time.Time     // when that was, at the latest
	State Outcome       // 0: it is here; Gone
}

// TakeRequest returns the request that reads an item of O, for batches.
func TakeRequest(key string) memcache.GetRequest {
	return memcache.GetRequest{Key: key, NoBump: true,
		Return: memcache.ReturnValue | memcache.ReturnFlags | memcache.ReturnCAS | memcache.ReturnTTL}
}

// ValueOf reads the reply to a TakeRequest. A tombstone counts as gone, and so does
// an item that is stale, for its copy would be fresh, and an empty one that is but a
// lease. A value that somebody is to renew goes over without the lease: left behind it
// would be lost, or found by those who still look there after others have deleted it.
func ValueOf(key string, r *memcache.Response) MemcachedValue {
	v := MemcachedValue{At: time.Now(), State: Gone}
	_, buried := TombstoneOf(r.ClientFlags, len(r.Value))
	lease := (r.Won || r.Pending) && len(r.Value) == 0
	if !r.Found() || buried || r.Stale || lease {
		return v
	}
	v.State = 0
	v.Item = memcache.Item{Key: key, Value: r.Value, Flags: r.ClientFlags, CAS: r.CAS, TTL: r.TTL}
	return v
}

// Take reads an item of O.
func (m Memcached) Take(ctx context.Context, key string) (MemcachedValue, error) {
	r := TakeRequest(key)
	r.EncodeKey = m.EncodeKey
	resp, err := m.Client.MetaGet(ctx, r)
	if err != nil {
		return MemcachedValue{}, err
	}
	return ValueOf(key, &resp), nil
}

// StoreRequest returns the request that writes at N what was taken at O, and what
// is to become of it; only with Copied is it to be sent. Its reply is for Stored.
func StoreRequest(look MemcachedLook, v MemcachedValue) (memcache.SetRequest, Outcome) {
	left := v.Item.TTL
	if left > 0 {
		if left -= time.Since(v.At).Truncate(time.Second); left <= 0 {
			return memcache.SetRequest{}, Gone
		}
	}
	r := memcache.SetRequest{Key: v.Item.Key, Value: v.Item.Value, ClientFlags: v.Item.Flags, TTL: left,
		Mode: memcache.ModeAdd, Return: memcache.ReturnCAS}
	switch {
	case v.State != 0:
		return r, v.State
	case look.Present:
		return r, Present
	case look.Tombstone && look.Kind == Closed:
		return r, Blocked
	case look.Tombstone: // takes its place if it is still this one
		r.Mode, r.CompareCAS = memcache.ModeSet, look.CAS
	}
	if time.Since(look.At) > CopyLimit {
		return r, Late
	}
	return r, Copied
}

// Stored reads the reply to a StoreRequest.
func Stored(s memcache.Status) Outcome {
	switch s {
	case memcache.StatusOK:
		return Copied
	case memcache.StatusNotStored: // an item or a tombstone has come
		return Present
	}
	return Blocked // the tombstone is another one, or has gone
}

// Store writes at N what Take read at O. look is of the same key, from before
// that. It returns the CAS that the item has at N, if it was copied. It gives up
// at CopyLimit with the context's error.
func (m Memcached) Store(ctx context.Context, look MemcachedLook, v MemcachedValue) (Outcome, uint64, error) {
	r, outcome := StoreRequest(look, v)
	if outcome != Copied {
		return outcome, 0, nil
	}
	r.EncodeKey = m.EncodeKey
	ctx, cancel := context.WithDeadline(ctx, look.At.Add(CopyLimit))
	defer cancel()
	resp, err := m.Client.MetaSet(ctx, r)
	if err != nil {
		return 0, 0, err
	}
	return Stored(resp.Status), resp.CAS, nil
}

// Remove removes at O what is still as Take read it. The server does not count a
// new time to live as a change.
func (m Memcached) Remove(ctx context.Context, v MemcachedValue) (Outcome, error) {
	if v.State != 0 {
		return v.State, nil
	}
	resp, err := m.Client.MetaDelete(ctx, memcache.DeleteRequest{Key: v.Item.Key, EncodeKey: m.EncodeKey, CompareCAS: v.Item.CAS})
	if err != nil {
		return 0, err
	}
	return removed(resp.Status), nil
}

func removed(s memcache.Status) Outcome {
	switch s {
	case memcache.StatusOK:
		return Removed
	case memcache.StatusNotFound:
		return Gone
	}
	return Changed
}

// Copy brings an item from O to N. What it returns of it is for Remove.
func (m Memcached) Copy(ctx context.Context, to Memcached, key string) (MemcachedValue, Outcome, error) {
	look, err := to.Look(ctx, key)
	if err != nil {
		return MemcachedValue{}, 0, err
	}
	v, err := m.Take(ctx, key)
	if err != nil {
		return MemcachedValue{}, 0, err
	}
	outcome, _, err := to.Store(ctx, look, v)
	return v, outcome, err
}

// Bury puts a tombstone in the place of a key at N, and returns whether an item
// was there.
func (m Memcached) Bury(ctx context.Context, kind Kind, key string) (existed bool, err error) {
	look, err := m.Look(ctx, key)
	if err != nil {
		return false, err
	}
	_, err = m.Client.MetaSet(ctx, memcache.SetRequest{Key: key, EncodeKey: m.EncodeKey, ClientFlags: kind.Flags(), TTL: TombstoneLife})
	return look.Present, err
}

// buryAttempts is how often BuryUnlessClosed begins anew since the item was changed by
// others. Each time one of them got on.
const buryAttempts = 64

// ErrRestless: others changed the item each time between the look at it and the change.
var ErrRestless = errors.New("transit: the item is changed by others all the time")

// BuryUnlessClosed is Bury with an open tombstone for those who may be a step behind: a
// closed one stays. Whoever has placed that deletes the item, and may not be done at O
// yet. If it is leased, the lease ends.
func (m Memcached) BuryUnlessClosed(ctx context.Context, key string) (existed bool, err error) {
	r := memcache.SetRequest{Key: key, EncodeKey: m.EncodeKey, ClientFlags: FlagsOpen, TTL: TombstoneLife, Mode: memcache.ModeAdd}
	for range buryAttempts {
		resp, err := m.Client.MetaSet(ctx, r)
		if err != nil || resp.Status == memcache.StatusOK {
			return existed, err
		}
		look, err := m.Look(ctx, key)
		if err != nil || look.Tombstone && look.Kind == Closed && !look.Leased {
			return false, err
		}
		r.Mode, r.CompareCAS, r.ClientFlags, existed = memcache.ModeSet, look.CAS, FlagsOpen, look.Present
		switch {
		case look.CAS == 0: // it has gone since
			r.Mode = memcache.ModeAdd
		case look.Tombstone:
			r.ClientFlags = look.Kind.Flags()
		}
	}
	return false, ErrRestless
}
