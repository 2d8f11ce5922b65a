package main

// What is passed by, what is verified, tags of which little is known yet, and the pages of
// a handler.
func init() {
	addCache(passedMutations)
	for _, m := range pageMutations {
		m.name, m.file, m.pkg = "cache/"+m.name, "cache/"+m.file, "./cache/httpcache"
		mutations = append(mutations, m)
	}
	mutations = append(mutations, mutation{name: "cache/breaker/probes", what: "a breaker that is half open lets a probe at a time through", file: "router/breaker.go",
		old: "allowed := b.inner.TryAcquirePermit()", new: "allowed := b.inner.TryAcquirePermit() || b.last == circuitbreaker.HalfOpenState",
		pkg: "./cache", tests: "TestNodeThatFails"})
}

var passedMutations = []mutation{
	{name: "bypass/batch", what: "a batch that passes the fleet by is one call of LoadMany", file: "bypass.go",
		old: "\tif s.cfg.LoadMany != nil {\n\t\ts.throughBatch(", new: "\tif s.cfg.LoadMany != nil && mode == BypassAll {\n\t\ts.throughBatch(",
		tests: "TestBypassFleetMany"},
	{name: "bypass/kept", what: "what the loader says not to keep is not kept in level 1", file: "bypass.go",
		old: "if err == nil && !noStore.Load() {", new: "if err == nil {",
		tests: "TestBypassFleetKeeps"},
	{name: "bypass/tags", what: "what has tags is not kept past the fleet, where nobody could invalidate it", file: "bypass.go",
		old: "&& !s.tagged() && !q.store.noEpoch", new: "&& !q.store.noEpoch",
		tests: "TestBypassFleetKeeps"},
	{name: "bypass/pending", what: "a batch that bypasses sees writes that wait", file: "bypass.go",
		old: "found := s.fromPending(key); found {", new: "found := s.fromPending(key); found && false {",
		tests: "TestBypassPending"},
	{name: "bypass/reload", what: "Reload bypasses too", file: "reload.go",
		old: "mode := s.Bypassed(); mode != BypassNothing {", new: "mode := s.Bypassed(); false {",
		tests: "TestBypassReload"},
	{name: "verify/values", what: "the same version does not make values equal", file: "verify.go",
		old: "b.source.Version != 0 && b.stored.version != b.source.Version {\n\t\treturn DiffersVersion\n", new: "b.source.Version != 0 {\n\t\tif b.stored.version == b.source.Version {\n\t\t\treturn DiffersNot\n\t\t}\n\t\treturn DiffersVersion\n",
		tests: "TestVerifySameVersion"},
	{name: "behind/batch", what: "Batch bounds what one Apply takes up", file: "writebehind_apply.go",
		old: "b.queue.Read(b.ctx, b.cfg.Batch)", new: "b.queue.Read(b.ctx, 1<<20)",
		tests: "TestWriteBehindBatch"},
	{name: "tags/sighted", what: "a process knows how long it has known a tag, Memcached", file: "tags_store_memcached.go",
		old: "m.tags.age(tag, version, sent, said)", new: "max(said, m.tags.age(tag, version, sent, said)*0)",
		tests: "TestNewTagIsLoadedTwiceOnce"},
	{name: "tags/sighted-version", what: "another version of a tag is as young as it is", file: "tags_sighted.go",
		old: "known && seen.version == version", new: "known",
		tests: "TestSightings"},
	{name: "tags/sighted-many", what: "tags that are young are not kept without end", file: "tags_sighted.go",
		old: "\t\ts.shrink()\n", new: "",
		tests: "TestSightings"},
	{name: "tags/no-store", what: "without a store level 1 keeps what has tags", file: "tags_read.go",
		old: "return alone || !s.l1.deaf.Load()", new: "return alone && false || !s.l1.deaf.Load()",
		tests: "TestTagsWithoutStore"},
	{name: "history/put", what: "Put replaces what was there, and the history sees it", file: "write.go",
		old: "s.m.cfg.Store.Set(storing, k.text, entry)", new: "s.m.cfg.Store.Set(storing, k.text+\"~\", entry)",
		tests: "TestFillAgainstInvalidate|TestHoldOffForReplicas"},
}

var pageMutations = []mutation{
	{name: "pages/variants", what: "a write invalidates all variants of a page", file: "httpcache/httpcache.go",
		old: "if c.varies() || cfg.Tags != nil {", new: "if cfg.Tags != nil {",
		tests: "TestWritesInvalidateAllVariants"},
	{name: "pages/named", what: "and the pages that the response names", file: "httpcache/invalidate.go",
		old: "err == nil && sameOrigin(u, r) {", new: "err == nil && sameOrigin(u, r) && false {",
		tests: "TestWritesInvalidateWhatTheyName"},
	{name: "pages/origin", what: "of the same origin only", file: "httpcache/invalidate.go",
		old: "return u.Opaque == \"\" && strings.EqualFold(withoutPort(u.Host), withoutPort(r.Host))", new: "return true",
		tests: "TestWritesInvalidateWhatTheyName"},
	{name: "pages/failed", what: "a write that failed invalidates nothing", file: "httpcache/invalidate.go",
		old: "if safe || seen.status >= 400 {", new: "if safe {",
		tests: "TestWritesInvalidateAllVariants"},
	{name: "pages/controls", what: "pages do as an operator says", file: "httpcache/httpcache.go",
		old: "Controls: cfg.Controls,", new: "Controls: false,",
		tests: "TestBypassPages"},
	{name: "pages/bypass", what: "pages that are bypassed are made anew", file: "reload.go",
		old: "\tif mode := s.Bypassed(); mode != BypassNothing {\n", new: "\tif mode := BypassNothing; mode != BypassNothing {\n",
		tests: "TestBypassPages"},
	{name: "pages/s-maxage", what: "what has s-maxage is never handed out past its end", file: "httpcache/page.go",
		old: " && c.sharedMaxAge < 0 {", new: " {",
		tests: "TestSharedMaxAgeIsNeverStale"},
}
