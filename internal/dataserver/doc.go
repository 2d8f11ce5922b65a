// Package dataserver is what an agent does with the one Redis or Memcached
// server that it runs beside: look whether it serves, count what it holds, and
// remove from it what must not be there.
//
// [Open] reads a [Config] and dials nothing; the [Server] that it returns does,
// when it is first asked something. Package dataservertest has a Server in
// memory for the tests of others.
//
// # What is never touched
//
// Count, Purge and Sweep see the keys of one database that begin with
// Config.Prefix. Other databases of a Redis server and keys outside the prefix
// are neither counted nor removed: there is no FLUSHALL here, and memcached's
// flush_all, which knows no prefix, is sent only where there is none.
//
// Fences and tombstones, which clients and movers keep on a server during a
// transition (package transit), are not keys in this sense: they are passed over.
//
// # How it works
//
// Redis: Probe, Identity, Memory and the count of a whole database share one
// connection that stays open; one that was lost while nobody looked is replaced
// at once. A walk over the keys (SCAN, and UNLINK of what must go in the same
// exchange) has a connection of its own and ends with it. A cursor means
// something only to the process that gave it out: carried on at a server that
// was restarted in between, the walk would skip keys that are there, and a
// purge that skips keys lets old ones come back to life. So a walk never dials
// twice.
//
// Memcached: the walk is lru_crawler metadump. Since the server waits for who
// reads a dump, and versions before 1.6.19 hold a lock on items meanwhile, keys
// that must go are first gathered, up to some hundred thousand, and deleted once
// the dump has ended; then the next dump begins.
//
// Both walks see every key that is there from beginning to end. Whether a key
// goes is decided by its name alone, so that one that is written meanwhile is
// treated no differently.
//
// # What the server must allow
//
// Redis: PING, INFO, SELECT, DBSIZE, SCAN and UNLINK; FLUSHDB if it may, else
// keys are removed one by one. Memcached: the meta commands, stats and
// lru_crawler metadump (neither -X nor -o no_lru_crawler).
//
// # Secrets
//
// A password is in no error, and in no text that fmt, log/slog or encoding/json
// make of a Config or a Server. URLs that cannot be used are not quoted, since
// what cannot be parsed cannot be told from a password either.
package dataserver
