package main

// groups is what package cache has to show.
var groups = []group{
	{"Stampede", []proof{
		{"stampede", "3 processes × 10,000 callers of one hot key that is not there, or whose entry is past its end: 1 load; with the process that loads killed: 2 at most, the second when the lease has run out", cachePackage, "TestStampede", true},
		{"stampede across a resize", "3 clients × 100 callers while a node joins, with every pair of views: 1 load where the views agree; never more than 3 a client; nobody waits for a lease to run out", cachePackage, "TestStampedeAcrossResize", false},
		{"lease across a resize", "a lease that was taken before its key moved is stored or lost, and lost if the key was invalidated, whoever is ahead", cachePackage, "TestLeaseAcrossResize", false},
	}},
	{"Coalescing", []proof{
		{"coalescing", "100, 500 and 5,000 callers at once in one process: 1 load", cachePackage, "TestCoalescing", false},
		{"cancelled leader", "the caller who began the load leaves: nobody else fails, 1 load", cachePackage, "TestCancelledLeader", false},
	}},
	{"XFetch", []proof{
		{"xfetch theory", "without leases, how early the first load begins (δβ(ln(rate·δβ) + 0.577)) and how many a window has (e^(1/β)): each within 5%", cachePackage, "TestXFetchTheory", true},
		{"xfetch windows", "with leases and 1,000 requests a second: 1 load a window, ahead of the end, and no miss", cachePackage, "TestXFetchWindows", true},
	}},
	{"Jitter", []proof{
		{"jitter", "10,000 keys of 3,600 s ± 10%, stored in one second: 13.9 end a second on average, fewer than 35 in any; without jitter all in one", cachePackage, "TestJitter", false},
		{"expire together", "a million keys that were loaded in the same second, read by two processes: one load each, spread over the jitter", cachePackage, "TestManyKeysExpireTogether", true},
	}},
	{"Penetration", []proof{
		{"penetration", "10,000 lookups of an unknown key in two processes: 1 load; the key is inserted: the next Get sees it", cachePackage, "TestPenetration", false},
		{"filter", "Bloom filter for 1% false positives: 1.2% at most, and no key refused that was added", cachePackage, "TestFilterFalsePositives", false},
		{"filter inserts", "keys are created while processes restart and filters are built anew: none is refused after it was committed; without announcements some are", cachePackage, "TestFilterConcurrentInserts", false},
	}},
	{"Fill against invalidate", []proof{
		{"fill against invalidate", "readers in two processes, with a level 1, race puts and invalidations: no stale read", cachePackage, "TestFillAgainstInvalidate", true},
		{"fill against invalidate, naive", "the same history without leases finds stale reads", cachePackage, "TestFillAgainstInvalidateNaive", false},
		{"replica", "a loader that reads a replica 50 ms behind: no stale read after the hold-off; without one, many", cachePackage, "TestHoldOffForReplicas", true},
		{"fill across a resize", "the same while a node joins and leaves: no stale read", cachePackage, "TestFillAgainstInvalidateAcrossResize", true},
	}},
	{"Tags", []proof{
		{"tag cost", "a million entries have a tag: to invalidate it is as many commands at one node as for ten entries, and none of them is read any more", cachePackage, "TestTagCost", true},
		{"tag lost", "a tag that is evicted never brings back an entry that was dead before", cachePackage, "TestTagLost", false},
	}},
	{"Level 1", []proof{
		{"bus loss and partition", "3 in 10 messages are lost, and one process is cut off for 60 s: no value older than three digests (6 s) and a second", cachePackage, "TestBusLossAndPartition", false},
		{"gossip loss and partition", "the same over gossip", gossipPackage, "TestLossAndPartition", false},
		{"changes only", "reads and loads send no message, a change one", cachePackage, "TestBusTellsChangesOnly", false},
	}},
	{"Write-behind", []proof{
		{"write-behind killed", "SIGKILL at random, 100 times: nothing that was acknowledged is lost, and the sums of the source are those of what was written", cachePackage, "TestWriteBehindKilled", true},
	}},
	{"Cache off", []proof{
		{"cache off", "the fleet is killed at 10 × the traffic, and comes back empty: the source never has more loads at a time, or in a second, than its limit, and in no second of recovery more than 1.5 × those of the worst of steady use at the same traffic; in virtual time", cachePackage, "TestCacheOff", false},
		{"cache off", "the same with three real servers of each kind", cachePackage, "TestCacheOffOnServers", true},
	}},
	{"Resize", []proof{
		{"resize", "a node joins 3 and leaves again under load: the source has at most 1.2 × the loads of steady use in any 1,500 requests, and with keys that do not move more", resizePackage, "TestSpacesAcrossResize", false},
	}},
	{"Versions", []proof{
		{"slow writer", "A's write comes after or with B's newer one: B's is there in each of 100,000 runs", cachePackage, "TestSlowWriterLoses", true},
	}},
	{"Keys", []proof{
		{"keys at random", "a million keys of random fields: two have the same text or identity only if they have the same fields", cachePackage, "TestKeysCollide", true},
		{"keys", "keys of different fields, which a careless spelling would join, are different", cachePackage, "TestKeysDiffer", false},
		{"envelopes", "an envelope with any bit changed, cut anywhere, or of another key or schema is refused", cachePackage, "TestEnvelopeCorrupt", false},
		{"useless entries", "what is corrupt, of another key, of another schema or undecodable is a miss that is counted", cachePackage, "TestUselessEntries", false},
	}},
	{"Numbers", []proof{
		{"mean latency", "a cache that answers in 5 ms and is hit 9 times in 10, a source that takes 50 ms more: 0.9·5 + 0.1·55 = 10 ms on average", cachePackage, "TestMeanLatency", true},
		{"bypass", "95% hits, and then the cache is switched off: 20 × the loads", cachePackage, "TestLoadsWithoutCache", true},
		{"ttl", "the time to live of a key that is read all the time falls from 1 h to 30 s: 120 × the loads", cachePackage, "TestLoadsByTTL", true},
		{"level 1", "level 1 is hit 9 times in 10: it takes away 90% of the calls of the fleet", cachePackage, "TestLevel1SavesCalls", true},
		{"latencies", "a Get from level 1 is quicker than from one node; one node and three: medians of real servers on this machine", cachePackage, "TestLatencies", true},
	}},
}
