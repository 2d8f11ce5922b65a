// Package gossip is a source of views that the members of a fleet make among
// themselves, over hashicorp/memberlist.
//
// Two kinds of members take part. A client joins as a member that owns nothing:
//
//	source, err := gossip.Join(ctx, gossip.Config{Cluster: "shop", Seeds: []string{"10.0.0.1:7946"}})
//
// An agent speaks for a server that does not gossip itself: with [Config].Node
// set, it probes the server, announces it once it may own keys, and withdraws it
// with [Gossip.Leave].
//
// # How it works
//
// What the fleet knows is a ledger: a record of each node, written by its agent
// alone, and the evictions. Ledgers merge in any order to the same result.
// Records travel in three ways, each for what the others do not do well: in
// messages that every member passes on (fast), in memberlist's meta data (known
// as soon as the member is), and whole, when two members exchange their state
// (which mends whatever was lost).
//
// The rules are in two packages without clock and network: internal/ledger says
// what a ledger means and who is to be evicted, internal/lifecycle what a node
// does next. This package puts memberlist and the clock around them. One
// goroutine, the loop, owns all of their state. What memberlist calls back puts
// what it has to say into an inbox and returns, since it holds memberlist's lock;
// what takes time (the server, seeds, hand-over) runs beside the loop and puts
// its result into the inbox.
//
// # What members show each other
//
// Meta data are one binary record of at most 512 bytes with the name of the
// cluster, the node's record, and the epoch and first bytes of the fingerprint
// of the ring that the member uses. The first byte is a version, and in every
// version the name of the cluster follows. Members ignore what has a version
// that they do not know, and go on seeing that the member lives.
package gossip
