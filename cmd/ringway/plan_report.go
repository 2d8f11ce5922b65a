package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/rebalance"
)

func (r *planResult) report() cli.Report {
	movements := make([]cli.Record, len(r.Movements))
	for i, m := range r.Movements {
		movements[i] = cli.RecordOf(m)
	}
	return cli.Report{
		JSON:  func() cli.Record { return r.json(movements) },
		CSV:   func() []cli.Record { return movements },
		Table: r.table,
	}
}

func (r *planResult) json(movements []cli.Record) cli.Record {
	receivers := make([]cli.Record, len(r.Receivers))
	for i, receiver := range r.Receivers {
		receivers[i] = cli.RecordOf(receiver)
	}
	samples := make([]cli.Record, len(r.Samples))
	for i, s := range r.Samples {
		samples[i] = cli.RecordOf(s)
	}
	record := cli.Record{
		{Name: "schema", Value: "ringway.plan/1"}, {Name: "epoch", Value: r.Epoch}, {Name: "agent", Value: r.Agent},
		{Name: "kind", Value: string(r.Kind)}, {Name: "change", Value: r.Change.record()}, {Name: "copies", Value: r.Copies},
		{Name: "nodes_before", Value: r.NodesBefore}, {Name: "nodes_after", Value: r.NodesAfter},
		{Name: "moved", Value: r.Moved}, {Name: "ideal", Value: r.Ideal}, {Name: "modulo", Value: valueOf(r.Modulo)}, {Name: "copied", Value: r.Copied},
	}
	record = append(record, cli.RecordOf(r.Total)...)
	return append(record, cli.Record{
		{Name: "seconds", Value: valueOf(r.Seconds)},
		{Name: "keys_per_second", Value: r.Limits.Keys}, {Name: "bytes_per_second", Value: r.Limits.Bytes}, {Name: "rate_from", Value: r.Rate.from},
		{Name: "headroom", Value: r.Headroom}, {Name: "sampled", Value: r.Sampled}, {Name: "seed", Value: r.Seed},
		{Name: "verdict", Value: r.verdict()},
		{Name: "forced", Value: r.Forced}, {Name: "refused", Value: append([]string{}, r.Refused...)}, {Name: "notes", Value: append([]string{}, r.Notes...)},
		{Name: "movements", Value: movements}, {Name: "receivers", Value: receivers}, {Name: "samples", Value: samples},
	}...)
}

// valueOf is what a Record takes for a number that may not be known.
func valueOf(f *float64) any {
	if f == nil {
		return nil
	}
	return *f
}

func (c planChange) record() cli.Record {
	added := []cli.Record{}
	for _, n := range c.Add {
		added = append(added, cli.Record{{Name: "id", Value: n.ID}, {Name: "weight", Value: n.Weight}, {Name: "zone", Value: n.Zone}})
	}
	weighed := []cli.Record{}
	for _, id := range c.weighed() {
		weighed = append(weighed, cli.Record{{Name: "id", Value: id}, {Name: "weight", Value: c.Weigh[id]}})
	}
	return cli.Record{{Name: "add", Value: added}, {Name: "remove", Value: append([]string{}, c.Remove...)}, {Name: "weight", Value: weighed}}
}

func (c planChange) weighed() []string {
	var ids []string
	for id := range c.Weigh {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// words says what is done, in few of them.
func (c planChange) words() string {
	switch a, r, w := len(c.Add), len(c.Remove), len(c.Weigh); {
	case a > 0 && r+w == 0:
		return "Adding " + counted(a, "node")
	case r > 0 && a+w == 0:
		return "Removing " + counted(r, "node")
	case w > 0 && a+r == 0:
		return "Changing " + counted(w, "weight")
	}
	return "This change"
}

// list names all that is done.
func (c planChange) list() string {
	var parts []string
	for _, n := range c.Add {
		text := "+ " + shownName(n.ID)
		if n.Weight != 1 {
			text += " (weight " + weightText(n.Weight) + ")"
		}
		parts = append(parts, text)
	}
	for _, id := range c.Remove {
		parts = append(parts, "− "+shownName(id))
	}
	for _, id := range c.weighed() {
		parts = append(parts, shownName(id)+" = "+weightText(c.Weigh[id]))
	}
	if len(parts) == 0 {
		return "the change under way"
	}
	return strings.Join(parts, ", ")
}

// verdict is the plan in one line.
func (r *planResult) verdict() string {
	if len(r.Movements) == 0 {
		return r.Change.words() + " moves nothing."
	}
	text := fmt.Sprintf("%s moves %.1f%% of the keys", r.Change.words(), 100*r.Moved)
	if r.Modulo != nil {
		text += fmt.Sprintf(" (modulo %.1f%%)", 100**r.Modulo)
	}
	var amounts []string
	if r.Total.Keys != nil {
		amounts = append(amounts, countText(*r.Total.Keys)+" keys")
	}
	if r.Total.Bytes != nil {
		amounts = append(amounts, rebalance.ByteText(*r.Total.Bytes))
	}
	if r.Seconds != nil {
		amounts = append(amounts, span(*r.Seconds))
	}
	if len(amounts) > 0 {
		text += ": " + strings.Join(amounts, ", ")
	}
	return cli.Clip(text+". "+r.room(), cli.MaxWidth)
}

// terms says what the verdict rests on.
func (r *planResult) terms() string {
	parts := []string{"ideal " + percent(r.Ideal)}
	if r.Limits.Keys > 0 {
		parts = append(parts, countText(int64(r.Limits.Keys))+" keys/s a node")
	}
	if r.Limits.Bytes > 0 {
		parts = append(parts, rebalance.ByteText(r.Limits.Bytes)+"/s a node")
	}
	if text := r.Rate.source(r.Limits.Keys > 0 || r.Limits.Bytes > 0, r.Sampled); text != "" {
		parts = append(parts, text)
	}
	counted := len(r.Samples) > 0
	for _, sample := range r.Samples {
		counted = counted && sample.Seen != nil && *sample.Seen == *sample.Population
	}
	switch {
	case counted:
		parts = append(parts, "keys counted")
	case r.Total.Keys != nil:
		parts = append(parts, fmt.Sprintf("sampled with seed %d", r.Seed))
	}
	return strings.Join(parts, " · ")
}

// room says whether all fits.
func (r *planResult) room() string {
	unknown := slices.ContainsFunc(r.Receivers, func(x planReceiver) bool { return x.Fits == nil })
	switch {
	case len(r.Refused) > 0 && r.Forced:
		return "NO ROOM."
	case len(r.Refused) > 0:
		return "REFUSED."
	case unknown:
		return "Room unknown."
	}
	return "It fits."
}

// countText writes a number with its thousands apart, a large one in words.
func countText(n int64) string {
	if n >= 10_000_000 {
		if n >= 10_000_000_000 {
			return fmt.Sprintf("%.1f billion", float64(n)/1e9)
		}
		return fmt.Sprintf("%.1f million", float64(n)/1e6)
	}
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
