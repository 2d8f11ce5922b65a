package cache

import (
	"errors"
	"sync/atomic"
	"unsafe"
)

// Stats counts what a space has done since it was made. All but InvalidationRate only
// grow.
type Stats struct {
	L1Hits, L2Hits uint64 // fresh values
	Lookups        uint64 // keys asked for that L1 did not have; with L1Hits it makes all keys asked for
	NegativeHits   uint64 // absences that were remembered
	Filtered       uint64 // keys that the filter refused
	Filters        uint64 // filters that were built
	Misses         uint64 // keys that were not there, or too old
	Coalesced      uint64 // calls that shared the load of another one
	L1Forgets      uint64 // times that all of L1 was forgotten, for changes may have been missed

	SessionMisses uint64 // values that were too old for the session that asked
	CopyHits      uint64 // of L2Hits, those of copies of hot keys

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
	OtherTags     uint64 // with a tag that was invalidated or lost, or without one of their key
	Checked       uint64 // values that were compared with the source
	Outdated      uint64 // of them, the source had another
	Undecodable   uint64 // the codec refused the value
	Refused       uint64 // values that Validate refused
	Unstorable    uint64 // values that were handed out and not stored, for the codec fails: see Codec
	Shed          uint64 // keys whose load was refused, and that had no old value: LimitConfig
	Paused        uint64 // keys that were not loaded, for a load of theirs had just failed: PauseConfig
	LimitWaits    uint64 // loads that waited for their turn
	BulkheadFull  uint64 // calls that found a bulkhead full, and got an old value or ErrShed
	BulkheadWaits uint64 // calls that waited for a place in one
	Retries       uint64 // requests to the store that were made once more
	RetriesDenied uint64 // that were not, for the budget was spent
	FallbackHits  uint64 // values from the fallback
	FillsSkipped  uint64 // values that were not stored, for the store was recovering
	Bypassed      uint64 // keys that were asked of the source past the cache
	Warmed        uint64 // keys that Warm has seen to
	WarmFailed    uint64 // keys that it could not load
	Rewarmed      uint64 // keys of the fallback that were seen to when the store came back

	Invalidations uint64 // keys and tags that were invalidated, by calls or since Put needed it; patterns and epochs count as one

	InvalidationRate float64 // Invalidations a second, over the last minute

	Behind BehindStats // writes that the source gets later: SpaceConfig.WriteBehind
	Later  LaterStats  // invalidations that are repeated, or due later: SpaceConfig.Invalidation
}

// counters is Stats as it grows.
type counters struct {
	l1Hits                                                spreadCount
	l2Hits, negativeHits, misses, coalesced               atomic.Uint64
	loads, loadErrors, reloads                            atomic.Uint64
	refreshes, refreshesSkipped, staleServed              atomic.Uint64
	leaseWaits, unleased                                  atomic.Uint64
	stored, refusedOld, leasesLost, storeErrors           atomic.Uint64
	corrupt, misplaced, otherSchema, undecodable, refused atomic.Uint64
	otherEpoch, filtered, filters                         atomic.Uint64
	invalidations                                         atomic.Uint64
	shed, limitWaits, bulkheadFull, bulkheadWaits         atomic.Uint64
	retries, retriesDenied, fallbackHits, fillsSkipped    atomic.Uint64
	bypassed, warmed, warmFailed, rewarmed, paused        atomic.Uint64
	warmings, warmingsEnded                               atomic.Uint64
	lookups                                               atomic.Uint64
	sessionMisses, copyHits                               atomic.Uint64
	otherTags                                             atomic.Uint64
	checks, outdated, unstorable                          atomic.Uint64
	invalidationRate                                      rate
}

// spreadCount is a count that all processors add to at once. In one word they would
// wait for each other, longer than a hit in level 1 takes: so there are several, in
// cache lines apart.
type spreadCount struct {
	_     [cacheLine]byte // nothing that others only read is beside what is written
	parts [16]struct {
		n atomic.Uint64
		_ [cacheLine - 8]byte
	}
}

const cacheLine = 64 // bytes

// add counts one, where the goroutine does: a word is of use to a processor only as
// long as no other one adds to it, and a goroutine stays on its processor for long
// enough. Go does not tell which goroutine this is; its stack is a place of its own.
func (c *spreadCount) add() {
	var here byte
	at := uintptr(unsafe.Pointer(&here)) // a number, and never an address again
	c.parts[(at>>11^at>>16)%uintptr(len(c.parts))].n.Add(1)
}

func (c *spreadCount) Load() (sum uint64) {
	for i := range c.parts {
		sum += c.parts[i].n.Load()
	}
	return sum
}

// Stats returns the counts, read one after the other.
func (s *Space[K, V]) Stats() Stats {
	c := &s.counters
	var forgets uint64
	if s.l1 != nil {
		forgets = s.l1.forgets.Load()
	}
	return Stats{
		Behind: s.behindStats(), Later: s.later.stats(),
		SessionMisses: c.sessionMisses.Load(), CopyHits: c.copyHits.Load(),
		L1Forgets: forgets, Lookups: c.lookups.Load(),
		L1Hits: c.l1Hits.Load(), L2Hits: c.l2Hits.Load(), NegativeHits: c.negativeHits.Load(),
		Misses: c.misses.Load(), Coalesced: c.coalesced.Load(),
		Loads: c.loads.Load(), LoadErrors: c.loadErrors.Load(), Reloads: c.reloads.Load(),
		Refreshes: c.refreshes.Load(), RefreshesSkipped: c.refreshesSkipped.Load(),
		StaleServed: c.staleServed.Load(), LeaseWaits: c.leaseWaits.Load(), Unleased: c.unleased.Load(),
		Stored: c.stored.Load(), RefusedOld: c.refusedOld.Load(), LeasesLost: c.leasesLost.Load(), StoreErrors: c.storeErrors.Load(),
		Corrupt: c.corrupt.Load(), Misplaced: c.misplaced.Load(), OtherSchema: c.otherSchema.Load(), OtherEpoch: c.otherEpoch.Load(), OtherTags: c.otherTags.Load(),
		Checked: c.checks.Load(), Outdated: c.outdated.Load(), Filtered: c.filtered.Load(), Filters: c.filters.Load(),
		Shed: c.shed.Load(), Paused: c.paused.Load(), LimitWaits: c.limitWaits.Load(), BulkheadFull: c.bulkheadFull.Load(), BulkheadWaits: c.bulkheadWaits.Load(),
		Retries: c.retries.Load(), RetriesDenied: c.retriesDenied.Load(), FallbackHits: c.fallbackHits.Load(), FillsSkipped: c.fillsSkipped.Load(),
		Bypassed: c.bypassed.Load(), Warmed: c.warmed.Load(), WarmFailed: c.warmFailed.Load(), Rewarmed: c.rewarmed.Load(),
		Undecodable: c.undecodable.Load(), Unstorable: c.unstorable.Load(), Refused: c.refused.Load(), Invalidations: c.invalidations.Load(),
		InvalidationRate: c.invalidationRate.perSecond(),
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
	case errors.Is(err, errOtherTags):
		c.otherTags.Add(1)
	case errors.Is(err, errNotEnvelope), errors.Is(err, errChecksum), errors.Is(err, errTags), errors.Is(err, errUnknownFlags), errors.Is(err, errNegativeValue):
		c.corrupt.Add(1)
	default:
		c.undecodable.Add(1)
	}
}
