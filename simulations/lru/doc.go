// Package lru is a plain LRU cache for simulations: it holds which keys are
// cached, with their sizes and expiry times, but no values.
//
// Keys are numbers, which the caller gives out as keys first appear. A [Cache] is
// bounded by a number of entries, by bytes, or by both; when an entry comes for
// which there is no room, those that were used least recently leave. Entries may
// expire: one that has is a miss when it is asked for, and leaves then. Until
// then, or until it is evicted, it takes up room, as in Memcached without its
// crawler.
//
// There is no clock: the caller passes the tick, the number of the request,
// which orders uses across several caches, and the second, against which expiry
// times are held. The same calls give the same cache.
//
// # How
//
// Entries lie in one slab, linked by position in the order of use; an
// open-addressing table with linear probing, at most half full, leads from a key
// to its position. Get and Put cost O(1) and allocate nothing once the slab has
// grown to the capacity. Memory is 24 bytes of slab and 16 to 32 bytes of table
// an entry, 8 more with a capacity in bytes and 8 more once an entry expires; it
// grows with the entries, whatever the number of keys.
//
// A Cache is not safe for concurrent use.
package lru
