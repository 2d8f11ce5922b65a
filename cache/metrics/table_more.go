package metrics

import "github.com/ringway/ringway/cache"

// more are the counts of what a space does beside looking things up: how it holds out
// when something is away, and what it still owes the source and the fleet.
var more = []metric{
	count("useless_entries_total", uselessHelp, func(s *stats) uint64 { return s.OtherTags }).with("reason", "other_tags"),
	count("checked_total", "Values that were compared with the source.", func(s *stats) uint64 { return s.Checked }),
	count("outdated_total", "Values of which the source had another version.", func(s *stats) uint64 { return s.Outdated }),
	count("shed_total", "Loads that were refused to spare the source.", func(s *stats) uint64 { return s.Shed }),
	count("paused_total", "Keys that were not loaded, for a load of theirs had just failed.", func(s *stats) uint64 { return s.Paused }),
	count("limit_waits_total", "Loads that waited for their turn.", func(s *stats) uint64 { return s.LimitWaits }),
	count("bulkhead_full_total", "Calls that found a bulkhead full.", func(s *stats) uint64 { return s.BulkheadFull }),
	count("bulkhead_waits_total", "Calls that waited for a place in a bulkhead.", func(s *stats) uint64 { return s.BulkheadWaits }),
	count("retries_total", "Requests to the store that were made once more.", func(s *stats) uint64 { return s.Retries }),
	count("retries_denied_total", "Requests to the store that were not, for the budget was spent.", func(s *stats) uint64 { return s.RetriesDenied }),
	count("fallback_hits_total", "Values from the fallback, while the store was away.", func(s *stats) uint64 { return s.FallbackHits }),
	count("fills_skipped_total", "Values that were not stored, for the store was recovering.", func(s *stats) uint64 { return s.FillsSkipped }),
	count("bypassed_total", "Keys that were asked of the source past the cache.", func(s *stats) uint64 { return s.Bypassed }),
	count("warmed_total", warmedHelp, func(s *stats) uint64 { return s.Warmed }).with("result", "done"),
	count("warmed_total", warmedHelp, func(s *stats) uint64 { return s.WarmFailed }).with("result", "failed"),
	count("rewarmed_total", "Keys of the fallback that were seen to when the store came back.", func(s *stats) uint64 { return s.Rewarmed }),

	count("behind_acknowledged_total", "Writes that were acknowledged before the source had them.", func(s *stats) uint64 { return s.Behind.Acknowledged }),
	count("behind_applied_total", "Writes that this process has given to the source.", func(s *stats) uint64 { return s.Behind.Applied }),
	count("behind_coalesced_total", "Writes that a later one made superfluous, or that were added up.", func(s *stats) uint64 { return s.Behind.Coalesced }),
	count("behind_batches_total", batchesHelp, func(s *stats) uint64 { return s.Behind.Batches }).with("result", "done"),
	count("behind_batches_total", batchesHelp, func(s *stats) uint64 { return s.Behind.Failures }).with("result", "failed"),
	count("behind_rejected_total", "Writes that the source has refused.", func(s *stats) uint64 { return s.Behind.Rejected }),
	count("behind_set_aside_total", "Writes that could not be read from the journal, and were set aside.", func(s *stats) uint64 { return s.Behind.SetAside }),
	count("behind_queue_full_total", "Writes that failed, for the queue or the journal was full.", func(s *stats) uint64 { return s.Behind.Full }),
	count("behind_unshown_total", "Writes that other processes see only when they are applied, for the store was too slow.", func(s *stats) uint64 { return s.Behind.Unshown }),

	count("later_queued_total", "Invalidations that failed and were queued.", func(s *stats) uint64 { return s.Later.Queued }),
	count("later_second_total", "Second deletes that were done.", func(s *stats) uint64 { return s.Later.Second }),
	count("later_retried_total", "Attempts to repeat an invalidation.", func(s *stats) uint64 { return s.Later.Retried }),
	count("later_mended_total", "Invalidations that succeeded when they were repeated.", func(s *stats) uint64 { return s.Later.Mended }),
	count("later_dead_total", "Invalidations that were given up.", func(s *stats) uint64 { return s.Later.Dead }),
	count("later_dropped_total", "Invalidations that could not be queued.", func(s *stats) uint64 { return s.Later.Dropped }),
}

const (
	warmedHelp  = "Keys that Warm has seen to, by result."
	batchesHelp = "Batches of writes that were given to the source, by result."
)

// queues are what waits.
var queues = []metric{
	{name: "behind_depth", help: "Writes that the source does not have yet, of all processes that share the journal.",
		value: func(s cache.SpaceStats) float64 { return float64(s.Stats.Behind.Depth) }},
	{name: "behind_oldest_seconds", help: "Age of the oldest write that the source does not have yet.",
		value: func(s cache.SpaceStats) float64 { return s.Stats.Behind.Oldest.Seconds() }},
	{name: "behind_queued", help: "Writes of this process on their way to the source, each of which has a place of the queue.",
		value: func(s cache.SpaceStats) float64 { return float64(s.Stats.Behind.Queued) }},
	{name: "behind_queue", help: "Places of the queue: writes of this process that may be on their way; 0: the space does not write behind.",
		value: func(s cache.SpaceStats) float64 { return float64(s.Stats.Behind.Queue) }},
	{name: "behind_dead", help: "Writes that could not be read and are set aside, of all processes that share the journal.",
		value: func(s cache.SpaceStats) float64 { return float64(s.Stats.Behind.Dead) }},
	{name: "later_depth", help: "Invalidations that wait to be repeated, of all processes that share the journal.",
		value: func(s cache.SpaceStats) float64 { return float64(s.Stats.Later.Depth) }},
	{name: "later_oldest_seconds", help: "Age of the oldest invalidation that waits to be repeated.",
		value: func(s cache.SpaceStats) float64 { return s.Stats.Later.Oldest.Seconds() }},
}
