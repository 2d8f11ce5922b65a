// Package scenario reads the files of ringsim run: a question that a team asks of
// its cache fleet, as YAML.
//
//	name: one-more-node
//	question: What does one more node cost?
//	workload:
//	  trace: bundled:web12       # or generate: zipf | uniform | hot | cluster1 … cluster54
//	fleet:
//	  nodes: 10                  # or a list: [a, b:2, c:1:east]
//	  capacity: 1000             # items of a node of weight 1, or 64MB
//	placements: [ring, modulo]
//	changes:
//	  - at: 50%                  # or a number of requests, or 20s
//	    join: 1
//	assert:
//	  - ring.extra_loads < modulo.extra_loads / 5
//
// A file is refused, with line and column and the nearest valid name, for a field
// that does not exist, one that is there twice, a value of the wrong kind or out
// of range, and a change that the fleet cannot make: before anything is run.
// docs/guide/scenarios.md lists all fields.
//
// The YAML is plain fields and values: no anchors, aliases, tags or second
// documents, and at most 64 KiB. Nothing in a file makes [Parse] panic.
package scenario
