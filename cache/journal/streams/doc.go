// Package streams is a journal in Redis Streams, for a fleet of processes that share
// it: what one of them has appended another does, if the first dies.
//
//	shared, err := streams.New(client, streams.Config{})
//
// A queue is one stream, with one consumer group, and lies on one server: its keys
// share the hash tag "{NAME}". All that decides is a script on them:
//
//   - An append has the number of its process, counted up: one that is repeated, since
//     its reply was lost, is not there twice.
//   - One process at a time reads, under a lease ("{NAME}:reader"), and what it reads is
//     pending under its name in the group. If it dies, whoever has the lease next claims
//     what is pending (XAUTOCLAIM), and reads on from there. So records of a queue are
//     done in order, which a group with many consumers does not promise.
//   - What is done is acknowledged and deleted at once (XACK, XDEL): the length of the
//     stream is what is not done.
//
// # What the server must do
//
// Redis 7.0 or later. What it forgets is lost: it needs "appendonly yes" with
// "appendfsync always" for kill -9 and loss of power, and "maxmemory-policy noeviction".
// A server without an append-only file is refused, unless Config.Volatile says that it
// is wanted. With replicas, one that takes over may lack the last records; and a
// fleet that is resized moves keys while they are in use: give the journal servers of
// its own, that stay.
//
// # Clocks
//
// Numbers come from the server's clock and the stream's last entry, whichever is
// greater. The lease is timed by the server.
package streams
