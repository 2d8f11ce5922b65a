package main

import (
	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/bench/rounds"
)

func atMost(text, name, unit string, limit float64) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Ratio(name, unit), Bound: rounds.AtMost, Limit: limit}
}

// ahead is a claim that ours takes less time than another one.
func ahead(text, name, peer string) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Ratio(name, peer), Bound: rounds.Below, Limit: 1}
}

func counted(text, name string, unit, limit float64) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Value(contest.Counted(name), unit), Bound: rounds.AtMost, Limit: limit}
}

// processors is a claim about the time that two take of the processors.
func processors(text, name, unit string, bound rounds.Bound, limit float64) rounds.Claim {
	return rounds.Claim{Text: text, Measure: rounds.Ratio(contest.Processors(name), contest.Processors(unit)), Bound: bound, Limit: limit}
}

var claims = []rounds.Claim{
	processors("level 1, 1 goroutine: a hit to otter's GetIfPresent, CPU", "l1-1/cache.Space", "l1-1/otter", rounds.AtMost, 1.5),
	processors("the same, 128 goroutines, CPU", "l1-128/cache.Space", "l1-128/otter", rounds.AtMost, 1.5),
	{Text: "allocations of such a hit", Measure: rounds.Value(contest.Allocations("l1-1/cache.Space"), 1), Bound: rounds.AtMost, Limit: 0},
	processors("level 1, a value with a slice, 1 goroutine: to go-redis/cache, CPU", "local-1/cache.Space", "local-1/go-redis/cache", rounds.Below, 1),
	processors("the same, 128 goroutines, CPU", "local-128/cache.Space", "local-128/go-redis/cache", rounds.Below, 1),
	ahead("the same, 128 goroutines", "local-128/cache.Space", "local-128/go-redis/cache"),
	ahead("the same, to gocache", "local-128/cache.Space", "local-128/gocache"),
	processors("the same, decoded, to go-redis/cache, CPU", "local-128/cache.Space, decoded", "local-128/go-redis/cache", rounds.Below, 1),
	atMost("fleet, 1 goroutine: a hit to the routed GET and decoding that are in it", "hit-1/cache.Space", "hit-1/router.Redis GET", 1.1),
	processors("the same, CPU", "hit-1/cache.Space", "hit-1/router.Redis GET", rounds.AtMost, 1.1),
	atMost("the same, 128 goroutines", "hit-128/cache.Space", "hit-128/router.Redis GET", 1.1),
	processors("the same, 128 goroutines, CPU", "hit-128/cache.Space", "hit-128/router.Redis GET", rounds.AtMost, 1.1),
	ahead("fleet, 1 goroutine: to go-redis/cache", "hit-1/cache.Space", "hit-1/go-redis/cache"),
	ahead("the same, 128 goroutines", "hit-128/cache.Space", "hit-128/go-redis/cache"),
	processors("the same, 128 goroutines, CPU", "hit-128/cache.Space", "hit-128/go-redis/cache", rounds.Below, 1),
	processors("the same, to go-redis/cache over our router, CPU", "hit-128/cache.Space", "hit-128/go-redis/cache, routed", rounds.Below, 1),
	ahead("100 keys: to go-redis/cache", "many/cache.Space", "many/go-redis/cache"),
	processors("the same, CPU", "many/cache.Space", "many/go-redis/cache", rounds.Below, 1),
	ahead("the same, to a pipeline over redis.Ring and decoding", "many/cache.Space", "many/redis.Ring pipeline"),
	counted("the same, commands to each server", "many/cache.Space", contest.Shards, 1),
	ahead("fleet, 128 goroutines: to gocache", "hit-128/cache.Space", "hit-128/gocache"),
	ahead("100 keys: to gocache", "many/cache.Space", "many/gocache"),
	counted("1,000 callers of 1 client: loads", "miss-1/cache.Space", 1, 1),
	ahead("the same, time until all have the value, to go-redis/cache", "miss-1/cache.Space", "miss-1/go-redis/cache"),
	ahead("the same, to gocache", "miss-1/cache.Space", "miss-1/gocache"),
	counted("1,000 callers of 3 clients: loads", "miss-3/cache.Space", 1, 1),
	{Text: "the same, to the loads of go-redis/cache", Bound: rounds.Below, Limit: 1,
		Measure: rounds.Ratio(contest.Counted("miss-3/cache.Space"), contest.Counted("miss-3/go-redis/cache"))},
	ahead("the same, time until all have the value, to go-redis/cache", "miss-3/cache.Space", "miss-3/go-redis/cache"),
	{Text: "the same, to the loads of gocache", Bound: rounds.Below, Limit: 1,
		Measure: rounds.Ratio(contest.Counted("miss-3/cache.Space"), contest.Counted("miss-3/gocache"))},
}
