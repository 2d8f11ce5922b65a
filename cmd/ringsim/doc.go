// Ringsim tells what a resize of a cache fleet moves and what it costs, on real
// keys and real traffic, for each placement of package ring.
//
//	ringsim                 the headline: 10 → 11 nodes on the bundled trace
//	ringsim compare         placements side by side over one change
//	ringsim replay          a trace through a fleet of LRU caches
//	ringsim run             a scenario: a fleet, a workload and what happens to them
//	ringsim report          a study as one HTML page, of your own trace too
//	ringsim whatif          a change of the fleet that is running now
//	ringsim gossip          how long members take to learn of a change
//	ringsim lru             a trace through one plain LRU cache
//	ringsim balance         load spread against theory
//
// Every command prints a table, JSON or CSV (--format), and all but the timings
// depend on the input and --seed alone; gossip, which runs real members, is alike
// from run to run. Exit codes: 0 done, 1 an --assert is false or the work did not
// complete (what there is so far is printed and marked), 2 wrong usage or bad input, 130 Ctrl-C.
package main
