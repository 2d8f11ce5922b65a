// Package router sends each key to the server that owns it: a client for a fleet
// of ordinary Redis servers, without a proxy and without cluster mode.
//
//	r, err := router.NewRedis(ctx, router.Config{Source: source})
//
// [Redis] is a redis.UniversalClient of go-redis v9. Whatever takes that
// interface takes it; all of go-redis's methods, pipelines, transactions,
// scripts and subscriptions are there. Which servers there are is said by a
// membership.Source, and may change while the client is in use. Which of them
// owns a key is said by the ring, the same for every client with the same
// Config.Placement: nobody is asked.
//
// # From redis.NewRing and redis.NewClient
//
// The line that makes the client changes into two, and no other:
//
//	client := redis.NewRing(&redis.RingOptions{Addrs: map[string]string{"a": "10.0.0.1:6379", "b": "10.0.0.2:6379"}})
//
//	source, err := membership.Static(membership.Member{ID: "a", Address: "10.0.0.1:6379"}, membership.Member{ID: "b", Address: "10.0.0.2:6379"})
//	client, err := router.NewRedis(ctx, router.Config{Source: source})
//
// and in the same way from
//
//	client := redis.NewClient(&redis.Options{Addr: "10.0.0.1:6379"})
//
// Keys are placed otherwise than by redis.Ring, so that a cache starts cold. Who
// wants to stay with redis.Ring and have these placements finds them in
// adapter/redisring. What one server did with several keys at once needs them on
// one node here: give them a common hash tag, the part in braces, which alone is
// hashed. "{user:1}:cart" and "{user:1}:orders" are together.
//
// # How a call goes
//
// redis.Get → the command's key, by the table of package command → its owner on
// the ring → the go-redis client of that node. There is no more to it: no lock,
// and no goroutine of the router's between caller and socket. Commands of
// concurrent callers for one node share a packet; [WithoutAutoPipeline] and
// Config.NoAutoPipeline turn that off, and blocking commands never take part.
//
// Each command falls in one of these classes. testdata/methods.txt has all
// methods of go-redis with theirs, and a test that holds them to it.
//
//   - One key: sent to its owner.
//   - DEL, UNLINK, EXISTS, TOUCH, MGET, MSET and a few more of several keys: cut
//     into a command for each node, sent at the same time, and the replies put
//     together as if one server had answered. MSET is then atomic on each node,
//     and not over all.
//   - All others of several keys (RENAME, SINTER, ZUNIONSTORE, BLPOP, EVAL,
//     MSETNX …), TxPipelined and Watch: one node, or a [CrossNodeError] that
//     names the keys and their owners, with nothing sent.
//   - The whole keyspace (KEYS, SCAN, DBSIZE, FLUSHALL, RANDOMKEY …), scripts
//     and functions to load, PING, CONFIG SET: every node. SCAN goes through the
//     nodes one after the other; its cursor says where it is, and outlasts a
//     node that joins or leaves.
//   - No key, and nothing that differs between servers (TIME, ECHO, a script
//     without keys): any node.
//   - What makes no sense over many servers: refused with an
//     [UnsupportedError] that says what to use instead. That is what concerns
//     one connection (SELECT, AUTH, CLIENT SETNAME, MONITOR, WAIT; Conn and
//     AutoPipeline), one server (INFO, CONFIG GET, SHUTDOWN), Redis Cluster and
//     replication, and the indexes of FT.SEARCH. [Redis.ForEachNode] has the
//     client of each node for these.
//   - A command that the router does not know is refused with an
//     [UnknownCommandError], since a guess where its keys are could write to the
//     wrong node. Config.Commands makes it known.
//
// # Pipelines
//
// A pipeline is cut by node, and each part is one flight; the flights go at the
// same time. Commands on one key keep their order, those on keys of different
// nodes have none. Each command has its own result or error: one that is refused,
// or whose node is down, does not stop the others. TxPipelined is MULTI and EXEC
// on one node.
//
// # Subscriptions
//
// A channel belongs to the node that owns its name as a key, hash tag included:
// PUBLISH and SPUBLISH go there, and [Redis.Subscribe] and [Redis.SSubscribe]
// listen there. [Redis.PSubscribe] listens on every node, and so does a
// subscription to keyspace notifications, which each server publishes for its
// own keys. A subscription follows the ring: the new owner of a channel is
// subscribed to before the old one is let go. A publisher who still has the old
// ring at that moment is not heard; as with one Redis server, a message that
// nobody receives is lost.
//
// # When something fails
//
//   - A reply of the server, an error or redis.Nil, is returned as it is.
//   - A node that cannot be reached, or does not answer in time, is a
//     [NodeError] that names it. The keys of the other nodes notice nothing.
//   - A node that fails again and again has its breaker opened: its commands
//     fail at once with ErrBreakerOpen, and a few now and then try whether it is
//     back. See [BreakerConfig].
//   - Nothing is ever placed elsewhere because a node is down: that would be
//     every client's private opinion, and leave two truths behind. Only a change
//     of the fleet, which all see, moves keys. What is done in the meantime is
//     the choice of a [FailurePolicy].
//   - A command that was cut gives a [MultiError] if some of its nodes failed.
//     The result has what the others gave, and the error says which keys are
//     missing.
//   - Nothing that may have been done is sent again, but reads whose connection
//     broke, once.
//   - The context bounds a call on the wire too: a deadline is the connection's
//     deadline.
//
// Test with errors.As and errors.Is; no text is promised.
//
// # Changes of the fleet
//
// A request works with the ring that was current when it came, to its end. A
// node that left is closed when its requests are answered, or after
// Config.DrainTimeout. Clients of nodes that stay are not touched; a node that
// changes its address has a new client, and keeps its keys. The router moves no
// data: that is for whoever changes the fleet.
//
// # Copies
//
// [ReplicationConfig] keeps each key on several nodes. It is off by default.
//
// # Watching it
//
// AddHook adds a go-redis hook around every call: it sees a command once,
// however many nodes it goes to. Config.OnNewNode is given the client of each
// node before it is used: the place for redisotel and the like, which then see
// what goes to which node. [Redis.Stats] has counts, latencies and the breaker
// of each node, PoolStats the sums of the pools. A [Tracer] is told of each
// request.
//
// # Concurrency and cost
//
// A client is safe for any number of goroutines. It holds a pool of connections
// to each node, two goroutines for each where commands share packets, and one
// that follows the Source; Close ends them all. A subscription takes two
// goroutines for each node that it listens to and three of its own.
package router
