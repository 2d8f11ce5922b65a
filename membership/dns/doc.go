// Package dns reads the fleet from the domain name system, and follows its
// changes.
//
// A node is known by a name, never by its IP address alone: a node that moves to
// another address keeps its keys. So its ID is "host:port", and so is its
// address, which is resolved when a client connects. There are three ways:
//
//   - SRV records (Config.Name, Service, Proto). Each target is a node. For
//     Kubernetes: a StatefulSet with a headless service, whose pods have names
//     of their own; the records of a Deployment's pods are made of their IP
//     addresses, and are as fleeting. Set publishNotReadyAddresses, or each
//     restart of a pod takes its node out of the fleet and moves its keys.
//
//   - A list of host names (Config.Hosts). The list is the fleet, whether or not
//     a name resolves at the moment: a node that is being started anew has no
//     record for a while, and that must not move its keys. Names that do not
//     resolve are reported.
//
//   - One host name (Config.Name, Port) with one address. One with several is
//     refused: which of them is which node, once one is replaced, nobody can
//     tell. Config.AddressesAreIDs takes the addresses for IDs all the same.
//
// # Weights and priorities of SRV records
//
// Weights are taken as they are, 0 as 1; but if all are the same they say
// nothing, and each node has weight 1. (CoreDNS gives each of N targets the
// weight 100/N. Taken literally, every node that joins would give all others
// another number of tokens, and move far more keys than its own.) With
// Config.IgnoreWeights every node has weight 1. Weights make tokens, 160 for
// each 1: give small numbers, and change them rarely.
//
// Priorities have no meaning here: every target owns keys. Of a target that is
// there twice, the record of the lowest priority counts.
//
// # What is believed
//
// An answer that fails, or is empty, changes nothing and is reported. Neither
// does an answer in which more than half of the nodes are missing, until it has
// come 3 times in a row: one of the name servers may have just been started.
// Fewer that are missing have left, as far as anybody can tell from here: the
// domain name system does not know a node that is down from one that is gone.
//
// The clients of a fleet look at different moments, and caches on the way may be
// older for one than for another: for up to an interval and the records' time to
// live, two clients may disagree about who owns a key. The epoch counts the
// changes that this source has seen, and means nothing to another process. Where
// that matters, let agents gossip.
package dns
