// Package trace reads key traces: who asked for which key, in which order.
//
// A [Reader] streams one trace, a [Request] at a time, in memory that does not
// depend on the trace's length. Gzip is recognised by its magic bytes, and the
// format by its content unless [Config] names it:
//
//   - keys: a key a line. Every request is a Get.
//   - csv: a header, then a record a line, quoted as in RFC 4180. Columns
//     "key", "op", "ttl", "size" and "time" (or those that [Columns] names);
//     only the key must be there.
//   - twitter: no header, seven columns: timestamp, key, key size, value size,
//     client, operation, TTL. Source: https://github.com/twitter/cache-trace
//     (Yang, Yue, Rashmi, "A large scale analysis of hundreds of in-memory
//     cache clusters at Twitter", OSDI 2020).
//   - metakv: Meta's key-value cache traces, by their header, whose columns
//     come in another order from one trace to the next; a row with op_count n
//     is n requests. Source: https://github.com/facebook/CacheLib,
//     cachelib/cachebench/test_configs/trace_replay/kvcache.
//
// # Operations
//
// The operations of all formats fold into four, in upper or lower case:
//
//   - Get: get, gets, get_lease, read, head
//   - Set: set, set_lease, add, put, write
//   - Update, which changes an entry only where there is one: replace, cas,
//     append, prepend, incr, decr, touch, update
//   - Delete: delete, del, and HTTP's post and patch, which invalidate what a
//     cache holds (RFC 9111, section 4.4)
//
// Another word is an error, never a guess.
//
// # What is accepted
//
// Lines end in LF or CR LF, the last one may lack it; empty lines are skipped, a
// UTF-8 byte order mark too. A line, or a quoted record over several lines, is
// at most [MaxLine] bytes. Control characters other than the tab mean that the
// file is no text, and are an error. An empty cell of a number is unknown; a
// decimal fraction is dropped; numbers below 0 or above [MaxNumber] are errors.
//
// Whatever is wrong is told by an [*Error]: file, line, what was found, what was
// expected. A trace without a single request is an error too.
//
// # Speed
//
// A second goroutine, ended by [Reader.Close], reads and decompresses ahead of
// the parsing. Next allocates nothing. Fields of records without a quotation mark
// are cut where they stand.
package trace
