package metrics

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/cache"
)

// SamplerConfig says how the entries of a fleet are sampled. Manager is required.
type SamplerConfig struct {
	Manager interface {
		Audit(ctx context.Context, cfg cache.AuditConfig) (cache.AuditReport, error)
	} // a *cache.Manager

	// Audit says what is looked at, and how fast: 0 means 1000 keys of each node
	// a sample, at 1000 a second.
	Audit cache.AuditConfig

	Every  time.Duration     // from one sample to the next; 0 means 5 min
	Labels prometheus.Labels // are added to every metric

	// OnError is told when a sample failed; nil: nobody is.
	OnError func(error)
}

// Sampler is a prometheus.Collector of how large entries are, how long they have to
// live, and what is wrong with them, by a sample of the fleet that Run takes now and
// then. One process of a fleet need have it. Between samples, and until the first,
// scrapes show the last one.
//
//	ringway_entries_size_bytes{space}        histogram of the sampled entries
//	ringway_entries_ttl_seconds{space}       histogram, those without an end left out
//	ringway_entries_sampled{space}           how many were looked at
//	ringway_entries_problems{space,problem}  no_ttl, unknown_schema, too_large,
//	                                         undecodable, wrong_identity
//	ringway_entries_sample_age_seconds       since the last sample
//
// The histograms are those of one sample: they do not grow, so that quantiles are
// computed without rate.
type Sampler struct {
	cfg SamplerConfig

	sizes, ttls, sampled, problems, age *prometheus.Desc

	mu     sync.Mutex // guards what follows
	report cache.AuditReport
	at     time.Time // zero: there is none yet
}

var _ prometheus.Collector = (*Sampler)(nil)

// NewSampler returns a sampler, which has to be registered, and Run. An error matches
// cache.ErrConfig.
func NewSampler(cfg SamplerConfig) (*Sampler, error) {
	if m := reflect.ValueOf(cfg.Manager); !m.IsValid() || m.Kind() == reflect.Pointer && m.IsNil() {
		return nil, fmt.Errorf("%w: sampler: Manager: nil (%T), want a manager", cache.ErrConfig, cfg.Manager)
	}
	if cfg.Every < 0 {
		return nil, fmt.Errorf("%w: sampler: Every: %v, want 0 or more", cache.ErrConfig, cfg.Every)
	}
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Minute
	}
	if cfg.Audit.Limit == 0 {
		cfg.Audit.Limit = 1000
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ringway_entries_"+name, help, labels, cfg.Labels)
	}
	return &Sampler{
		cfg:      cfg,
		sizes:    desc("size_bytes", "Sizes of sampled entries.", "space"),
		ttls:     desc("ttl_seconds", "What sampled entries have to live.", "space"),
		sampled:  desc("sampled", "Entries in the last sample.", "space"),
		problems: desc("problems", "Entries in the last sample that something is wrong with.", "space", "problem"),
		age:      desc("sample_age_seconds", "Time since the last sample."),
	}, nil
}

// Run takes samples until ctx ends, the first at once.
func (s *Sampler) Run(ctx context.Context) {
	tick := time.NewTicker(s.cfg.Every)
	defer tick.Stop()
	for {
		if err := s.Sample(ctx); err != nil && ctx.Err() == nil && s.cfg.OnError != nil {
			s.cfg.OnError(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Sample takes one sample. Where it fails the last one stays.
func (s *Sampler) Sample(ctx context.Context) error {
	report, err := s.cfg.Manager.Audit(ctx, s.cfg.Audit)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report, s.at = report, time.Now()
	return nil
}

// Describe implements prometheus.Collector.
func (s *Sampler) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.sizes, s.ttls, s.sampled, s.problems, s.age} {
		to <- d
	}
}

// Collect implements prometheus.Collector. It asks nobody.
func (s *Sampler) Collect(to chan<- prometheus.Metric) {
	s.mu.Lock()
	report, at := s.report, s.at
	s.mu.Unlock()
	if at.IsZero() {
		return
	}
	to <- prometheus.MustNewConstMetric(s.age, prometheus.GaugeValue, max(0, time.Since(at).Seconds()))
	for _, space := range report.Spaces {
		s.collect(to, space)
	}
}

var problemLabels = map[cache.Problem]string{
	cache.NoTTL: "no_ttl", cache.UnknownSchema: "unknown_schema", cache.TooLarge: "too_large",
	cache.Undecodable: "undecodable", cache.WrongIdentity: "wrong_identity",
}

func (s *Sampler) collect(to chan<- prometheus.Metric, space cache.SpaceAudit) {
	to <- prometheus.MustNewConstMetric(s.sampled, prometheus.GaugeValue, float64(space.Entries), space.Space)
	for _, p := range cache.Problems() {
		to <- prometheus.MustNewConstMetric(s.problems, prometheus.GaugeValue, float64(space.Problems[p]), space.Space, problemLabels[p])
	}
	sizes := make([]float64, len(cache.SizeBounds()))
	for i, b := range cache.SizeBounds() {
		sizes[i] = float64(b)
	}
	buckets, seen := cumulative(sizes, space.Sizes)
	to <- prometheus.MustNewConstHistogram(s.sizes, seen, float64(space.Bytes), buckets, space.Space)
	ttls, sum := make([]float64, len(cache.TTLBounds())), 0.0
	for i, b := range cache.TTLBounds() {
		ttls[i] = b.Seconds()
		sum += b.Seconds() * float64(space.TTLs[i]) // an upper bound, as all that is known
	}
	buckets, seen = cumulative(ttls, space.TTLs)
	to <- prometheus.MustNewConstHistogram(s.ttls, seen, sum, buckets, space.Space)
}

// cumulative turns counts by bucket into the cumulative ones of Prometheus.
func cumulative(bounds []float64, counts []int) (buckets map[float64]uint64, seen uint64) {
	buckets = make(map[float64]uint64, len(bounds))
	for i, n := range counts {
		seen += uint64(n)
		if i < len(bounds) {
			buckets[bounds[i]] = seen
		}
	}
	return buckets, seen
}
