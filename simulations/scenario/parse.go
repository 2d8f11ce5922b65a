package scenario

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ringway/ringway/simulations"
	"github.com/ringway/ringway/simulations/trace"
	"github.com/ringway/ringway/simulations/workload"
)

var (
	fileFields = []string{"name", "question", "seed", "workload", "fleet", "placements", "changes", "window", "horizon", "costs", "assert"}

	workloadFields = []string{"trace", "format", "columns", "limit",
		"generate", "keys", "requests", "alpha", "hot_keys", "hot_share",
		"operations", "key_size", "value_size", "value_spread", "ttl", "rate", "warmup"}
	traceFields     = []string{"format", "columns", "limit"}
	generatedFields = []string{"keys", "requests", "alpha", "hot_keys", "hot_share", "operations", "key_size", "value_size", "value_spread", "ttl"}

	costFields = []string{"load_ms", "million_loads", "database_hour", "currency"}
)

// Parse reads a scenario. Errors, which are *Error, call the file by that name,
// beside which traces are looked for.
func Parse(name string, content []byte) (*Scenario, error) {
	d := &decoder{file: name}
	s := &Scenario{file: name}
	root := d.load(content)
	if d.err != nil {
		return nil, d.err
	}
	o := d.object(root, "", fileFields)
	s.Name, s.Question = o.text("name"), o.text("question")
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(name), filepath.Ext(name))
	}
	s.Seed = o.seed("seed", 1)
	s.window, s.horizon = o.moment("window"), o.moment("horizon")
	o.require("workload", "the requests to serve: the fields "+strings.Join(workloadFields, ", "))
	if o.has("workload") {
		s.parseWorkload(d.object(o.fields["workload"], "workload", workloadFields))
	}
	s.parseFleets(o)
	s.parseCosts(o)
	s.parseAssertions(o)
	if d.err != nil {
		return nil, d.err
	}
	if s.Workload.Trace != "" {
		return s, nil // Config checks the rest, when the requests are known
	}
	_, err := s.Config(s.Workload.Generated.Requests)
	return s, err
}

func (s *Scenario) parseWorkload(o object) {
	s.rate = o.number("rate", 0, 1e-6, 1e12)
	s.warmup = o.moment("warmup")
	if o.has("trace") == o.has("generate") {
		o.d.fail(o.node, o.path, map[bool]string{true: "both trace and generate", false: "neither trace nor generate"}[o.has("trace")], "one of the two")
		return
	}
	other, kind := traceFields, "a generated workload"
	if o.has("trace") {
		other, kind = generatedFields, "a trace"
	}
	for _, field := range other {
		if o.has(field) {
			o.fail(field, "a field that "+kind+" does not have", "none")
		}
	}
	if o.has("trace") {
		s.parseTrace(o)
	} else {
		s.parseGenerated(o)
	}
}

func (s *Scenario) parseTrace(o object) {
	s.Workload.Trace = o.text("trace")
	if s.Workload.Trace != trace.BundledName {
		s.Workload.Trace = beside(s.file, s.Workload.Trace)
	}
	cfg := &s.Workload.Config
	cfg.Limit = o.whole("limit", 0, 1, 1<<50)
	var err error
	format := o.word("format", "auto", "auto", "keys", "csv", "twitter", "metakv")
	if cfg.Format, err = trace.ParseFormat(format); err != nil {
		o.fail("format", quote(format), "a format of traces")
	}
	if columns := o.text("columns"); columns != "" {
		if cfg.Columns, err = trace.ParseColumns(columns); err != nil {
			o.fail("columns", quote(columns), "key=…,op=…,ttl=…,size=…,time=…")
		}
	}
}

func (s *Scenario) parseGenerated(o object) {
	kinds := []string{"zipf", "uniform", "hot"}
	for _, p := range workload.Presets() {
		kinds = append(kinds, p.Name)
	}
	kind := ""
	if got, _ := scalar(o.fields["generate"]); nearestWord(got, kinds) == "" && o.d.err == nil {
		o.fail("generate", describe(o.fields["generate"]), "zipf, uniform, hot, or cluster1 to cluster54")
	} else {
		kind = o.word("generate", "", kinds...)
	}
	o.require("requests", "how many requests to generate")
	requests := o.whole("requests", 1, 1, workload.MaxRequests)
	g := &s.Workload.Generated
	switch kind {
	case "zipf":
		g.Popularity = workload.Zipf
	case "uniform":
		g.Popularity = workload.Uniform
	case "hot":
		g.Popularity = workload.Hot
	case "":
		return
	default:
		s.parsePreset(o, kind, requests)
	}
	g.Requests = requests
	if g.Keys == 0 {
		o.require("keys", "how many keys there are")
	}
	g.Keys = int(o.whole("keys", int64(g.Keys), 1, workload.MaxKeys))
	s.parsePopularity(o, kind)
	s.parseValues(o)
	if _, err := workload.New(*withoutKeys(g)); err != nil && o.d.err == nil {
		o.d.fail(o.node, o.path, err.Error(), "another value")
	}
}

// withoutKeys is a config that is as right or wrong, and quick to try.
func withoutKeys(g *workload.Config) *workload.Config {
	small := *g
	if small.Popularity != workload.Hot {
		small.Keys = 1
	}
	return &small
}

func (s *Scenario) parsePreset(o object, name string, requests int64) {
	p, _ := workload.FindPreset(name)
	s.Workload.Generated = p.Config(requests)
	fields := map[string]string{"zipf_alpha": "alpha", "operations": "operations", "value_size": "value_size", "mean_freq": "keys"}
	for _, column := range p.Missing {
		if field := fields[column]; field != "" && !o.has(field) {
			o.d.fail(o.fields["generate"], o.at("generate"), name+", whose "+column+" the source does not have", field+" beside it")
		}
	}
	if s.rate == 0 {
		s.rate = p.RequestRate
	}
}

func (s *Scenario) parsePopularity(o object, kind string) {
	g := &s.Workload.Generated
	for _, field := range []string{"alpha", "hot_keys", "hot_share"} {
		of := workload.Hot
		if field == "alpha" {
			of = workload.Zipf
		}
		if o.has(field) && g.Popularity != of {
			o.fail(field, "a field of "+of.String()+" with "+kind, "none")
		}
	}
	switch g.Popularity {
	case workload.Zipf:
		if kind == "zipf" {
			o.require("alpha", "how steep popularity is, such as 0.9")
		}
		g.Alpha = o.number("alpha", g.Alpha, 0, workload.MaxAlpha)
	case workload.Hot:
		o.require("hot_keys", "how many keys are hot")
		o.require("hot_share", "the part of the requests that hot keys get, such as 0.5")
		g.HotKeys = int(o.whole("hot_keys", 1, 1, int64(max(1, g.Keys-1))))
		g.HotShare = o.number("hot_share", 0, 0, 1)
	}
}

func (s *Scenario) parseValues(o object) {
	g := &s.Workload.Generated
	g.KeySize = o.whole("key_size", g.KeySize, 1, workload.MaxSize)
	g.ValueSize = o.whole("value_size", g.ValueSize, 1, workload.MaxSize)
	g.Exponential = o.word("value_spread", "none", "none", "exponential") == "exponential"
	if g.Exponential && g.ValueSize == 0 {
		o.fail("value_spread", "no value_size", "the mean size in bytes beside it")
	}
	if o.has("operations") {
		names := []string{"get", "set", "update", "delete"}
		ops := o.d.object(o.fields["operations"], o.at("operations"), names)
		parts := []*float64{&g.Ops.Get, &g.Ops.Set, &g.Ops.Update, &g.Ops.Delete}
		sum := 0.0
		for i, name := range names {
			*parts[i] = ops.number(name, 0, 0, 1)
			sum += *parts[i]
		}
		if sum < 0.999 || sum > 1.001 {
			o.fail("operations", fmt.Sprintf("parts of %g in all", sum), "parts that add up to 1")
		}
	}
	if o.has("ttl") {
		m := o.moment("ttl")
		if o.d.err == nil && (m.seconds < 1 || m.seconds > workload.MaxTTL) {
			o.fail("ttl", describe(m.node), "a time of a second or more, such as 300s")
		}
		g.TTLs = []workload.TTL{{Seconds: int64(m.seconds), Share: 1}}
	}
}

func (s *Scenario) parseCosts(o object) {
	s.costs = simulations.Costs{LoadMillis: 5}
	if !o.has("costs") {
		return
	}
	c := o.d.object(o.fields["costs"], "costs", costFields)
	s.costs.LoadMillis = c.number("load_ms", 5, 0, 1e9)
	s.costs.PerMillionLoads = c.number("million_loads", 0, 0, 1e9)
	s.costs.PerDatabaseHour = c.number("database_hour", 0, 0, 1e9)
	s.costs.Currency = c.text("currency")
	if priced := s.costs.PerMillionLoads > 0 || s.costs.PerDatabaseHour > 0; priced && s.costs.Currency == "" {
		c.require("currency", "the currency of the prices, such as EUR")
	}
}

func (s *Scenario) parseAssertions(o object) {
	for i, item := range o.list("assert") {
		text, isText := item.(*ast.StringNode)
		if !isText {
			o.d.fail(item, fmt.Sprintf("assert[%d]", i+1), describe(item), "a condition such as 'ring.moved_unnecessary == 0'")
			return
		}
		at := placeOf(tokenOf(item))
		s.Assertions = append(s.Assertions, Assertion{text.Value, at.line, at.column})
	}
}
