package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/cache"
)

// Latency is a cache.Observer that keeps a histogram of each operation of each
// space, and a prometheus.Collector of them. It is safe for concurrent use. To
// observe costs some 100 ns, and allocates nothing.
type Latency struct {
	histograms *prometheus.HistogramVec
	known      sync.Map // of observed to prometheus.Observer
}

var (
	_ cache.Observer       = (*Latency)(nil)
	_ prometheus.Collector = (*Latency)(nil)
)

// observed tells the histograms apart.
type observed struct {
	space string
	op    cache.Operation
}

// Buckets are the upper bounds in seconds: 1 µs to 8.4 s, each twice the one
// before. A quantile that is computed of them is off by less than a factor of two.
func Buckets() []float64 { return prometheus.ExponentialBuckets(1e-6, 2, 24) }

// NewLatency returns an observer for cache.ManagerConfig, which has to be
// registered too. Several managers may share it.
func NewLatency(cfg Config) *Latency {
	return &Latency{histograms: prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: prefix + "operation_seconds", Help: "Time that operations took.",
		ConstLabels: cfg.Labels, Buckets: Buckets(),
	}, []string{"space", "operation"})}
}

// Observe implements cache.Observer.
func (l *Latency) Observe(space string, op cache.Operation, took time.Duration, _ cache.Outcome) {
	key := observed{space, op}
	h, known := l.known.Load(key)
	if !known {
		h, _ = l.known.LoadOrStore(key, l.histograms.WithLabelValues(space, op.String()))
	}
	h.(prometheus.Observer).Observe(took.Seconds())
}

// Describe implements prometheus.Collector.
func (l *Latency) Describe(to chan<- *prometheus.Desc) { l.histograms.Describe(to) }

// Collect implements prometheus.Collector.
func (l *Latency) Collect(to chan<- prometheus.Metric) { l.histograms.Collect(to) }
