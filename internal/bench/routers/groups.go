package main

import (
	"fmt"

	"github.com/ringway/ringway/internal/bench/contest"
)

const (
	many      = 128 // goroutines
	batchSize = 100 // keys of an MGET and of a pipeline
)

var groups = []contest.Group{
	{Name: "get-128", Title: "GET, 128 goroutines", Goroutines: many, Batch: 1, Contenders: []contest.Contender{
		{Name: "router.Redis", Open: routerGet},
		{Name: "router.Redis, cancellable", Note: "with a context that can end, which commands that share a packet cost a copy", Open: routerGetCancellable},
		{Name: "redis.Ring", Note: "go-redis", Open: ringGet},
		{Name: "rueidis", Note: "a client for each server, by our ring", Open: func(e *contest.Environment) (contest.Operation, error) { return rueidisGet(e, 0) }},
		{Name: "rueidis, 1 connection", Note: "the same with one connection to each server, where the default depends on the processors", Open: func(e *contest.Environment) (contest.Operation, error) { return rueidisGet(e, -1) }},
		{Name: "auto-pipeliners", Note: "go-redis, one for each server, by our ring", Open: autoPipelinerGet},
		{Name: "redis.Client", Note: "go-redis, one server that has all keys", Open: clientGet},
	}},
	{Name: "get-1", Title: "GET, 1 goroutine", Goroutines: 1, Batch: 1, Contenders: []contest.Contender{
		{Name: "router.Redis", Open: routerGet},
		{Name: "redis.Ring", Note: "go-redis", Open: ringGet},
		{Name: "redis.Client", Note: "go-redis, one server that has all keys", Open: clientGet},
	}},
	{Name: "mget", Title: fmt.Sprintf("%d keys, 1 goroutine", batchSize), Goroutines: 1, Batch: batchSize, Contenders: []contest.Contender{
		{Name: "router.Redis MGET", Note: "one call, cut into a command for each of the 4 nodes", Open: routerMGet},
		{Name: "router.Redis GETs", Note: "a call for each key, one after the other", Open: routerGets},
	}},
	{Name: "pipeline", Title: fmt.Sprintf("pipeline of %d GETs, 1 goroutine", batchSize), Goroutines: 1, Batch: batchSize, Contenders: []contest.Contender{
		{Name: "router.Redis", Open: routerPipeline},
		{Name: "redis.Ring", Note: "go-redis", Open: ringPipeline},
		{Name: "pipelines by hand", Note: "go-redis, one for each server, by our ring, sent at the same time", Open: handPipelines},
	}},
	{Name: "memcached-128", Title: "memcached GET, 128 goroutines", Goroutines: many, Batch: 1, Contenders: []contest.Contender{
		{Name: "router.Memcached", Open: memcachedGet},
		{Name: "gomemcache", Note: "with our ring as its selector, and 128 idle connections", Open: gomemcacheGet},
	}},
	{Name: "routing", Title: "GET that is answered at once, 1 goroutine", Goroutines: 1, Batch: 1, Contenders: []contest.Contender{
		{Name: "router.Redis", Note: "a hook on the client of each node answers; commands share no packet", Open: routedInstantly},
		{Name: "redis.Client", Note: "the same hook on a client of one server", Open: answeredInstantly},
	}},
}
