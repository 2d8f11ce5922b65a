package cache

import (
	"errors"
	"sync/atomic"
)

// Stats counts what a space has done since it was made. All counts only grow.
type Stats struct {
	L1Hits, L2Hits uint64 // fresh values
	NegativeHits   uint64 // absences that were remembered
	Filtered       uint64 // keys that the filter refused
	Filters        uint64 // filters that were built
	Misses         uint64 // keys that were not there, or too old
	Coalesced      uint64 // calls that shared the load of another one
	L1Forgets      uint64 // times that all of L1 was forgotten, for changes may have been missed

	Loads      uint64 // calls of a loader; a key of LoadMany counts as one
	LoadErrors uint64 // of them failed, ErrNotFound not counted
	Reloads    uint64 // loads that were repeated, for an invalidation had overtaken them

	Refreshes        uint64 // loads ahead of need or behind a stale value
	RefreshesSkipped uint64 // for want of a place: ManagerConfig.Background
	StaleServed      uint64 // values handed out past their time to live
	LeaseWaits       uint64 // loads that waited for another process
	Unleased         uint64 // loads without a lease: store away, hold-off, waited too long

	Stored      uint64 // entries that were stored
	RefusedOld  uint64 // entries that were not, for the store has a newer one
	LeasesLost  uint64 // entries that were not, for their lease was over
	StoreErrors uint64 // requests to the store that failed

	// Entries that were no use, and taken for misses.
	Corrupt       uint64 // not whole, or no entry at all
	Misplaced     uint64 // of another key
	OtherSchema   uint64
	OtherEpoch    uint64 // from before BumpEpoch
	Undecodable   uint64 // the codec refused the value
	Refused       uint64 // values that Validate refused
	Invalidations uint64 // calls of Invalidate, and those that Put needed
}

// counters is Stats as it grows.
type counters struct {
	l1Hits, l2Hits, negativeHits, misses, coalesced       atomic.Uint64
	loads, loadErrors, reloads                            atomic.Uint64
	refreshes, refreshesSkipped, staleServed              atomic.Uint64
	leaseWaits, unleased                                  atomic.Uint64
	stored, refusedOld, leasesLost, storeErrors           atomic.Uint64
	corrupt, misplaced, otherSchema, undecodable, refused atomic.Uint64
	otherEpoch, filtered, filters                         atomic.Uint64
	invalidations                                         atomic.Uint64
}

// Stats returns the counts, read one after the other.
func (s *Space[K, V]) Stats() Stats {
	c := &s.counters
	var forgets uint64
	if s.l1 != nil {
		forgets = s.l1.forgets.Load()
	}
	return Stats{
		L1Forgets: forgets,
		L1Hits:    c.l1Hits.Load(), L2Hits: c.l2Hits.Load(), NegativeHits: c.negativeHits.Load(),
		Misses: c.misses.Load(), Coalesced: c.coalesced.Load(),
		Loads: c.loads.Load(), LoadErrors: c.loadErrors.Load(), Reloads: c.reloads.Load(),
		Refreshes: c.refreshes.Load(), RefreshesSkipped: c.refreshesSkipped.Load(),
		StaleServed: c.staleServed.Load(), LeaseWaits: c.leaseWaits.Load(), Unleased: c.unleased.Load(),
		Stored: c.stored.Load(), RefusedOld: c.refusedOld.Load(), LeasesLost: c.leasesLost.Load(), StoreErrors: c.storeErrors.Load(),
		Corrupt: c.corrupt.Load(), Misplaced: c.misplaced.Load(), OtherSchema: c.otherSchema.Load(), OtherEpoch: c.otherEpoch.Load(), Filtered: c.filtered.Load(), Filters: c.filters.Load(),
		Undecodable: c.undecodable.Load(), Refused: c.refused.Load(), Invalidations: c.invalidations.Load(),
	}
}

// useless counts an entry that is taken for a miss.
func (c *counters) useless(err error) {
	switch {
	case errors.Is(err, errOtherKey):
		c.misplaced.Add(1)
	case errors.Is(err, errOtherSchema):
		c.otherSchema.Add(1)
	case errors.Is(err, errOtherEpoch):
		c.otherEpoch.Add(1)
	case errors.Is(err, errNotEnvelope), errors.Is(err, errChecksum), errors.Is(err, errUnknownFlags), errors.Is(err, errNegativeValue):
		c.corrupt.Add(1)
	default:
		c.undecodable.Add(1)
	}
}
