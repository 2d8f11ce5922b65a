// Package workload generates requests where there is no trace: popularity by a
// Zipf law, even, or with a hot set; operations, sizes and TTLs by shares.
//
// A [Generator] gives the same requests as package trace does, one after the
// other, in memory of about 12 bytes a key, and depends on its [Config] alone: the
// same seed gives the same requests on every machine. What would round otherwise
// on another architecture (powers, logarithms of the standard library) is kept
// out.
//
// # Presets
//
// [Presets] are the parameters of 54 of Twitter's cache clusters, as measured in
// March 2020: sizes of keys and values, the mix of operations, common TTLs, rate,
// and the Zipf parameter of popularity. Source: the table stat/2020Mar.md of
// https://github.com/twitter/cache-trace (Yang, Yue, Rashmi, "A large scale
// analysis of hundreds of in-memory cache clusters at Twitter", OSDI 2020), CC BY
// 4.0; see data/README.md. A table of means is no trace: bursts, drifts of
// popularity and the spread of sizes within a cluster are not in it.
package workload
