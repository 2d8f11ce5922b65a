package simulations

// RunReport is the report of Run. Rates and fractions are rounded to 12 decimals;
// a figure that could not be had is nil.
type RunReport struct {
	Schema string `json:"schema"` // "ringsim.run/1"
	// Partial says that the run was stopped before its end: figures are those of
	// the requests done until then.
	Partial  bool      `json:"partial"`
	Workload TraceInfo `json:"workload"`
	// Rate is the requests a second; 0 where the trace's own times were taken.
	Rate    float64     `json:"rate"`
	Seconds float64     `json:"seconds"` // simulated
	Warmup  int64       `json:"warmup"`  // requests that the figures do not count
	Window  int64       `json:"window"`  // requests
	Step    int64       `json:"step"`    // requests of a point of the series
	Horizon int64       `json:"horizon"` // requests after the last change; 0 means to the end
	Results []RunResult `json:"results"` // in the order of the variants
}

// RunResult is what one variant made of the requests and the changes. The control
// is the same fleet over the same requests without any change. Counts are taken
// from the end of the warm-up to the end of the run unless said otherwise.
type RunResult struct {
	Name        string `json:"name"`
	Algorithm   string `json:"algorithm"`
	NodesBefore int    `json:"nodes_before"`
	NodesAfter  int    `json:"nodes_after"` // in the ring at the end
	Copies      int    `json:"copies"`

	// Moved is the fraction of the distinct keys seen so far that a change of
	// the ring gave another first owner, summed over all changes of the ring: a
	// key that moves back and forth counts each time.
	Moved *float64 `json:"moved"`
	// MovedNecessary and MovedUnnecessary are its two parts: unnecessary is what
	// moved between two nodes that both stayed, with the same weight.
	MovedNecessary   *float64 `json:"moved_necessary"`
	MovedUnnecessary *float64 `json:"moved_unnecessary"`
	// Migrated is the number of entries brought over; nil without migration.
	Migrated *int64 `json:"migrated"`
	// MigrationSeconds is how long that took; nil too if it has not come to an
	// end. A node that leaves must stay up for so long.
	MigrationSeconds *float64 `json:"migration_seconds"`

	// PeakToMean is the load of the fullest node by its fair share, CV the
	// coefficient of variation over the nodes: of requests, of the bytes of the
	// entries asked for (nil where the workload tells no sizes), and of keys
	// owned (nil where the placement counts load). From the end of the warm-up
	// to the first change.
	PeakToMeanRequests *float64 `json:"peak_to_mean_requests"`
	PeakToMeanBytes    *float64 `json:"peak_to_mean_bytes"`
	PeakToMeanKeys     *float64 `json:"peak_to_mean_keys"`
	CVRequests         *float64 `json:"cv_requests"`
	// The same from the last change to the end.
	PeakToMeanRequestsAfter *float64 `json:"peak_to_mean_requests_after"`
	PeakToMeanBytesAfter    *float64 `json:"peak_to_mean_bytes_after"`
	PeakToMeanKeysAfter     *float64 `json:"peak_to_mean_keys_after"`
	CVRequestsAfter         *float64 `json:"cv_requests_after"`

	// HottestNode is the node with the most requests in any one window by its
	// fair share of the fleet's, and HottestTimesFair how many times that they
	// were; HottestPerSecond is the most requests a second of any node in any
	// window, whatever its weight. Windows that end before the first change do
	// not count, so that what caches do while they fill does not hide it.
	HottestNode             string   `json:"hottest_node"`
	HottestPerSecond        *float64 `json:"hottest_per_second"`
	HottestTimesFair        *float64 `json:"hottest_times_fair"`
	ControlHottestPerSecond *float64 `json:"control_hottest_per_second"`
	ControlHottestTimesFair *float64 `json:"control_hottest_times_fair"`

	HitRate              *float64 `json:"hit_rate"`
	ControlHitRate       *float64 `json:"control_hit_rate"`
	HitRateBefore        *float64 `json:"hit_rate_before"` // in the window before the first change
	HitRateLowest        *float64 `json:"hit_rate_lowest"` // in the worst step from the first change on
	ControlHitRateLowest *float64 `json:"control_hit_rate_lowest"`

	// Loads is the number of loads from the database: reads that missed, and
	// those for which no node was up.
	Loads        *int64 `json:"loads"`
	ControlLoads *int64 `json:"control_loads"`
	// ExtraLoads is those beyond the control's, from the first change to the
	// horizon after the last. It is below 0 where the change did more good than
	// harm, and nil where the run was stopped before any change.
	ExtraLoads *int64 `json:"extra_loads"`
	// LoadsPeak is the most loads a second in any one step that does not end
	// before the first change.
	LoadsPeak        *float64 `json:"loads_peak_per_second"`
	ControlLoadsPeak *float64 `json:"control_loads_peak_per_second"`

	// RecoveryRequests is the number of requests from the first change until,
	// after the last, a window begins whose hit rate is at most one percentage
	// point below the control's; nil if none does. RecoverySeconds is how long
	// they took.
	RecoveryRequests *int64   `json:"recovery_requests"`
	RecoverySeconds  *float64 `json:"recovery_seconds"`

	// StaleReads is the number of hits that gave a value which had been written
	// since, and FailedRequests that of the requests for which no node was up;
	// both over the whole run.
	StaleReads        *int64 `json:"stale_reads"`
	ControlStaleReads *int64 `json:"control_stale_reads"`
	FailedRequests    *int64 `json:"failed_requests"`

	// DBMillis is what Loads cost the database in its own time, ExtraDBMillis
	// what ExtraLoads did, and Bill and ExtraBill are the same in money; nil
	// without a price.
	DBMillis      *float64 `json:"db_ms"`
	ExtraDBMillis *float64 `json:"extra_db_ms"`
	Bill          *float64 `json:"bill"`
	ExtraBill     *float64 `json:"extra_bill"`

	Note    string      `json:"note"` // why figures are nil
	Changes []RunChange `json:"changes"`
	Series  []RunPoint  `json:"series"`
}

// RunChange is what one entry of the time line did.
type RunChange struct {
	Request     int64   `json:"request"` // requests before it
	Seconds     float64 `json:"seconds"`
	Change      string  `json:"change"`
	Until       int64   `json:"until"` // requests before its last step: a flap has many
	NodesBefore int     `json:"nodes_before"`
	NodesAfter  int     `json:"nodes_after"`
	RingChanges int     `json:"ring_changes"`

	Moved            *float64 `json:"moved"` // summed over its changes of the ring
	MovedUnnecessary *float64 `json:"moved_unnecessary"`

	HitRateBefore          *float64 `json:"hit_rate_before"` // in the window before it
	HitRateNext1000        *float64 `json:"hit_rate_next_1000"`
	ControlHitRateNext1000 *float64 `json:"control_hit_rate_next_1000"`
	HitRateLowest          *float64 `json:"hit_rate_lowest"` // in the worst step before the next entry
	ExtraLoads             *int64   `json:"extra_loads"`     // before the next entry, and the horizon of the whole
	RecoveryRequests       *int64   `json:"recovery_requests"`
	RecoverySeconds        *float64 `json:"recovery_seconds"`
}

// RunPoint is one step of the series.
type RunPoint struct {
	Request        int64    `json:"request"` // requests before the step
	Seconds        float64  `json:"seconds"`
	HitRate        *float64 `json:"hit_rate"`
	ControlHitRate *float64 `json:"control_hit_rate"`
	Loads          int64    `json:"loads"`
	ControlLoads   int64    `json:"control_loads"`
	StaleReads     int64    `json:"stale_reads"`
	FailedRequests int64    `json:"failed_requests"`
	Migrated       int64    `json:"migrated"`
	NodesUp        int      `json:"nodes_up"` // in the ring and not down, at the end of the step
}
