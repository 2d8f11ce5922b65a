package metrics

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed is a manager whose statistics are given.
type fixed []cache.SpaceStats

func (f fixed) Stats() []cache.SpaceStats { return f }

type key string

func (k key) AppendKey(b *cache.KeyBuilder) { b.String(string(k)) }

func redisOf(t *testing.T, addresses ...string) *router.Redis {
	t.Helper()
	r, err := router.NewRedis(context.Background(), router.Config{Source: sourceOf(t, membership.Redis, addresses...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	return r
}

func memcachedOf(t *testing.T, addresses ...string) *router.Memcached {
	t.Helper()
	m, err := router.NewMemcached(context.Background(), router.Config{Source: sourceOf(t, membership.Memcached, addresses...)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	return m
}

func sourceOf(t *testing.T, kind membership.Kind, addresses ...string) membership.Source {
	t.Helper()
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: string(rune('a' + i)), Kind: kind, Address: address})
	}
	source, err := membership.Static(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = source.Close() })
	return source
}

// eventually polls until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// gathered is what a scrape shows: values by name and labels, as "name{a=1,b=2}".
func gathered(t *testing.T, collectors ...prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(collectors...)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name, separator := f.GetName()+"{", ""
			for _, l := range m.GetLabel() {
				name += separator + l.GetName() + "=" + l.GetValue()
				separator = ","
			}
			switch {
			case m.GetHistogram() != nil:
				values[name+"}"] = float64(m.GetHistogram().GetSampleCount())
			case m.GetCounter() != nil:
				values[name+"}"] = m.GetCounter().GetValue()
			default:
				values[name+"}"] = m.GetGauge().GetValue()
			}
		}
	}
	return values
}

func lint(t *testing.T, c prometheus.Collector) {
	t.Helper()
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}
