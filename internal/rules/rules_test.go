package rules

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

// Each alert fires on the series that the file has for it, with these labels and words,
// and neither before its time nor on others.
func TestAlertsFire(t *testing.T) {
	f := readTests(t)
	for _, g := range f.Tests {
		t.Run(strings.ReplaceAll(g.Name, " ", "_"), func(t *testing.T) { g.run(t, f) })
	}
}

// Each alert is seen firing, and seen not firing although it has series to look at.
func TestEveryAlertIsTested(t *testing.T) {
	f := readTests(t)
	fires, rests := make(map[string]bool), make(map[string]bool)
	for _, g := range f.Tests {
		for _, a := range g.Alerts {
			if len(a.Expected) > 0 {
				fires[a.Alert] = true
			} else {
				rests[a.Alert] = true
			}
		}
	}
	alerts := make(map[string]bool)
	for _, group := range load(t, f, nil) {
		for _, r := range group.Rules() {
			if _, ok := r.(*rules.AlertingRule); !ok {
				continue
			}
			alerts[r.Name()] = true
			if !fires[r.Name()] || !rests[r.Name()] {
				t.Errorf("%s: fires in a test: %t, does not in one: %t; want both", r.Name(), fires[r.Name()], rests[r.Name()])
			}
		}
	}
	for name := range fires {
		if !alerts[name] {
			t.Errorf("%s: tested, and no rule", name)
		}
	}
	if len(alerts) == 0 {
		t.Error("there are no alerts")
	}
}

// load reads the rules, to be asked of a loader's series; nil: to be looked at.
func load(t *testing.T, f testFile, series *promqltest.LazyLoader) []*rules.Group {
	t.Helper()
	options := &rules.ManagerOptions{
		Context:    context.Background(),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Logger:     slog.New(slog.DiscardHandler),
		Parser:     parser.NewParser(parser.Options{}),
	}
	if series != nil {
		options.QueryFunc = rules.EngineQueryFunc(series.QueryEngine(), series.Storage())
		options.Appendable = series.Storage()
	}
	byName, errs := rules.NewManager(options).LoadGroups(time.Duration(f.EvaluationInterval), labels.EmptyLabels(), "", nil, false, f.RuleFiles...)
	for _, err := range errs {
		t.Error(err)
	}
	if len(errs) > 0 {
		t.FailNow()
	}
	// Those that record come first in the file, and in the alphabet.
	var groups []*rules.Group
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		groups = append(groups, byName[name])
	}
	return groups
}

// run evaluates all rules from the beginning to the last time that is asked about.
func (g testGroup) run(t *testing.T, f testFile) {
	var text strings.Builder
	fmt.Fprintf(&text, "load %v\n", g.Interval)
	for _, s := range g.Series {
		fmt.Fprintf(&text, "  %s %s\n", s.Series, s.Values)
	}
	series, err := promqltest.NewLazyLoader(text.String(), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := series.Close(); err != nil {
			t.Error(err)
		}
	}()
	groups := load(t, f, series)
	var last time.Duration
	for _, a := range g.Alerts {
		if last = max(last, time.Duration(a.At)); time.Duration(a.At)%time.Duration(f.EvaluationInterval) != 0 {
			t.Fatalf("%s at %v: the rules are not evaluated then", a.Alert, a.At)
		}
	}
	for since := time.Duration(0); since <= last; since += time.Duration(f.EvaluationInterval) {
		evaluate(t, series, groups, time.Unix(0, 0).UTC().Add(since))
		for _, a := range g.Alerts {
			if time.Duration(a.At) == since {
				a.compare(t, groups)
			}
		}
	}
}

func evaluate(t *testing.T, series *promqltest.LazyLoader, groups []*rules.Group, at time.Time) {
	t.Helper()
	series.WithSamplesTill(at, func(err error) {
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			group.Eval(series.Context(), at)
			for _, r := range group.Rules() {
				if r.LastError() != nil {
					t.Fatalf("%s at %v: %v", r.Name(), at, r.LastError())
				}
			}
		}
	})
}

// compare holds what fires against what the test expects.
func (a alertTest) compare(t *testing.T, groups []*rules.Group) {
	t.Helper()
	var got, want []string
	for _, group := range groups {
		for _, r := range group.Rules() {
			rule, ok := r.(*rules.AlertingRule)
			if !ok || rule.Name() != a.Alert {
				continue
			}
			for _, active := range rule.ActiveAlerts() {
				if active.State == rules.StateFiring {
					got = append(got, active.Labels.String()+" "+active.Annotations.String())
				}
			}
		}
	}
	for _, e := range a.Expected {
		all := maps.Clone(e.Labels)
		all[labels.AlertName] = a.Alert
		want = append(want, labels.FromMap(all).String()+" "+labels.FromMap(e.Annotations).String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s at %v: fires\n%s\nwant\n%s", a.Alert, a.At, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
