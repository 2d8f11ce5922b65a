// Package metrics offers what a router knows of its nodes to Prometheus.
//
//	registry.MustRegister(metrics.New(client, metrics.Config{}))
//
// The client is a *router.Redis or a *router.Memcached; a program with several
// gives each a label of its own.
//
// It is a collector of its own, so that package router does not depend on the
// Prometheus client. Nothing runs between scrapes: each one takes a snapshot.
//
// Every metric has the label node, the node's ID:
//
//	ringway_node_info{node,address,zone}              1
//	ringway_node_operations_total{node}               commands and pipelines sent
//	ringway_node_errors_total{node,kind}              of them failed: network, timeout,
//	                                                  reply, canceled; and refused and
//	                                                  local, which were not sent
//	ringway_node_duration_seconds{node}               histogram, blocking commands left out
//	ringway_node_in_flight{node}                      operations not answered yet
//	ringway_node_breaker_state{node,state}            1 for the state that it is in: closed,
//	                                                  half-open, open
//	ringway_node_connections{node,state}              of the pool: idle, used
//	ringway_node_pool_timeouts_total{node}            waits for a connection that ended
//	                                                  without one
//
// The connections of memcached are shared by all callers: they count as used, and
// there are no pool timeouts.
//
// Counters begin at 0 when a node gets another address, as they do when the
// program starts. A node that leaves the fleet is no longer reported.
package metrics
