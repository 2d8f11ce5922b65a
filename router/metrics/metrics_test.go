package metrics

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixed is a router whose statistics are given.
type fixed []router.NodeStats

func (f fixed) Stats() []router.NodeStats { return f }

func TestMetrics(t *testing.T) {
	n := router.NodeStats{
		Node: "a", Address: "10.0.0.1:6379", Zone: "z", Operations: 7, InFlight: 2, Breaker: "half-open",
		Errors:    router.ErrorCounts{Network: 1, Timeout: 2, Refused: 3, Replies: 4, Canceled: 5, Local: 6},
		OpenConns: 9, IdleConns: 4, PoolTimeouts: 6,
	}
	n.Latency.Counts[0], n.Latency.Counts[1], n.Latency.Counts[len(n.Latency.Counts)-1] = 3, 2, 1
	n.Latency.Sum = 1500 * time.Millisecond
	c := New(fixed{n}, Config{Labels: prometheus.Labels{"fleet": "f"}})
	const want = `
# HELP ringway_node_breaker_state 1 for the state that the node's circuit breaker is in.
# TYPE ringway_node_breaker_state gauge
ringway_node_breaker_state{fleet="f",node="a",state="closed"} 0
ringway_node_breaker_state{fleet="f",node="a",state="half-open"} 1
ringway_node_breaker_state{fleet="f",node="a",state="open"} 0
# HELP ringway_node_connections Connections of the node's pool.
# TYPE ringway_node_connections gauge
ringway_node_connections{fleet="f",node="a",state="idle"} 4
ringway_node_connections{fleet="f",node="a",state="used"} 5
# HELP ringway_node_errors_total Operations that failed, by kind; the refused ones were not sent.
# TYPE ringway_node_errors_total counter
ringway_node_errors_total{fleet="f",kind="canceled",node="a"} 5
ringway_node_errors_total{fleet="f",kind="local",node="a"} 6
ringway_node_errors_total{fleet="f",kind="network",node="a"} 1
ringway_node_errors_total{fleet="f",kind="refused",node="a"} 3
ringway_node_errors_total{fleet="f",kind="reply",node="a"} 4
ringway_node_errors_total{fleet="f",kind="timeout",node="a"} 2
# HELP ringway_node_in_flight Operations not answered yet.
# TYPE ringway_node_in_flight gauge
ringway_node_in_flight{fleet="f",node="a"} 2
# HELP ringway_node_info The nodes of the fleet.
# TYPE ringway_node_info gauge
ringway_node_info{address="10.0.0.1:6379",fleet="f",node="a",zone="z"} 1
# HELP ringway_node_operations_total Commands and pipelines sent to the node.
# TYPE ringway_node_operations_total counter
ringway_node_operations_total{fleet="f",node="a"} 7
# HELP ringway_node_pool_timeouts_total Waits for a connection that ended without one.
# TYPE ringway_node_pool_timeouts_total counter
ringway_node_pool_timeouts_total{fleet="f",node="a"} 6
`
	names := []string{
		"ringway_node_breaker_state", "ringway_node_connections", "ringway_node_errors_total", "ringway_node_in_flight",
		"ringway_node_info", "ringway_node_operations_total", "ringway_node_pool_timeouts_total",
	}
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	problems, err := testutil.CollectAndLint(c)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
}

func TestHistogramIsCumulative(t *testing.T) {
	n := router.NodeStats{Node: "a"}
	n.Latency.Counts[0], n.Latency.Counts[1], n.Latency.Counts[len(n.Latency.Counts)-1] = 3, 2, 1
	n.Latency.Sum = 1500 * time.Millisecond
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(New(fixed{n}, Config{}))
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "ringway_node_duration_seconds" {
			continue
		}
		h := f.GetMetric()[0].GetHistogram()
		if h.GetSampleCount() != 6 || h.GetSampleSum() != 1.5 {
			t.Errorf("count %d, sum %v", h.GetSampleCount(), h.GetSampleSum())
		}
		b := h.GetBucket()
		if b[0].GetUpperBound() != 8e-6 || b[0].GetCumulativeCount() != 3 || b[1].GetUpperBound() != 16e-6 || b[1].GetCumulativeCount() != 5 ||
			b[len(b)-1].GetCumulativeCount() != 5 { // the sixth is beyond the last bound
			t.Errorf("buckets %v", b)
		}
		return
	}
	t.Error("no histogram")
}

func TestOfARouter(t *testing.T) {
	source, err := membership.Static(membership.Member{ID: "a", Address: servertest.Redis(t).Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r, err := router.NewRedis(context.Background(), router.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for range 5 {
		if err := r.Set(t.Context(), "k", 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	const want = `
# HELP ringway_node_operations_total Commands and pipelines sent to the node.
# TYPE ringway_node_operations_total counter
ringway_node_operations_total{node="a"} 5
`
	if err := testutil.CollectAndCompare(New(r, Config{}), strings.NewReader(want), "ringway_node_operations_total"); err != nil {
		t.Error(err)
	}
}
