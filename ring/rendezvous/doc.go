// Package rendezvous gives a key to the node that scores highest for it:
// weighted rendezvous hashing, also called highest random weight.
//
// Each node has a score for each key that depends on the two and on nothing
// else. That is all there is to it, and so nothing moves without need: a node
// that joins takes over the keys for which it scores highest, a node that leaves
// hands each of its keys to whoever scores next, a node that gains weight only
// gains keys, and no key moves between two nodes that keep their weights. Shares
// are exactly in proportion to weights, but for the sampling of keys. The price
// is a lookup that asks every node.
//
// # Scores
//
// The hash of the key and a hash of the node's ID (not of its position) are
// mixed into a number u of 64 bits. Among nodes of one weight the largest u
// wins. In general the smallest -log2(u/2^64)/weight wins: such a quotient is
// exponentially distributed with the weight as its rate, and of several such
// variables each is the smallest with a probability in proportion to its rate.
// Equal quotients are decided by the larger u, then by the smaller ID.
//
// All of this is done in integers, so that every machine comes to the same
// owner: the logarithm by package fixedlog, whose relative error of less than
// 2^-20 shifts shares by less than one in a million of themselves; weights in
// units of 2^-32, rounded; and quotients compared exactly, by multiplying each
// logarithm with the other's weight to 128 bits.
//
// # Cost
//
// Since the logarithm never reverses an order, it is taken only of the largest
// u of each weight: a lookup takes time in proportion to the nodes, 2 to 3 ns
// each, and some tens of ns for each different weight. Beyond some tens of nodes
// package balanced or ring answers faster.
//
// # Source
//
// David Thaler and Chinya Ravishankar, "Using Name-Based Mappings to Increase
// Hit Rates", IEEE/ACM Transactions on Networking 6(1), 1998; with weights, the
// logarithmic method of Christian Schindelhauer and Gunnar Schomaker, "Weighted
// Distributed Hash Tables", SPAA 2005. The mixing function is the finalizer of
// SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
// Generators", OOPSLA 2014), with the constants of David Stafford's variant 13.
package rendezvous
