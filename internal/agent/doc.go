// Package agent is the process beside a data server that speaks for it in the
// fleet: it puts together the server (package dataserver), the gossip (package
// membership/gossip), and the HTTP interface by which clients and operators ask.
//
//	GET  /v1/ring     the fleet's rings; ?after=EPOCH waits for news (see agentapi)
//	GET  /v1/members  who is in the fleet, for people
//	GET  /healthz     200 while the process is well
//	GET  /readyz      200 while the node is ACTIVE and its server answers, else 503
//	                  with the reason
//	GET  /metrics     for Prometheus
//	POST /v1/leave    hand the keys over and end; 202
//	POST /v1/weight   {"weight": 2}: take another share of the keys; 202
//
// The two that change something need the agent's token, or where it has none a
// connection from this machine: see guard.
//
// [New] opens everything, [Agent.Run] returns when the node has left or cannot
// join, and [Agent.Leave] makes it leave.
package agent
