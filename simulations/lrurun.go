package simulations

import (
	"bytes"
	"context"

	"github.com/ringway/ringway/simulations/lru"
	"github.com/ringway/ringway/simulations/trace"
)

// LRUConfig says what LRU runs.
type LRUConfig struct {
	Trace      *trace.Reader // read to its end; the caller closes it
	Capacities []Capacity    // of one cache each; at least one

	// Progress, when not nil, is called now and then, from one goroutine at a
	// time.
	Progress func(Progress)
}

// LRUReport is the report of LRU.
type LRUReport struct {
	Schema  string      `json:"schema"` // "ringsim.lru/1"
	Trace   TraceInfo   `json:"trace"`
	Results []LRUResult `json:"results"` // in the order of the capacities
}

// LRUResult is what one cache made of the trace.
type LRUResult struct {
	Capacity int64    `json:"capacity"`
	Unit     string   `json:"unit"`     // of the capacity: "items" or "bytes"
	Requests int64    `json:"requests"` // that read; others change the cache, and are neither hit nor miss
	Hits     int64    `json:"hits"`
	HitRate  *float64 `json:"hit_rate"` // nil if no request reads
}

// LRU runs a whole trace through one LRU cache of each capacity, in one pass over
// the trace. Sizes, TTLs and operations count as Replay says.
//
// It fails with an *InputError for a config that cannot be run, with an
// *trace.Error for a damaged trace, and with the context's error once that is
// cancelled, which may close the trace.
func LRU(ctx context.Context, cfg LRUConfig) (*LRUReport, error) {
	if len(cfg.Capacities) == 0 {
		return nil, &InputError{What: "capacity", Found: "none", Want: wantCapacity}
	}
	for _, c := range cfg.Capacities {
		if err := c.validate(); err != nil {
			return nil, err
		}
	}
	f, err := newFeed(cfg.Trace, nil, cfg.Capacities...)
	if err != nil {
		return nil, err
	}
	runs := make([]*lruRun, len(cfg.Capacities))
	for i, c := range cfg.Capacities {
		runs[i] = &lruRun{cache: c.cache()}
	}
	if err := pump(ctx, f, runs, cfg.Progress); err != nil {
		return nil, err
	}
	report := &LRUReport{Schema: "ringsim.lru/1", Trace: f.info()}
	for i, c := range cfg.Capacities {
		s := runs[i].score
		report.Results = append(report.Results, LRUResult{
			Capacity: c.number(), Unit: c.unit(), Requests: s.gets(), Hits: s.hits, HitRate: s.rate(),
		})
	}
	return report, nil
}

// lruRun is one cache on its way through the trace.
type lruRun struct {
	cache    *lru.Cache
	outcomes [chunkEvents]byte
	score    score
}

func (r *lruRun) consume(_ context.Context, c *chunk) error {
	for i := range c.events {
		r.outcomes[i] = c.events[i].apply(r.cache, uint64(c.base)+uint64(i)+1)
	}
	r.score.add(count(r.outcomes[:len(c.events)]))
	return nil
}

// A score counts the outcomes of requests that read.
type score struct{ hits, misses int64 }

func count(outcomes []byte) score {
	return score{
		hits:   int64(bytes.Count(outcomes, []byte{hit})),
		misses: int64(bytes.Count(outcomes, []byte{miss})),
	}
}

func (s *score) add(other score) {
	s.hits += other.hits
	s.misses += other.misses
}

func (s score) gets() int64 { return s.hits + s.misses }

// rate returns the hit rate, or nil where nothing was read.
func (s score) rate() *float64 {
	if s.gets() == 0 {
		return nil
	}
	return new(figure(float64(s.hits) / float64(s.gets())))
}
