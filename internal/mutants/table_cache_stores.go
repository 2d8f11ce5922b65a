package main

// Bounds of memory, counters, batches of writes, and what is refused.
func init() { addCache(storeMutations) }

var storeMutations = []mutation{
	{name: "bytes/keys", what: "keys count in what bounds level 1 and the fallback", file: "l1_weigh.go",
		old: "uint64(unsafe.Sizeof(key)) + texts(reflect.ValueOf(&key).Elem())", new: "uint64(unsafe.Sizeof(key))",
		tests: "TestKeyWeight|TestBoundedWithKeys"},
	{name: "counter/exact", what: "a sum beyond 2^53 is exact, Redis", file: "store_redis_scripts.go",
		old: "return redis.call('GET', KEYS[1])`)", new: "return tostring(sum)`)",
		tests: "TestStoreIncrEdges|TestStoreIncrTogether"},
	{name: "counter/taken-back", what: "a sum beyond 2^63-1 is taken back, Memcached", file: "store_memcached_incr.go",
		old: "return 0, m.takeBack(ctx, key, delta)", new: "return 0, errCounter",
		tests: "TestStoreIncrEdges"},
	{name: "put-many/one-batch", what: "writes without versions are deleted in one batch", file: "put_many.go",
		old: "if versions[i] != 0 && storable[i] {", new: "if true {",
		tests: "TestPutManyIsOnePipeline"},
	{name: "put-many/width", what: "no key of a batch waits for another's replies, Memcached", file: "store_memcached_batch.go",
		old: "memcachedWidth = 4096", new: "memcachedWidth = 128",
		tests: "TestPutManyOnMemcachedAtOnce"},
	{name: "nil/store", what: "a store that is nil is refused", file: "manager.go",
		old: "firstError(checkStore(\"Store\", cfg.Store), ", new: "firstError(",
		tests: "TestNilsAreRefused"},
	{name: "delete/failed", what: "the entry goes when the source fails to remove the row", file: "delete.go",
		old: "\t\t_ = s.invalidate(context.WithoutCancel(ctx), key, k, AnyVersion)\n", new: "",
		tests: "TestDelete"},
}
