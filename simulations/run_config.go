package simulations

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/lru"
	"github.com/ringway/ringway/simulations/trace"
)

// Defaults and limits of a RunConfig.
const (
	DefaultRate = 10_000 // requests a second, where neither the config nor the source tells
	MaxCopies   = 16
	MaxVariants = 64
)

// RunConfig says what Run runs: fleets, one for each Variant, that all serve the
// same requests and go through the same changes.
type RunConfig struct {
	Source   Source    // read to its end; the caller closes it
	Variants []Variant // at least one

	// Rate is how many requests come in a second. 0 means the source's own
	// times, or DefaultRate where it has none. Requests of one time are spread
	// evenly up to the next, but over one second at most.
	Rate float64

	// Warmup is the number of requests at the beginning that no figure counts,
	// but those of the series.
	Warmup int64

	// Window is the number of requests over which hit rates around a change and
	// the load of the hottest node are taken; 0 means DefaultWindow. A step of
	// the series is a tenth of it.
	Window int64

	// Horizon is the number of requests after the last change up to which extra
	// loads are counted; 0 means to the end. Beyond the dip that a change
	// causes, a larger fleet is simply a larger cache.
	Horizon int64

	Costs Costs

	// Progress, when not nil, is called now and then, from one goroutine at a
	// time.
	Progress func(Progress)

	chunk    int // requests done at a time where tests want few; 0 means runChunk
	inFlight int // requestsInFlight where tests want few; 0 means that
}

// Variant is one fleet of a run, and what happens to it. Two variants may differ in anything, so that a
// run can compare placements, numbers of virtual nodes, or sizes of a fleet.
type Variant struct {
	Name      string // of the row; unique in the run
	Algorithm string // one of Algorithms
	Options   Options
	Nodes     []ring.Node // the fleet at the beginning
	Capacity  Capacity    // of a node of weight 1; others hold in proportion

	// IgnoreZones keeps the zones from the placement. Nodes of one zone still
	// fail together.
	IgnoreZones bool

	// Copies is the number of nodes that hold each key; 0 means 1.
	Copies int
	// SpreadReads sends the reads of a key to its copies in turn; else they go
	// to the first that is up.
	SpreadReads bool

	// Bounded, if not 0, is the load that a node may carry, by its share of the
	// requests in flight: 1.25 for a quarter more (package bounded).
	Bounded float64

	// Migration is how many entries a second are brought over to their new owner
	// after a planned change of the ring, while reads that miss there are
	// answered by the old owner; 0 means that moved keys are missed instead.
	Migration float64

	// Sweep removes what a change of the ring leaves at nodes that no longer own
	// it, as ringway's agents do, unless it is yet to be brought over. Else it
	// stays until it is evicted, and serves again if its keys come back.
	Sweep bool

	// EvictAfter is how long a node must be down to be taken out of the ring; 0
	// means at once.
	EvictAfter Moment

	Changes []FleetChange // in any order; may be empty
}

// Moment is a number of requests or of seconds; one of the two is 0.
type Moment struct {
	Requests int64
	Seconds  float64
}

// Costs are prices for the bill; those of 0 are left out.
type Costs struct {
	LoadMillis float64 // what one load costs the database, in milliseconds of its time
	// PerMillionLoads and PerDatabaseHour are money, in Currency.
	PerMillionLoads float64
	PerDatabaseHour float64
	Currency        string
}

func (c Costs) priced() bool { return c.PerMillionLoads > 0 || c.PerDatabaseHour > 0 }

// VariantError is an error about one of RunConfig.Variants.
type VariantError struct {
	Index int
	Name  string
	Err   error
}

func (e *VariantError) Error() string { return "placement " + quote(e.Name) + ": " + e.Err.Error() }
func (e *VariantError) Unwrap() error { return e.Err }

// ChangeError is an error about one of the changes of a variant.
type ChangeError struct {
	Variant, Index int
	Err            error
}

func (e *ChangeError) Error() string { return e.Err.Error() }
func (e *ChangeError) Unwrap() error { return e.Err }

func badRun(what string, found any, want string) error {
	return &InputError{What: what, Found: fmt.Sprint(found), Want: want}
}

// Check reports what is wrong with a config, as Run would, as far as that does not
// depend on the source, which may be nil.
func (cfg RunConfig) Check() error {
	cfg.Variants = slices.Clone(cfg.Variants)
	if err := cfg.prepare(); err != nil {
		return err
	}
	cfg.Rate = cmp.Or(cfg.Rate, DefaultRate)
	_, err := cfg.plans()
	return err
}

// plans works out the actions of every variant.
func (cfg *RunConfig) plans() ([]*planner, error) {
	var plans []*planner
	for i := range cfg.Variants {
		p, err := planActions(cfg, &cfg.Variants[i])
		if err != nil {
			if at := (*ChangeError)(nil); errors.As(err, &at) {
				at.Variant = i
			}
			return nil, err
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// prepare fills in the defaults, and checks all but the changes.
func (cfg *RunConfig) prepare() error {
	cfg.Window = cmp.Or(cfg.Window, DefaultWindow)
	cfg.chunk = cmp.Or(cfg.chunk, runChunk)
	cfg.inFlight = cmp.Or(cfg.inFlight, requestsInFlight)
	positive := func(x float64) bool { return x >= 0 && !math.IsInf(x, 0) }
	switch {
	case len(cfg.Variants) == 0 || len(cfg.Variants) > MaxVariants:
		return badRun("placements", len(cfg.Variants), fmt.Sprintf("1 to %d", MaxVariants))
	case cfg.Window < 10 || cfg.Window > MaxWindow:
		return badRun("window", cfg.Window, fmt.Sprintf("10 to %d requests, or 0 for %d", MaxWindow, DefaultWindow))
	case cfg.Warmup < 0 || cfg.Horizon < 0 || cfg.Horizon > maxMoment:
		return badRun("warmup or horizon", min(cfg.Warmup, cfg.Horizon), "a number of requests")
	case !positive(cfg.Rate) || cfg.Rate > 1e12:
		return badRun("rate", cfg.Rate, "requests a second, at most 1e12")
	case !positive(cfg.Costs.LoadMillis) || !positive(cfg.Costs.PerMillionLoads) || !positive(cfg.Costs.PerDatabaseHour):
		return badRun("costs", "a price below 0", "prices of 0 and more")
	}
	if cfg.Rate == 0 && cfg.Source != nil && !cfg.Source.Has().Time {
		cfg.Rate = DefaultRate
	}
	for i := range cfg.Variants {
		if err := cfg.Variants[i].prepare(); err != nil {
			return &VariantError{Index: i, Name: cfg.Variants[i].Name, Err: err}
		}
		if slices.ContainsFunc(cfg.Variants[:i], func(v Variant) bool { return v.Name == cfg.Variants[i].Name }) {
			return badRun("placements", quote(cfg.Variants[i].Name)+" twice", "a name for each")
		}
	}
	return nil
}

func (v *Variant) prepare() error {
	if v.Name == "" {
		v.Name = v.Algorithm
	}
	if !slices.Contains(Algorithms(), v.Algorithm) {
		return unknownAlgorithm(v.Algorithm)
	}
	v.Copies = cmp.Or(v.Copies, 1)
	switch {
	case v.Copies < 1 || v.Copies > MaxCopies:
		return badRun("copies", v.Copies, fmt.Sprintf("1 to %d", MaxCopies))
	case v.Bounded != 0 && !(v.Bounded > 1 && v.Bounded <= 1_000_000):
		return badRun("bounded_load", v.Bounded, "above 1 and at most 1000000, such as 1.25")
	case v.Copies > 1 && (v.Bounded > 0 || v.Algorithm == "bounded"):
		return badRun("copies", fmt.Sprintf("%d with a bounded load", v.Copies), "one of the two: a bounded load has no fixed homes for copies")
	case !(v.Migration >= 0) || math.IsInf(v.Migration, 0):
		return badRun("migration", v.Migration, "entries a second, or 0 for none")
	}
	if v.Algorithm == "bounded" && v.Bounded == 0 {
		v.Bounded = 1.25
	}
	if err := v.Options.validate(); err != nil {
		return err
	}
	if err := v.Capacity.validate(); err != nil {
		return err
	}
	return checkFleet("nodes", v.Nodes)
}

// maxMoment leaves room to add up a hundred thousand of them.
const maxMoment = 1 << 40

// requests returns the moment as a number of requests.
func (cfg *RunConfig) requests(m Moment) (int64, error) {
	if !(m.Seconds >= 0) || m.Requests < 0 || m.Requests > maxMoment {
		return 0, badRun("time", fmt.Sprintf("%d requests, %g s", m.Requests, m.Seconds), "a time from 0 to 2^40 requests")
	}
	if m.Seconds == 0 {
		return m.Requests, nil
	}
	if cfg.Rate == 0 {
		return 0, badRun("time", fmt.Sprintf("%gs", m.Seconds), "a number of requests, or a rate: the trace has its own times")
	}
	n := math.Round(m.Seconds * cfg.Rate)
	if n > maxMoment {
		return 0, badRun("time", fmt.Sprintf("%gs", m.Seconds), "at most 2^40 requests")
	}
	return max(1, int64(n)), nil
}

// feed opens the source for runs that change at these requests.
func (cfg *RunConfig) feed(cuts []int64) (*feed, error) {
	source := cfg.Source
	if cfg.Rate > 0 {
		source = &clocked{Source: source, rate: cfg.Rate}
	}
	var capacities []Capacity
	for _, v := range cfg.Variants {
		capacities = append(capacities, v.Capacity)
	}
	f, err := newSourceFeed(source, cuts, capacities...)
	if err != nil {
		return nil, err
	}
	if source.Has().Size && !f.sizes { // the balance of bytes is told, as far as it is known
		f.sizes, f.lax, f.known = true, true, []known{}
	}
	if cfg.Rate == 0 {
		f.spread = &spreader{most: mostAtOnce}
	}
	f.chunk, f.every, f.writes = min(cfg.chunk, chunkEvents), cfg.step(), []uint32{}
	return f, nil
}

func (cfg *RunConfig) step() int64 { return max(1, cfg.Window/stepsInWindow) }

// clocked gives the requests of a source at a fixed rate, whatever times they
// have.
type clocked struct {
	Source
	rate float64
	n    int64
}

func (c *clocked) Next(req *trace.Request) error {
	err := c.Source.Next(req)
	req.Time, req.Fraction = int64(float64(c.n)/c.rate), 0
	c.n++
	return err
}

func (c *clocked) Has() trace.Has {
	has := c.Source.Has()
	has.Time = true
	return has
}

// cacheOf returns an empty cache for a node.
func (v *Variant) cacheOf(n ring.Node) *lru.Cache { return v.Capacity.times(n.Weight).cache() }
