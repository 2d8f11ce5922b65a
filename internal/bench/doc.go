// Package bench measures lookups and builds of every placement of ringway, and
// of the libraries that others use for the same task, in one run.
//
// Times differ between machines, and on one machine from minute to minute.
// What is worth stating is a ratio of two times from the same run, so modulo
// over the same hash is the unit: the least that a mapping from keys to nodes
// can cost. Command ratios in the folder below prints the table, several rounds
// and their medians:
//
//	go run ./ratios
//
// Command routers does the same for the clients of package router, over real
// servers and against the clients that others use:
//
//	go run ./routers
//
// For a comparison of two versions, use the benchmarks as they are with
// benchstat, which internal/tools pins:
//
//	go test -run '^$' -bench Lookup -count 10 . > new.txt
//
// This is a module of its own, so that those who import ringway do not inherit
// the requirements of its peers.
package bench
