// Package agent is the process beside a data server that speaks for it in the
// fleet: it puts together the server (package dataserver), the gossip (package
// membership/gossip), the mover (package rebalance), and the HTTP interface by
// which clients and operators ask. While keys come to its node it holds up the
// fence that lets the movers of other nodes in.
//
//	GET  /v1/ring     the fleet's rings; ?after=EPOCH waits for news (see agentapi)
//	GET  /v1/members  who is in the fleet, for people
//	GET  /healthz     200 while the process is well
//	GET  /readyz      200 while the node is ACTIVE and its server answers, else 503
//	                  with the reason
//	GET  /metrics     for Prometheus
//	GET  /v1/rebalance  how far the node's mover is
//	POST /v1/rebalance  {"pause": true, "keys_per_second": 1000, …}: for the mover;
//	                  {"abort": true}: take the fleet back to the ring before; 202
//	POST /v1/leave    hand the keys over and end; 202
//	POST /v1/weight   {"id": "cache-a", "weight": 2}: take another share of the keys; 202
//
// An order is for the agent's own node. One with the ID of another is refused (421),
// with where that one's agent answers.
//
// Those that change something need the agent's token, or where it has none a
// connection from this machine: see guard.
//
// [New] opens everything, [Agent.Run] returns when the node has left or cannot
// join, and [Agent.Leave] makes it leave.
package agent
