// Package ketama places keys as four older clients do: libketama, libmemcached
// (and with it php-memcached), spymemcached and twemproxy. It lets a fleet move
// to ringway without moving its keys first.
//
// It is a compatibility mode, never the default. Unlike [ring.Ring], ketama
// does not move the least when the fleet changes: how many points a server gets
// depends on the number of servers and on their total weight, so that every
// server that stays gains or loses points too. Measured on the eight servers of
// libketama's own test (weights 100 to 1000): removing the one of weight 100
// moves 11.3% of the keys, where it owned 2.2%. Servers of equal weight keep
// their points, except at the fleet sizes where float32 rounding takes four
// from each: 25 servers have 160 points each with libketama, 156 with
// libmemcached.
//
// # How
//
// For a server called name and k = 0, 1, 2, …, the MD5 sum of name + "-" + k,
// read as four little-endian 32-bit words, gives four points of a 32-bit
// circle. A key hashes to the first such word of its own MD5 sum, and belongs
// to the server of the first point at or after that; past the last point, to
// that of the first. The variants differ in the name that is hashed, in the
// number of points and in the hash of the key:
//
//	variant       name hashed                         points of a server                           key hash
//	Libketama     the ID                              4·floor(float32(float32(w/W)·40·n))          MD5
//	Libmemcached  the ID without ":11211"             4·floor(float32(w/W)·160/4·n), in float32    MD5
//	Spymemcached  the ID                              160                                          MD5
//	Twemproxy     the ID without ":11211"             as Libmemcached                              FNV-1a
//
// where w is the weight of the server, W that of all, and n their number. With
// Libketama, Libmemcached and Twemproxy a server whose share is below about
// 1/(40·n) gets no point, and so no key, as in those clients. The ID of a node
// is the server's name exactly as the client lists it.
//
// # Equal points
//
// Two servers now and then have a point in common: one chance in 34 with 100
// servers. Then the one that comes first in the list has it; with Spymemcached
// the last, because its map keeps what was put last. The current libmemcached
// defines it so (it compares points, then list positions). libketama, twemproxy
// and older libmemcached compare points alone and leave the rest to qsort, which
// in glibc is a stable merge sort and so does the same. That is why Nodes keeps
// the order of the list, and equal points are all that this order decides.
//
// # Sources
//
// Read for facts, not copied: RJ/ketama libketama/ketama.c;
// awesomized/libmemcached src/libmemcached/hosts.cc and behavior.cc;
// couchbase/spymemcached KetamaNodeLocator.java and KetamaNodeKeyFormatter.java;
// twitter/twemproxy src/hashkit/nc_ketama.c, nc_fnv.c and src/nc_conf.c. The
// tests hold to the vectors of their test suites.
//
// MD5 is used as a plain hash. A program that runs in the FIPS 140-only mode of
// Go's crypto packages cannot use this package: crypto/md5 panics there.
package ketama
