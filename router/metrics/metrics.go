package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/router"
)

// Source is a router: *router.Redis or *router.Memcached.
type Source interface {
	// Stats returns what is known of each node. It is called at each scrape, by
	// several goroutines if there are several scrapes.
	Stats() []router.NodeStats
}

// Config says how the metrics are named. The zero value is fine for a program
// with one router.
type Config struct {
	// Labels are added to every metric; a program with several routers tells
	// them apart by one: {"fleet": "sessions"}.
	Labels prometheus.Labels
}

// Collector is a prometheus.Collector for one router. It is safe for concurrent
// use.
type Collector struct {
	source Source

	info, operations, errors, duration, inFlight, breaker, connections, poolTimeouts *prometheus.Desc
}

var _ prometheus.Collector = (*Collector)(nil)

// New returns a collector, which has to be registered: once a router and set of
// labels. Registering it is where bad labels are reported.
func New(source Source, cfg Config) *Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ringway_node_"+name, help, append([]string{"node"}, labels...), cfg.Labels)
	}
	return &Collector{
		source:       source,
		info:         desc("info", "The nodes of the fleet.", "address", "zone"),
		operations:   desc("operations_total", "Commands and pipelines sent to the node."),
		errors:       desc("errors_total", "Operations that failed, by kind; the refused ones were not sent.", "kind"),
		duration:     desc("duration_seconds", "Time until the answer, blocking commands left out."),
		inFlight:     desc("in_flight", "Operations not answered yet."),
		breaker:      desc("breaker_state", "1 for the state that the node's circuit breaker is in.", "state"),
		connections:  desc("connections", "Connections of the node's pool.", "state"),
		poolTimeouts: desc("pool_timeouts_total", "Waits for a connection that ended without one."),
	}
}

// Describe implements prometheus.Collector. What it says never changes.
func (c *Collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.info, c.operations, c.errors, c.duration, c.inFlight, c.breaker, c.connections, c.poolTimeouts} {
		to <- d
	}
}

// Collect implements prometheus.Collector: one snapshot of the router.
func (c *Collector) Collect(to chan<- prometheus.Metric) {
	for _, n := range c.source.Stats() {
		c.collectNode(to, n)
	}
}

var breakerStates = []string{"closed", "half-open", "open"}

func (c *Collector) collectNode(to chan<- prometheus.Metric, n router.NodeStats) {
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), append([]string{n.Node}, labels...)...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, append([]string{n.Node}, labels...)...)
	}
	gauge(c.info, 1, n.Address, n.Zone)
	counter(c.operations, n.Operations)
	counter(c.errors, n.Errors.Network, "network")
	counter(c.errors, n.Errors.Timeout, "timeout")
	counter(c.errors, n.Errors.Refused, "refused")
	counter(c.errors, n.Errors.Replies, "reply")
	counter(c.errors, n.Errors.Canceled, "canceled")
	counter(c.errors, n.Errors.Local, "local")
	gauge(c.inFlight, float64(n.InFlight))
	for _, state := range breakerStates {
		value := 0.0
		if n.Breaker == state {
			value = 1
		}
		gauge(c.breaker, value, state)
	}
	gauge(c.connections, float64(n.IdleConns), "idle")
	gauge(c.connections, float64(n.OpenConns-min(n.IdleConns, n.OpenConns)), "used")
	counter(c.poolTimeouts, uint64(n.PoolTimeouts))
	to <- c.histogram(n)
}

// histogram turns counts by bucket into the cumulative ones of Prometheus.
func (c *Collector) histogram(n router.NodeStats) prometheus.Metric {
	buckets, seen := make(map[float64]uint64), uint64(0)
	for i, count := range n.Latency.Counts {
		seen += count
		if bound := n.Latency.Bound(i); bound > 0 {
			buckets[bound.Seconds()] = seen
		}
	}
	return prometheus.MustNewConstHistogram(c.duration, seen, n.Latency.Sum.Seconds(), buckets, n.Node)
}
