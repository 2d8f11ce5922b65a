package main

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

// planResult is a plan as it is shown. Numbers that are not known are nil.
type planResult struct {
	Agent       string
	Epoch       uint64
	Kind        membership.Kind
	Change      planChange
	Copies      int
	NodesBefore int
	NodesAfter  int
	Moved       float64
	Ideal       float64
	Copied      float64
	Modulo      *float64
	Total       PlanAmount
	Seconds     *float64
	Limits      rebalance.Limits
	Rate        rate
	Headroom    float64
	Seed        uint64
	Sampled     bool
	Movements   []planMovement
	Receivers   []planReceiver
	Samples     []planSample
	Forced      bool // what is refused is a warning
	Refused     []string
	Notes       []string
}

// planChange is what was asked for; all of it empty: the transition under way.
type planChange struct {
	Add    []ring.Node
	Remove []string
	Weigh  map[string]float64
}

// PlanAmount is an amount under the names that it has in every object. It has a
// capital since cli.RecordOf reads embedded fields of such types only.
type PlanAmount struct {
	Keys       *int64 `json:"keys_estimated"`
	KeysError  *int64 `json:"keys_standard_error"`
	Bytes      *int64 `json:"bytes_estimated"`
	BytesError *int64 `json:"bytes_standard_error"`
}

type planMovement struct {
	From     string  `json:"from"`
	To       string  `json:"to"`
	Fraction float64 `json:"fraction"`
	PlanAmount
}

type planReceiver struct {
	ID string `json:"id"`
	PlanAmount
	Needs  *int64  `json:"bytes_needed"`
	Used   *int64  `json:"memory_used"`
	Limit  *int64  `json:"memory_limit"`
	From   *string `json:"memory_limit_from"`
	Policy *string `json:"memory_policy"`
	Free   *int64  `json:"memory_free"`
	Fits   *bool   `json:"fits"`
	Reason string  `json:"reason"`
}

type planSample struct {
	ID         string  `json:"id"`
	Population *int64  `json:"keys_held"`
	Seen       *int64  `json:"keys_seen"`
	Kept       *int64  `json:"keys_counted"`
	Wanted     *int    `json:"keys_moving"`
	Problem    *string `json:"problem"`
}

// result puts together what is known.
func (p *planner) result(plan *rebalance.Plan, from, to *ring.Ring, asked answers) *planResult {
	memory := make(map[string]rebalance.Memory)
	for id, limit := range p.change.memory {
		memory[id] = rebalance.Memory{Limit: limit, From: rebalance.ByTold}
	}
	for id, m := range asked.memory {
		memory[id] = m
	}
	fit := rebalance.FitConfig{Memory: memory, Headroom: p.headroom}
	if p.kind == membership.Redis {
		fit.KeyOverhead = rebalance.RedisKeyOverhead
	}
	estimate := plan.Estimate(asked.samples)
	c := p.change.of(p.fleet.view, p.kind)
	r := &planResult{
		Epoch: p.fleet.view.Epoch, Kind: p.kind, Change: planChange{Add: c.Add, Remove: c.Remove, Weigh: c.Weigh},
		Copies: p.copies, NodesBefore: from.Len(), NodesAfter: to.Len(),
		Moved: plan.Moved, Ideal: plan.Ideal, Copied: plan.Copied,
		Limits: p.limits, Rate: p.rate, Headroom: p.headroom, Seed: p.planFlags.seed, Sampled: !p.noSample, Forced: p.force,
		Total: amountOf(estimate, rebalance.Pair{}),
	}
	if plan.Modulo >= 0 {
		r.Modulo = &plan.Modulo
	}
	if d, known := plan.Duration(estimate, p.limits); known {
		r.Seconds = ref(d.Seconds())
	}
	for _, m := range plan.Movements {
		r.Movements = append(r.Movements, planMovement{m.From, m.To, m.Fraction, amountOf(estimate, m.Pair)})
	}
	for _, receiver := range plan.Fit(estimate, fit) {
		shown := receiverOf(receiver, estimate)
		r.Receivers = append(r.Receivers, shown)
		if receiver.Room == rebalance.FitsNot {
			r.Refused = append(r.Refused, fmt.Sprintf("%s: %s", shownName(receiver.ID), receiver.Reason))
		}
	}
	if !p.noSample {
		for _, id := range plan.Sources() {
			r.Samples = append(r.Samples, sampleOf(id, asked))
		}
	}
	r.Notes = p.notes(r, plan, asked)
	return r
}

func ref[T any](v T) *T { return &v }

func shownName(id string) string { return cli.Clip(printable.Text(id), 32) }

func amountOf(e rebalance.Estimate, pair rebalance.Pair) (a PlanAmount) {
	amount, known := e[pair]
	if !known {
		return a
	}
	a.Keys, a.KeysError = rounded(amount.Keys)
	if amount.Bytes != nil {
		a.Bytes, a.BytesError = rounded(*amount.Bytes)
	}
	return a
}

func rounded(f rebalance.Figure) (value, deviation *int64) {
	return ref(int64(math.Round(f.Value))), ref(int64(math.Ceil(f.Error)))
}

func receiverOf(r rebalance.Receiver, e rebalance.Estimate) planReceiver {
	shown := planReceiver{ID: r.ID, PlanAmount: amountOf(e, rebalance.Pair{To: r.ID}), Reason: r.Reason}
	if r.Needs >= 0 {
		shown.Needs = &r.Needs
	}
	if m := r.Memory; m != nil {
		shown.From = ref(string(m.From))
		if m.From != rebalance.ByTold {
			shown.Used = &m.Used
		}
		if m.Limit > 0 {
			shown.Limit, shown.Free = &m.Limit, &r.Free
		}
		if m.Policy != "" {
			shown.Policy = &m.Policy
		}
	}
	if r.Room != rebalance.RoomUnknown {
		shown.Fits = ref(r.Room == rebalance.Fits)
	}
	return shown
}

func sampleOf(id string, asked answers) planSample {
	shown := planSample{ID: id}
	if s, sampled := asked.samples[id]; sampled {
		shown.Population, shown.Seen, shown.Kept, shown.Wanted = &s.Population, &s.Seen, &s.Kept, ref(len(s.Wanted))
		if s.NoSizes != "" {
			shown.Problem = &s.NoSizes
		}
	}
	if why, failed := asked.failed[id]; failed {
		shown.Problem = &why
	}
	return shown
}

// notes are what a reader of the numbers has to know.
func (p *planner) notes(r *planResult, plan *rebalance.Plan, asked answers) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if _, phase := p.fleet.view.Transition(p.kind); phase != membership.Stable && p.change.empty() {
		note("this is the change that is under way: some of it has moved already")
	} else if phase != membership.Stable {
		note("a change is under way: the plan begins where that ends, and is estimated from what servers hold now")
	}
	if p.noSample {
		note("no server was asked: how many keys and bytes that is, is not known")
	} else {
		for _, id := range slices.Sorted(maps.Keys(asked.failed)) {
			note("%s: %s", shownName(id), printable.Text(asked.failed[id]))
		}
		for _, id := range plan.Sources() {
			if s := asked.samples[id]; s.NoSizes != "" {
				note("%s: bytes are not known: %s", shownName(id), printable.Text(s.NoSizes))
			}
		}
	}
	if text := p.rate.note(); text != "" && r.Seconds != nil {
		note("%s", text)
	}
	for _, receiver := range r.Receivers {
		switch {
		case receiver.From == nil && p.addresses()[receiver.ID] == "":
			note("%s: where its server is, is not known: --memory %s=SIZE tells what it may use, --add ID@HOST:PORT where to ask", shownName(receiver.ID), shownName(receiver.ID))
		case receiver.From != nil && *receiver.From == string(rebalance.ByMachine):
			note("%s: maxmemory is not set; its machine has %s, for all that runs there", shownName(receiver.ID), rebalance.ByteText(*receiver.Limit))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(p.change.memory)) {
		if !slices.Contains(plan.Receivers(), id) {
			note("%s: --memory is not used: no keys come to it", shownName(id))
		} else if _, told := asked.memory[id]; told {
			note("%s: --memory is not used: its server was asked", shownName(id))
		}
	}
	return notes
}

// finish says what is refused: an error, or a warning.
func (r *planResult) finish(stderr io.Writer) error {
	if len(r.Refused) == 0 {
		return nil
	}
	lines := make([]string, len(r.Refused))
	for i, text := range r.Refused {
		lines[i] = "refused: " + text
		if r.Forced {
			fmt.Fprintf(stderr, "ringway: warning: %s\n", printable.Escape(text))
		}
	}
	if r.Forced {
		return nil
	}
	return &cli.FailedError{Lines: lines}
}

// span writes a duration in at most seven characters.
func span(seconds float64) string {
	d := time.Duration(min(seconds, 1e9) * float64(time.Second))
	switch {
	case d < 1500*time.Millisecond:
		return "1 s"
	case d < 100*time.Second:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 100*time.Minute:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	if d < 1000*24*time.Hour {
		return fmt.Sprintf("%.0f d", d.Hours()/24)
	}
	return "years"
}
