package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/cache"
)

// Source is a *cache.Manager.
type Source interface {
	// Stats returns what is known of each space. It is called at each scrape, by
	// several goroutines if there are several scrapes.
	Stats() []cache.SpaceStats
}

// Config says how the metrics are named. The zero value is fine for a program
// with one manager.
type Config struct {
	// Labels are added to every metric: of a program with several managers, and
	// for its version, {"version": "1.4.0"}.
	Labels prometheus.Labels
}

// Collector is a prometheus.Collector for one manager. It is safe for concurrent
// use.
type Collector struct {
	source Source
	counts []desc
	gauges []desc
}

type desc struct {
	*prometheus.Desc
	metric
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector, which has to be registered: once a manager and set of
// labels. Registering it is where bad labels are reported.
func New(source Source, cfg Config) *Collector {
	return &Collector{source: source, counts: descs(allCounts(), cfg.Labels), gauges: descs(allGauges(), cfg.Labels)}
}

func allCounts() []metric { return slices.Concat(counts, more) }
func allGauges() []metric { return slices.Concat(gauges, queues) }

// descs makes one description of metrics of the same name.
func descs(metrics []metric, labels prometheus.Labels) []desc {
	made := make(map[string]*prometheus.Desc)
	all := make([]desc, len(metrics))
	for i, m := range metrics {
		if made[m.name] == nil {
			names := []string{"space"}
			if m.label != "" {
				names = append(names, m.label)
			}
			made[m.name] = prometheus.NewDesc(prefix+m.name, m.help, names, labels)
		}
		all[i] = desc{made[m.name], m}
	}
	return all
}

// Describe implements prometheus.Collector. What it says never changes.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	seen := make(map[*prometheus.Desc]bool)
	for _, ds := range [][]desc{c.counts, c.gauges} {
		for _, d := range ds {
			if !seen[d.Desc] {
				seen[d.Desc] = true
				to <- d.Desc
			}
		}
	}
}

// Collect implements prometheus.Collector: one look at the manager.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, s := range c.source.Stats() {
		for _, d := range c.counts {
			d.collect(to, prometheus.CounterValue, s)
		}
		for _, d := range c.gauges {
			d.collect(to, prometheus.GaugeValue, s)
		}
	}
}

func (d desc) collect(to chan<- prometheus.Metric, kind prometheus.ValueType, s cache.SpaceStats) {
	if d.level1 && s.L1.MaxBytes == 0 {
		return // it has no such level
	}
	labels := []string{s.Space}
	if d.label != "" {
		labels = append(labels, d.is)
	}
	to <- prometheus.MustNewConstMetric(d.Desc, kind, d.value(s), labels...)
}

// Names returns the names of all metrics that a Collector has, in their order.
func Names() []string {
	var names []string
	for _, m := range slices.Concat(allCounts(), allGauges()) {
		if !slices.Contains(names, prefix+m.name) {
			names = append(names, prefix+m.name)
		}
	}
	return names
}
