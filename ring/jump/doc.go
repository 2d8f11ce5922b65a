// Package jump gives a key to one of N numbered nodes by jump consistent hash.
//
// From N to N+1 nodes exactly the keys that the new node takes over change
// owner, 1/(N+1) of them, and the keys spread as evenly as their hashes do, with
// no table at all. The price: nodes are numbers, so that only the last one can
// leave. Fleets that lose nodes from the middle, or weigh them, need another
// placement.
//
// # Method
//
// A key, used as the seed of a random sequence, is followed through the growth
// of the fleet from one node on. Among j nodes a key changes to a newcomer with
// probability 1/j; the algorithm draws at which fleet size the key changes next
// and jumps there, until that size is above N. This takes ln(N) jumps on
// average.
//
// # Order
//
// The list decides, in the order in which it is given: the position is the
// number. [Jump.Update] accepts only what the algorithm can do, and names the
// node that is in the way of anything else.
//
// # Exactness
//
// What a change moves in theory, 1/(N+1) for one more node, holds for random
// keys as closely as the 31 bits that each jump draws allow: among 1000 nodes
// the shares have a standard error of 2.4e-7 of their mean. How many of the 2^64
// hashes move exactly has no closed form that this package could vouch for, so
// that *Jump is no ring.HashPlacement.
//
// # Source
//
// John Lamping and Eric Veach, "A Fast, Minimal Memory, Consistent Hash
// Algorithm", arXiv 1406.2294, 2014 (https://arxiv.org/abs/1406.2294). The
// results are those of the paper's listing to the last bit, and so of the
// implementations that follow it.
package jump
