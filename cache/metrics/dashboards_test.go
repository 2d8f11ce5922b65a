package metrics

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/servertest"
	routermetrics "github.com/ringway/ringway/router/metrics"
)

const dashboards = "../../docs/dashboards"

// An expression of PromQL, and where it is from.
type expression struct{ where, text string }

// dashboardExpressions reads those of a Grafana dashboard.
func dashboardExpressions(t *testing.T, file string) (all []expression) {
	t.Helper()
	var d struct {
		Templating struct {
			List []struct{ Name, Definition string }
		}
		Panels []struct {
			Title, Type string
			Targets     []struct{ Expr string }
		}
	}
	read(t, file, json.Unmarshal, &d)
	for _, v := range d.Templating.List {
		if name, found := strings.CutPrefix(v.Definition, "label_values("); found {
			metric, label, _ := strings.Cut(strings.TrimSuffix(name, ")"), ", ")
			all = append(all, expression{file + ": variable " + v.Name, "sum by (" + label + ") (" + metric + ")"})
		}
	}
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("%s: panel %q shows nothing", file, p.Title)
		}
		for _, q := range p.Targets {
			text := strings.NewReplacer("$__rate_interval", "1m", "$space", ".*").Replace(q.Expr)
			all = append(all, expression{file + ": " + p.Title, text})
		}
	}
	return all
}

// ruleExpressions reads those of a file of rules, and the names that they record.
func ruleExpressions(t *testing.T, file string) (all []expression, recorded map[string]string) {
	t.Helper()
	var f struct {
		Groups []struct {
			Rules []struct{ Record, Alert, Expr string }
		}
	}
	read(t, file, func(data []byte, v any) error { return yaml.Unmarshal(data, v) }, &f)
	recorded = make(map[string]string)
	for _, g := range f.Groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				recorded[r.Record] = r.Expr
			}
			all = append(all, expression{file + ": " + r.Record + r.Alert, r.Expr})
		}
	}
	return all, recorded
}

func read(t *testing.T, file string, unmarshal func([]byte, any) error, v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dashboards, file))
	if err == nil {
		err = unmarshal(data, v)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// exported gathers all collectors with real data behind them, and returns the labels of
// each name that a query can use.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	version := prometheus.Labels{"version": "1"}
	master := servertest.Redis(t)
	host, port, _ := strings.Cut(master.Addr(), ":")
	servertest.Redis(t, "--replicaof", host+" "+port)
	client := redisOf(t, master.Addr())
	latency := NewLatency(Config{Labels: version})
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client), Observer: latency})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	s, err := cache.NewSpace(m, cache.SpaceConfig[key, string]{Name: "s", L1: cache.L1Config{MaxBytes: 1 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	load := cache.Plain(func(context.Context, key) (string, error) { return "v", nil })
	if _, _, err := s.GetWith(t.Context(), "k", load); err != nil {
		t.Fatal(err)
	}
	sampler, err := NewSampler(SamplerConfig{Manager: m})
	if err != nil {
		t.Fatal(err)
	}
	if err := sampler.Sample(t.Context()); err != nil {
		t.Fatal(err)
	}
	servers := NewServers(ServersConfig{Redis: client})
	eventually(t, "the replica follows", func() bool { return len(values(t, servers, "replica_lag_bytes")) == 1 })
	registry.MustRegister(latency, New(m, Config{Labels: version}), sampler, servers, routermetrics.New(client, routermetrics.Config{}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string][]string)
	for _, f := range families {
		var labels []string
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains(labels, l.GetName()) {
					labels = append(labels, l.GetName())
				}
			}
		}
		names[f.GetName()] = labels
		if f.GetType().String() == "HISTOGRAM" {
			delete(names, f.GetName())
			names[f.GetName()+"_bucket"], names[f.GetName()+"_sum"], names[f.GetName()+"_count"] = append(labels, "le"), labels, labels
		}
	}
	return names
}

var (
	namePattern  = regexp.MustCompile(`\bringway[a-z0-9_:]*`)
	byPattern    = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	matchPattern = regexp.MustCompile(`(ringway[a-z0-9_:]*)\s*\{([^}]*)\}`)
	labelPattern = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)\s*(?:=~|!~|!=|=)`)
)

// complaints says what an expression uses that there is not.
func complaints(text string, names map[string][]string) (wrong []string) {
	labels := make(map[string]bool)
	used := namePattern.FindAllString(text, -1)
	if len(used) == 0 {
		wrong = append(wrong, "it uses no metric of ringway")
	}
	for _, name := range used {
		if _, found := names[name]; !found {
			wrong = append(wrong, "nothing exports "+name)
		}
		for _, l := range names[name] {
			labels[l] = true
		}
	}
	for _, match := range matchPattern.FindAllStringSubmatch(text, -1) {
		for _, label := range labelPattern.FindAllStringSubmatch(match[2], -1) {
			if !slices.Contains(names[match[1]], label[1]) {
				wrong = append(wrong, match[1]+" has no label "+label[1])
			}
		}
	}
	for _, by := range byPattern.FindAllStringSubmatch(text, -1) {
		for label := range strings.SplitSeq(by[1], ",") {
			if label = strings.TrimSpace(label); label != "" && !labels[label] {
				wrong = append(wrong, "no metric in it has the label "+label)
			}
		}
	}
	if strings.Count(text, "(") != strings.Count(text, ")") || strings.Count(text, "{") != strings.Count(text, "}") {
		wrong = append(wrong, "its brackets do not match")
	}
	return wrong
}

// Everything that the dashboard and the rules ask for is there.
func TestDashboardsUseNamesThatExist(t *testing.T) {
	names := exported(t)
	rules, recorded := ruleExpressions(t, "cache-rules.yaml")
	for name, text := range recorded {
		by := byPattern.FindStringSubmatch(text)
		if by == nil {
			t.Errorf("%s: no labels are left", name)
			continue
		}
		names[name] = strings.Split(strings.ReplaceAll(by[1], " ", ""), ",")
	}
	all := append(rules, dashboardExpressions(t, "cache.json")...)
	if len(all) < 40 {
		t.Fatalf("%d expressions: the files were not understood", len(all))
	}
	for _, e := range all {
		for _, wrong := range complaints(e.text, names) {
			t.Errorf("%s: %s\n%s", e.where, wrong, e.text)
		}
	}
	if t.Failed() {
		t.Logf("exported: %v", slices.Sorted(maps.Keys(names)))
	}
}

// The check can fail.
func TestComplaints(t *testing.T) {
	names := map[string][]string{"ringway_a": {"space"}}
	for text, want := range map[string]int{
		`sum by (space) (rate(ringway_a{space="s"}[5m]))`: 0, `ringway_b`: 1, `up`: 1, `ringway_a{node="n"}`: 1,
		`sum by (node) (ringway_a)`: 1, `sum(ringway_a`: 1, `ringway_a{space=~"a|b",x!="y"}`: 1,
	} {
		if got := complaints(text, names); len(got) != want {
			t.Errorf("%s: %q", text, got)
		}
	}
}
