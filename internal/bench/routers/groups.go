package main

import "fmt"

// A group is an operation, and the clients that are measured doing it.
type group struct {
	name       string // the first part of what -only matches
	title      string
	goroutines int
	batch      int // keys that an operation takes
	contenders []contender
}

// A contender is a client as its documentation has it, set up for as many
// goroutines as use it.
type contender struct {
	name string
	note string
	// open makes the client; the environment closes it.
	open func(e *environment) (operation, error)
}

// An operation reads the keys, of which there are as many as the group's batch,
// and fails if a value is not the one that was stored. It is called by all
// goroutines at the same time.
type operation func(keys []string) error

func (g group) nameOf(c contender) string { return g.name + "/" + c.name }

const (
	many       = 128 // goroutines
	batchSize  = 100 // keys of an MGET and of a pipeline
	shardCount = 4   // servers of each kind
)

var groups = []group{
	{"get-128", "GET, 128 goroutines", many, 1, []contender{
		{"router.Redis", "", routerGet},
		{"router.Redis, cancellable", "with a context that can end, which commands that share a packet cost a copy", routerGetCancellable},
		{"redis.Ring", "go-redis", ringGet},
		{"rueidis", "a client for each server, by our ring", func(e *environment) (operation, error) { return rueidisGet(e, 0) }},
		{"rueidis, 1 connection", "the same with one connection to each server, where the default depends on the processors", func(e *environment) (operation, error) { return rueidisGet(e, -1) }},
		{"auto-pipeliners", "go-redis, one for each server, by our ring", autoPipelinerGet},
		{"redis.Client", "go-redis, one server that has all keys", clientGet},
	}},
	{"get-1", "GET, 1 goroutine", 1, 1, []contender{
		{"router.Redis", "", routerGet},
		{"redis.Ring", "go-redis", ringGet},
		{"redis.Client", "go-redis, one server that has all keys", clientGet},
	}},
	{"mget", fmt.Sprintf("%d keys, 1 goroutine", batchSize), 1, batchSize, []contender{
		{"router.Redis MGET", "one call, cut into a command for each of the 4 nodes", routerMGet},
		{"router.Redis GETs", "a call for each key, one after the other", routerGets},
	}},
	{"pipeline", fmt.Sprintf("pipeline of %d GETs, 1 goroutine", batchSize), 1, batchSize, []contender{
		{"router.Redis", "", routerPipeline},
		{"redis.Ring", "go-redis", ringPipeline},
		{"pipelines by hand", "go-redis, one for each server, by our ring, sent at the same time", handPipelines},
	}},
	{"memcached-128", "memcached GET, 128 goroutines", many, 1, []contender{
		{"router.Memcached", "", memcachedGet},
		{"gomemcache", "with our ring as its selector, and 128 idle connections", gomemcacheGet},
	}},
	{"routing", "GET that is answered at once, 1 goroutine", 1, 1, []contender{
		{"router.Redis", "a hook on the client of each node answers; commands share no packet", routedInstantly},
		{"redis.Client", "the same hook on a client of one server", answeredInstantly},
	}},
}
