package router

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/ringway/ringway/membership"
)

var (
	// ErrNoNodes: the fleet has no node of the router's kind. Nothing was sent.
	ErrNoNodes = errors.New("router: the fleet has no nodes")

	// ErrTooFewNodes: the fleet has fewer nodes than a write must reach, see
	// ReplicationConfig. Nothing was sent.
	ErrTooFewNodes = errors.New("router: too few nodes")

	// ErrBreakerOpen: the node failed too often of late, or its agent says that
	// it does not answer. Nothing was sent.
	ErrBreakerOpen = errors.New("circuit breaker is open")

	// ErrBacklog: the operation concerns a key on the move, and would have to be
	// followed by an invalidation on this node. So many of them wait for the node
	// already that, if it could not be reached, there would be no room to keep it.
	// Nothing was sent.
	ErrBacklog = errors.New("too many invalidations wait for the node")

	// ErrNotMoved: the key has to be brought to its next owner, the node, before
	// the operation can run there, and could not be. The operation was not run.
	ErrNotMoved = errors.New("the key could not be brought to its next owner")

	// ErrClosed: the router was closed. Nothing was sent.
	ErrClosed = errors.New("router: closed")
)

// noNodes is ErrNoNodes, and says what the fleet has instead of nodes of the kind.
func noNodes(view membership.View, kind membership.Kind) error {
	var others []string
	for _, other := range []membership.Kind{membership.Redis, membership.Memcached} {
		if n := len(view.Current(other)); n > 0 {
			others = append(others, fmt.Sprintf("%d of %s", n, other))
		}
	}
	if len(others) == 0 {
		return ErrNoNodes
	}
	return fmt.Errorf("%w of kind %s: it has %s", ErrNoNodes, kind, strings.Join(others, ", "))
}

// NodeError reports that the node which owns the keys could not be reached or
// did not answer: a failure of the network or of the server, or the end of the
// context, but not a reply. What a write did before it failed is unknown, unless
// Err is ErrBreakerOpen, ErrBacklog, ErrNotMoved or, with memcached, a
// *memcache.NoReplyError whose Sent is false.
//
// Replies of a server, redis.Nil and ErrCacheMiss among them, are returned as
// they are.
type NodeError struct {
	Node    string // ID
	Address string // at the time of the request
	Err     error  // the cause: of the network, the context, the client of the node; or ErrBreakerOpen
}

// Error names the node and the cause.
func (e *NodeError) Error() string {
	return fmt.Sprintf("router: node %q (%s): %v", e.Node, e.Address, e.Err)
}

// Unwrap returns Err.
func (e *NodeError) Unwrap() error { return e.Err }

// Timeout makes NodeError a net.Error where its cause is one.
func (e *NodeError) Timeout() bool {
	var timeout interface{ Timeout() bool }
	return errors.As(e.Err, &timeout) && timeout.Timeout()
}

// Temporary is part of net.Error.
func (e *NodeError) Temporary() bool { return e.Timeout() }

// CrossNodeError reports a command that has to run on one node but names keys of
// several. Nothing was sent. Keys that belong together share a hash tag:
// "{user:1}:cart" and "{user:1}:orders".
type CrossNodeError struct {
	Command string   // in capitals: "RENAME"; "MULTI" for a transaction
	Keys    []string // all keys of the command, or of the transaction
	Nodes   []string // the owner's ID of each key
}

// Error names the first keys and their owners.
func (e *CrossNodeError) Error() string {
	const shown = 8
	var pairs []string
	for i, key := range e.Keys[:min(shown, len(e.Keys))] {
		pairs = append(pairs, fmt.Sprintf("%q on %s", clip(key), e.Nodes[i]))
	}
	if len(e.Keys) > shown {
		pairs = append(pairs, fmt.Sprintf("and %d more", len(e.Keys)-shown))
	}
	return fmt.Sprintf("router: %s: its keys are on different nodes (%s); a common {hash tag} keeps keys together",
		e.Command, strings.Join(pairs, ", "))
}

// UnknownCommandError reports a command of which the router does not know where
// its keys stand. Nothing was sent: a guess could write to the wrong node.
// Config.Commands makes it known.
type UnknownCommandError struct {
	Command string // as it was given
}

// Error says what to do.
func (e *UnknownCommandError) Error() string {
	return fmt.Sprintf("router: unknown command %q: nothing was sent; declare it in Config.Commands", clip(e.Command))
}

// UnsupportedError reports a command or method that makes no sense over many
// nodes. Nothing was sent.
type UnsupportedError struct {
	Command string // or the method
	Reason  string // and what to use instead
}

// Error gives the reason.
func (e *UnsupportedError) Error() string { return "router: " + e.Command + ": " + e.Reason }

// KeyError reports a key that the guard of Config.Keys refuses. Nothing was
// sent.
type KeyError struct {
	Key    string // as it was given, at full length
	Reason string // what was found and what is expected
}

// Error gives the reason, and the beginning of the key.
func (e *KeyError) Error() string {
	return fmt.Sprintf("router: key %q: %s", clip(e.Key), e.Reason)
}

// MultiError reports that an operation which was split over nodes failed on some
// of them. The results of the others are in the Redis command, or in the map of
// Memcached.GetMulti.
type MultiError struct {
	Command string           // in capitals; with memcached "get", "set", "delete", "flush_all", "ping"
	Failed  map[string]error // by node ID
	Keys    map[string]error // each key asked of these nodes, with memcached each that failed; nil or empty for a command without keys
	Total   int              // nodes asked
}

// Error names the nodes that failed, with their errors.
func (e *MultiError) Error() string {
	var parts []string
	for node, err := range e.Failed {
		parts = append(parts, fmt.Sprintf("%s: %v", node, err))
	}
	slices.Sort(parts)
	return fmt.Sprintf("router: %s: %d of %d nodes failed: %s", e.Command, len(e.Failed), e.Total, strings.Join(parts, "; "))
}

// Unwrap returns the errors of all nodes, for errors.Is and errors.As.
func (e *MultiError) Unwrap() []error {
	nodes := make([]string, 0, len(e.Failed))
	for node := range e.Failed {
		nodes = append(nodes, node)
	}
	slices.Sort(nodes)
	errs := make([]error, len(nodes))
	for i, node := range nodes {
		errs[i] = e.Failed[node]
	}
	return errs
}

// clip keeps a key or command of any size from flooding a log.
func clip(s string) string {
	const shown = 64
	if len(s) > shown {
		return s[:shown] + "…"
	}
	return s
}
