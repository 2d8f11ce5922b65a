package command

import "fmt"

// Route says which nodes a command concerns.
type Route uint8

const (
	// OneNode: all keys must be on one node, which runs the command. An
	// invocation without keys, such as a script with numkeys 0, may go to any.
	OneNode Route = iota
	// SplitByKey: the command may be cut into one for each node, as Split
	// says, where its keys are on several.
	SplitByKey
	// AllNodes: every node runs it.
	AllNodes
	// AnyNode: no key and no state of a particular server is concerned.
	AnyNode
	// Connection: it reads or sets the state of one connection, which callers
	// of a pooled client do not have. Reason names what to use instead.
	Connection
	// Refused: it makes no sense for a fleet, or not through a client of one.
	// Reason says why.
	Refused
)

var routeNames = [...]string{"one node", "split by key", "all nodes", "any node", "connection", "refused"}

// String returns the name in words: "one node", "split by key" …
func (r Route) String() string {
	if int(r) < len(routeNames) {
		return routeNames[r]
	}
	return fmt.Sprintf("Route(%d)", uint8(r))
}

// Combine says how the replies of several nodes become one.
type Combine uint8

const (
	// Single: one node answers. The only way for OneNode and AnyNode.
	Single Combine = iota
	// Sum: the numbers are added.
	Sum
	// Max: the greatest number.
	Max
	// InOrder: an array with an element for each key, in the order of keys.
	InOrder
	// AllSucceed: the replies are alike, and one of them is the reply; an
	// error of one node is the error of the call.
	AllSucceed
	// AnySucceeds: the first reply that is not an error; if all are, one of
	// them.
	AnySucceeds
	// All: arrays of 0 and 1 of equal length; an element is 1 if it is 1
	// everywhere.
	All
	// Union: one array or map of all elements, each once, in no order.
	Union
	// Cursor: the pages of one node after the other, with a cursor that says
	// which node is next: SCAN.
	Cursor
	// FirstFound: nodes are asked in a random order, until one has something.
	FirstFound
)

var combineNames = [...]string{"single", "sum", "max", "in order", "all succeed", "any succeeds", "all", "union", "cursor", "first found"}

// String returns the name in words: "sum", "in order" …
func (c Combine) String() string {
	if int(c) < len(combineNames) {
		return combineNames[c]
	}
	return fmt.Sprintf("Combine(%d)", uint8(c))
}

// Reason is why a command is not routed, in words that complete "SUBSCRIBE is
// refused: …" and say what to do instead.
type Reason string

// The reasons of the built-in table. A Definition may have one of its own.
const (
	ReasonSubscription Reason = "a subscription belongs to one connection: use Subscribe, PSubscribe or SSubscribe"
	ReasonTransaction  Reason = "a transaction belongs to one connection: use TxPipelined or Watch"
	ReasonConnection   Reason = "it concerns one connection, and calls share connections: set it in the configuration, or use a node's own client"
	ReasonServer       Reason = "it concerns one server and not the fleet: use ForEachNode"
	ReasonReplication  Reason = "it belongs to replication between servers: use a node's own client"
	ReasonCluster      Reason = "it belongs to Redis Cluster, whose slots and redirections this fleet does not have"
	ReasonIndex        Reason = "a search index covers the keys of its own server alone: use ForEachNode, and merge the results as the query needs"
	ReasonInstant      Reason = "it must happen everywhere at one instant, which nodes cannot do: use ForEachNode"
	ReasonGroups       Reason = "GROUPBY would be done for each node on its own: leave it out, and group the result"
	ReasonSubcommand   Reason = "it needs a subcommand"
)
