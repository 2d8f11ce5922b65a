package demo

import (
	"context"
	"math"
	"time"

	"github.com/ringway/ringway/internal/cli"
)

// Schema is that of the report in JSON.
const Schema = "ringway.demo/1"

// Report is what came of a demo.
type Report struct {
	Schema  string  `json:"schema"`
	Version string  `json:"version"`
	Backend Backend `json:"backend"`
	Server  string  `json:"server"` // the program of the servers, with its version if it has one
	Nodes   int     `json:"nodes"`  // at the beginning
	Keys    int     `json:"keys"`
	Rate    int     `json:"rate"`    // requests a second that were wanted
	Seconds float64 `json:"seconds"` // that the load went on

	MoveKeys int `json:"move_keys_per_second"` // that a node hands over at most; 0: no limit

	Requests int `json:"requests"`
	LeftOut  int `json:"left_out"` // that the machine could not send in time

	Steps    []*Step   `json:"steps"`
	Promises []Promise `json:"promises"`
	Events   []Event   `json:"events"`
	Series   []Point   `json:"series"` // second by second

	Agents []Agent `json:"agents"` // that are there in the end
	HTML   string  `json:"html"`   // the file of the page; empty: none was written
	Took   float64 `json:"took_s"` // seconds of the whole
	began  time.Time
	join   []string // the arguments of an agent that would join the fleet; nil: nothing is kept
}

// Agent is a node at the end.
type Agent struct {
	ID     string `json:"id"`
	Server string `json:"server"`
	HTTP   string `json:"http"`
}

// Point is one second. Rates are from 0 to 1 and null in a second without reads,
// times in ms and null without requests.
type Point struct {
	Second        int      `json:"second"` // from 0
	Requests      int      `json:"requests"`
	Errors        int      `json:"errors"`
	HitRate       *float64 `json:"hit_rate"`
	ModuloHitRate *float64 `json:"modulo_hit_rate_computed"`
	Loads         int      `json:"loads"`
	ModuloLoads   int      `json:"modulo_loads_computed"`
	P50           *float64 `json:"p50_ms"`
	P99           *float64 `json:"p99_ms"`
}

func newReport(ctx context.Context, cfg Config) *Report {
	r := &Report{Schema: Schema, Version: cfg.Version, Backend: cfg.Backend, Server: cfg.Backend.program(),
		Nodes: cfg.Nodes, Keys: cfg.Keys, Rate: cfg.Rate, MoveKeys: cfg.moveKeys(), began: time.Now(),
		Steps: []*Step{}, Promises: []Promise{}, Events: []Event{}, Series: []Point{}, Agents: []Agent{}}
	if v := cfg.Backend.version(ctx); v != "" {
		r.Server += " " + v
	}
	return r
}

// fill takes the figures from the demo once it is over.
func (r *Report) fill(d *demo) {
	seconds := d.load.series.until(time.Now())
	r.Seconds = float64(len(seconds))
	r.LeftOut = int(d.load.left.Load())
	for i := range seconds {
		p := point(i, &seconds[i])
		r.Requests += p.Requests
		r.Series = append(r.Series, p)
	}
	for _, s := range r.Steps {
		s.sum(seconds)
	}
	for _, n := range d.fleet.nodes {
		r.Agents = append(r.Agents, Agent{n.id, n.server.Addr(), n.http})
	}
	r.Promises = d.judge()
	r.Took = time.Since(r.began).Seconds()
}

func point(number int, s *second) Point {
	p := Point{Second: number, Requests: s.reads + s.updates, Errors: s.errors, Loads: s.loads, ModuloLoads: s.shadowLoads}
	if s.reads > 0 {
		p.HitRate, p.ModuloHitRate = rounded(s.hitRate(), 1e5), rounded(s.shadowHitRate(), 1e5)
	}
	if p.Requests > 0 {
		p.P50, p.P99 = milliseconds(s.latency.quantile(0.5)), milliseconds(s.latency.quantile(0.99))
	}
	return p
}

func rounded(x, parts float64) *float64 { y := math.Round(x*parts) / parts; return &y }

func milliseconds(d time.Duration) *float64 { return rounded(d.Seconds()*1000, 1000) }

// sum adds up the seconds of a step.
func (s *Step) sum(seconds []second) {
	var all second
	first, last := min(s.second[0], len(seconds)), min(s.second[1], len(seconds))
	s.Lowest, s.ModuloLowest = 1, 1
	full := first
	if s.Name == "fill" {
		full = int(s.Ended) + 1
	}
	for i := first; i < last; i++ {
		all.plus(&seconds[i])
		if now := &seconds[i]; now.reads > 0 && i >= full {
			s.Lowest, s.ModuloLowest = min(s.Lowest, now.hitRate()), min(s.ModuloLowest, now.shadowHitRate())
		}
	}
	s.Reads, s.Hits, s.Updates, s.Loads, s.ModuloLoads = all.reads, all.hits, all.updates, all.loads, all.shadowLoads
	s.P50, s.P99 = *milliseconds(all.latency.quantile(0.5)), *milliseconds(all.latency.quantile(0.99))
}

// Broken names the promises that were not kept.
func (r *Report) Broken() (names []string) {
	for _, p := range r.Promises {
		if !p.Kept {
			names = append(names, p.Name+" ("+p.Detail+")")
		}
	}
	return names
}

// Record is the report for JSON.
func (r *Report) Record() cli.Record { return cli.RecordOf(r) }

// Records are the seconds, for CSV.
func (r *Report) Records() []cli.Record {
	out := make([]cli.Record, len(r.Series))
	for i, p := range r.Series {
		out[i] = cli.RecordOf(p)
	}
	return out
}
