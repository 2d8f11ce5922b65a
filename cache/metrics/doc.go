// Package metrics offers what package cache knows of its spaces, and what the
// servers below say of themselves, to Prometheus.
//
//	latency := metrics.NewLatency(metrics.Config{})
//	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client), Observer: latency})
//	registry.MustRegister(latency, metrics.New(m, metrics.Config{}),
//		metrics.NewServers(metrics.ServersConfig{Redis: client}))
//
// Breakers, errors and latencies of each node are those of router/metrics, which
// goes beside it. Nothing runs between scrapes but a [Sampler], if there is one.
//
// Of a manager, with the label space ("svc:user/3", name and schema) on each:
//
//	ringway_cache_requests_total                keys asked for
//	ringway_cache_hits_total{level}             of them there and fresh: l1, l2, negative
//	                                            (remembered not to exist), filter (refused)
//	ringway_cache_misses_total{level}           of them not: l1, l2
//	ringway_cache_…                             the other counts of cache.Stats: [Names]
//	ringway_cache_l1_entries, _bytes, _max_bytes
//	ringway_cache_l1_evictions_total, _evicted_bytes_total
//	ringway_cache_operation_seconds{operation}  histogram, of [Latency]: get, get_many, put,
//	                                            invalidate, l1, lookup, lease, load, store
//
// Of servers, with the label node:
//
//	ringway_server_up                           1 if it answered
//	ringway_server_evicted_keys_total, _expired_keys_total
//	ringway_server_memory_bytes, _memory_limit_bytes   limit 0: there is none
//	ringway_server_replicas                     replicas that follow it; Redis only
//	ringway_server_replica_online{replica}      1 if that one is up to date or catching up
//	ringway_server_replica_lag_bytes{replica}   what it has not confirmed yet
//	ringway_server_replica_lag_seconds{replica} since it confirmed something
//
// Of entries, by a sample of the fleet, with the label space: see [Sampler].
//
// # Two versions side by side
//
// A program that is rolled out to a part of the fleet first has its version in
// Config.Labels: {"version": "1.4.0"}. The rules under docs/dashboards compare the
// hit rates of versions.
package metrics
