// Package multiprobe gives a key to the node that is closest to any of several
// places of the key: multi-probe consistent hashing.
//
// Like package ring it places nodes on the 64-bit hash space and looks clockwise
// for the next one. But instead of many tokens a node it has one, and instead of
// one place a key it has many, K probes: of all of them the one that lies
// closest before a token decides. That spreads keys about as evenly as hundreds
// of tokens a node would, with a table as small as the list of nodes, at the
// price of K searches a lookup. A node that joins or leaves moves keys to or
// from itself only.
//
// # Balance
//
// With K probes and random places, the largest share tends to K/(K-1) of the
// mean as the nodes grow many: 1.05 at the default of 21. That is the limit of a
// perfect hash, and not a promise for some fleet: where the tokens lie is a
// matter of chance, and one that lies close behind another owns little. Over ten
// fleets of 100 nodes the largest share is 1.02 to 1.06 times the mean, over ten
// of 10 nodes 1.00 to 1.12; the smallest may be a hundredth of the mean.
//
// # Weights
//
// A node of weight w has w tokens, and since every token has the same chance of
// a large or a small share, w shares on average. Weights are whole numbers
// therefore, and absolute: fleets with finer steps use more tokens a node, for
// example weights 10 and 15 instead of 1 and 1.5. (A number of tokens that
// depended on the other nodes' weights would move keys between nodes that stay.)
//
// # Probes and tokens
//
// The first probe of a key is its hash h; probe k, from 1 to K-1, is
// mix(h + k × 0x9e3779b97f4a7c15), the sequence that the generator SplitMix64
// draws from the state h. The tokens are those of package ring: hashes of the
// length of the ID as one byte, the ID, and the token's number among those of
// its node as four bytes, the highest first. Equal tokens belong to the node of
// the smaller ID, and of equally close probes the first decides. With one probe
// this is package ring at one virtual node.
//
// # Cost
//
// A probe takes O(1) expected: its top bits choose a bucket of a table with four
// to eight buckets a token, and the bucket says which token is the first that
// can follow.
//
// # Source
//
// Ben Appleton and Michael O'Reilly, "Multi-probe consistent hashing", arXiv
// 1505.00062, 2015 (https://arxiv.org/abs/1505.00062). SplitMix64: Steele, Lea
// and Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
package multiprobe
