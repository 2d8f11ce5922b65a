// Package local is a journal in a file, for one process.
//
//	log, err := local.Open("/var/lib/svc/cache.journal", local.Config{})
//
// The file is a bbolt database (go.etcd.io/bbolt): a tree of pages that are never
// changed in place, and two roots, of which the newer whole one counts. A transaction
// is on the disk before its root is, each with an fsync, and Append returns after both.
// What a crash, or a loss of power, leaves of one that was under way is not reachable,
// and is used again.
//
// Appends of a moment share a transaction: while one is on its way to the disk, those
// that come wait for the next, together.
//
// # Damage
//
// Each record has a checksum, and each queue a count of its records. Open reads all of
// the file, and returns an error that matches journal.ErrDamaged if anything is not as
// it was written: it does not go on with a part of what was promised. The file is left
// as it is. A root that is not whole is not damage: it is what a crash leaves, and the
// one before it counts.
//
// # One process
//
// A file that another process has is refused with journal.ErrLocked (flock). It belongs
// on a local disk: a network's locks and fsyncs promise less.
package local
