// Package balanced places keys so that no node owns more than its fair share by
// more than a set tolerance, while a change of the fleet still moves hardly more
// than it must.
//
// The hash space is cut into 2^k slots by the top bits of the hash. Each pair of
// a slot and a node has a score, a weighted rendezvous score of the slot and the
// node's ID. Slots want the node of the best score; a node of weight w accepts
// the slots of the best scores, up to its capacity
//
//	ceil(slots × w/W × (1+ε)),  W the sum of all weights
//
// and turns the others away, which then ask their next node: deferred
// acceptance. Its outcome is the one assignment in which no slot and no node
// would both rather have each other, and so depends on the set of nodes alone,
// not on its history. Any node may leave. A lookup is one table read.
//
// # Balance and movement
//
// The load of a node is at most 1 + ε + 1/m of its fair share, exactly, where m
// is the number of slots that its fair share comes to. What a change moves
// beyond the ideal comes from capacities that shrink or grow with W and from
// slots that follow those which were turned away. Both shrink with more slots a
// node and grow with a smaller ε; docs/performance.md has measured tables.
//
// At the same memory a [ring.Ring] answers about as fast, moves exactly what it
// must, and spreads keys less evenly (a peak of 1.2 at 100 nodes).
//
// # Sources
//
// Gale and Shapley, "College Admissions and the Stability of Marriage", American
// Mathematical Monthly 69 (1962), for deferred acceptance; Thaler and
// Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", IEEE/ACM
// Transactions on Networking 6 (1998), for rendezvous scores; Schindelhauer and
// Schomaker, "Weighted Distributed Hash Tables", SPAA 2005, for their weights.
// Putting them together is ours.
package balanced
