// Ringsim tells what a resize of a cache fleet moves and what it costs, on real
// keys and real traffic, for each placement of package ring.
//
//	ringsim                 the headline: 10 → 11 nodes on the bundled trace
//	ringsim compare         placements side by side over one change
//	ringsim replay          a trace through a fleet of LRU caches
//	ringsim lru             a trace through one plain LRU cache
//	ringsim balance         load spread against theory
//
// Every command prints a table, JSON or CSV (--format), and all but the timings
// depend on the input and --seed alone. Exit codes: 0 done, 1 an --assert is
// false or the work did not complete, 2 wrong usage or bad input, 130 Ctrl-C.
package main
