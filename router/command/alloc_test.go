package command_test

import (
	"testing"

	"github.com/ringway/ringway/router/command"
)

var hotPath = map[string][]any{
	"GET":         {"get", "user:1000"},
	"GET capital": {"GET", "user:1000"},
	"GET mixed":   {"Get", "user:1000"},
	"GET bytes":   {[]byte("get"), []byte("user:1000")},
	"SET":         {"set", "user:1000", "value", "ex", 60},
	"MGET":        {"mget", "a", "b", "c", "d", []byte("e")},
	"MSET":        {"mset", "a", 1, "b", 2},
	"HSET":        {"hset", "h", "f", "v"},
	"XINFO":       {"xinfo", "stream", "s"},
	"EVALSHA":     {"evalsha", "0123456789", 2, "a", "b", "c"},
	"ZUNIONSTORE": {"zunionstore", "d", "2", "a", "b", "weights", 1, 2},
	"XREAD":       {"xread", "count", 5, "block", int64(5), "streams", "a", "b", "0", "0"},
	"SORT":        {"sort", "k", "by", "nosort", "limit", 0, 5, "store", "d"},
	"GEORADIUS":   {"georadius", "k", 1.5, 2.5, 3.5, "m", "store", "d"},
}

var sink int

// route does what a router does with every call.
func route(args []any) {
	c, known := command.Lookup(args)
	if !known {
		panic("unknown")
	}
	if pos, ok := c.Key(args); ok {
		key, _ := command.KeyString(args[pos])
		sink += len(key) + int(c.Access(args))
		return
	}
	var buf [16]command.Key
	keys, err := c.Keys(buf[:0], args)
	if err != nil {
		panic(err)
	}
	for _, k := range keys {
		key, _ := command.KeyString(args[k.Pos])
		sink += len(key) + int(k.Access)
	}
	if _, blocks := c.Blocking(args); blocks {
		sink++
	}
	if _, refused := c.Refusal(args); refused {
		sink++
	}
}

func TestNoAllocations(t *testing.T) {
	for name, args := range hotPath {
		if n := testing.AllocsPerRun(100, func() { route(args) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkRoute(b *testing.B) {
	for _, name := range []string{"GET", "GET mixed", "SET", "MGET", "XREAD"} {
		args := hotPath[name]
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				route(args)
			}
		})
	}
}
