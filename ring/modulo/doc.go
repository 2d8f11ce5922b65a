// Package modulo gives a key to the node at the position hash mod N of the
// list.
//
// It is the rule that memcached clients began with, and the one that the others
// are measured against: nothing is faster or more even, and nothing moves more.
// From N nodes to M, appended or removed at the end of the list, only
// min(N,M)/lcm(N,M) of the keys keep their owner: from 10 to 11, one in eleven.
//
// # Order
//
// The list decides, in the order in which it is given: the same nodes in
// another order are another placement, and a node that leaves from the middle
// moves all behind it up by one. Every client must have the same list. This is
// unlike package ring, where the order means nothing.
//
// # Weights
//
// Clients of this kind give a node of weight w by listing it w times. So does
// this package: the slots are the nodes, each repeated according to its weight,
// and the owner is that of the slot hash mod (number of slots). Only ratios
// count, so that equal weights, whatever they are, need one slot a node and no
// list; weights that differ must be whole numbers, and are divided by their
// greatest common divisor first.
//
// # Cost
//
// A lookup is one division of 64 bits beside the hash of the key, and with
// unequal weights one read of the slot list.
package modulo
