package cache

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"time"
)

// Memory is a Store in the memory of this process, for tests and for programs
// without a fleet. It has no bound but the time to live of its entries, and is no
// substitute for L1. Its clock is time.Now, so that it follows testing/synctest. Its zero
// value is an empty store.
type Memory struct {
	mu    sync.Mutex
	cells map[string]*cell // expired ones are removed when they are met
	sweep int              // stores until the next look at all of them
}

// cell is what all stores keep under a key: an entry, a lease, both, or the mark
// of a hold-off.
type cell struct {
	kind    cellKind
	version uint64 // value: the source's; hold-off: the lowest that is admitted
	value   []byte
	ends    time.Time

	token      [16]byte // zero: no lease
	leaseUntil time.Time
}

type cellKind byte

const (
	cellValue   cellKind = 1 // perhaps with a lease to replace it
	cellLease   cellKind = 2 // nothing but a lease
	cellHoldOff cellKind = 3
)

// NewMemory returns an empty store.
func NewMemory() *Memory { return &Memory{cells: make(map[string]*cell), sweep: sweepEvery} }

const sweepEvery = 1024

func newToken() (token [16]byte) {
	_, _ = rand.Read(token[:]) // it never fails
	return token
}

// at returns what is under the key, or nil.
func (m *Memory) at(key string) *cell {
	c := m.cells[key]
	if c != nil && !time.Now().Before(c.ends) {
		delete(m.cells, key)
		return nil
	}
	return c
}

func (m *Memory) put(key string, c *cell) {
	if m.cells == nil {
		m.cells = make(map[string]*cell)
	}
	m.cells[key] = c
	if m.sweep--; m.sweep > 0 {
		return
	}
	now := time.Now()
	for k, c := range m.cells {
		if !now.Before(c.ends) {
			delete(m.cells, k)
		}
	}
	m.sweep = max(sweepEvery, len(m.cells))
}

// Get is Store.Get.
func (m *Memory) Get(ctx context.Context, key string) (Entry, error) {
	if err := ctx.Err(); err != nil {
		return Entry{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(key)
	if c == nil || c.kind != cellValue {
		return Entry{}, ErrMiss
	}
	return c.entry(), nil
}

func (c *cell) entry() Entry { return Entry{Value: bytes.Clone(c.value), Version: c.version} }

// admits says whether an entry of the version may take the place of the cell.
func (c *cell) admits(version uint64) bool {
	if c == nil {
		return true
	}
	return admits(c.kind, c.version, version)
}

func admits(kind cellKind, there, version uint64) bool {
	switch kind {
	case cellValue:
		return version == 0 || version >= there
	case cellHoldOff:
		return version != 0 && version >= there
	}
	return true
}

// Set is Store.Set.
func (m *Memory) Set(ctx context.Context, key string, e Entry) (bool, error) {
	if err := firstError(ctx.Err(), checkEntry(e)); err != nil {
		return false, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.at(key).admits(e.Version) {
		return false, nil
	}
	m.put(key, valueCell(e))
	return true, nil
}

func valueCell(e Entry) *cell {
	return &cell{kind: cellValue, version: e.Version, value: bytes.Clone(e.Value), ends: time.Now().Add(e.TTL)}
}

// Delete is Store.Delete.
func (m *Memory) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(key)
	if c != nil && c.keeps(below) {
		return nil
	}
	heldOff := c != nil && c.kind == cellHoldOff
	if holdOff <= 0 {
		if !heldOff {
			delete(m.cells, key)
		}
		return nil
	}
	ends := time.Now().Add(holdOff)
	if heldOff && c.ends.After(ends) {
		ends = c.ends
	}
	m.put(key, &cell{kind: cellHoldOff, version: below, ends: ends})
	return nil
}

// keeps says whether the cell outlives a Delete of what is below the version: as
// an entry that is not below it, or as a hold-off that asks for more.
func (c *cell) keeps(below uint64) bool { return keeps(c.kind, c.version, below) }

func keeps(kind cellKind, there, below uint64) bool {
	switch kind {
	case cellValue:
		return below != AnyVersion && there >= below
	case cellHoldOff:
		return there > below
	}
	return false
}

// Lease is Leaser.Lease.
func (m *Memory) Lease(ctx context.Context, key string, r LeaseRequest) (Grant, error) {
	if err := firstError(ctx.Err(), checkLease(r)); err != nil {
		return Grant{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	mine := Lease{token: newToken(), until: now.Add(r.Life)}
	c := m.at(key)
	switch {
	case c == nil:
		m.put(key, &cell{kind: cellLease, token: mine.token, leaseUntil: mine.until, ends: mine.until})
		return Grant{State: Won, Lease: mine}, nil
	case c.kind == cellHoldOff:
		return Grant{State: HoldOff}, nil
	case c.kind == cellLease:
		return Grant{State: Pending, Lease: Lease{token: c.token}}, nil
	case !r.Renew:
		return Grant{State: Hit, Entry: c.entry()}, nil
	case c.leased(now):
		return Grant{State: Pending, Lease: Lease{token: c.token}, Entry: c.entry()}, nil
	}
	c.token, c.leaseUntil = mine.token, mine.until
	return Grant{State: Won, Lease: mine, Entry: c.entry()}, nil
}

func (c *cell) leased(now time.Time) bool { return c.token != [16]byte{} && now.Before(c.leaseUntil) }

// Fill is Leaser.Fill.
func (m *Memory) Fill(ctx context.Context, key string, lease Lease, e Entry) (Filled, error) {
	if err := firstError(ctx.Err(), checkEntry(e)); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	c := m.at(key)
	if c == nil || c.token != lease.token || !c.leased(time.Now()) {
		return Lost, nil
	}
	if !c.admits(e.Version) {
		c.token = [16]byte{}
		return Older, nil
	}
	m.put(key, valueCell(e))
	return Stored, nil
}

// Release is Leaser.Release.
func (m *Memory) Release(ctx context.Context, key string, lease Lease) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch c := m.at(key); {
	case c == nil || c.token != lease.token:
	case c.kind == cellLease:
		delete(m.cells, key)
	default:
		c.token = [16]byte{}
	}
	return nil
}
