// Package resizetest measures what a resize of a fleet costs the database behind
// it, on real servers: a trace is replayed by a client that caches what it loads,
// while the fleet goes from 8 nodes to 9 and back to 8. Beside ringway, with its
// agents and movers, there are the same change with the keys not moved and with
// the hash taken modulo the number of nodes.
//
// It also measures how long reads and writes take, of keys that do not move, while
// others do. There is nothing in it but tests:
//
//	go test ./cmd/ringway/internal/resizetest
//	go test ./cmd/ringway/internal/resizetest -run TestHitRate -evidence resize.md
//	go test ./cmd/ringway/internal/resizetest -run TestLatency -latency.rounds 7 -v
package resizetest
