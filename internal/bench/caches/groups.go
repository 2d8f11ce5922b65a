package main

import (
	"fmt"

	"github.com/ringway/ringway/internal/bench/contest"
)

const (
	many      = 128 // goroutines
	batchSize = 100 // keys of a GetMany
	clients   = 3   // processes of a fleet, played by clients that share nothing
)

const (
	byHand   = "by hand: no cache, the codec alone"
	peerNote = "over redis.Ring, as its documentation has it"
	overOurs = "over router.Redis, so that only the caches differ"
)

var groups = []contest.Group{
	local("local-128", "hit in this process, 128 goroutines", many),
	local("local-1", "hit in this process, 1 goroutine", 1),
	{Name: "l1-128", Title: "hit in this process, value copied by assignment, 128 goroutines", Goroutines: many, Batch: 1, Contenders: assigned},
	{Name: "l1-1", Title: "hit in this process, value copied by assignment, 1 goroutine", Goroutines: 1, Batch: 1, Contenders: assigned},
	hit("hit-128", "hit on the fleet, 128 goroutines", many),
	hit("hit-1", "hit on the fleet, 1 goroutine", 1),
	{Name: "many", Title: fmt.Sprintf("hits of %d keys, 1 goroutine", batchSize), Goroutines: 1, Batch: batchSize,
		Counted: "commands", Contenders: []contest.Contender{
			{Name: "cache.Space", Note: "GetMany", Open: spaceGetMany},
			{Name: "go-redis/cache", Note: "a Get for each key, for it has no other call; " + peerNote, Open: peerGets(false)},
			{Name: "go-redis/cache, routed", Note: "the same, " + overOurs, Open: peerGets(true)},
			{Name: "gocache", Note: "likewise", Open: gocacheGets},
			{Name: "redis.Ring pipeline", Note: byHand, Open: ringPipeline},
			{Name: "router.Redis MGET", Note: byHand, Open: routerMGet},
		}},
	missing("miss-1", fmt.Sprintf("miss, %d callers of 1 client", callers), 1),
	missing("miss-3", fmt.Sprintf("miss, %d callers of %d clients", callers, clients), clients),
}

// local is about values that each caller gets a copy of.
func local(name, title string, goroutines int) contest.Group {
	return contest.Group{Name: name, Title: title, Goroutines: goroutines, Batch: 1, Contenders: []contest.Contender{
		{Name: "cache.Space", Note: "copies for each caller, part by part", Open: spaceLocal(firstLevel)},
		{Name: "cache.Space, nearly full", Note: "the same", Open: spaceLocal(nearlyFull)},
		{Name: "cache.Space, decoded", Note: "decodes for each caller, as it does where a type has an interface", Open: spaceLocalDecoded},
		{Name: "cache.Space, Clone", Note: "copies for each caller, by SpaceConfig.Clone", Open: spaceLocalClone},
		{Name: "go-redis/cache", Note: "TinyLFU, with room for all keys; decodes for each caller", Open: peerLocal},
		{Name: "gocache", Note: "go-cache, which knows no bound; decodes for each caller", Open: gocacheLocal},
		{Name: "rueidis DoCache", Note: "client-side caching, and the codec by hand; a client for each server, by our ring", Open: rueidisLocal},
	}}
}

var assigned = []contest.Contender{
	{Name: "cache.Space", Open: spaceLocalCard},
	{Name: "otter", Note: "GetIfPresent, bounded by the number of entries, which do not end", Open: otterGet},
	{Name: "otter, weighed", Note: "bounded by bytes and time, as the level of cache.Space is", Open: otterBounded},
}

func hit(name, title string, goroutines int) contest.Group {
	return contest.Group{Name: name, Title: title, Goroutines: goroutines, Batch: 1, Contenders: []contest.Contender{
		{Name: "cache.Space", Note: "no first level", Open: spaceGet},
		{Name: "go-redis/cache", Note: "no local level; " + peerNote, Open: peerGet(false)},
		{Name: "go-redis/cache, routed", Note: "the same, " + overOurs, Open: peerGet(true)},
		{Name: "gocache", Note: "over redis.Ring", Open: gocacheGet},
		{Name: "router.Redis GET", Note: byHand, Open: routerGet},
	}}
}

func missing(name, title string, n int) contest.Group {
	return contest.Group{Name: name, Title: title, Goroutines: 1, Batch: 1, Counted: "loads", Contenders: []contest.Contender{
		{Name: "cache.Space", Open: func(e *contest.Environment) (contest.Operation, error) { return spaceMiss(e, n) }},
		{Name: "go-redis/cache", Note: "Once; " + peerNote, Open: peerMiss(n, false)},
		{Name: "go-redis/cache, routed", Note: "the same, " + overOurs, Open: peerMiss(n, true)},
		{Name: "gocache", Note: "a loadable cache over redis.Ring", Open: gocacheMiss(n)},
	}}
}
