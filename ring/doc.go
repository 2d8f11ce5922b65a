// Package ring maps keys to nodes by consistent hashing.
//
// A [Ring] places every node at many points of the 64-bit hash space, its
// tokens, and gives a key to the node of the first token at or after the key's
// hash. A node that joins takes over only the ranges that end at its own
// tokens, a node that leaves gives away only those, and no key ever moves
// between two nodes that both stay.
//
// A Ring is immutable: [Ring.With] and [Ring.Without] return another one, and
// [Diff] tells exactly which ranges of the hash space lie between two of them.
// Lookups take no lock, allocate nothing and cost O(1) expected, so that one
// Ring may serve any number of goroutines; a program that changes its fleet
// keeps the current Ring in an [sync/atomic.Pointer].
//
// The owner of a key depends on the nodes (IDs, weights) and on the Config
// alone: not on the order in which the nodes were given or came, nor on
// addresses, which this package does not know. What decides placement is
// summed up by [Ring.Fingerprint]: two processes with equal fingerprints agree
// about every key.
//
// [Placement] is the small interface that this ring shares with the other rules
// from keys to nodes, one package each below this one: modulo, jump,
// rendezvous, maglev, multiprobe, ketama, bounded and balanced.
//
// # Compatibility
//
// The label that is hashed into a token, the order of tokens and the hash
// functions are frozen. Any change of them would move keys in every fleet that
// upgrades one client at a time. The golden vectors in testdata hold them.
//
// # Source
//
// Karger et al., "Consistent Hashing and Random Trees", STOC 1997; virtual
// nodes in proportion to capacity as in DeCandia et al., "Dynamo", SOSP 2007,
// section 4.2.
package ring
