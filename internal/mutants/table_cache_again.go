package main

// Invalidations that failed and are repeated, GetMany after an invalidation, tiers, and
// copies of hot keys.
func init() { addCache(againMutations) }

var againMutations = []mutation{
	{name: "again/pattern", what: "a pattern that could not be invalidated is tried again", file: "pattern.go",
		old: "s.later.again(ctx, laterMatching, identity{}, s.prefix+pattern)", new: "",
		tests: "TestEveryInvalidationRepeated"},
	{name: "again/epoch", what: "an epoch that could not be ended is tried again", file: "epoch.go",
		old: "s.later.again(ctx, laterEpoch, s.epochID, s.epochs.key)", new: "",
		tests: "TestEveryInvalidationRepeated"},
	{name: "again/many", what: "those of many keys that failed are tried again", file: "invalidate_many.go",
		old: "s.deleteAgain(ctx, AnyVersion, failed...)", new: "",
		tests: "TestEveryInvalidationRepeated"},
	{name: "again/second", what: "a second delete outlives the process", file: "write.go",
		old: "s.deleteTwice(ctx, below, k)", new: "",
		tests: "TestLaterKilled"},
	{name: "lease/tombstone", what: "a lease of a tombstone is given back, Memcached", file: "store_memcached_lease.go",
		old: "if there.Found() && there.CAS != lease.cas {", new: "if !there.Found() || there.CAS != lease.cas {",
		tests: "TestLeaseOfATombstone"},
	{name: "many/useless", what: "entries of no use are loaded in one batch", file: "many.go",
		old: "q.useless = found[i].there", new: "",
		tests: "TestGetManyLeasesOnce"},
	{name: "tier/batch-lease", what: "a lease of a batch is one of both fleets", file: "tier_batch.go",
		old: "g.Lease.far = &far.Grant.Lease", new: "_ = far.Grant.Lease",
		tests: "TestTieredBatchRefused"},
	{name: "tier/tag-copies", what: "the near copies of tags are deleted", file: "tier_tags.go",
		old: "t.failed(t.near.Delete(ctx, copies[i], AnyVersion, 0))", new: "_ = v",
		tests: "TestTieredTags"},
	{name: "audit/copies", what: "an audit takes copies of hot keys for what they are", file: "audit.go",
		old: "key = withoutCopy(key, space)", new: "",
		tests: "TestCopiesAreRemoved"},
	{name: "behind/left", what: "what Close leaves in the journal is counted", file: "writebehind_apply.go",
		old: "s.countLeft()\n", new: "\n",
		tests: "TestWritesLeftAtClose"},
}
