// Package rebalance plans a change of the fleet, and moves the keys that it gives
// another owner while clients go on working.
//
// [NewPlan] says what a change moves before anything is changed. A [Mover] does the
// moving: one for each node that loses keys, run by that node's agent, which calls
// [Mover.HandOver] when the members have agreed that keys move.
//
// # How a key moves
//
// The mover walks over the keys of its node's server, and for those that have
// another owner in the next ring, in batches:
//
//  1. asks the new owner what time it is there, and whether it lets a mover in; for
//     keys that turn out to have a tombstone there, which one that is;
//  2. takes value, type and expiry from its own server;
//  3. stores them at the new owner, if nothing has come there meanwhile;
//  4. asks the new owner for a sign of life, and removes the key from its own server
//     if it is unchanged since step 2.
//
// Every step is conditional, in the server itself. So nothing that the new owner
// has is overwritten, what was deleted does not come back, what was changed at the
// old owner stays there for the next pass, and at each moment at least one of the
// two has the key. The mover keeps no state: after a crash another one walks again
// and finds what is left.
//
// It has finished when a whole pass over the server found nothing to move. Where a
// receiver does not answer or has no room, its keys wait, and the pass is repeated.
//
// # The fence
//
// While a receiver is in a transition its agent keeps a fence on its server, which
// names the transition and ends by itself (internal/transit). Without that fence
// nothing of a mover arrives. A mover that was stopped for a minute, or does not
// hear that the transition has ended, so brings nothing into a later time.
//
// Redis checks the fence in the step that stores. Memcached cannot check two keys
// in one step: there the mover first places a tombstone for each key, which lives
// for two seconds at most, then reads the fence, and the copy can only take the
// place of that very tombstone.
//
// # Servers that are restarted
//
// A server that is restarted without its data has forgotten what came to it. So a
// batch is removed at the source only if the receiver is, after the copy, the process
// that it was before the batch began; otherwise the keys stay, and the next pass
// copies them again. What had been removed before the receiver died is lost with it.
// A source that is restarted is walked over anew.
//
// # Several copies of each key
//
// With Config.Copies above 1 a key goes to each node that is to hold it and does
// not yet; the first of its present holders that answers sends it, the others step
// in where the key is still missing after that. It is removed from holders that are
// not to have it any more, once all the next ones do. They are all asked, also those
// that hold it already: one that was restarted, or has thrown keys out, is given
// what it lacks. Until the transition has ended a reader that asks one new holder
// may miss what another one has.
//
// # Load
//
// [Limits] bound keys and bytes a second. Beyond that the mover measures how long
// the servers take to answer a PING, and halves its pace when that is too long: for
// all keys if it is the source, and otherwise for those that go to that receiver. A
// slow receiver is given one batch at a time, beside the others, which go on.
//
// A big key is announced and moves by itself. Redis keys go in parts, so that no
// server is busy with one for long: strings, lists, hashes, sets and sorted sets.
// Streams, values of modules, and hashes whose fields have expiries of their own
// move in one piece, and may take no longer than a copy may (two seconds).
//
// # What is needed of the servers
//
// What internal/transit and internal/dataserver need, and for big keys TYPE, WATCH,
// MULTI, EXEC, PEXPIRE, RENAME, and the commands that read and write parts. Where
// access is limited to patterns of keys, those that begin with "__ringway:" are
// needed too. All nodes of a fleet use the same database and prefix.
package rebalance
