// Package ledger is what the members of a fleet know in common: one record a
// node, written by the node's agent alone, and the evictions. Ledgers merge:
// whoever has seen the same changes, in whatever order, has the same ledger.
//
// From a ledger follow a view, its epoch, and who has to be evicted. The package
// has no clock and no network: time is an argument.
package ledger
