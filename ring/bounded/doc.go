// Package bounded keeps any node from carrying much more than its share of the
// requests in flight: consistent hashing with bounded loads, over any
// [ring.Placement].
//
// A request goes to the owner of its key, unless that node is full; then to the
// first node after it that is not. Node i is full when it carries
//
//	capacity = ceil((1+ε) · (total+1) · w/W)
//
// requests, where total is how many are in flight, +1 the request being placed,
// w the weight of the node and W that of all. A small ε bounds the load tightly
// and sends more requests elsewhere. The capacities add up to more than the
// requests, so that there is always a node that is not full.
//
// # Whose load
//
// A [Bounded] counts the requests that it was told of, by Acquire and Release:
// those of this process. It knows nothing of other clients of the same fleet,
// and asks nobody. Each client bounds its own share, so that together C clients
// put at most
//
//	(1+ε) · (requests in flight of the whole fleet) · w/W + C
//
// requests on a node, where + C is the rounding up, once a client. The bound is
// therefore worth something where each client has many more requests in flight
// than there are nodes: 20 clients with 500 each. It is worth nothing where
// each has but a few: 500 clients with one request each may put all 500 on one
// node, since a capacity is never below one.
//
// # What it costs
//
// Where a request goes no longer depends on its key alone. The same key may be
// sent to two nodes at the same time, by two clients or by one. A cache then
// holds it twice: a value that is written or deleted on one node may still be
// read, stale, from the other until it expires. Use it for reads that bear that,
// and to spread hot keys; not for data that has one home.
//
// A node that leaves or joins moves the keys that the placement below moves,
// and some more, since full nodes become so in another order.
//
// # Order of overflow
//
// Where the placement below can tell the nodes in the order of a key
// ([Walker]; a ring goes clockwise), that order is followed, as in the paper.
// Else the key's hash is hashed again with a number, up to 64 times, and the
// placement asked for the owner of that, so that nodes are chosen by weight as
// it chooses them; should all of these be full, nodes are tried in turn from a
// place that the hash chooses. The first order keeps the keys of a hash tag
// together, the second does not.
//
// # Source
//
// Mirrokni, Thorup and Zadimoghaddam, "Consistent Hashing with Bounded Loads",
// https://arxiv.org/abs/1608.01350. The capacity is the paper's ceil((1+ε)m/n) for
// m requests and n nodes, with weights.
package bounded
