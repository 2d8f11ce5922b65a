// Package maglev gives a key to a node by one read of a table that the nodes
// have filled in turns: Maglev hashing.
//
// Shares are as equal as a table allows: with weights that are equal, two nodes
// differ by one slot at most. The price is paid when the fleet changes: beside
// the slots of a node that leaves, some that belong to others change hands too,
// the more nodes there are for the table. With the default of 65,537 slots, one
// node of 100 that leaves moves 1.6% of the keys instead of 1.0%; one of 1000
// 0.7% instead of 0.1%. With 655,373 slots it is 1.1% and 0.4%. Where that
// counts, package balanced is nearly as even and moves little more than it must.
//
// # Table
//
// Each node has its own order of all slots, in which it prefers them: offset,
// offset + skip, offset + 2·skip … modulo the table size M, which is a prime, so
// that every slot comes up. Round after round, each node in the order of IDs
// takes the first slot of its order that is still free, until none is. With s
// the hash of the ID, the offset is s mod M, the skip 1 + mix(s) mod (M-1), where
// mix is the finalizer of SplitMix64.
//
// The slot of a key is the whole part of hash × M / 2^64: the table laid over
// the hash space. The paper takes the remainder of the hash; this is as even,
// needs a multiplication instead of a division, and makes slots contiguous
// ranges, so that [Maglev.Moved] is exact for tables of different sizes too.
//
// # Weights
//
// A node takes turns as often as its weight says, compared with the heaviest,
// which takes one in every round: all take one in the first round, and from then
// on whenever the rounds since, times weight over largest weight, have gained
// another whole number. With N nodes and a share p of the weights, a node ends
// up with more than M·p - (N·p + 1) and at most M·p + 2 slots, and never with
// none. Weights are rounded to multiples of 2^-32.
//
// # Source
//
// Daniel Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load
// Balancer", NSDI 2016, section 3.4
// (https://www.usenix.org/conference/nsdi16/technical-sessions/presentation/eisenbud).
// The paper mentions weights as turns of different frequency and leaves the rule
// open. SplitMix64: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
// Generators", OOPSLA 2014.
package maglev
