package command

import "time"

// What is decided by hand. A command that is not named here goes to the one
// node that owns its keys, and does to them what its key specs say.

// routes are the commands that do not simply go where their keys are.
var routes = []struct {
	route   Route
	combine Combine
	reason  Reason
	names   string
}{
	// One key of these has nothing to do with the others, or so little that
	// clients of sharded servers have always split them: MSET does promise to
	// set all keys at one instant, and here does so on each node. The others
	// that promise something over all their keys are not split: MSETNX and
	// MSETEX (all or nothing), JSON.MSET (a bad path undoes the rest).
	{SplitByKey, Sum, "", "DEL, UNLINK, EXISTS, TOUCH"},
	{SplitByKey, InOrder, "", "MGET, JSON.MGET, TS.MADD"},
	{SplitByKey, AllSucceed, "", "MSET"},

	// A channel lives on the node that owns its name, so these are split like
	// keys. A pattern is subscribed to on every node.
	{SplitByKey, Union, "", "PUBSUB NUMSUB, PUBSUB SHARDNUMSUB"},
	{AllNodes, Union, "", "PUBSUB CHANNELS, PUBSUB SHARDCHANNELS"},
	{AllNodes, Max, "", "PUBSUB NUMPAT"},

	// The keyspace is that of all nodes.
	{AllNodes, Sum, "", "DBSIZE"},
	{AllNodes, Union, "", "KEYS"},
	{AllNodes, Cursor, "", "SCAN"},
	{AllNodes, FirstFound, "", "RANDOMKEY"},
	{AllNodes, AllSucceed, "", "FLUSHALL, FLUSHDB"},
	{AllNodes, Union, "", "TS.QUERYINDEX, TS.QUERYLABELS, TS.MGET, TS.MRANGE, TS.MREVRANGE"},

	// Scripts and functions must be wherever a key may be.
	{AllNodes, AllSucceed, "", "SCRIPT LOAD, SCRIPT FLUSH, FUNCTION LOAD, FUNCTION DELETE, FUNCTION FLUSH, FUNCTION RESTORE"},
	{AllNodes, All, "", "SCRIPT EXISTS"},
	{AllNodes, AnySucceeds, "", "SCRIPT KILL, FUNCTION KILL"},
	{AnyNode, Single, "", "FUNCTION DUMP, FUNCTION LIST"},

	// Administration that is the same on each node.
	{AllNodes, AllSucceed, "", "PING, CONFIG SET, CONFIG RESETSTAT, CONFIG REWRITE, MEMORY PURGE, SLOWLOG RESET, LATENCY RESET"},
	{AllNodes, Sum, "", "SLOWLOG LEN"},

	// Every server gives the same answer, or one that is as good.
	{AnyNode, Single, "", "ECHO, TIME, LOLWUT, COMMAND, COMMAND COUNT, COMMAND DOCS, COMMAND GETKEYS," +
		"COMMAND GETKEYSANDFLAGS, COMMAND INFO, COMMAND LIST, ACL CAT, ACL GENPASS"},

	{Connection, Single, ReasonSubscription, "SUBSCRIBE, UNSUBSCRIBE, PSUBSCRIBE, PUNSUBSCRIBE, SSUBSCRIBE, SUNSUBSCRIBE"},
	{Connection, Single, ReasonTransaction, "MULTI, EXEC, DISCARD, WATCH, UNWATCH"},
	// WAIT and WAITAOF wait for the writes of their own connection; HIMPORT
	// keeps field sets for one. (HIMPORT SET has a key, and go-redis replays
	// what was prepared on that node's client.)
	{Connection, Single, ReasonConnection, "AUTH, HELLO, SELECT, QUIT, RESET, MONITOR, WAIT, WAITAOF, SCRIPT DEBUG," +
		"CLIENT CACHING, CLIENT GETNAME, CLIENT GETREDIR, CLIENT ID, CLIENT INFO, CLIENT NO-EVICT, CLIENT NO-TOUCH," +
		"CLIENT REPLY, CLIENT SETINFO, CLIENT SETNAME, CLIENT TRACKING, CLIENT TRACKINGINFO, CLIENT MAINT_NOTIFICATIONS," +
		"ACL WHOAMI, HIMPORT PREPARE, HIMPORT DISCARD, HIMPORT DISCARDALL"},

	{Refused, Single, ReasonServer, "INFO, CONFIG GET, LASTSAVE, SAVE, BGSAVE, BGREWRITEAOF, SHUTDOWN, DEBUG, PFSELFTEST," +
		"ACL DELUSER, ACL DRYRUN, ACL GETUSER, ACL LIST, ACL LOAD, ACL LOG, ACL SAVE, ACL SETUSER, ACL USERS," +
		"CLIENT KILL, CLIENT LIST, CLIENT PAUSE, CLIENT UNBLOCK, CLIENT UNPAUSE, FUNCTION STATS, SLOWLOG GET," +
		"LATENCY DOCTOR, LATENCY GRAPH, LATENCY HISTOGRAM, LATENCY HISTORY, LATENCY LATEST," +
		"MEMORY DOCTOR, MEMORY MALLOC-STATS, MEMORY STATS, MODULE LIST, MODULE LOAD, MODULE LOADEX, MODULE UNLOAD," +
		"HOTKEYS GET, HOTKEYS RESET, HOTKEYS START, HOTKEYS STOP, FT.CONFIG"},
	{Refused, Single, ReasonReplication, "REPLICAOF, SLAVEOF, ROLE, FAILOVER, PSYNC, SYNC, REPLCONF"},
	{Refused, Single, ReasonCluster, "ASKING, READONLY, READWRITE, RESTORE-ASKING," +
		"CLUSTER ADDSLOTS, CLUSTER ADDSLOTSRANGE, CLUSTER BUMPEPOCH, CLUSTER COUNT-FAILURE-REPORTS," +
		"CLUSTER COUNTKEYSINSLOT, CLUSTER DELSLOTS, CLUSTER DELSLOTSRANGE, CLUSTER FAILOVER, CLUSTER FLUSHSLOTS," +
		"CLUSTER FORGET, CLUSTER GETKEYSINSLOT, CLUSTER INFO, CLUSTER KEYSLOT, CLUSTER LINKS, CLUSTER MEET," +
		"CLUSTER MYID, CLUSTER MYSHARDID, CLUSTER NODES, CLUSTER REPLICAS, CLUSTER REPLICATE, CLUSTER RESET," +
		"CLUSTER SAVECONFIG, CLUSTER SET-CONFIG-EPOCH, CLUSTER SETSLOT, CLUSTER SHARDS, CLUSTER SLAVES, CLUSTER SLOTS"},
	{Refused, Single, ReasonInstant, "SWAPDB"},
	{Refused, Single, ReasonIndex, "FT._LIST, FT.AGGREGATE, FT.ALIASADD, FT.ALIASDEL, FT.ALIASLIST, FT.ALIASUPDATE," +
		"FT.ALTER, FT.CREATE, FT.CURSOR, FT.DICTADD, FT.DICTDEL, FT.DICTDUMP, FT.DROPINDEX, FT.EXPLAIN, FT.EXPLAINCLI," +
		"FT.HYBRID, FT.INFO, FT.PROFILE, FT.SEARCH, FT.SPELLCHECK, FT.SYNDUMP, FT.SYNUPDATE, FT.TAGVALS"},
}

// accesses are the keys, by the number of their spec, of which the server's
// flags say something else than what matters here. They are about what a
// command needs to read and write; the classes are about what it depends on.
var accesses = []struct {
	access Access
	spec   int
	names  string
}{
	// The server: OW (overwrite). But whether it does depends on the old value.
	{ReadModifyWrite, 0, "SETNX, MSETNX"},
	{ReadModifyWrite, 1, "RENAMENX"},
	// The server: RW, for SET may have options, which plainSet looks at, and
	// SINTERSTORE was overlooked.
	{Overwrite, 0, "SET, SINTERSTORE"},
	// The server: RW, for PFCOUNT keeps the count in the value for the next
	// time. The value means the same before and after.
	{Read, 0, "PFCOUNT"},
}

// channels are arguments that are placed like keys and are not among the
// server's key specs; those of SPUBLISH and SSUBSCRIBE are.
var channels = []struct {
	spec  KeySpec
	names string
}{
	{KeySpec{First: 1, Access: NoAccess}, "PUBLISH"},
	{KeySpec{First: 1, Last: -1, Access: NoAccess}, "SUBSCRIBE, UNSUBSCRIBE"},
	{KeySpec{First: 2, Last: -1, Access: NoAccess}, "PUBSUB NUMSUB, PUBSUB SHARDNUMSUB"},
}

// optional are the commands whose options decide what happens to the key.
var optional = []struct {
	options optionSet
	names   string
}{
	{setOptions, "SET"},
	{msetexOptions, "MSETEX"},
	{restoreOptions, "RESTORE"},
	{copyOptions, "COPY"},
	{getexOptions, "GETEX"},
	{hgetexOptions, "HGETEX"},
	{delexOptions, "DELEX"},
	{bitfieldOptions, "BITFIELD"},
}

// finders are the commands whose keys take code to find.
var finders = []struct {
	find  finder
	names string
}{
	{readStreams, "XREAD"},
	{groupStreams, "XREADGROUP"},
	{sortStore, "SORT, SORT_RO"},
	{geoStore, "GEORADIUS, GEORADIUSBYMEMBER"},
	{migrateKeys, "MIGRATE"},
}

// blocking are the commands that hold the connection. MIGRATE does not wait for
// anybody, but holds the whole server for as long as its time-out.
var blocking = []struct {
	blocking Blocking
	names    string
}{
	{Blocking{Pos: -1, Unit: time.Second}, "BLPOP, BRPOP, BRPOPLPUSH, BLMOVE, BZPOPMIN, BZPOPMAX"},
	{Blocking{Pos: 5, Unit: time.Second}, "BLMOVEM"},
	{Blocking{Pos: 1, Unit: time.Second}, "BLMPOP, BZMPOP"},
	{Blocking{Pos: 1, Word: "BLOCK", Unit: time.Millisecond}, "XREAD, XREADGROUP"},
	{Blocking{Pos: 3, Word: "BLOCK", Unit: time.Millisecond}, "TS.READ"},
	{Blocking{Pos: 5, Unit: time.Millisecond}, "MIGRATE"},
	{Blocking{Pos: 2, Unit: time.Millisecond}, "WAIT"},
	{Blocking{Pos: 3, Unit: time.Millisecond}, "WAITAOF"},
}

// refusals are options with which a command that concerns all nodes cannot be
// put together from their replies.
var refusals = []struct {
	word  refusalWord
	names string
}{
	{refusalWord{"GROUPBY", ReasonGroups}, "TS.MRANGE, TS.MREVRANGE"},
}
