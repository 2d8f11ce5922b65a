package metrics

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/ringway/ringway/cache"
)

// leftOut are the fields of cache.Stats that are no metric, and why.
var leftOut = map[string]string{
	"InvalidationRate": "rate(ringway_cache_invalidations_total[1m]) says so, over any time",
	"Behind.Left":      "a manager that is closed has no metrics, and before it is 0: see Space.Stats",
}

// numbers calls f with each number of a structure, and of those in it.
func numbers(name string, v reflect.Value, f func(name string, v reflect.Value)) {
	if v.Kind() != reflect.Struct {
		f(name, v)
		return
	}
	for i := range v.NumField() {
		numbers(strings.TrimPrefix(name+"."+v.Type().Field(i).Name, "."), v.Field(i), f)
	}
}

// Every number of cache.Stats and cache.L1Stats is exported: what is added there is
// missed here, unless it is left out on purpose.
func TestEveryNumberIsExported(t *testing.T) {
	one := cache.SpaceStats{Space: "s", L1: cache.L1Stats{MaxBytes: 1}}
	before := gathered(t, New(fixed{one}, Config{}))
	judge := func(name string, v reflect.Value) {
		old := reflect.ValueOf(v.Interface())
		switch v.Kind() {
		case reflect.Uint64:
			v.SetUint(77)
		case reflect.Int, reflect.Int64:
			v.SetInt(77)
		case reflect.Float64:
			v.SetFloat(77)
		default:
			t.Errorf("%s is a %s: want a number, or a place in leftOut", name, v.Kind())
			return
		}
		exported := !maps.Equal(before, gathered(t, New(fixed{one}, Config{})))
		if v.Set(old); exported == (leftOut[name] != "") {
			t.Errorf("%s is exported: %v; want it in the table, or in leftOut with a reason", name, exported)
		}
	}
	numbers("", reflect.ValueOf(&one.Stats).Elem(), judge)
	numbers("", reflect.ValueOf(&one.L1).Elem(), judge)
}

func TestMetrics(t *testing.T) {
	one := cache.SpaceStats{Space: "user/3", L1: cache.L1Stats{Entries: 5, Bytes: 6, MaxBytes: 7, Evictions: 8, EvictedBytes: 9},
		Stats: cache.Stats{L1Hits: 10, Lookups: 5, L2Hits: 3, NegativeHits: 1, Misses: 1, Corrupt: 4}}
	without := cache.SpaceStats{Space: "plain/0", Stats: cache.Stats{Lookups: 2, L2Hits: 2}}
	c := New(fixed{one, without}, Config{Labels: prometheus.Labels{"version": "1.4"}})
	got := gathered(t, c)
	for name, want := range map[string]float64{
		"requests_total{space=user/3,version=1.4}":                        15,
		"hits_total{level=l1,space=user/3,version=1.4}":                   10,
		"misses_total{level=l1,space=user/3,version=1.4}":                 5,
		"hits_total{level=l2,space=user/3,version=1.4}":                   3,
		"hits_total{level=negative,space=user/3,version=1.4}":             1,
		"misses_total{level=l2,space=user/3,version=1.4}":                 1,
		"useless_entries_total{reason=corrupt,space=user/3,version=1.4}":  4,
		"l1_entries{space=user/3,version=1.4}":                            5,
		"l1_bytes{space=user/3,version=1.4}":                              6,
		"l1_max_bytes{space=user/3,version=1.4}":                          7,
		"l1_evictions_total{space=user/3,version=1.4}":                    8,
		"l1_evicted_bytes_total{space=user/3,version=1.4}":                9,
		"requests_total{space=plain/0,version=1.4}":                       2,
		"useless_entries_total{reason=corrupt,space=plain/0,version=1.4}": 0,
	} {
		if value, found := got["ringway_cache_"+name]; !found || value != want {
			t.Errorf("%s: %v (%v), want %v", name, value, found, want)
		}
	}
	for _, name := range []string{"l1_entries{space=plain/0,version=1.4}", "hits_total{level=l1,space=plain/0,version=1.4}"} {
		if _, found := got["ringway_cache_"+name]; found {
			t.Errorf("%s of a space without level 1", name)
		}
	}
	lint(t, c)
	if !slices.Contains(Names(), "ringway_cache_requests_total") {
		t.Errorf("names: %v", Names())
	}
}

func TestLatency(t *testing.T) {
	l := NewLatency(Config{})
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.NewMemory(), Observer: l})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := cache.NewSpace(m, cache.SpaceConfig[key, int]{Name: "n", L1: cache.L1Config{MaxBytes: 1 << 20},
		Load: cache.Plain(func(context.Context, key) (int, error) { return 1, nil })})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, _, err := s.Get(t.Context(), "k"); err != nil {
			t.Fatal(err)
		}
	}
	got := gathered(t, l, New(m, Config{}))
	for name, want := range map[string]float64{
		"operation_seconds{operation=get,space=n/0}": 10, "operation_seconds{operation=l1,space=n/0}": 10,
		"operation_seconds{operation=load,space=n/0}": 1, "operation_seconds{operation=store,space=n/0}": 1,
		"operation_seconds{operation=lookup,space=n/0}": 1, "requests_total{space=n/0}": 10,
		"hits_total{level=l1,space=n/0}": 9, "misses_total{level=l2,space=n/0}": 1,
	} {
		if got["ringway_cache_"+name] != want {
			t.Errorf("%s: %v, want %v", name, got["ringway_cache_"+name], want)
		}
	}
	lint(t, l)
	if n := testing.AllocsPerRun(100, func() { l.Observe("n/0", cache.OpGet, time.Millisecond, cache.Outcome{}) }); n > 1 {
		t.Errorf("Observe allocates %v times", n)
	}
	// The 95th percentile of what took 1 ms is told within a factor of two.
	bounds := Buckets()
	i, _ := slices.BinarySearch(bounds, 0.001)
	if bounds[i] > 0.002 || bounds[0] > 1e-6 || bounds[len(bounds)-1] < 3 {
		t.Errorf("buckets %v", bounds)
	}
}
