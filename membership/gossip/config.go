package gossip

import (
	"context"
	"log/slog"
	"net/netip"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// DefaultPort is the port of agents, and of seeds that are given without one.
const DefaultPort = 7946

// DefaultCluster is the name of a fleet that is given none.
const DefaultCluster = "ringway"

// Config is what a member needs to know. Without a Node, only Seeds are
// required. Join copies it.
type Config struct {
	// Cluster is the name of the fleet, at most 64 bytes; empty means DefaultCluster.
	// Members of another cluster are refused. It is no protection against who
	// wants to get in: see Keys.
	Cluster string

	// Name of the member, unique in the cluster. Of a node it is the ID, and
	// required: it decides which keys are the node's. Of a client it may be
	// empty: then it is drawn at random.
	Name string

	// Seeds are members to ask first, as host, host:port or [IPv6]:port. One that
	// answers is enough. All members may have the same list; a member that finds
	// itself in it passes over itself.
	Seeds []string

	// Network is what to expect of delays: it decides how often members speak to
	// each other, and the defaults of Timing.
	Network Network

	// Bind is the IP address and port to listen on, UDP and TCP. Empty means all
	// IPv4 addresses (with Local 127.0.0.1), and for a node port 7946, for a
	// client any free port.
	Bind string

	// Advertise is the IP address and port at which others reach the member, if
	// that is not Bind; required if Bind is all IPv6 addresses. Without a port
	// (or port 0) it is that of Bind.
	Advertise string

	// Label marks all packets; members with another one do not hear each other.
	Label string

	// Keys encrypt the gossip, with AES in GCM mode: 16, 24 or 32 bytes each. The
	// first one is used to send, all of them to receive: see Gossip.AddKey for
	// how to replace a key without a pause. Empty: not encrypted.
	Keys [][]byte

	// AllowGossip are the networks from which packets and streams are taken, and
	// in which members may be; empty: all. Since members pass on what others say,
	// it protects only if all members have the same list.
	AllowGossip []netip.Prefix

	// AllowServers are the networks in which servers may be, and AllowServerNames
	// the host names: each one exactly, or all below a domain if it begins with a
	// dot, or a whole unix:///path. A record with another address is ignored, so
	// that a member that made its way in cannot lead clients elsewhere. Both
	// empty: all addresses.
	AllowServers     []netip.Prefix
	AllowServerNames []string

	// Placement of the fleet's rings, from which fingerprints are computed and
	// sweeps know what is whose: the same for all members. The zero value is
	// what a router's zero PlacementConfig is, with hash tags; with
	// VirtualNodes given, HashTags is taken as it is.
	Placement ring.Config

	// Timing replaces single defaults of Network.
	Timing Timing

	// Node is the server that the member speaks for; nil: it owns nothing.
	Node *NodeConfig

	Logger *slog.Logger // nil means slog.Default()

	// Transport carries the packets instead of sockets on Bind, which is then
	// not used, nor are packets compressed. It is shut down with the member.
	Transport memberlist.Transport

	room func(nodes []ring.Node, virtualNodes int) error // nil: membership.CheckRoom; tests have less room
}

// NodeConfig is what an agent needs to know of its node.
type NodeConfig struct {
	Kind    membership.Kind // empty means Redis
	Address string          // of the server, as clients dial it: host:port or unix:///path
	Zone    string

	// Weight that the node is to have. 0: 1 for a node that joins, and what the
	// fleet has it with for one that returns.
	Weight float64

	// HTTP is where the agent answers questions, as http://host:port or
	// https://host:port with at most 56 bytes; without a host it is that at which
	// others reach the member. It is shown to all; empty: nowhere.
	HTTP string

	// Bootstrap makes the node the first one of its fleet, with the keys that it
	// holds, if the fleet has no node of its kind; without it the node joins
	// empty. Seeds are asked before, if there are any.
	Bootstrap bool

	// Purge empties a server that holds keys although the fleet does not know the
	// node; without it Join goes on and the agent ends with a *HoldsKeysError.
	Purge bool

	// Copies is how many nodes hold each key, as in the routers' replication; 0
	// means 1. A sweep spares the keys of which the node has a copy.
	Copies int

	// Server is where keys are counted and removed. Required.
	Server Server

	// HandOver brings the keys that change owner in a transition from this node
	// to their new owners, and returns nil when none is left to move. It is
	// called again after an error, and cancelled when the transition has ended
	// otherwise. The way back after an abort is a transition of its own, with
	// another number. nil: such keys are not moved, and become misses.
	HandOver func(ctx context.Context, view membership.View, transition uint64) error
}

// Server is what an agent does with its server. Calls may run at the same time as
// a Probe, but otherwise one at a time. All must return soon after ctx ends:
// Close waits for them. A Server may also be a Knower.
type Server interface {
	// Probe fails if the server does not serve.
	Probe(ctx context.Context) error

	// Count returns the number of keys.
	Count(ctx context.Context) (int64, error)

	// Purge removes all keys, and Sweep those that keep refuses. Both return how
	// many they have removed.
	Purge(ctx context.Context) (int64, error)
	Sweep(ctx context.Context, keep func(key string) bool) (int64, error)
}

// A Knower knows whether it serves this very node. It matters where the fleet knows
// the node by another address: unless the server knows the node it is taken for one
// that was given by mistake, whose keys must not be removed. A Server that is none
// is the node's own wherever it is.
type Knower interface {
	// Knows does not wait. asked is false as long as the server has not said.
	Knows() (own, asked bool)
}
