// Package transit has the steps by which one key goes from the server that owns
// it to the server that will, while clients use both: what routers and the mover
// have in common. It decides nothing: which step comes when is said by package
// router for the operations of clients, and by package rebalance for the rest.
//
// O is the current owner of a key, N the next.
//
// # Tombstones
//
// A tombstone at N says that the key was deleted, and keeps copies from bringing
// it back: whoever has read O before the delete and is slow to write. It lasts
// for [TombstoneLife], and is placed together with the delete, in one step. An
// ordinary write may follow it at once. There are two kinds.
//
//   - [Closed] lets no copy in. It is for what is decided at N, with O still to
//     follow: a delete, whose second half is the delete at O. What stands at O
//     then is of yesterday, whenever it is read. That is so in its transition
//     alone, and so with Redis it bears the number of it. If the next transition
//     but one, a few seconds later, brings the key back to N, what O has is what
//     was written or came there after the delete: it may go over.
//   - [Open] lets in a copy that has begun after it. It is for what was decided
//     at O before: a write, or a delete, by a client that still works with the
//     current ring. What is read at O from then on is that write, or newer, and
//     may go over. A copy names the tombstone that it saw before it read O; if
//     another one is there when it arrives, something happened in between.
//
// Without open tombstones a counter that was incremented at O, in the last
// seconds before keys begin to move, would begin anew at N: its value could not
// follow it. Each tombstone takes the place of the one before it. That an open one
// may follow a closed one does not weaken it: what a client wrote to O after that
// has replaced what was of yesterday there.
//
// Redis: a tombstone is a key beside the key, named [MarkerPrefix] and the key,
// with the kind as its value. It belongs to the server that holds it and to no
// ring: whoever walks over the keys of a server passes over what [IsMarker]
// reports, and neither moves nor sweeps it.
//
// Memcached: a tombstone is the key itself, with an empty value and one of four
// reserved client flags, so that an add fails on it. Every reader treats it as
// absent: see [TombstoneOf]. Two of the four say that it is leased, as a missing item
// can be. Its kind is for all transitions: there the sweep before a transition
// removes it.
//
// # Copies
//
// A copy takes value, type and time left. It arrives only if N has neither the
// key nor a tombstone that forbids it, and replaces nothing, ever. It is thrown
// away if the read at O was begun more than [CopyLimit] ago: a delete whose
// tombstone has expired since cannot be undone, for TombstoneLife is longer by
// far. With Redis N enforces that: it gave out its own time before O was read,
// and compares when the copy arrives; a packet that was held up, or a server that
// was stopped, makes no difference, nor do differences between clocks. (A clock
// of N that is set back in between makes the copy late; one that is slowed down
// by a factor of four, which no time service does, would fool it.)
//
// Memcached has no way to compare times. There the sender looks at its own clock
// before it writes, and gives up at the limit; what it has handed to the network
// by then may still arrive. It does no harm unless the network holds it back for
// longer than a tombstone lives.
//
// Clients that are not equally far may work on one key at the same time. What one that
// is behind puts at N lets a closed tombstone stand ([Redis.BuryUnlessClosed]): whoever
// has set that may not be done at O, and a copy must not pass between its two halves.
//
// # Fences
//
// While a receiver is in a transition, its agent keeps a [Fence] on its server: a
// short-lived key that names the transition. The mover's copies arrive only while
// it is there: one that was stopped or cut off, and goes on when the transition is
// over, brings nothing. Redis checks that in the script that stores
// ([Redis.StoreFenced]). Memcached has no scripts: there the mover first reserves
// the key with an open tombstone that lives for CopyLimit, reads the fence after
// that, and the copy takes the place of that very tombstone or does not arrive
// ([Memcached.ReserveFenced]). So with movers the server's clock bounds a copy with
// Memcached too. The copies that clients make need no fence: they are made for an
// operation that waits for them.
//
// [IsMarker] reports fences as well, the names under which big keys are put
// together from parts ([PartKey]), and the one by which an agent knows the process
// of its server again ([ProcessKey]).
//
// # Many keys at a time
//
// A mover gives [Redis] its [Lines]: connections over which a batch is one packet.
// What is done is the same, by the same scripts, but for the reading: short strings
// are read by plain commands, in transactions of a few keys each, which keeps the
// server from others for microseconds, and everything else by the script.
//
// # What is needed of the servers
//
// Redis 7.0 or later (PEXPIRETIME), with TYPE, DUMP, RESTORE, TIME, UNLINK, SET,
// GET, EXISTS, MGET, and scripts (EVALSHA, EVAL, SCRIPT LOAD); for the mover also
// GETRANGE, MULTI, EXEC, PING, INFO, MEMORY USAGE and the commands that count
// elements. Users whose access is limited
// to patterns of keys need that of the markers too: __ringway:*. RESTORE takes what
// a server of the same version or an older one has dumped. Memcached 1.6 with the
// meta commands.
package transit
