package agent

import (
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ringway/ringway/membership"
)

// counters count what the agent itself does and sees.
type counters struct {
	probes, probesFailed atomic.Int64
	probeNanoseconds     atomic.Int64 // of the last probe
	purged, swept        atomic.Int64 // keys
	moves                moveCounters

	mu          sync.Mutex                 // guards what follows
	transitions map[membership.Kind]int64  // seen
	last        map[membership.Kind]uint64 // number of the last one
}

func (c *counters) probed(took time.Duration, err error) {
	c.probes.Add(1)
	c.probeNanoseconds.Store(int64(took))
	if err != nil {
		c.probesFailed.Add(1)
	}
}

// note counts the transitions that a view tells of for the first time.
func (c *counters) note(v membership.View) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last, c.transitions = make(map[membership.Kind]uint64), make(map[membership.Kind]int64)
	}
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		if number, phase := v.Transition(kind); phase != membership.Stable && number != c.last[kind] {
			c.last[kind] = number
			c.transitions[kind]++
		}
	}
}

// seen returns how many transitions of a kind there were.
func (c *counters) seen(kind membership.Kind) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transitions[kind]
}

// collector is a prometheus.Collector: each scrape takes a snapshot.
type collector struct {
	agent *Agent
	descs map[string]*prometheus.Desc
}

// metricNames are those without the prefix, with what they say and their labels.
var metricNames = []struct {
	name, help string
	labels     []string
}{
	{"build_info", "The program.", []string{"version", "go_version"}},
	{"node_info", "The node that the agent speaks for.", []string{"id", "kind", "address", "zone"}},
	{"state", "1 for the state that the node is in.", []string{"state"}},
	{"healthy", "1 if the server answers its probes.", nil},
	{"ready", "1 if the node is ACTIVE and healthy.", nil},
	{"weight", "The node's weight.", nil},
	{"share", "The part of the hash space that the node owns, from 0 to 1.", nil},
	{"epoch", "Number of the fleet's rings.", nil},
	{"members", "Nodes of the fleet by kind and state; the state is UNHEALTHY or DEAD for those that are.", []string{"kind", "state"}},
	{"disagreeing_members", "Members whose ring has differed for longer than convergence takes.", nil},
	{"agreement", "1 if no member's ring differs.", nil},
	{"transition", "Number of the transition under way, 0 without one.", []string{"kind"}},
	{"transitions_total", "Transitions seen.", []string{"kind"}},
	{"ignored_messages_total", "Gossip that was not used.", []string{"reason"}},
	{"conflicts_total", "Times that two members were seen with one name.", nil},
	{"frozen", "1 if the agent evicts nobody, since it sees too few nodes of the ring.", nil},
	{"held", "1 if the agent goes by an older view, since the ring of the newest would have too many tokens.", nil},
	{"freezes_total", "Times that the agent began to evict nobody.", nil},
	{"ring_nodes", "Nodes that stay in the ring, both kinds together.", nil},
	{"ring_nodes_seen", "Those of them that the agent sees.", nil},
	{"evictions_total", "Evictions decided by this agent.", nil},
	{"rejoins_total", "Attempts to reach members that are not seen.", nil},
	{"probes_total", "Probes of the server.", []string{"result"}},
	{"probe_seconds", "Duration of the last probe.", nil},
	{"purged_keys_total", "Keys removed by purges.", nil},
	{"swept_keys_total", "Keys removed by sweeps.", nil},
	{"move_keys_total", "Keys copied to their new owners.", nil},
	{"move_bytes_total", "Bytes of values copied to their new owners, as they were sent.", nil},
	{"move_errors_total", "Hand-overs that failed.", nil},
	{"move_state", "1 for what the mover is doing.", []string{"state"}},
	{"move_pass", "Pass over the server's keys, from 1 on; 0 before the first hand-over.", nil},
	{"move_keys_left", "Keys that are left in the pass, estimated; absent while that is not known.", nil},
	{"move_seconds_left", "Time left at the present pace; absent while that is not known.", nil},
	{"move_keys_per_second", "Keys moved a second.", nil},
	{"move_bytes_per_second", "Bytes moved a second.", nil},
	{"move_pace", "1, or less while the mover spares a server that is slow.", nil},
	{"move_limit_keys_per_second", "Most keys a second, 0 for no limit.", nil},
	{"move_limit_bytes_per_second", "Most bytes a second, 0 for no limit.", nil},
}

func (a *Agent) newMetrics() http.Handler {
	c := &collector{agent: a, descs: make(map[string]*prometheus.Desc)}
	for _, m := range metricNames {
		c.descs[m.name] = prometheus.NewDesc("ringway_agent_"+m.name, m.help, m.labels, nil)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(c, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 10 * time.Second})
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	gauge := func(name string, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(c.descs[name], prometheus.GaugeValue, value, labels...)
	}
	counter := func(name string, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(c.descs[name], prometheus.CounterValue, value, labels...)
	}
	c.collectNode(gauge)
	c.collectFleet(gauge)
	c.collectCounters(gauge, counter)
	c.collectMoves(gauge, counter)
}

var nodeStates = []membership.State{
	membership.Joining, membership.Announced, membership.Importing, membership.Active,
	membership.Leaving, membership.Exporting, membership.Left,
}

type emit func(name string, value float64, labels ...string)

func (c *collector) collectNode(gauge emit) {
	s := c.agent.gossip.Status()
	gauge("build_info", 1, c.agent.cfg.Version, runtime.Version())
	gauge("node_info", 1, s.Node.ID, string(s.Node.Kind), s.Node.Address, s.Node.Zone)
	for _, state := range nodeStates {
		gauge("state", truth(s.Node.State == state), string(state))
	}
	gauge("healthy", truth(s.Healthy))
	gauge("ready", truth(notReady(s) == ""))
	gauge("weight", s.Node.Weight)
	gauge("frozen", truth(s.Freeze.On))
	gauge("held", truth(s.Held != nil))
	gauge("ring_nodes", float64(s.Freeze.Stay))
	gauge("ring_nodes_seen", float64(s.Freeze.Here))
	gauge("epoch", float64(s.Epoch))
}

func (c *collector) collectFleet(gauge emit) {
	p, _ := c.agent.board.read()
	if p == nil {
		return
	}
	counts := make(map[[2]string]int)
	for _, m := range p.view.Members {
		counts[[2]string{string(m.Kind), m.Status()}]++
	}
	for labels, n := range counts {
		gauge("members", float64(n), labels[0], labels[1])
	}
	gauge("share", p.shares()[c.agent.cfg.Gossip.Name])
	gauge("disagreeing_members", float64(len(p.view.Disagree)))
	gauge("agreement", truth(len(p.view.Disagree) == 0))
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		number, _ := p.view.Transition(kind)
		number, _ = membership.IsRollback(number)
		gauge("transition", float64(number), string(kind))
	}
}

func (c *collector) collectCounters(gauge, counter emit) {
	n, s := &c.agent.counters, c.agent.gossip.Stats()
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		counter("transitions_total", float64(n.seen(kind)), string(kind))
	}
	for reason, count := range s.Ignored {
		counter("ignored_messages_total", float64(count), reason)
	}
	counter("conflicts_total", float64(s.Conflicts))
	counter("evictions_total", float64(s.Evictions))
	counter("freezes_total", float64(s.Freezes))
	counter("rejoins_total", float64(s.Rejoins))
	failed := n.probesFailed.Load()
	counter("probes_total", float64(failed), "failed")
	counter("probes_total", float64(n.probes.Load()-failed), "answered")
	gauge("probe_seconds", time.Duration(n.probeNanoseconds.Load()).Seconds())
	counter("purged_keys_total", float64(n.purged.Load()))
	counter("swept_keys_total", float64(n.swept.Load()))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
