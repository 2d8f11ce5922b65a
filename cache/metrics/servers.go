package metrics

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/memcache"
)

// RedisFleet is a *router.Redis.
type RedisFleet interface {
	ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *redis.Client) error) error
}

// MemcachedFleet is a *router.Memcached.
type MemcachedFleet interface {
	ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *memcache.Client) error) error
}

// ServersConfig says which servers are asked. One of the fleets is required.
type ServersConfig struct {
	Redis     RedisFleet     // is asked by INFO
	Memcached MemcachedFleet // is asked by stats

	// Timeout is how long a scrape waits for all servers, which are asked at the
	// same time; 0 means 1 s. One that has not answered by then has only
	// ringway_server_up, 0.
	Timeout time.Duration

	Labels prometheus.Labels // are added to every metric
}

// Servers is a prometheus.Collector of what servers say of themselves: one
// exchange with each at each scrape. One process of a fleet need have it. It is
// safe for concurrent use.
type Servers struct {
	cfg ServersConfig

	up, evicted, expired, memory, limit, replicas, online, lagBytes, lagSeconds *prometheus.Desc
}

var _ prometheus.Collector = (*Servers)(nil)

// NewServers returns a collector, which has to be registered.
func NewServers(cfg ServersConfig) *Servers {
	if cfg.Timeout <= 0 {
		cfg.Timeout = time.Second
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("ringway_server_"+name, help, append([]string{"node"}, labels...), cfg.Labels)
	}
	return &Servers{
		cfg:        cfg,
		up:         desc("up", "1 if the server answered."),
		evicted:    desc("evicted_keys_total", "Keys that the server threw out for want of memory."),
		expired:    desc("expired_keys_total", "Keys whose time to live was over."),
		memory:     desc("memory_bytes", "Memory that the server uses."),
		limit:      desc("memory_limit_bytes", "Memory that the server may use; 0: there is no limit."),
		replicas:   desc("replicas", "Replicas that follow the server."),
		online:     desc("replica_online", "1 if the replica follows, 0 while it is being given everything.", "replica"),
		lagBytes:   desc("replica_lag_bytes", "What the replica has not confirmed yet.", "replica"),
		lagSeconds: desc("replica_lag_seconds", "Time since the replica confirmed something.", "replica"),
	}
}

// Describe implements prometheus.Collector.
func (s *Servers) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{s.up, s.evicted, s.expired, s.memory, s.limit, s.replicas, s.online, s.lagBytes, s.lagSeconds} {
		to <- d
	}
}

// Collect implements prometheus.Collector: it asks all servers at once.
func (s *Servers) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	var fleets sync.WaitGroup
	defer fleets.Wait()
	if s.cfg.Redis != nil {
		fleets.Go(func() {
			// What failed is told by up.
			_ = s.cfg.Redis.ForEachNode(ctx, func(ctx context.Context, id string, client *redis.Client) error {
				text, err := client.Info(ctx).Result()
				s.redis(to, id, infoOf(text), err)
				return nil
			})
		})
	}
	if s.cfg.Memcached != nil {
		fleets.Go(func() {
			_ = s.cfg.Memcached.ForEachNode(ctx, func(ctx context.Context, id string, client *memcache.Client) error {
				stats, err := client.ServerStats(ctx, "")
				s.memcached(to, id, stats, err)
				return nil
			})
		})
	}
}

// infoOf returns the fields of a reply to INFO.
func infoOf(text string) map[string]string {
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(strings.TrimRight(line, "\r\n"), ":"); found {
			fields[name] = value
		}
	}
	return fields
}

// number sends a field as a metric, unless it is no number.
func number(to chan<- prometheus.Metric, d *prometheus.Desc, kind prometheus.ValueType, field string, labels ...string) {
	if n, err := strconv.ParseUint(field, 10, 64); err == nil {
		to <- prometheus.MustNewConstMetric(d, kind, float64(n), labels...)
	}
}

func (s *Servers) answered(to chan<- prometheus.Metric, node string, err error) bool {
	up := 1.0
	if err != nil {
		up = 0
	}
	to <- prometheus.MustNewConstMetric(s.up, prometheus.GaugeValue, up, node)
	return err == nil
}

func (s *Servers) memcached(to chan<- prometheus.Metric, node string, stats map[string]string, err error) {
	if !s.answered(to, node, err) {
		return
	}
	number(to, s.evicted, prometheus.CounterValue, stats["evictions"], node)
	number(to, s.expired, prometheus.CounterValue, stats["reclaimed"], node)
	number(to, s.memory, prometheus.GaugeValue, stats["bytes"], node)
	number(to, s.limit, prometheus.GaugeValue, stats["limit_maxbytes"], node)
}

func (s *Servers) redis(to chan<- prometheus.Metric, node string, info map[string]string, err error) {
	if !s.answered(to, node, err) {
		return
	}
	number(to, s.evicted, prometheus.CounterValue, info["evicted_keys"], node)
	number(to, s.expired, prometheus.CounterValue, info["expired_keys"], node)
	number(to, s.memory, prometheus.GaugeValue, info["used_memory"], node)
	number(to, s.limit, prometheus.GaugeValue, info["maxmemory"], node)
	number(to, s.replicas, prometheus.GaugeValue, info["connected_slaves"], node)
	offset, err := strconv.ParseInt(info["master_repl_offset"], 10, 64)
	if err != nil {
		return
	}
	for _, r := range replicasOf(info) {
		online := 0.0
		if r.online {
			online = 1
		}
		to <- prometheus.MustNewConstMetric(s.online, prometheus.GaugeValue, online, node, r.address)
		to <- prometheus.MustNewConstMetric(s.lagBytes, prometheus.GaugeValue, float64(max(0, offset-r.offset)), node, r.address)
		to <- prometheus.MustNewConstMetric(s.lagSeconds, prometheus.GaugeValue, float64(r.lag), node, r.address)
	}
}

// replica is what a Redis says of one that follows it.
type replica struct {
	address string
	online  bool
	offset  int64 // what it has confirmed
	lag     int64 // seconds
}

// maxReplicas bounds what a server can say of itself.
const maxReplicas = 1000

// replicasOf reads slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=0 and
// those after it. What it does not understand it leaves out.
func replicasOf(info map[string]string) (all []replica) {
	seen := make(map[string]bool)
	for i := range maxReplicas {
		line, found := info["slave"+strconv.Itoa(i)]
		if !found {
			break
		}
		fields := make(map[string]string)
		for field := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(field, "=")
			fields[name] = value
		}
		r := replica{address: fields["ip"] + ":" + fields["port"], online: fields["state"] == "online"}
		var err1, err2 error
		r.offset, err1 = strconv.ParseInt(fields["offset"], 10, 64)
		r.lag, err2 = strconv.ParseInt(fields["lag"], 10, 64)
		if err1 != nil || err2 != nil || seen[r.address] || !valid(r.address) {
			continue
		}
		seen[r.address] = true
		all = append(all, r)
	}
	return all
}
