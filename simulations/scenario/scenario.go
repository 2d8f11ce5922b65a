package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

// Scenario is what a file says. Parse makes one. Callers may change Seed,
// Workload and Capacity before they open and run it.
type Scenario struct {
	Name     string // of the file where it has none
	Question string
	Seed     uint64 // of a generated workload
	Workload Workload
	// Capacity, if it is not zero, stands in the place of every capacity in the
	// file.
	Capacity   simulations.Capacity
	Assertions []Assertion

	file                    string
	rate                    float64
	warmup, window, horizon moment
	costs                   simulations.Costs
	fleets                  []fleet
}

// Workload is where the requests come from: a trace, or else a generator.
type Workload struct {
	Trace     string // file or trace.BundledName; empty for a generated workload
	Config    trace.Config
	Generated workload.Config
}

// Assertion is an expression of simulations.ParseAssertion, and where it stands.
type Assertion struct {
	Text         string
	Line, Column int
}

// Error says what is wrong with a file, and where. It is one line of text.
type Error struct {
	File         string
	Line, Column int    // from 1; 0 if the error is about the file as a whole
	Field        string // "fleet.nodes", "changes[1].at"; may be empty
	Found        string
	Want         string
	Err          error
}

// Where names file, line, column and field.
func (e *Error) Where() string {
	var b strings.Builder
	b.WriteString(printable.Text(e.File))
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Field != "" {
		b.WriteString(": " + e.Field)
	}
	return b.String()
}

func (e *Error) Error() string {
	return "scenario: " + e.Where() + ": found " + e.Found + ", expected " + e.Want
}

func (e *Error) Unwrap() error { return e.Err }

// Load reads the scenario in a file.
func Load(name string) (*Scenario, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, unreadable(name, err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, unreadable(name, err)
	}
	return Parse(name, content)
}

func unreadable(name string, err error) error {
	reason := err
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		reason = path.Err
	}
	return &Error{File: name, Found: "a file that cannot be read (" + reason.Error() + ")", Want: "a scenario", Err: err}
}

// Open opens the workload, and returns how many requests it has, or 0 where that
// is not known and no time is given as a part of them: a file is read through
// once before. The caller closes the source.
func (s *Scenario) Open(ctx context.Context) (source simulations.Source, requests int64, err error) {
	if s.Workload.Trace == "" {
		cfg := s.Workload.Generated
		cfg.Seed = s.Seed
		g, err := workload.New(cfg)
		return g, cfg.Requests, err
	}
	reader, err := s.openTrace(ctx)
	if err != nil {
		return nil, 0, err
	}
	parts, pipe := s.hasParts(), reader.TotalBytes() == trace.Unknown
	if !parts && (pipe || s.window.node != nil) {
		return reader, 0, nil
	}
	if pipe {
		reader.Close()
		return nil, 0, &Error{File: s.file, Field: "workload.trace", Found: "a pipe", Want: "a file, since times are given as parts of its requests"}
	}
	requests, err = count(ctx, reader)
	reader.Close()
	if err != nil {
		return nil, 0, err
	}
	reader, err = s.openTrace(ctx)
	return reader, requests, err
}

func (s *Scenario) openTrace(ctx context.Context) (*trace.Reader, error) {
	name := s.Workload.Trace
	if name == trace.BundledName {
		return trace.Bundled(s.Workload.Config)
	}
	return trace.OpenContext(ctx, name, s.Workload.Config)
}

// count reads a trace to its end.
func count(ctx context.Context, r *trace.Reader) (int64, error) {
	var req trace.Request
	for {
		if r.Requests()%(1<<14) == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if err := r.Next(&req); errors.Is(err, io.EOF) {
			return r.Requests(), nil
		} else if err != nil {
			return 0, err
		}
	}
}

// hasParts reports whether a time is given as a part of all requests.
func (s *Scenario) hasParts() bool {
	return slices.ContainsFunc(s.moments(), func(m moment) bool { return m.part > 0 })
}

func (s *Scenario) moments() []moment {
	all := []moment{s.warmup, s.window, s.horizon}
	for _, f := range s.fleets {
		all = append(all, f.evictAfter)
		for _, c := range f.changes {
			all = append(all, c.at, c.down, c.up)
		}
	}
	return all
}

// Config returns what is to be run, but for the source and the progress, for a
// workload of so many requests as Open returned. The errors are those of Parse.
func (s *Scenario) Config(requests int64) (simulations.RunConfig, error) {
	d := &decoder{file: s.file}
	cfg := simulations.RunConfig{Rate: s.rate, Costs: s.costs}
	cfg.Warmup, cfg.Horizon = d.requests(s.warmup, s.rate, requests), d.requests(s.horizon, s.rate, requests)
	cfg.Window = d.requests(s.window, s.rate, requests)
	if s.window.node == nil {
		cfg.Window = simulations.DefaultWindow
		if requests > 0 { // a twentieth, in whole steps
			cfg.Window = min(max(10, requests/200*10), simulations.DefaultWindow)
		}
	}
	for _, f := range s.fleets {
		v := f.Variant
		v.EvictAfter = d.resolve(f.evictAfter, requests)
		if s.Capacity != (simulations.Capacity{}) {
			v.Capacity = s.Capacity
		}
		for _, c := range f.changes {
			v.Changes = append(v.Changes, d.resolveChange(c, s.rate, requests))
		}
		cfg.Variants = append(cfg.Variants, v)
	}
	if d.err != nil {
		return cfg, d.err
	}
	return cfg, s.Explain(cfg.Check())
}

func (d *decoder) resolveChange(c change, rate float64, total int64) simulations.FleetChange {
	out := c.FleetChange
	out.At, out.Down, out.Up = d.resolve(c.at, total), d.resolve(c.down, total), d.resolve(c.up, total)
	if total > 0 && d.requests(c.at, rate, total) >= total {
		d.fail(c.at.node, c.at.path, describe(c.at.node), fmt.Sprintf("a time before the end of the workload, which has %d requests", total))
	}
	return out
}

// resolve turns a part of the requests into their number.
func (d *decoder) resolve(m moment, total int64) simulations.Moment {
	if m.part > 0 {
		return simulations.Moment{Requests: int64(math.Round(m.part * float64(total)))}
	}
	return simulations.Moment{Requests: m.requests, Seconds: m.seconds}
}

// requests turns a time into a number of requests, by the rate.
func (d *decoder) requests(m moment, rate float64, total int64) int64 {
	out := d.resolve(m, total)
	if out.Seconds == 0 {
		return out.Requests
	}
	if rate == 0 {
		rate = simulations.DefaultRate
	}
	n := math.Round(out.Seconds * rate)
	if n > 1<<40 {
		d.fail(m.node, m.path, describe(m.node), "at most 2^40 requests")
		return 0
	}
	return int64(n)
}

// Explain adds file, line and column to an error of package simulations about
// what the file says. Other errors, and nil, stay as they are.
func (s *Scenario) Explain(err error) error {
	var input *simulations.InputError
	if !errors.As(err, &input) {
		return err
	}
	var (
		change  *simulations.ChangeError
		variant *simulations.VariantError
		node    ast.Node
	)
	out := &Error{File: s.file, Field: input.What, Found: input.Found, Want: input.Want, Err: err}
	switch {
	case errors.As(err, &change):
		c := s.fleets[change.Variant].changes[change.Index]
		node, out.Field = c.node, c.path
	case errors.As(err, &variant):
		f := s.fleets[variant.Index]
		node, out.Field = f.node, f.path
		if at := f.fields[input.What]; at != nil {
			node, out.Field = at, f.paths[input.What]
		}
	case input.What == "warmup":
		node, out.Field = s.warmup.node, "workload.warmup"
	case input.What == "window":
		node = s.window.node
	}
	if node != nil {
		at := placeOf(tokenOf(node))
		out.Line, out.Column = at.line, at.column
	}
	return out
}

// beside returns the path of a file that a scenario names: beside the scenario
// unless it is absolute.
func beside(scenario, name string) string {
	if filepath.IsAbs(name) || scenario == "" {
		return name
	}
	return filepath.Join(filepath.Dir(scenario), name)
}

// File returns the name that Parse or Load was given.
func (s *Scenario) File() string { return s.file }

// Rows returns the names of the rows of the results, which assertions use. The
// slice is the caller's.
func (s *Scenario) Rows() []string {
	var names []string
	for _, f := range s.fleets {
		names = append(names, f.Name)
	}
	return names
}

// Currency returns the currency of the prices, or "".
func (s *Scenario) Currency() string { return s.costs.Currency }
