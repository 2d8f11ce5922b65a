package main

import (
	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/bench/rounds"
)

// The throughput of one client to that of another is the ratio of the other's
// time to its own.
func throughput(text, name, peer string, limit float64) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Ratio(peer, name), Bound: rounds.AtLeast, Limit: limit}
}

var claims = []rounds.Claim{
	throughput("GET, 128 goroutines: throughput of `router.Redis` to go-redis's Ring", "get-128/router.Redis", "get-128/redis.Ring", 2.5),
	throughput("the same to rueidis, sharded by hand", "get-128/router.Redis", "get-128/rueidis", 1.3),
	throughput("the same to go-redis's auto-pipeliners, sharded by hand", "get-128/router.Redis", "get-128/auto-pipeliners", 0.95),
	throughput("GET, 1 goroutine: throughput of `router.Redis` to go-redis's Ring", "get-1/router.Redis", "get-1/redis.Ring", 0.95),
	throughput("MGET of 100 keys over 4 nodes, 1 goroutine: throughput to that of 100 GETs", "mget/router.Redis MGET", "mget/router.Redis GETs", 15),
	throughput("pipeline of 100 GETs, 1 goroutine: throughput of `router.Redis` to go-redis's Ring", "pipeline/router.Redis", "pipeline/redis.Ring", 1),
	throughput("memcached GET, 128 goroutines: throughput of `router.Memcached` to gomemcache", "memcached-128/router.Memcached", "memcached-128/gomemcache", 2),
	{Text: "the same: allocations of `router.Memcached` to gomemcache's", Bound: rounds.Below, Limit: 1,
		Measure: rounds.Ratio(contest.Allocations("memcached-128/router.Memcached"), contest.Allocations("memcached-128/gomemcache"))},
	{Text: "what routing adds to a GET, ns", Bound: rounds.AtMost, Limit: 150,
		Measure: rounds.Difference("routing/router.Redis", "routing/redis.Client")},
	{Text: "what routing adds to a GET, allocations", Bound: rounds.AtMost, Limit: 1,
		Measure: rounds.Difference(contest.Allocations("routing/router.Redis"), contest.Allocations("routing/redis.Client"))},
}
