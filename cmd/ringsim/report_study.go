package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/scenario"
	"github.com/ringway/ringway/simulations/trace"
)

// study is the headline study: a fleet changes in the middle of a trace.
type study struct {
	nodes, change string // flags

	fleet []ring.Node
	parts []studyChange
	whole simulations.Change // all of them at once
	after int                // nodes
	holds string             // a node of weight 1, in words
	keys  []string           // distinct, of the trace, the first of them
}

// studyChange is one part of --change; at 0 is in the middle.
type studyChange struct {
	text string
	at   int64
}

var studyFlags = []string{"nodes", "change"}

const (
	// mostKeys is how many keys of a trace all placements are compared over.
	mostKeys = 1_000_000

	// held is what part of a trace's keys the fleet holds where nobody says how
	// much: ten nodes of 1000 hold as much of the bundled trace's.
	held = 0.75

	// brought is how many entries a second are brought over in the study.
	brought = 5000
)

func (f *study) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.nodes, "nodes", headlineNodes, "the fleet of the headline study: a number, or a `LIST` id[:weight[:zone]],…")
	flags.StringVar(&f.change, "change", "+1", "what happens to it: a `CHANGE` as for compare, @REQUEST behind it or in the middle of the trace")
	for _, name := range studyFlags {
		complete(cmd, name, cobra.NoFileCompletions)
	}
}

// parse reads the flags.
func (f *study) parse() (err error) {
	if f.fleet, err = simulations.ParseNodes(f.nodes); err != nil {
		return usage(err, "")
	}
	var texts []string
	for part := range strings.SplitSeq(f.change, ",") {
		text, at, timed := strings.Cut(part, "@")
		c := studyChange{text: text}
		if timed {
			if c.at, err = strconv.ParseInt(at, 10, 64); err != nil || c.at < 1 {
				return &cli.UsageError{Where: "--change", Found: cli.Quote(part), Want: "a number of requests of at least 1 after '@'"}
			}
		}
		f.parts, texts = append(f.parts, c), append(texts, text)
	}
	if f.whole, err = simulations.ParseChange(strings.Join(texts, ",")); err != nil {
		return usage(err, "")
	}
	changed, err := f.whole.Apply(f.fleet)
	f.after = len(changed)
	return usage(err, "")
}

// prepare makes the scenario of the study, and notes what gives it again.
func (f *study) prepare(cmd *cobra.Command, run *runFlags, p *pageMaker) (*scenario.Scenario, error) {
	if err := f.parse(); err != nil {
		return nil, err
	}
	file := trace.BundledName
	if cmd.Flags().Changed("trace") {
		file = run.trace
	}
	bundled := file == trace.BundledName
	requests, distinct, err := f.scan(cmd, &traceFlags{file: file, format: run.traceFormat, columns: run.columns})
	if err != nil {
		return nil, err
	}
	capacity := run.capacity
	if !cmd.Flags().Changed("capacity") {
		capacity = f.capacity(bundled, distinct)
		if !bundled || f.nodes != headlineNodes {
			p.assumed = "No capacity was given: a node of weight 1 holds " + capacityText(capacity) +
				", so that the fleet holds about three quarters of the keys at a time. Give what yours hold with --capacity."
		}
	}
	if _, err := simulations.ParseCapacity(capacity); err != nil {
		return nil, usage(err, "")
	}
	for i := range f.parts {
		if f.parts[i].at == 0 {
			f.parts[i].at = max(1, requests/2)
			if bundled {
				f.parts[i].at = 50_000
			}
		}
	}
	// The workload is put in by override: a file name need not fit into YAML.
	s, err := scenario.Parse("headline.yaml", []byte(f.yaml(trace.BundledName, capacity, bundled)))
	if err != nil {
		return nil, studyUsage(runUsage(err))
	}
	p.source = f.yaml(file, capacity, bundled)
	p.study, f.holds = f, capacityText(capacity)
	p.note(cmd, append(studyFlags, workloadFlags...)...)
	return s, run.apply(cmd, s)
}

// studyUsage restates an error about the study's scenario, which nobody has seen, in
// the terms of the command line.
func studyUsage(err error) error {
	bad, at := (*cli.UsageError)(nil), (*scenario.Error)(nil)
	if !errors.As(err, &bad) || !errors.As(err, &at) {
		return err
	}
	flag := "--trace"
	switch {
	case strings.HasPrefix(at.Field, "changes"):
		flag = "--change"
	case strings.HasSuffix(at.Field, "capacity"):
		flag = "--capacity"
	case strings.HasPrefix(at.Field, "fleet"):
		flag = "--nodes"
	}
	return &cli.UsageError{Where: flag, Found: bad.Found, Want: bad.Want, Err: err}
}

// capacity is what a node holds unless told otherwise.
func (f *study) capacity(bundled bool, distinct int64) string {
	if bundled && f.nodes == headlineNodes {
		return headlineCapacity
	}
	weight := 0.0
	for _, n := range f.fleet {
		weight += n.Weight
	}
	return fmt.Sprint(max(1, int64(math.Ceil(held*float64(distinct)/weight))))
}

// scan reads the trace once: how many requests it has, and which keys.
func (f *study) scan(cmd *cobra.Command, flags *traceFlags) (requests, distinct int64, err error) {
	reader, stop, err := flags.open(cmd.Context())
	if err != nil {
		return 0, 0, err
	}
	defer stop()
	if reader.TotalBytes() == trace.Unknown {
		return 0, 0, &cli.UsageError{Where: "--trace", Found: "a pipe", Want: "a file: it is read more than once"}
	}
	progress := cli.NewProgress(cmd.ErrOrStderr(), "reading keys")
	defer progress.Close()
	var req trace.Request
	seen := make(map[string]struct{})
	for {
		if err := reader.Next(&req); errors.Is(err, io.EOF) {
			return reader.Requests(), int64(len(seen)), nil
		} else if cmd.Context().Err() != nil {
			return 0, 0, cmd.Context().Err()
		} else if err != nil {
			return 0, 0, usage(err, "trace")
		}
		if _, known := seen[string(req.Key)]; !known {
			key := string(req.Key)
			seen[key] = struct{}{}
			if len(f.keys) < mostKeys {
				f.keys = append(f.keys, key)
			}
		}
		if reader.Requests()%(1<<16) == 0 {
			progress.Set(reader.BytesRead(), reader.TotalBytes())
		}
	}
}

// question is what the study asks.
func (f *study) question() string {
	what := "the change " + f.change
	switch f.change {
	case "+1":
		what = "one more cache node"
	case "-1":
		what = "one cache node less"
	}
	return fmt.Sprintf("What does %s cost? %d → %s", what, len(f.fleet), counted(f.after, "node"))
}

// lead says what the rows are.
func (f *study) lead() []string {
	return []string{
		"An LRU of " + f.holds + " on each node of weight 1. Three ways to do it: modulo is a key's hash modulo the number of nodes; ring is consistent hashing with " + itoa(ring.DefaultVirtualNodes) +
			" virtual nodes a node; ring_migrated is the same ring whose moved entries are brought over live, " + commas(int64(brought)) + " a second, as ringway's agents do.",
	}
}

// yaml writes the study as a scenario. What comes from outside is quoted.
func (f *study) yaml(file, capacity string, bundled bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The headline study of ringsim report, as a scenario for ringsim run.\nname: headline\nquestion: %q\nworkload:\n  trace: %q\n", f.question(), file)
	fmt.Fprintf(&b, "fleet:\n  nodes: %s\n  capacity: %s\n", f.yamlNodes(), capacity)
	fmt.Fprintf(&b, "placements:\n  - modulo\n  - ring\n  - {name: ring_migrated, placement: ring, migration: %d}\nchanges:\n", brought)
	for _, c := range f.parts {
		kind, value := map[byte]string{'+': "join", '-': "leave", '=': "weight"}[c.text[0]], c.text[1:]
		if _, err := strconv.Atoi(value); err != nil {
			value = strconv.Quote(value)
			if kind == "join" {
				value = "[" + value + "]"
			}
		}
		fmt.Fprintf(&b, "  - {at: %d, %s: %s}\n", c.at, kind, value)
	}
	if bundled {
		fmt.Fprintf(&b, "window: %d\n", headlineWindow)
	}
	fmt.Fprintf(&b, "horizon: %d\n", simulations.DefaultHorizon)
	return b.String()
}

func (f *study) yamlNodes() string {
	if _, err := strconv.Atoi(f.nodes); err == nil {
		return f.nodes
	}
	var ids []string
	for part := range strings.SplitSeq(f.nodes, ",") {
		ids = append(ids, strconv.Quote(part))
	}
	return "[" + strings.Join(ids, ", ") + "]"
}
