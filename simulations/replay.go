package simulations

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/trace"
)

// Defaults and limits of a ReplayConfig.
const (
	DefaultWindow  = 50_000
	MaxWindow      = 1 << 30
	DefaultHorizon = 200_000
	maxSeries      = 2000 // points, an even number; the step doubles rather than go beyond
	stepsInWindow  = 10
)

// ReplayConfig says what Replay runs.
type ReplayConfig struct {
	Trace      *trace.Reader // read to its end; the caller closes it
	Algorithms []string      // names of Algorithms; empty means all of them
	Nodes      []ring.Node   // the fleet at the beginning
	Changes    []TimedChange // may be empty: then all that compares is nil
	Options    Options

	// Capacity is what a node of weight 1 holds; others hold it in proportion to
	// their weight. Bytes need a trace with sizes.
	Capacity Capacity

	// Window is the number of requests over which the figures of a change are
	// taken; 0 means DefaultWindow.
	Window int64

	// Horizon is the number of requests after a change over which its extra
	// loads are counted; 0 means DefaultHorizon. Beyond the dip that a change
	// causes, a larger fleet is simply a larger cache: the longer the horizon,
	// the more that hides the price of the change.
	Horizon int64

	// Migrate brings the entries whose owner changes over to their new owner at
	// the moment of the change, with their size, expiry and recency, instead of
	// leaving them where nobody asks for them. It takes no time and is not
	// throttled: the best that a live migration could do.
	Migrate bool

	// LoadMillis is what one load from the database costs, in milliseconds of
	// its time, for the bill; 0 means no bill.
	LoadMillis float64

	// Progress, when not nil, is called now and then, from one goroutine at a
	// time.
	Progress func(Progress)

	// chunk is the number of requests done at a time where tests want many
	// chunks; 0 means chunkEvents, which is the most.
	chunk int

	// inFlight is requestsInFlight where tests want few; 0 means that.
	inFlight int
}

// ReplayReport is the report of Replay. Rates and fractions are rounded to 12
// decimals.
type ReplayReport struct {
	Schema  string         `json:"schema"` // "ringsim.replay/1"
	Trace   TraceInfo      `json:"trace"`
	Window  int64          `json:"window"`
	Horizon int64          `json:"horizon"`
	Results []ReplayResult `json:"results"` // in the order of the names asked for
}

// ReplayResult is what a fleet with one placement made of the trace. The embedded
// figures are those of the first change.
type ReplayResult struct {
	Algorithm string `json:"algorithm"`
	ReplayFigures
	HitRate        *float64       `json:"hit_rate"` // of the whole trace
	ControlHitRate *float64       `json:"control_hit_rate"`
	Changes        []ReplayChange `json:"changes"`
	Series         []ReplayPoint  `json:"series"`
	Note           string         `json:"note"` // why figures are nil
}

// ReplayChange is one change, in the order of time.
type ReplayChange struct {
	Request     int64  `json:"request"` // requests before it
	Change      string `json:"change"`
	NodesBefore int    `json:"nodes_before"`
	NodesAfter  int    `json:"nodes_after"`
	ReplayFigures
}

// ReplayFigures say what one change did. The control is the same fleet over the
// same requests without any change. A window that the end of the trace cuts off
// is taken as far as it goes; one in which nothing is read has no hit rate. A nil
// figure could not be had.
type ReplayFigures struct {
	// Moved is the fraction of the distinct keys seen before the change whose
	// owner has another ID after it.
	Moved *float64 `json:"moved"`

	HitRateBefore          *float64 `json:"hit_rate_before"`    // in the window before the change
	HitRateNext1000        *float64 `json:"hit_rate_next_1000"` // over the 1000 requests after it
	ControlHitRateNext1000 *float64 `json:"control_hit_rate_next_1000"`
	HitRateWindow          *float64 `json:"hit_rate_window"` // in the window after it
	ControlHitRateWindow   *float64 `json:"control_hit_rate_window"`
	MissesWindow           *int64   `json:"misses_window"`
	ControlMissesWindow    *int64   `json:"control_misses_window"`

	// ExtraLoads is the number of loads from the database beyond the control's,
	// from the change to the horizon; later changes before it add to that. It is
	// below 0 where the change did more good than harm.
	ExtraLoads *int64 `json:"extra_loads"`
	// ExtraDBSeconds is what they cost in the database's time.
	ExtraDBSeconds *float64 `json:"extra_db_seconds"`
	// ExtraLoadsToEnd is the same to the end of the trace.
	ExtraLoadsToEnd *int64 `json:"extra_loads_to_end"`

	// RecoveryRequests is the number of requests after the change at which the
	// first window begins whose hit rate is at most one percentage point below
	// the control's: 0 if the first is as good already, nil if none is before
	// the end of the trace.
	RecoveryRequests *int64 `json:"recovery_requests"`

	// Migrated is the number of entries brought over, nil without Migrate. Of
	// those, the least recently used may have found no room.
	Migrated *int64 `json:"migrated"`
}

// ReplayPoint is one step of the series: a tenth of the window, or a multiple of
// it where the trace is long. Its rates are nil where nothing was read.
type ReplayPoint struct {
	Request        int64    `json:"request"` // requests before the step
	HitRate        *float64 `json:"hit_rate"`
	ControlHitRate *float64 `json:"control_hit_rate"`
}

// Replay sends a trace through a fleet of LRU caches that changes on the way,
// once with each placement, each beside a control run without the changes.
//
//   - A Get goes to the owner of its key. A hit marks the entry as used; a miss
//     is one load from the database, and stores the entry. A Set stores it, an
//     Update changes it where it is, a Delete removes it, at the owner alone and
//     without being counted. Get alone makes hit rates.
//   - An entry is as large as its key and its value together. Where a Get tells
//     no size (0) or no TTL (0), those last told of its key hold. A TTL counts
//     from the time of the request; it is ignored in a trace without times.
//   - A node that joins is empty, also one that had left. Entries that a change
//     leaves on nodes which no longer own them stay, take up room until they
//     are evicted, and serve again if a later change gives their keys back.
//   - A placement that counts load (bounded) is told of the trailing requests,
//     1000 for each node, as being in flight. Its moved keys are those whose
//     next request would go elsewhere.
//
// It fails with an *InputError for a config that cannot be run, a change beyond
// the end of the trace included, with a *trace.Error for a damaged trace, and
// with the context's error once that is cancelled, which may close the trace. A
// change that a placement refuses is no error: its run ends there, its result
// says so in Note, and has those figures of the changes before it that need no
// request beyond it.
//
// Each placement runs on a core of its own while there are cores. Memory is that
// of the caches, and for each distinct key its length, about 25 bytes, 16 where
// sizes or TTLs matter, and 8 for each placement; it does not grow with the
// number of requests.
func Replay(ctx context.Context, cfg ReplayConfig) (*ReplayReport, error) {
	plan, err := cfg.plan()
	if err != nil {
		return nil, err
	}
	var entrants []entrant
	for _, name := range cfg.Algorithms {
		entrants = append(entrants, entrant{name, func(nodes []ring.Node) (ring.Placement, error) {
			return Build(name, nodes, cfg.Options)
		}})
	}
	return replay(ctx, &cfg, plan, entrants)
}

// An entrant is a placement that takes part.
type entrant struct {
	name  string
	build func([]ring.Node) (ring.Placement, error)
}

// A planned change comes with the fleet that it leads to.
type plannedChange struct {
	TimedChange
	nodesBefore, nodes []ring.Node
}

func replay(ctx context.Context, cfg *ReplayConfig, plan []plannedChange, entrants []entrant) (*ReplayReport, error) {
	var cuts []int64
	for _, c := range plan {
		cuts = append(cuts, c.At)
	}
	f, err := newFeed(cfg.Trace, cuts, cfg.Capacity)
	if err != nil {
		return nil, err
	}
	f.chunk = cfg.chunk
	runs := make([]*replayRun, len(entrants))
	for i, e := range entrants {
		runs[i] = newReplayRun(e, cfg, plan)
	}
	if err := pump(ctx, f, runs, cfg.Progress); err != nil {
		return nil, err
	}
	report := &ReplayReport{Schema: "ringsim.replay/1", Trace: f.info(), Window: cfg.Window, Horizon: cfg.Horizon}
	if last := len(plan) - 1; last >= 0 && plan[last].At >= f.read {
		return nil, &InputError{What: "change", Found: fmt.Sprintf("%s@%d", plan[last].Change, plan[last].At),
			Want: fmt.Sprintf("a request before the end of the trace, which has %d", f.read)}
	}
	for _, r := range runs {
		report.Results = append(report.Results, r.result())
	}
	return report, nil
}

// plan fills in the defaults, checks the config, and works out the fleets.
func (cfg *ReplayConfig) plan() ([]plannedChange, error) {
	if len(cfg.Algorithms) == 0 {
		cfg.Algorithms = Algorithms()
	}
	for _, name := range cfg.Algorithms {
		if !slices.Contains(Algorithms(), name) {
			return nil, unknownAlgorithm(name)
		}
	}
	if err := cfg.Options.validate(); err != nil {
		return nil, err
	}
	if err := checkFleet("nodes", cfg.Nodes); err != nil {
		return nil, err
	}
	if err := cfg.Capacity.validate(); err != nil {
		return nil, err
	}
	if cfg.Window == 0 {
		cfg.Window = DefaultWindow
	}
	if cfg.Horizon == 0 {
		cfg.Horizon = DefaultHorizon
	}
	cfg.chunk = cmp.Or(cfg.chunk, chunkEvents)
	cfg.inFlight = cmp.Or(cfg.inFlight, requestsInFlight)
	bad := func(what string, found any, want string) error {
		return &InputError{What: what, Found: fmt.Sprint(found), Want: want}
	}
	switch {
	case cfg.Window < 0 || cfg.Window > MaxWindow:
		return nil, bad("window", cfg.Window, fmt.Sprintf("1 to %d requests, or 0 for %d", MaxWindow, DefaultWindow))
	case cfg.Horizon < 0:
		return nil, bad("horizon", cfg.Horizon, fmt.Sprintf("a number of requests, or 0 for %d", DefaultHorizon))
	case !(cfg.LoadMillis >= 0) || math.IsInf(cfg.LoadMillis, 0): // refuses NaN too
		return nil, bad("db-ms", cfg.LoadMillis, "the milliseconds of a load, or 0 for no bill")
	}
	return cfg.planChanges()
}

func (cfg *ReplayConfig) planChanges() ([]plannedChange, error) {
	changes := slices.Clone(cfg.Changes)
	slices.SortStableFunc(changes, func(a, b TimedChange) int { return cmp.Compare(a.At, b.At) })
	var plan []plannedChange
	nodes := cfg.Nodes
	for _, c := range changes {
		if c.At < 1 {
			return nil, &InputError{What: "change", Found: fmt.Sprintf("%s@%d", c.Change, c.At), Want: "a number of requests of at least 1 after '@'"}
		}
		next, err := c.Change.Apply(nodes)
		if err != nil {
			return nil, err
		}
		plan = append(plan, plannedChange{TimedChange: c, nodesBefore: nodes, nodes: next})
		nodes = next
	}
	return plan, nil
}
