package main

// mutation takes one protection away.
type mutation struct {
	name, what string
	file       string // in the module, with slashes
	old, new   string // the old text is there exactly once
	pkg        string
	tests      string // names of test functions, with | between them; one has to fail
}

const (
	rules   = "router/transition_rules.go"
	scripts = "internal/transit/scripts.go"
	router  = "./router"
	transit = "./internal/transit"
	movers  = "./rebalance"
	gossip  = "./membership/gossip"
	path    = "./membership/internal/lifecycle"
	ledger  = "./membership/internal/ledger"
)

var mutations = []mutation{
	{"tombstone/redis", "tombstone of a delete, Redis", rules,
		"return rule{onNext: true, bury: true, then: removeCurrent}", "return rule{onNext: true, then: removeCurrent}",
		router, "TestTransitionTable"},
	{"tombstone/memcached", "tombstone of a delete, Memcached", rules,
		"return rule{onNext: true, bury: true, then: removeCurrent}", "return rule{onNext: true, then: removeCurrent}",
		router, "TestMemcachedTransitionTable"},
	{"tombstone/announced", "tombstone at the next owner before keys move", rules,
		"return rule{then: buryNext}", "return rule{}",
		router, "TestTransitionTable"},
	{"tombstone/guard", "tombstone beside what is overwritten", rules,
		"return rule{onNext: true, guard: true, then: removeCurrent}", "return rule{onNext: true, then: removeCurrent}",
		router, "TestTransitionTable"},
	{"remove/router", "removal at the current owner after an overwrite", rules,
		"return rule{onNext: true, guard: true, then: removeCurrent}", "return rule{onNext: true, guard: true}",
		router, "TestTransitionTable"},
	{"remove/router-memcached", "comparison before a change, Memcached", "router/transition_memcached_spot.go",
		"r.CompareCAS = look.CAS\n\t}\n\treturn r, memcache.StatusNone", "_ = look.CAS\n\t}\n\treturn r, memcache.StatusNone",
		router, "TestMemcachedBuriedMeanwhile"},
	{"remove/mover-redis", "comparison before the mover removes, Redis", scripts,
		"if value and value == want and redis.call('PEXPIRETIME', key) == tonumber(ARGV[2*i+1]) then", "if value then",
		transit, "TestTakeAndRemove"},
	{"remove/mover-memcached", "comparison before the mover removes, Memcached", "internal/transit/batch_memcached.go",
		"memcache.DeleteRequest{Key: v.Item.Key, EncodeKey: m.EncodeKey, CompareCAS: v.Item.CAS}", "memcache.DeleteRequest{Key: v.Item.Key, EncodeKey: m.EncodeKey}",
		transit, "TestMemcachedBatches"},
	{"remove/big-key", "the watch over a big key until it is removed", "rebalance/mover_redis.go",
		"\t\treturn err\n\t}, b.key)\n\treturn result, b.bytes, err", "\t\treturn err\n\t})\n\treturn result, b.bytes, err",
		movers, "TestBigKeyChangesAtTheEnd"},
	{"limit/redis", "time limit for copies, Redis", scripts,
		"local late = now < tonumber(ARGV[4]) or now - tonumber(ARGV[3]) > tonumber(ARGV[1])", "local late = false",
		transit, "TestStoreIsLate"},
	{"limit/router-redis", "the same, a router's copy", scripts,
		"local late = now < tonumber(ARGV[4]) or now - tonumber(ARGV[3]) > tonumber(ARGV[1])", "local late = false",
		router, "TestLateCopy"},
	{"limit/memcached", "time limit for copies, Memcached", "internal/transit/memcached.go",
		"if time.Since(look.At) > CopyLimit {", "if time.Since(look.At) < 0 {",
		transit, "TestMemcachedLimits|TestStoppedMemcachedMover"},
	{"replace/redis", "a copy does not replace, Redis", scripts,
		"redis.pcall('RESTORE', KEYS[i], expires, payload, 'ABSTTL')", "redis.pcall('RESTORE', KEYS[i], expires, payload, 'ABSTTL', 'REPLACE')",
		transit, "TestStoreConditions"},
	{"replace/redis-string", "the same, of a string", scripts,
		"redis.pcall('SET', KEYS[i], payload, 'NX', 'PXAT', expires)", "redis.pcall('SET', KEYS[i], payload, 'PXAT', expires)",
		transit, "TestStoreConditions"},
	{"replace/memcached", "a copy does not replace, Memcached", "internal/transit/memcached.go",
		"Mode: memcache.ModeAdd, Return: memcache.ReturnCAS}", "Mode: memcache.ModeSet, Return: memcache.ReturnCAS}",
		transit, "TestMemcachedStoreConditions|TestMemcachedCopy"},
	{"sweep/before", "the sweep before a node acquires a range", "membership/internal/lifecycle/move.go",
		"m.out.Task, m.out.For = Sweep, number", "m.rec.Swept = number",
		path, "TestSweepAndHandOver"},
	{"sweep/after", "the sweep after a change of the ring", "membership/internal/lifecycle/move.go",
		"m.out.Task, m.out.For = Sweep, m.sweepDue", "m.sweepDue = 0",
		path, "TestSweepAndHandOver"},
	{"sweep/wait", "waiting for the receivers' sweep", "membership/internal/lifecycle/move.go",
		"case !m.allSwept():", "case !m.allSwept() && m.rec.Transition == 0:",
		path, "TestAllSwept|TestKeysMayMove"},
	{"sweep/others", "a sweep removes what others own", "membership/gossip/tasks.go",
		"return func(key string) bool { return r.Owner(key).ID == id }, nil", "return func(string) bool { return id != \"\" }, nil",
		gossip, "TestSweepKeepsOwnKeys"},
	{"pull", "the key is brought before it is read, modified and written", rules,
		"return rule{onNext: true, bring: true, guard: true, then: removeCurrent}", "return rule{onNext: true, guard: true, then: removeCurrent}",
		router, "TestTransitionTable"},
	{"second-look", "a miss is looked up on the current owner", rules,
		"return rule{onNext: true, second: true}", "return rule{onNext: true}",
		router, "TestTransitionTable"},
	{"fence/redis", "the fence, Redis", scripts,
		"  if unfenced then\n", "  if false then\n",
		transit, "TestFence|TestStoppedRedisMover"},
	{"fence/redis-parts", "the fence of what comes in parts, Redis", scripts,
		"if redis.call('GET', KEYS[4]) ~= ARGV[2] then", "if false then",
		transit, "TestPutFencedConditions"},
	{"fence/memcached", "the fence after the reservation, Memcached", "internal/transit/batch_memcached.go",
		"\tfenced, err = m.Fenced(ctx, f)\n\treturn looks, fenced, err", "\treturn looks, fenced, err",
		transit, "TestFenceGoesMeanwhile|TestReserveIsFenced|TestStoppedMemcachedMover"},
	{"fence/agent", "the receiver's agent sets the fence", "internal/agent/fence.go",
		"return a.fence.Set(ctx, want) })", "return nil })",
		"./internal/agent", "TestFence|TestFenceIsTriedAgain"},
	{"hand-over", "waiting for all to hear before keys are handed over", "membership/gossip/tasks.go",
		"heard := time.NewTimer(n.cfg.Timing.Dwell)", "heard := time.NewTimer(0)",
		gossip, "TestHandOverWaitsForAll"},
	{"queue", "two messages of one length are both sent", "membership/gossip/queue.go",
		"\tq.last++\n", "\tq.last++\n\tfor other, m := range q.byName {\n\t\tif len(m.text) == len(text) && m.sent == 0 {\n\t\t\tdelete(q.byName, other)\n\t\t}\n\t}\n",
		gossip, "TestQueueLosesNothing"},
	{"purge", "a node that returns is purged", "membership/internal/lifecycle/join.go",
		"if m.mayPurge && !m.emptied {", "if m.mayPurge && !m.emptied && m.cfg.Purge {",
		path, "TestReturnAfterEviction"},
	{"damping", "each return doubles the wait", "membership/internal/lifecycle/join.go",
		"ready = min(2*ready, t.MaxReady)", "ready = min(ready, t.MaxReady)",
		path, "TestDamping"},
	{"freeze", "who sees no majority evicts nobody", "membership/internal/ledger/judge.go",
		"2*seen <= stay {", "2*seen <= stay && stay < 0 {",
		ledger, "TestJudge"},
	{"rejoin", "former members are asked again", "membership/gossip/contact.go",
		"\tif !quick {\n\t\tl.counters.rejoins.Add(1)\n\t}", "\tif !quick {\n\t\treturn\n\t}",
		gossip, "TestPartitionHeals|TestHealsWithoutSeeds"},
	{"second-pass", "another pass after one that moved something", "rebalance/mover_pass.go",
		"return p.whole && p.left.Load() == 0 && found == 0", "return p.whole && found < maxStaying",
		movers, "TestClean|TestBeganAnew"},
}
