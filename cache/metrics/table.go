package metrics

import "github.com/ringway/ringway/cache"

const prefix = "ringway_cache_"

// A metric of a space. Those of the same name stand together, and have one help.
type metric struct {
	name, help string
	label, is  string // a label beside the space's, and its value; empty: none
	level1     bool   // only of spaces that have a level 1
	value      func(cache.SpaceStats) float64
}

type stats = cache.Stats

// count makes a metric of a count of cache.Stats.
func count(name, help string, value func(*stats) uint64) metric {
	return metric{name: name, help: help, value: func(s cache.SpaceStats) float64 { return float64(value(&s.Stats)) }}
}

// with gives the metric a label.
func (m metric) with(label, is string) metric {
	m.label, m.is = label, is
	return m
}

func (m metric) ofLevel1() metric {
	m.level1 = true
	return m
}

const (
	hitsHelp    = "Keys asked for that were there and fresh, by level; negative: remembered not to exist, filter: refused by it."
	missesHelp  = "Keys asked for that were not there, or too old, by level."
	uselessHelp = "Entries of no use that were taken for misses, by reason."
	refusedHelp = "Loaded values that were not stored, by reason: a newer one was there, the lease was lost, Validate refused, the codec cannot bring it back."
)

// counts are what only grows.
var counts = []metric{
	count("requests_total", "Keys asked for.", func(s *stats) uint64 { return s.L1Hits + s.Lookups }),
	count("hits_total", hitsHelp, func(s *stats) uint64 { return s.L1Hits }).with("level", "l1").ofLevel1(),
	count("hits_total", hitsHelp, func(s *stats) uint64 { return s.L2Hits }).with("level", "l2"),
	count("hits_total", hitsHelp, func(s *stats) uint64 { return s.NegativeHits }).with("level", "negative"),
	count("hits_total", hitsHelp, func(s *stats) uint64 { return s.Filtered }).with("level", "filter"),
	count("misses_total", missesHelp, func(s *stats) uint64 { return s.Lookups }).with("level", "l1").ofLevel1(),
	count("misses_total", missesHelp, func(s *stats) uint64 { return s.Misses }).with("level", "l2"),
	count("session_misses_total", "Values that were too old for the session that asked.", func(s *stats) uint64 { return s.SessionMisses }),
	count("copy_hits_total", "Hits in level 2 that were of copies of hot keys.", func(s *stats) uint64 { return s.CopyHits }),
	count("coalesced_total", "Calls that shared the load of another one.", func(s *stats) uint64 { return s.Coalesced }),
	count("loads_total", "Calls of a loader; each key of a call for many counts.", func(s *stats) uint64 { return s.Loads }),
	count("load_errors_total", "Calls of a loader that failed.", func(s *stats) uint64 { return s.LoadErrors }),
	count("reloads_total", "Loads that were repeated, for an invalidation had overtaken them.", func(s *stats) uint64 { return s.Reloads }),
	count("refreshes_total", "Loads ahead of need, or behind a stale value.", func(s *stats) uint64 { return s.Refreshes }),
	count("refreshes_skipped_total", "Loads ahead of need that were left out for want of a place.", func(s *stats) uint64 { return s.RefreshesSkipped }),
	count("stale_served_total", "Values handed out past their time to live.", func(s *stats) uint64 { return s.StaleServed }),
	count("lease_waits_total", "Loads that waited for another process.", func(s *stats) uint64 { return s.LeaseWaits }),
	count("unleased_total", "Loads without a lease: store away, hold-off, waited too long.", func(s *stats) uint64 { return s.Unleased }),
	count("stored_total", "Entries that were stored.", func(s *stats) uint64 { return s.Stored }),
	count("not_stored_total", refusedHelp, func(s *stats) uint64 { return s.RefusedOld }).with("reason", "older"),
	count("not_stored_total", refusedHelp, func(s *stats) uint64 { return s.LeasesLost }).with("reason", "lease_lost"),
	count("not_stored_total", refusedHelp, func(s *stats) uint64 { return s.Refused }).with("reason", "invalid"),
	count("not_stored_total", refusedHelp, func(s *stats) uint64 { return s.Unstorable }).with("reason", "unstorable"),
	count("store_errors_total", "Requests to the store that failed.", func(s *stats) uint64 { return s.StoreErrors }),
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.Corrupt }).with("reason", "corrupt"),
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.Misplaced }).with("reason", "misplaced"),
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.OtherSchema }).with("reason", "other_schema"),
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.OtherEpoch }).with("reason", "other_epoch"),
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.Undecodable }).with("reason", "undecodable"),
	count("invalidations_total", "Keys that were invalidated, and epochs that were bumped.", func(s *stats) uint64 { return s.Invalidations }),
	count("filters_total", "Filters that were built.", func(s *stats) uint64 { return s.Filters }),
	count("l1_forgets_total", "Times that all of level 1 was forgotten, for changes may have been missed.", func(s *stats) uint64 { return s.L1Forgets }).ofLevel1(),
	{name: "l1_evictions_total", help: "Values thrown out of level 1 for want of room, or at their end.", level1: true,
		value: func(s cache.SpaceStats) float64 { return float64(s.L1.Evictions) }},
	{name: "l1_evicted_bytes_total", help: "Bytes of values thrown out of level 1.", level1: true,
		value: func(s cache.SpaceStats) float64 { return float64(s.L1.EvictedBytes) }},
}

// gauges are what goes up and down.
var gauges = []metric{
	{name: "l1_entries", help: "Values in level 1.", level1: true, value: func(s cache.SpaceStats) float64 { return float64(s.L1.Entries) }},
	{name: "l1_bytes", help: "Bytes that level 1 takes.", level1: true, value: func(s cache.SpaceStats) float64 { return float64(s.L1.Bytes) }},
	{name: "l1_max_bytes", help: "Bytes that level 1 may take.", level1: true, value: func(s cache.SpaceStats) float64 { return float64(s.L1.MaxBytes) }},
}
