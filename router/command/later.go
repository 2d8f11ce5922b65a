package command

import "strings"

// later returns the commands that redis-server 7.0 does not have and go-redis
// v9.23 has a method for, with their nearest kin: of Redis up to 8.10, and of
// the modules that Redis 8 contains.
//
// Arity is the least from which the keys can be told. The servers of these
// versions are not at hand to check a stricter one, and have the last word.
//
// Sources: the files src/commands/*.json and modules/vector-sets/commands.json
// of https://github.com/redis/redis; https://redis.io/docs/latest/commands.
func later() []Definition {
	var defs []Definition
	firstKey := func(access Access, names string) {
		for name := range strings.FieldsSeq(names) {
			defs = append(defs, Definition{Name: name, Arity: -2, Keys: []KeySpec{{First: 1, Access: access}}})
		}
	}
	noKey := func(names string) {
		for name := range strings.FieldsSeq(names) {
			defs = append(defs, Definition{Name: name, Arity: -1})
		}
	}
	subcommands := func(container, names string) {
		for name := range strings.FieldsSeq(names) {
			defs = append(defs, Definition{Name: container + " " + name, Arity: -2})
		}
	}
	several := func(name string, arity int, keys ...KeySpec) {
		defs = append(defs, Definition{Name: name, Arity: arity, Keys: keys})
	}

	// Strings.
	firstKey(Read, "DIGEST")
	firstKey(ReadModifyWrite, "INCREX")
	firstKey(Delete, "DELEX")
	several("MSETEX", -4, KeySpec{Count: 1, Step: 2, Access: Overwrite})

	// Hashes.
	firstKey(Read, "HEXPIRETIME HPEXPIRETIME HTTL HPTTL")
	firstKey(ReadModifyWrite, "HEXPIRE HPEXPIRE HEXPIREAT HPEXPIREAT HPERSIST HGETDEL HGETEX HSETEX")
	defs = append(defs, Definition{Name: "HIMPORT", Arity: -2, container: true})
	subcommands("HIMPORT", "PREPARE DISCARD DISCARDALL")
	several("HIMPORT SET", -4, KeySpec{First: 2})

	// Lists and sets.
	several("LMOVEM", -5, KeySpec{First: 1}, KeySpec{First: 2})
	several("BLMOVEM", -6, KeySpec{First: 1}, KeySpec{First: 2})
	several("SUNIONCARD", -3, KeySpec{Count: 1, Access: Read})
	several("SDIFFCARD", -3, KeySpec{Count: 1, Access: Read})

	// Streams.
	firstKey(ReadModifyWrite, "XACKDEL XDELEX XNACK XCFGSET")

	// Arrays.
	firstKey(Read, "ARCOUNT ARGET ARGETRANGE ARGREP ARINFO ARLASTITEMS ARLEN ARMGET ARNEXT AROP ARSCAN")
	firstKey(ReadModifyWrite, "ARDEL ARDELRANGE ARINSERT ARMSET ARRING ARSEEK ARSET")

	// Vector sets.
	firstKey(Read, "VCARD VDIM VEMB VGETATTR VINFO VISMEMBER VLINKS VRANDMEMBER VRANGE VSIM")
	firstKey(ReadModifyWrite, "VADD VREM VSETATTR")

	// Connections and servers.
	subcommands("CLIENT", "MAINT_NOTIFICATIONS NO-TOUCH SETINFO")
	subcommands("CLUSTER", "MYSHARDID")
	defs = append(defs, Definition{Name: "HOTKEYS", Arity: -2, container: true})
	subcommands("HOTKEYS", "GET RESET START STOP")
	noKey("WAITAOF")
	// The server does not tell of DEBUG's subcommands. This one has a method,
	// and a key.
	several("DEBUG OBJECT", -3, KeySpec{First: 2, Access: Read})

	// JSON.
	firstKey(Read, "JSON.ARRINDEX JSON.ARRLEN JSON.GET JSON.OBJKEYS JSON.OBJLEN JSON.RESP JSON.STRLEN JSON.TYPE")
	firstKey(ReadModifyWrite, "JSON.ARRAPPEND JSON.ARRINSERT JSON.ARRPOP JSON.ARRTRIM JSON.CLEAR JSON.DEL JSON.FORGET"+
		" JSON.MERGE JSON.NUMINCRBY JSON.NUMMULTBY JSON.SET JSON.STRAPPEND JSON.TOGGLE")
	defs = append(defs, Definition{Name: "JSON.DEBUG", Arity: -2, container: true})
	several("JSON.DEBUG MEMORY", -3, KeySpec{First: 2, Access: Read})
	several("JSON.MGET", -3, KeySpec{First: 1, Last: -2, Access: Read})
	several("JSON.MSET", -4, KeySpec{First: 1, Last: -1, Step: 3})

	// Bloom and cuckoo filters, sketches, top-k lists, t-digests.
	firstKey(Read, "BF.CARD BF.EXISTS BF.INFO BF.MEXISTS BF.SCANDUMP"+
		" CF.COUNT CF.EXISTS CF.INFO CF.MEXISTS CF.SCANDUMP CMS.INFO CMS.QUERY"+
		" TOPK.COUNT TOPK.INFO TOPK.LIST TOPK.QUERY TDIGEST.BYRANK TDIGEST.BYREVRANK TDIGEST.CDF TDIGEST.INFO"+
		" TDIGEST.MAX TDIGEST.MIN TDIGEST.QUANTILE TDIGEST.RANK TDIGEST.REVRANK TDIGEST.TRIMMED_MEAN")
	firstKey(ReadModifyWrite, "BF.ADD BF.INSERT BF.LOADCHUNK BF.MADD BF.RESERVE"+
		" CF.ADD CF.ADDNX CF.DEL CF.INSERT CF.INSERTNX CF.LOADCHUNK CF.RESERVE CMS.INCRBY CMS.INITBYDIM CMS.INITBYPROB"+
		" TOPK.ADD TOPK.INCRBY TOPK.RESERVE TDIGEST.ADD TDIGEST.CREATE TDIGEST.RESET")
	several("CMS.MERGE", -4, KeySpec{First: 1}, KeySpec{Count: 2, Access: Read})
	several("TDIGEST.MERGE", -4, KeySpec{First: 1}, KeySpec{Count: 2, Access: Read})

	// Time series. TS.MGET and the like choose series by their labels.
	firstKey(Read, "TS.GET TS.INFO TS.RANGE TS.READ TS.REVRANGE")
	firstKey(ReadModifyWrite, "TS.ADD TS.ALTER TS.CREATE TS.DECRBY TS.DEL TS.INCRBY")
	several("TS.CREATERULE", -3, KeySpec{First: 1}, KeySpec{First: 2})
	several("TS.DELETERULE", -3, KeySpec{First: 1}, KeySpec{First: 2})
	several("TS.MADD", -4, KeySpec{First: 1, Last: -1, Step: 3})
	several("TS.NRANGE", -3, KeySpec{Count: 1, Access: Read})
	several("TS.NREVRANGE", -3, KeySpec{Count: 1, Access: Read})
	noKey("TS.MGET TS.MRANGE TS.MREVRANGE TS.QUERYINDEX TS.QUERYLABELS")

	// Search. Suggestions have a key of their own; the rest names indexes.
	firstKey(Read, "FT.SUGGET FT.SUGLEN")
	firstKey(ReadModifyWrite, "FT.SUGADD FT.SUGDEL")
	noKey("FT._LIST FT.AGGREGATE FT.ALIASADD FT.ALIASDEL FT.ALIASLIST FT.ALIASUPDATE FT.ALTER FT.CONFIG FT.CREATE" +
		" FT.CURSOR FT.DICTADD FT.DICTDEL FT.DICTDUMP FT.DROPINDEX FT.EXPLAIN FT.EXPLAINCLI FT.HYBRID FT.INFO FT.PROFILE" +
		" FT.SEARCH FT.SPELLCHECK FT.SYNDUMP FT.SYNUPDATE FT.TAGVALS")
	return defs
}
