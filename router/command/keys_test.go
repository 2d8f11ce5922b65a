package command_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/command"
)

func words(line string) []any { return anys(strings.Fields(line)) }

func mustLookup(t testing.TB, args []any) *command.Command {
	t.Helper()
	c, known := command.Lookup(args)
	if !known {
		t.Fatalf("%v is unknown", args)
	}
	return c
}

// TestKeyErrors: arguments from which the keys cannot be told.
func TestKeyErrors(t *testing.T) {
	huge := "99999999999999999999"
	for _, tt := range []struct {
		args []any
		err  error
		want string // in the text
	}{
		{words("GET"), command.ErrArity, "GET: number of arguments: got 1, want at least 2"},
		{words("MSET k"), command.ErrArity, "got 2, want at least 3"},
		{words("MSET k v k2"), command.ErrArity, "got 3 from the first key on, want a multiple of 2"},
		{words("JSON.MSET k $ 1 k2"), command.ErrArity, "a multiple of 3"},
		{words("ZUNION x k"), command.ErrNumKeys, `ZUNION: number of keys at argument 1: got "x", want a number from 1 to 1`},
		{words("ZUNION 0 k"), command.ErrNumKeys, "from 1 to 1"},
		{words("ZUNION -1 k"), command.ErrNumKeys, `got "-1"`},
		{words("ZUNION 2 k"), command.ErrNumKeys, "from 1 to 1"},
		{words("ZUNION 01 k"), command.ErrNumKeys, `"01"`},
		{words("ZUNION +1 k"), command.ErrNumKeys, `"+1"`},
		{words("ZUNION 9223372036854775807 k"), command.ErrNumKeys, "from 1 to 1"},
		{words("ZUNION -9223372036854775808 k"), command.ErrNumKeys, "from 1 to 1"},
		{words("ZUNION " + huge + " k"), command.ErrNumKeys, "from 1 to 1"},
		{[]any{"ZUNION", "", "k"}, command.ErrNumKeys, `got ""`},
		{[]any{"ZUNION", "1 ", "k"}, command.ErrNumKeys, `got "1 "`},
		{[]any{"ZUNION", 1.5, "k"}, command.ErrNumKeys, `got "1.5"`},
		{[]any{"ZUNION", nil, "k"}, command.ErrNumKeys, `got ""`},
		{[]any{"ZUNION", struct{}{}, "k"}, command.ErrNumKeys, `got ""`},
		{[]any{"ZUNION", strings.Repeat("9", 1000), "k"}, command.ErrNumKeys, "(1000 bytes)"},
		{[]any{"MSETEX", 2, "k", "v", "k2"}, command.ErrNumKeys, "from 1 to 1"},
		{words("EVAL script -1"), command.ErrNumKeys, "from 0 to 0"},
		{words("EVAL script 1"), command.ErrNumKeys, "from 0 to 0"},
		{words("BLMPOP 0 2 k LEFT"), nil, ""},
		{words("BLMPOP 0 4 k LEFT"), command.ErrNumKeys, "BLMPOP: number of keys at argument 2"},
		{words("XREAD COUNT 1 k 0"), command.ErrSyntax, "no STREAMS"},
		{words("XREAD COUNT 1 STREAMS"), command.ErrSyntax, "XREAD: syntax at argument 3: got 0 arguments after STREAMS"},
		{words("XREAD STREAMS a b 0"), command.ErrSyntax, "got 3 arguments after STREAMS"},
		{words("XREADGROUP GROUP STREAMS c COUNT 1 k"), command.ErrSyntax, "no STREAMS"},
		{words("SORT k STORE"), command.ErrSyntax, "SORT: syntax at argument 2: got nothing after it, want a destination key"},
		{words("GEORADIUS k 1 2 3 m STORE"), command.ErrSyntax, "at argument 6"},
		{words("MIGRATE h 1 k 0 1 KEYS a"), command.ErrSyntax, "at argument 3: got a key"},
		{[]any{"MIGRATE", "h", 1, "", 0, 1, "KEYS"}, command.ErrSyntax, "no key after it"},
	} {
		c := mustLookup(t, tt.args)
		before := []command.Key{{Pos: 42}}
		keys, err := c.Keys(before, tt.args)
		var argument *command.ArgumentError
		switch {
		case tt.err == nil:
			if err != nil {
				t.Errorf("%v: %v", tt.args, err)
			}
		case !errors.Is(err, tt.err) || !errors.As(err, &argument) || !strings.Contains(err.Error(), tt.want):
			t.Errorf("%v: got %v, want %v and %q", tt.args, err, tt.err, tt.want)
		case len(keys) != 1:
			t.Errorf("%v: %v with an error", tt.args, keys)
		}
		if got := c.Access(tt.args); tt.err != nil && got != command.ReadModifyWrite {
			t.Errorf("%v: %v, though nothing is known of it", tt.args, got)
		}
	}
}

// TestErrorsHoldNoKeys: a key may be private, and errors are logged.
func TestErrorsHoldNoKeys(t *testing.T) {
	for _, line := range []string{"MSET secret 1 secret", "XREAD STREAMS secret secret 1", "MIGRATE h 1 secret 0 1 KEYS secret", "EVAL script 3 secret"} {
		args := words(line)
		if _, err := mustLookup(t, args).Keys(nil, args); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", line, err)
		}
	}
}

// TestRunOnAServer runs invocations that are easy to misread, and looks which
// keys came to be.
func TestRunOnAServer(t *testing.T) {
	ctx := context.Background()
	client := connect(t)
	for _, tt := range []struct{ setup, line, keys string }{
		{"RPUSH src 1", "SORT src STORE by STORE dst", "src dst"},
		{"RPUSH src 1", "SORT src BY STORE STORE dst", "src dst"},
		{"RPUSH src 1", "sort src limit 0 5 get # store LIMIT", "src LIMIT"},
		{"RPUSH STORE 1", "SORT STORE STORE STORE", "STORE STORE"},
		{"GEOADD src 1 1 STORE", "GEORADIUSBYMEMBER src STORE 5 km STORE dst", "src dst"},
		{"GEOADD src 1 1 m", "GEORADIUS src 1 1 5 km COUNT 1 ASC storedist STORE", "src STORE"},
		{"XADD GROUP * f v", "XREAD COUNT 1 STREAMS GROUP 0", "GROUP"},
		{"XGROUP CREATE src streams $ MKSTREAM", "XREADGROUP COUNT 1 GROUP streams STREAMS STREAMS src >", "src"},
		{"XGROUP CREATE src g $ MKSTREAM", "XREADGROUP GROUP g block COUNT 1 STREAMS src >", "src"},
		{"SET src 1", "COPY src REPLACE REPLACE", "src REPLACE"},
		{"SADD EX 1", "SUNIONSTORE NX EX", "NX EX"},
		{"ZADD 1 1 m", "ZUNIONSTORE 2 1 1 WEIGHTS 1", "2 1"},
		{"SET 1 v", "EVAL return{redis.call('GET',KEYS[1])} 1 1 2 3", "1"},
		{"SET k v", "OBJECT ENCODING k", "k"},
	} {
		client.FlushAll(ctx)
		if err := client.Do(ctx, words(tt.setup)...).Err(); err != nil {
			t.Fatalf("%s: %v", tt.setup, err)
		}
		args := words(tt.line)
		if err := client.Do(ctx, args...).Err(); err != nil && err.Error() != "redis: nil" {
			t.Errorf("%s: the server says %v", tt.line, err)
		}
		keys, err := mustLookup(t, args).Keys(nil, args)
		var got []string
		for _, k := range keys {
			got = append(got, args[k.Pos].(string))
		}
		if err != nil || strings.Join(got, " ") != tt.keys {
			t.Errorf("%s: keys %q, %v; want %s", tt.line, got, err, tt.keys)
		}
		there, err := client.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range there {
			if !slices.Contains(got, k) {
				t.Errorf("%s: made key %q, which is not among %q", tt.line, k, got)
			}
		}
	}
}

// TestKeysOfWords: keys among words that read like options, where a server
// cannot be made to run it.
func TestKeysOfWords(t *testing.T) {
	for _, tt := range []struct {
		args []any
		want []int
	}{
		{[]any{"MIGRATE", "h", 1, "", 0, 5, "COPY", "AUTH", "keys", "KEYS", "a", "keys"}, []int{10, 11}},
		{[]any{"MIGRATE", "h", 1, "", 0, 5, "AUTH2", "auth", "keys", "REPLACE", "keys", "a"}, []int{11}},
		{[]any{"MIGRATE", "h", 1, "k", 0, 5, "AUTH", "KEYS"}, []int{3}},
		{[]any{"MIGRATE", "h", 1, nil, 0, 5}, []int{3}}, // the empty key
		{words("GEORADIUS k 1 2 3 STORE d"), []int{1}},  // a unit that does not exist
		{words("GEORADIUSBYMEMBER k STORE 3 m STORE d"), []int{1, 6}},
		{words("EVAL s 0 a b"), nil},
		{words("LCS a b LEN"), []int{1, 2}},
		{words("BZMPOP 0 1 MIN MIN"), []int{3}},
		{words("PFMERGE d"), []int{1}},
		{words("BLPOP a b c 0"), []int{1, 2, 3}},
	} {
		keys, err := mustLookup(t, tt.args).Keys(nil, tt.args)
		if got := append(positions(keys, false), positions(keys, true)...); err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%q: %v, %v; want %v", tt.args, got, err, tt.want)
		}
	}
}

// TestAccessOfOptions: the options that decide what a command does, in a table;
// COMMAND GETKEYSANDFLAGS knows only some of them.
func TestAccessOfOptions(t *testing.T) {
	const (
		rmw  = command.ReadModifyWrite
		read = command.Read
		over = command.Overwrite
		del  = command.Delete
		none = command.NoAccess
	)
	for line, want := range map[string]command.Access{
		"GET k": read, "SET k v": over, "SET k v EX 5": over, "SET k v px 5": over, "SET k v EXAT 5": over, "SET k v PXAT 5": over,
		"SET k v NX": rmw, "SET k v XX": rmw, "SET k v GET": rmw, "SET k v KEEPTTL": rmw, "SET k v EX 5 NX": rmw, "SET k v get px 5": rmw,
		"SET k v IFEQ x": rmw, "SET k v SOMETHING-NEW": rmw, "SET k NX": over, "SET NX v": over,
		"SETNX k v": rmw, "SETEX k 5 v": over, "GETSET k v": rmw, "GETDEL k": rmw, "APPEND k v": rmw, "INCR k": rmw,
		"MSET a 1 b 2": over, "MSETNX a 1": rmw, "MSETEX 1 a 1": over, "MSETEX 2 a 1 b 2 EX 5": over,
		"MSETEX 1 a 1 NX": rmw, "MSETEX 1 a 1 KEEPTTL": rmw, "MSETEX x a 1": rmw,
		"GETEX k": read, "GETEX k PERSIST": rmw, "GETEX k EX 5": rmw,
		"HGETEX k FIELDS 1 f": read, "HGETEX k EX 5 FIELDS 1 f": rmw, "HGETEX k": rmw,
		"BITFIELD k": read, "BITFIELD k GET u8 0 get u8 8": read, "BITFIELD k GET u8 0 SET u8 0 1": rmw, "BITFIELD k GET u8": rmw,
		"DEL a b": del, "UNLINK a": del, "DELEX k": del, "DELEX k IFEQ v": rmw, "HDEL k f": rmw,
		"RESTORE k 0 v": rmw, "RESTORE k 0 v REPLACE": over, "RESTORE k 0 v ABSTTL replace IDLETIME 5": over, "RESTORE k 0 REPLACE": rmw,
		"RESTORE k 0 v FREQ REPLACE": rmw,
		"COPY a b":                   rmw, "COPY a b REPLACE": rmw, // one is read, the other overwritten
		"SUNIONSTORE d a": rmw, "SINTERSTORE d a": rmw, "SUNION a b": read, "BITOP AND d a": rmw,
		"SORT k": read, "SORT k STORE d": rmw, "SORT_RO k": read,
		"XREAD STREAMS k 0": read, "XREADGROUP GROUP g c STREAMS k >": rmw,
		"EVAL s 0": none, "EVAL s 1 k": rmw, "EVAL_RO s 1 k": read, "PUBLISH c m": none, "DBSIZE": none, "PFCOUNT a b": read,
		"EXPIRE k 5": rmw, "PERSIST k": rmw, "TTL k": read, "TOUCH k": read, "OBJECT FREQ k": read, "DUMP k": read,
		"JSON.SET k $ 1": rmw, "JSON.GET k": read, "TS.ADD k * 1": rmw, "TS.MADD a 1 1 b 1 1": rmw, "VSIM k ELE e": read,
	} {
		args := words(line)
		if got := mustLookup(t, args).Access(args); got != want {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
	args := words("COPY a b REPLACE")
	keys, err := mustLookup(t, args).Keys(nil, args)
	if want := []command.Key{{Pos: 1, Access: read}, {Pos: 2, Access: over}}; err != nil || !slices.Equal(keys, want) {
		t.Errorf("%v: %v, %v; want %v", args, keys, err, want)
	}
}

func TestBlocking(t *testing.T) {
	const no = time.Duration(-1)
	for _, tt := range []struct {
		args []any
		want time.Duration
	}{
		{words("GET k"), no},
		{words("BLPOP a b 0"), 0},
		{words("BLPOP a b 2.5"), 2500 * time.Millisecond},
		{[]any{"BLPOP", "a", 3}, 3 * time.Second},
		{[]any{"BLPOP", "a", []byte("3")}, 3 * time.Second},
		{words("BLPOP a soon"), 0},
		{words("BLPOP a -1"), 0},
		{words("BLPOP a nan"), 0},
		{words("BLPOP a 1e-12"), 1},
		{words("BLPOP a 1e300"), 1<<63 - 1},
		{[]any{"BLPOP", "a", struct{}{}}, 0},
		{words("BLMOVE a b LEFT RIGHT 4"), 4 * time.Second},
		{words("BRPOPLPUSH a b 4"), 4 * time.Second},
		{words("BLMPOP 7 1 k LEFT COUNT 5"), 7 * time.Second},
		{words("BLMPOP"), 0},
		{words("XREAD COUNT 1 STREAMS k 0"), no},
		{words("XREAD block 5 STREAMS k 0"), 5 * time.Millisecond},
		{words("XREAD BLOCK 0 STREAMS k 0"), 0},
		{words("XREAD STREAMS BLOCK 0"), no},
		{words("XREAD STREAMS k BLOCK 0 0"), no},
		{words("XREAD BLOCK"), 0},
		{words("XREADGROUP GROUP BLOCK 5 STREAMS k >"), no},
		{words("XREADGROUP GROUP streams streams NOACK BLOCK 7 STREAMS k >"), 7 * time.Millisecond},
		{words("TS.READ BLOCK 5"), no},
		{words("TS.READ k 5 BLOCK 9 1"), 9 * time.Millisecond},
		{words("MIGRATE h 1 k 0 100"), 100 * time.Millisecond},
		{words("WAIT 1 100"), 100 * time.Millisecond},
	} {
		got, blocks := mustLookup(t, tt.args).Blocking(tt.args)
		if !blocks {
			got = no
		}
		if got != tt.want {
			t.Errorf("%v: %v, want %v (-1ns: does not block)", tt.args, got, tt.want)
		}
	}
}

func TestRefusal(t *testing.T) {
	for line, want := range map[string]command.Reason{
		"GET k": "", "SCAN 0": "",
		"SUBSCRIBE c": command.ReasonSubscription, "MULTI": command.ReasonTransaction, "SELECT 1": command.ReasonConnection,
		"CONFIG GET x": command.ReasonServer, "DEBUG SLEEP 1": command.ReasonServer, "DEBUG OBJECT k": "",
		"CLUSTER SLOTS": command.ReasonCluster, "REPLICAOF no one": command.ReasonReplication, "SWAPDB 0 1": command.ReasonInstant,
		"FT.SEARCH i q": command.ReasonIndex, "XINFO": command.ReasonSubcommand,
		"TS.MRANGE - + FILTER a=b": "", "TS.MRANGE - + FILTER a=b groupby a REDUCE max": command.ReasonGroups,
	} {
		args := words(line)
		c := mustLookup(t, args)
		if got, refused := c.Refusal(args); got != want || refused != (want != "") {
			t.Errorf("%s: %q, %t; want %q", line, got, refused, want)
		}
	}
	// Whatever is refused says why, and nothing else is.
	for c := range (command.Table{}).All() {
		_, refused := c.Refusal(nil)
		if want := c.Route() == command.Connection || c.Route() == command.Refused; refused != want {
			t.Errorf("%s: route %v, refused: %t", c.Name(), c.Route(), refused)
		}
	}
}

// TestSplit cuts commands into a piece for each key: together the pieces are
// the command, and each is a command of one key.
func TestSplit(t *testing.T) {
	for _, tt := range []struct{ line, pieces string }{
		{"DEL a b c", "DEL a|DEL b|DEL c"},
		{"MGET a b", "MGET a|MGET b"},
		{"MSET a 1 b 2", "MSET a 1|MSET b 2"},
		{"JSON.MGET a b $.x", "JSON.MGET a $.x|JSON.MGET b $.x"},
		{"TS.MADD a 1 2 b 3 4", "TS.MADD a 1 2|TS.MADD b 3 4"},
		{"PUBSUB NUMSUB c d", "PUBSUB NUMSUB c|PUBSUB NUMSUB d"},
	} {
		args := words(tt.line)
		c := mustLookup(t, args)
		keys, err := c.Keys(nil, args)
		if err != nil {
			t.Fatal(err)
		}
		cut := c.Split()
		var pieces []string
		for _, k := range keys {
			piece := slices.Concat(args[:cut.Head], args[k.Pos:k.Pos+cut.Step], args[len(args)-cut.Tail:])
			pieces = append(pieces, strings.Trim(fmt.Sprint(piece), "[]"))
			if one, err := c.Keys(nil, piece); err != nil || len(one) != 1 {
				t.Errorf("%v: keys %v, %v", piece, one, err)
			}
		}
		if got := strings.Join(pieces, "|"); got != tt.pieces {
			t.Errorf("%s: %s, want %s", tt.line, got, tt.pieces)
		}
	}
	for c := range (command.Table{}).All() {
		if (c.Route() == command.SplitByKey) != (c.Split() != command.Pieces{}) {
			t.Errorf("%s: route %v, split %v", c.Name(), c.Route(), c.Split())
		}
	}
}

func TestPatterns(t *testing.T) {
	for line, want := range map[string][]int{
		"SORT k":                                nil,
		"SORT k BY nosort GET #":                nil,
		"SORT k BY weight_* GET # GET data_*":   {3, 7},
		"SORT k LIMIT BY GET x_* get y_*":       {7},
		"SORT k STORE BY GET y_*":               {5},
		"SORT_RO k by w_*->field":               {3},
		"SORT k BY":                             nil,
		"GEORADIUS k 1 2 3 m STORE d BY x_*":    nil,
		"SORT k ALPHA DESC STORE x_* LIMIT 0 1": nil,
	} {
		args := words(line)
		if got := mustLookup(t, args).Patterns(nil, args); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", line, got, want)
		}
	}
}

// TestPinned: whatever the "*" stands for, the key has the tag of the pattern;
// and where that is not so, some value shows it.
func TestPinned(t *testing.T) {
	for pattern, want := range map[string]bool{
		"{u}_*": true, "a{u}b*c": true, "{u*}": false, "*{u}": false, "{}*": false, "w_*": false, "{u*": false,
		"{u}*->f": true, "*": false, "": false, "{u}": true, "plain": false,
	} {
		if got := command.Pinned(pattern); got != want {
			t.Errorf("%q: %t, want %t", pattern, got, want)
		}
	}
	part := rapid.StringOf(rapid.SampledFrom([]rune("{}ab")))
	rapid.Check(t, func(t *rapid.T) {
		pattern := part.Draw(t, "before") + "*" + part.Draw(t, "after")
		tag := ring.Tag(pattern)
		same := true
		for _, value := range []string{part.Draw(t, "value"), "", "a", "b", "}", "{", "{b}"} {
			same = same && ring.Tag(strings.Replace(pattern, "*", value, 1)) == tag
		}
		if pinned := command.Pinned(pattern); pinned != same {
			t.Fatalf("%q: pinned: %t, the tag of its keys is the same: %t", pattern, pinned, same)
		}
	})
}

// TestTypesOfArguments: words may be strings or byte slices, in any case.
func TestTypesOfArguments(t *testing.T) {
	lines := []string{"GET k", "MSET a 1 b 2", "ZUNIONSTORE d 2 a b WEIGHTS 1 2", "XREAD COUNT 1 BLOCK 5 STREAMS a b 0 0",
		"SORT k BY x_* LIMIT 0 1 STORE d", "SET k v NX", "XGROUP CREATE k g $", "EVAL s 2 a b c", "GEORADIUS k 1 2 3 m STORE d"}
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.SampledFrom(lines).Draw(t, "line")
		want := words(line)
		got := slices.Clone(want)
		for i, w := range want {
			word := w.(string)
			switch rapid.IntRange(0, 3).Draw(t, "form") {
			case 0:
				got[i] = []byte(strings.ToLower(word))
			case 1:
				word = strings.ToLower(word)
				got[i] = &word
			case 2:
				got[i] = strings.ToLower(word)
			}
		}
		a, known := command.Lookup(want)
		b, alsoKnown := command.Lookup(got)
		if !known || !alsoKnown || a != b {
			t.Fatalf("%s: %v and %v", line, a, b)
		}
		keysA, errA := a.Keys(nil, want)
		keysB, errB := b.Keys(nil, got)
		if errA != nil || errB != nil || !slices.Equal(keysA, keysB) {
			t.Fatalf("%s: %v, %v and %v, %v", line, keysA, errA, keysB, errB)
		}
	})
}
