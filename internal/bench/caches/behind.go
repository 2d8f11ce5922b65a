package main

// behind is what the page has to say of what was measured, whatever the figures.
const behind = `## What is measured

**All** have the same keys, values, codec and times to live; ` + "`cache.Space`" + ` has its defaults but for the time to live, so that leases, stale-on-error and jitter are on. What it stores has 110 bytes more than the JSON: version, lease, ends, identity and checksum, which each hit checks.

**A hit in this process**: 10,000 entries in each level, with room for twice as many; "nearly full" has room for little more, and there otter begins to count which keys are asked for. otter, which ` + "`cache.Space`" + ` uses inside, is asked with the same string keys. "otter" knows no times; "otter, weighed" is bounded as a level 1 is. ` + "`cache.Space`" + ` looks at a clock that ticks every 10 ms, compares end, epoch and generation, counts the hit, and says where the value came from and how old it is. A value without pointers is copied by assignment. One of which all parts can be reached is copied part by part, others are copied by ` + "`Clone`" + ` or decoded for each caller, as go-redis/cache does it with all: "decoded" is the same value with a field that is an interface. rueidis keeps replies and is told of changes by the servers.

**A hit on the fleet**: one GET each. go-redis/cache is measured over ` + "`redis.Ring`" + `, which its documentation uses, and over ` + "`router.Redis`" + `, where what differs is the cache alone. Its ` + "`Get`" + ` is measured, which shares no request and has no loader to fall back on: less than a ` + "`Space.Get`" + ` does.

**100 keys**: ` + "`GetMany`" + ` against a ` + "`Get`" + ` for each key, since go-redis/cache has nothing for many. A pipeline by hand is what its users can do in its place; it is no cache, and neither is MGET by hand. Commands are those that the four servers count (` + "`INFO commandstats`" + `): one MGET each, which is one round trip.

**A miss**: 1,000 goroutines ask for a key that nobody has, and the loader takes 20 ms. go-redis/cache is called by ` + "`Once`" + `, its single flight, one of which each client has. Three clients are three caches with connections of their own, in one program: what they share is the servers, as three processes do. ` + "`cache.Space`" + ` takes a lease before it loads, and fills under it: two requests more than a GET and a SET, for which the others wait. With three clients two of them poll for the value, and see it a little later than one who loads for itself: that is the price of one load in place of three. All callers of a client then get copies of what was decoded once, where go-redis/cache decodes for each.

**gocache** (eko/gocache) is asked for text, which the codec of all others decodes, since its own codec is another one. In this process it is over go-cache, which keeps everything until its end; on the fleet over ` + "`redis.Ring`" + `. It has nothing for many keys. A miss is asked of its loadable cache, which has a single flight for each client, and stores in the background: who comes between the load and that is served from memory.

jetcache-go is not measured.
`
