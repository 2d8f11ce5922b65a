// Package memcache speaks to one memcached server over the meta protocol.
//
// It is the layer between the sharded client of package router, which picks the
// server for a key, and the socket. [Client.Get], [Client.Set] and their kin
// read like gomemcache with a context in front. The same calls leave the same bytes
// and flags on the server: internal/bench has a test that makes them through both.
// Below them [Client.MetaGet], [Client.MetaSet], [Client.MetaDelete] and
// [Client.MetaArithmetic] give every flag of the protocol as a field, leases and
// stale items included, and [Client.MetaGetMulti] and its kin the same for many
// keys in one exchange. [Client.GetLease] and [Client.Invalidate] are made of them.
// [Client.Metadump] goes through all that a server holds.
//
// # How it works
//
// Few connections serve any number of callers. A caller appends its request to
// the connection's buffer; the first to find nobody writing writes, without
// waiting for the network, and takes along what others append meanwhile. The
// replies come in the order of the requests and are handed out by whoever
// reads: a goroutine when callers are many, the caller itself when it is alone,
// which then needs no other goroutine at all. 128 callers so share a handful of
// system calls, and one caller costs no more than with a connection of its own.
//
// # What a call may rely on
//
//   - A call returns when its context ends: at the moment of a deadline, and
//     within 10 ms of a cancellation. Its reply, when it comes, is read past, and
//     no other call is disturbed.
//   - Nothing that may have been carried out is ever sent twice. A request of
//     which no byte was handed to a connection is sent on another one when the
//     first has failed; any other fails with ErrOutcomeUnknown.
//   - A server that hangs is noticed: when replies are due and none has come for
//     Config.ReplyTimeout, the connection is given up, and everything that waits
//     on it fails with ErrOverdue.
//   - A reply that breaks the protocol, or that cannot belong to the request it
//     would be given to, costs the connection and reaches no caller: another
//     opaque, another key, another command's outcome, or one that was there
//     before the request. Lines, values and statistics are bounded: memory for a
//     value is taken when its size is known and within Config.MaxValueSize.
//   - Keys, sizes and flags are checked before anything is sent. A key cannot
//     smuggle in a command.
//   - Values are copied on the way out before the call returns, and are the
//     caller's own on the way in.
//
// # Versions
//
// Written for and tested with memcached 1.6.18. The meta commands took their
// present form in the course of the 1.6 series; a server without them is refused
// when a connection is opened, by an mn that goes first. Where protocol.txt and
// the server differ, the comments say what was measured.
//
// # Source
//
// The protocol is doc/protocol.txt of memcached, section "Meta Commands":
// https://github.com/memcached/memcached/blob/master/doc/protocol.txt. That
// whoever finds nobody at work does the work of all is flat combining: Hendler,
// Incze, Shavit and Tzafrir, "Flat Combining and the Synchronization-Parallelism
// Tradeoff", SPAA 2010.
package memcache
