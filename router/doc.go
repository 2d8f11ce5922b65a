// Package router sends each key to the server that owns it: clients for fleets of
// ordinary Redis and memcached servers, without a proxy and without cluster mode.
//
//	r, err := router.NewRedis(ctx, router.Config{Source: source})
//	m, err := router.NewMemcached(ctx, router.Config{Source: source})
//
// [Redis] is a redis.UniversalClient of go-redis v9. Whatever takes that
// interface takes it; all of go-redis's methods, pipelines, transactions,
// scripts and subscriptions are there. [Memcached] has the methods of gomemcache,
// with a context first. Which servers there are is said by a membership.Source,
// and may change while the client is in use; each client sees the members of its
// own kind. Which of them owns a key is said by the ring, the same for every
// client with the same Config.Placement: nobody is asked.
//
// What is said below without naming one of them holds for both.
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
// What else differs: a reply is waited for 1 s unless Config.Node.ReadTimeout says
// otherwise, where go-redis waits longer; nothing but a read on a broken connection
// is ever repeated, where go-redis repeats three times; an operation on a closed
// client fails with [ErrClosed].
//
// # From gomemcache
//
//	client := memcache.New("10.0.0.1:11211", "10.0.0.2:11211")
//
//	source, err := membership.Static(
//		membership.Member{ID: "a", Kind: membership.Memcached, Address: "10.0.0.1:11211"},
//		membership.Member{ID: "b", Kind: membership.Memcached, Address: "10.0.0.2:11211"})
//	client, err := router.NewMemcached(ctx, router.Config{Source: source})
//
// The methods have the same names, and the errors that say how an operation went
// too: [ErrCacheMiss], [ErrCASConflict], [ErrNotStored], [ErrServerError],
// [ErrMalformedKey]; ErrNoServers is [ErrNoNodes]. Test with errors.Is. An [Item]
// is a value and not a pointer; its TTL is a duration, where Expiration was a
// number of seconds, and CompareAndSwap takes the CAS that the Item shows.
// Timeout is Config.Node.ReadTimeout and DialTimeout, and the context's deadline;
// MaxIdleConns has no counterpart, since callers share the few connections of
// Config.Memcached.Conns.
//
// Here too keys are placed otherwise. adapter/memcacheselector gives gomemcache
// these placements, for programs that stay with it. The servers must have the
// meta commands, as memcached 1.6 has: one without them is refused when it is
// dialled.
//
// # How a Redis call goes
//
// redis.Get → the command's key, by the table of package command → its owner on
// the ring → the go-redis client of that node. There is no more to it: no lock,
// and no goroutine of the router's between caller and socket. As soon as more than
// four requests are under way on a node, further commands share packets: each
// packet is sent when the one before has been answered, with all that has come in
// meanwhile, so that nobody waits longer than that. [WithoutAutoPipeline] and
// Config.NoAutoPipeline turn it off. Blocking commands, scripts, commands of
// modules, and commands that the caller has made and given to [Redis.Process]
// (unless as a *redis.Cmd) never take part: what one of them makes of its reply
// could fail those in the same packet.
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
//   - No key, and nothing that differs between servers (TIME, ECHO, EVAL_RO
//     without keys): any node.
//   - EVAL, EVALSHA and FCALL without keys are refused: what they write would be
//     on another node each time. SORT takes patterns for BY and GET only if the
//     keys that they stand for share the hash tag of its key.
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
// # Redis pipelines
//
// A pipeline is cut by node, and each part is one flight; the flights go at the
// same time. Commands on one key keep their order, those on keys of different
// nodes have none. Each command has its own result or error: one that is refused,
// or whose node is down, does not stop the others. TxPipelined is MULTI and EXEC
// on one node.
//
// # Redis subscriptions
//
// A channel belongs to the node that owns its name as a key, hash tag included:
// PUBLISH and SPUBLISH go there, and [Redis.Subscribe] and [Redis.SSubscribe]
// listen there. [Redis.PSubscribe] listens on every node, and so does a
// subscription to keyspace notifications, which each server publishes for its
// own keys. A subscription follows the ring: the new owner of a channel is
// subscribed to before the old one is let go. What a script publishes stays on
// the node that runs it. A publisher who still has the old
// ring at that moment is not heard; as with one Redis server, a message that
// nobody receives is lost.
//
// # How a memcached call goes
//
// Memcached.Get → the owner of the key on the ring → the client of that node, of
// package memcache. Calls of any number of goroutines share a node's connections
// and are pipelined on them: there is no pool to run dry, and nobody waits for
// the reply of another.
//
//   - One key: sent to its owner. Hash tags count here too, unless
//     PlacementConfig.WholeKeys is set.
//   - [Memcached.GetMulti], [Memcached.SetMulti] and [Memcached.DeleteMulti]: one
//     exchange a node, or one for each 256 keys, all nodes at the same time. Of
//     gets only the hits are answered. Sets and deletes are answered one by one,
//     for a server that refuses one of many does not say which.
//   - [Memcached.FlushAll] and [Memcached.Ping]: every node.
//   - [Memcached.MetaGet] and its kin send any flag of the meta protocol to the
//     owner of the key; [Memcached.GetLease] and [Memcached.Invalidate] are made of
//     them.
//   - What is left, such as statistics and dumps, has the node's own client:
//     [Memcached.ForEachNode].
//
// # Memcached: keys
//
// A key is 1 to 250 bytes. Spaces, control characters and DEL are refused, as
// they would end the key on the wire and begin a command: the error matches
// ErrMalformedKey. With Config.Memcached.EncodeKeys such keys are sent in base64
// instead, up to 186 bytes of them. The server stores what it
// decodes, and the ring places what the caller gave: the encoding makes no
// difference to either. Bytes from 0x80 on need none. Config.Keys refuses further
// keys, with a [KeyError].
//
// Nothing is sent of an operation one of whose keys or values is refused, also if
// there are many of them.
//
// # Memcached: partial results of batches
//
// If some keys of GetMulti, SetMulti or DeleteMulti fail the error is a
// [MultiError]: its Keys has each key that failed, with its own error, and its
// Failed one error of each node concerned. A key that is not in Keys is done: its
// item is in the map or absent, it is stored, it is deleted. One in Keys may exist
// or not, unless its error says more: after ErrServerError it was not stored, and
// what was there before may be gone.
//
// With the policy Miss the keys of nodes that could not be reached count as absent
// for GetMulti, and there is no error for them. With Successor they are asked of,
// or stored on, their next nodes.
//
// # Memcached: times to live, flags and CAS
//
// Item.TTL is 0 for ever, negative for at once; the server counts whole seconds,
// and a part of one is rounded up. Beyond 30 days the end depends on this
// machine's clock: see memcache.Item. What Get returns has the CAS of that
// version and no TTL. CompareAndSwap stores if it is still that version:
// ErrCASConflict if it was changed, ErrNotStored if it is gone. A CAS is a
// number of the server that gave it out: after a change of the owner, or a
// restart of the server, it says nothing, and may match by accident. Item.Flags are the application's own, 32 bits. Increment and
// Decrement are of 64 bits without a sign.
//
// # When something fails
//
//   - A reply of the server is returned as it is: redis.Nil and Redis's errors,
//     ErrCacheMiss and its kin.
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
//   - What is no fault of a node (a key that is refused, a value that is too
//     large or no number) is returned as package memcache says it.
//
// Test with errors.As and errors.Is; no text is promised.
//
// The policies do not do the same for both. With memcached, Miss makes ErrCacheMiss
// of Get and GetAndTouch, and absent keys in GetMulti. Successor asks the next node
// for these, Set and SetMulti, and for anything else only if the request was never
// sent; a Delete is done there too, and has failed all the same, for the owner may
// come back with the value. FlushAll and Ping follow no policy.
//
// # What is sent again
//
// Of Redis: a read whose connection broke, once. Of memcached: nothing of which a
// byte was given to a connection; a request that never left is sent on another
// connection if the first has failed. A write that failed otherwise may have been
// done: with memcached, errors.Is(err, memcache.ErrOutcomeUnknown) says so, and
// with neither is it done a second time. Who repeats an Add, an Increment or a
// CompareAndSwap must expect that the first one succeeded.
//
// # Deadlines and cancellation
//
// A context that has ended sends nothing, and a deadline bounds a call on the wire
// too. A context that is cancelled while the call is on the wire is another matter:
//
//   - A memcached call returns within 10 ms.
//   - A Redis command that shares its packet with those of other callers returns
//     at once. Its reply, when it comes, is dropped.
//   - A Redis command that has a connection to itself is not interrupted, for
//     go-redis has no way to do it: the call returns when the node answers, or
//     after Config.Node.ReadTimeout, with a time-out or the context's error. That
//     is every command sent while no more than four are under way on the node;
//     pipelines, transactions and Watch; commands with results of a special type,
//     as streams have; and all with [WithoutAutoPipeline].
//   - A blocking command waits for its own time-out, and with a time-out of 0 for
//     ever: until something comes or the router is closed. Give it a time-out, or
//     its context a deadline.
//
// To wait for a free connection or for a new one ends with the context at once.
// Who must be able to leave at any moment gives every context a deadline.
//
// # Changes of the fleet
//
// A request works with the ring that was current when it came, to its end. A
// node that left is closed when its requests are answered, or after
// Config.DrainTimeout. Clients of nodes that stay are not touched; a node that
// changes its address has a new client, and keeps its keys. Scripts and functions
// are loaded into the nodes that are there: load them again when one has joined
// (Script.Run of go-redis does it by itself).
//
// # While keys move
//
// A Source that tells of a transition (membership/gossip and membership/observer do;
// a Static one or DNS change the ring at once) has the router work with two rings
// until the movers of the nodes are done. A key whose owner stays is treated as
// ever. For the others, in short:
//
//   - At first the current owner has the key. A write is followed by a tombstone on
//     the next one, so that no older copy arrives there.
//   - Then the next owner has it. A read that misses there asks the current one,
//     and brings the key over; a write that depends on the value brings it before;
//     any other write goes to the next owner, and the old copy is removed.
//   - A transaction or script on several keys needs that they have one owner by the
//     ring that is due, as without a transition.
//
// What was there and was not written is found, and what was deleted or overwritten
// does not come back. A second half that cannot be done, since its node cannot be
// reached, is owed: it is repeated until it is done, NodeStats.Owed counts it, and
// until then this router takes what that node has on the key for absent. A node that
// owns the key by then is told however late; another client's newer value may go
// with the old one, which costs a miss. Close tells what it can, and returns an error
// if something is left. A router that dies with debts leaves old values where they
// are until they expire.
//
// Clients that do not agree about the ring look for a key on different nodes. A
// source that knows what others use says so, and a router whose own settings give
// another ring than the fleet's notices: Config.OnError is told with a
// [DisagreementError], and with Config.FailClosed nothing is routed until it is
// over.
//
// # Copies
//
// [ReplicationConfig] keeps each Redis key on several nodes. It is off by default.
// NewMemcached refuses it.
//
// # Watching it
//
// [Redis.Stats] and [Memcached.Stats] have counts, latencies and the breaker of
// each node, from the making of its client on; package metrics offers them to
// Prometheus. For memcached a batch counts as one operation a node, OpenConns are
// the shared connections, and IdleConns and PoolTimeouts stay 0; what the node's
// own client counts besides, lost connections and abandoned calls among it, is in
// memcache.Client.Stats.
//
// The rest is for Redis. AddHook adds a go-redis hook around every call: it sees a
// command once, however many nodes it goes to. Config.OnNewNode is given the
// client of each node before it is used: the place for redisotel and the like,
// which then see what goes to which node. PoolStats has the sums of the pools. A
// [Tracer] is told of each request, also of those to memcacheds.
//
// # Concurrency and cost
//
// A client is safe for any number of goroutines. One goroutine follows the
// Source. Of Redis it holds a pool of connections to each node, and two goroutines
// for each where commands share packets; a subscription takes two goroutines for
// each node that it listens to and three of its own. Of memcached it holds at most
// Config.Memcached.Conns connections to each node, with a goroutine each. Close
// ends them all.
package router
