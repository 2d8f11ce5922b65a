package cache

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/bulkhead"
)

// BulkheadConfig keeps a space, and a tenant of it, from taking all of what the
// others need too: it bounds how many keys are loaded and looked up at a time in
// this process. Off by default. Who finds it full gets an old value if there is one,
// else ErrShed. Writes and invalidations are never held back.
type BulkheadConfig[K Key] struct {
	Loads   int // keys that are loaded or waited for, of the whole space; 0: no bound
	Lookups int // reads of the store, of the whole space; 0: no bound

	// Tenant returns whom a key belongs to; nil: there are no tenants. It must be
	// quick and safe for concurrent use.
	Tenant        func(K) string
	TenantLoads   int // as Loads, of one tenant; 0: no bound
	TenantLookups int // as Lookups, of one tenant; 0: no bound

	// Tenants is of how many tenants it is known at a time what they do: those
	// with anything under way. Further ones share one bulkhead. 0 means 1024.
	Tenants int

	// Wait is how long to wait for a place; 0: not at all. Who has an old value
	// never waits.
	Wait time.Duration
}

func (c BulkheadConfig[K]) withDefaults() (BulkheadConfig[K], error) {
	for _, n := range []int{c.Loads, c.Lookups, c.TenantLoads, c.TenantLookups, c.Tenants} {
		if n < 0 || n > 1<<20 {
			return c, configError("Bulkhead", n, "0 to a million")
		}
	}
	if c.Wait < 0 || c.Wait > time.Minute {
		return c, configError("Bulkhead.Wait", c.Wait, "0 to 1 min")
	}
	if c.Tenant == nil && (c.TenantLoads > 0 || c.TenantLookups > 0) {
		return c, configError("Bulkhead.Tenant", "nil", "a function, for TenantLoads and TenantLookups")
	}
	setDefault(&c.Tenants, 1024)
	return c, nil
}

// compartment says what a bulkhead is for.
type compartment int

const (
	toLoad compartment = iota
	toLookup
)

// places are those of a space or of a tenant.
type places struct {
	of    [2]bulkhead.Bulkhead[any] // by compartment; nil: no bound
	users int                       // that have a place or wait for one
}

func newPlaces(loads, lookups int) *places {
	p := &places{}
	for i, n := range []int{loads, lookups} {
		if n > 0 {
			p.of[i] = bulkhead.New[any](uint(n))
		}
	}
	return p
}

// bulkheads are those of a space.
type bulkheads[K Key] struct {
	cfg   BulkheadConfig[K]
	space *places

	mu       sync.Mutex // guards what follows, and users of all places
	tenants  map[string]*places
	overflow *places // of the tenants that are too many
}

// newBulkheads returns nil if nothing is bounded.
func newBulkheads[K Key](cfg BulkheadConfig[K]) *bulkheads[K] {
	if cfg.Loads+cfg.Lookups+cfg.TenantLoads+cfg.TenantLookups == 0 {
		return nil
	}
	return &bulkheads[K]{cfg: cfg, space: newPlaces(cfg.Loads, cfg.Lookups), tenants: make(map[string]*places),
		overflow: newPlaces(cfg.TenantLoads, cfg.TenantLookups)}
}

// join returns the places of the tenant, which leave gives back.
func (b *bulkheads[K]) join(tenant string) *places {
	b.mu.Lock()
	defer b.mu.Unlock()
	p := b.tenants[tenant]
	if p == nil {
		if len(b.tenants) >= b.cfg.Tenants {
			return b.overflow
		}
		p = newPlaces(b.cfg.TenantLoads, b.cfg.TenantLookups)
		b.tenants[tenant] = p
	}
	p.users++
	return p
}

func (b *bulkheads[K]) leave(tenant string, p *places) {
	if p == b.overflow {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(b.tenants, tenant)
	}
}

// known returns how many tenants have anything under way.
func (b *bulkheads[K]) known() int {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.tenants)
}

func nothing() {}

func (b *bulkheads[K]) tenantOf(key K) (tenant string, err error) {
	defer caught("Bulkhead.Tenant", &err)
	return b.cfg.Tenant(key), nil
}

// enterTenant takes a place of the tenant of the key.
func (b *bulkheads[K]) enterTenant(ctx context.Context, key K, c compartment, until time.Time, n *counters) (leave func(), err error) {
	if b.cfg.Tenant == nil {
		return nothing, nil
	}
	tenant, err := b.tenantOf(key)
	if err != nil {
		return nil, err
	}
	p := b.join(tenant)
	if err := enter(ctx, p.of[c], until, n); err != nil {
		b.leave(tenant, p)
		return nil, err
	}
	return func() { exit(p.of[c]); b.leave(tenant, p) }, nil
}

// enter takes a place, and waits for one until the time comes.
func enter(ctx context.Context, b bulkhead.Bulkhead[any], until time.Time, n *counters) error {
	if b == nil || b.TryAcquirePermit() {
		return nil
	}
	wait := time.Until(until)
	if wait <= 0 {
		n.bulkheadFull.Add(1)
		return ErrShed
	}
	n.bulkheadWaits.Add(1)
	err := b.AcquirePermitWithMaxWait(ctx, wait)
	if errors.Is(err, bulkhead.ErrFull) {
		n.bulkheadFull.Add(1)
		return ErrShed
	}
	return err
}

func exit(b bulkhead.Bulkhead[any]) {
	if b != nil {
		b.ReleasePermit()
	}
}

// enter takes a place of the tenant, and then one of the space: who waits for his
// tenant must not keep others from the space. leave is to be called if err is nil.
func (s *Space[K, V]) enter(ctx context.Context, key K, c compartment) (leave func(), err error) {
	b := s.bulkheads
	if b == nil {
		return nothing, nil
	}
	until := time.Now()
	if !givesWay(ctx) {
		until = until.Add(b.cfg.Wait)
	}
	leaveTenant, err := b.enterTenant(ctx, key, c, until, &s.counters)
	if err != nil {
		return nil, err
	}
	if err := enter(ctx, b.space.of[c], until, &s.counters); err != nil {
		leaveTenant()
		return nil, err
	}
	return func() { exit(b.space.of[c]); leaveTenant() }, nil
}

// enterMany takes one place of the space for a batch, and one of each tenant in it.
// Those for which there is none are refused with an error; it returns the others.
func (s *Space[K, V]) enterMany(ctx context.Context, asked []query[K, V], c compartment, refuse func(query[K, V], error)) (admitted []query[K, V], leave func()) {
	b := s.bulkheads
	if b == nil || len(asked) == 0 {
		return asked, nothing
	}
	until := time.Now()
	if !givesWay(ctx) {
		until = until.Add(b.cfg.Wait)
	}
	if err := enter(ctx, b.space.of[c], until, &s.counters); err != nil {
		for _, q := range asked {
			refuse(q, err)
		}
		return nil, nothing
	}
	leaves := []func(){func() { exit(b.space.of[c]) }}
	refused := make(map[string]error) // by tenant
	admitted = slices.DeleteFunc(slices.Clone(asked), func(q query[K, V]) bool {
		if b.cfg.Tenant == nil {
			return false
		}
		tenant, err := b.tenantOf(q.key)
		if err != nil {
			refuse(q, err)
			return true
		}
		err, known := refused[tenant]
		if !known {
			var leave func()
			// Without waiting: who has a place of the space must not.
			if leave, err = b.enterTenant(ctx, q.key, c, time.Time{}, &s.counters); err == nil {
				leaves = append(leaves, leave)
			}
			refused[tenant] = err
		}
		if err != nil {
			refuse(q, err)
		}
		return err != nil
	})
	return admitted, func() {
		for _, leave := range leaves {
			leave()
		}
	}
}
