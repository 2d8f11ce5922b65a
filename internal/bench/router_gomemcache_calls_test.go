package bench_test

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A call is made through both clients. It starts with empty servers; what it
// returns is compared, and then what the servers hold.
type call struct {
	name string
	do   func(c cache) (string, error)
}

// after stores first, which must succeed, and then does the rest.
func after(first []entry, rest func(c cache) (string, error)) func(c cache) (string, error) {
	return func(c cache) (string, error) {
		for _, e := range first {
			if err := c.store("set", e); err != nil {
				return "", unprepared(err)
			}
		}
		return rest(c)
	}
}

// unprepared is an error that is not the outcome of the call: the test knows no
// other that it is like.
func unprepared(err error) error { return fmt.Errorf("preparing the call: %v", err) }

func storing(how string, e entry) func(c cache) (string, error) {
	return func(c cache) (string, error) { return "", c.store(how, e) }
}

func reading(key string) func(c cache) (string, error) {
	return func(c cache) (string, error) {
		e, err := c.get(key)
		return e.String(), err
	}
}

func removing(key string) func(c cache) (string, error) {
	return func(c cache) (string, error) { return "", c.remove(key) }
}

func touching(key string, seconds int) func(c cache) (string, error) {
	return func(c cache) (string, error) { return "", c.touch(key, seconds) }
}

func counting(how func(cache, string, uint64) (uint64, error), key string, delta uint64) func(c cache) (string, error) {
	return func(c cache) (string, error) {
		n, err := how(c, key, delta)
		return strconv.FormatUint(n, 10), err
	}
}

// swapping reads an item, has something done to it, and swaps it for another.
func swapping(meanwhile func(c cache) error) func(c cache) (string, error) {
	return after(one, func(c cache) (string, error) {
		e, err := c.get("k")
		if err != nil {
			return "", unprepared(err)
		}
		if err := meanwhile(c); err != nil {
			return "", unprepared(err)
		}
		return "", c.store("cas", entry{key: "k", value: "swapped", flags: 9, cas: e.cas})
	})
}

func readingMany(keys ...string) func(c cache) (string, error) {
	return after(several(), func(c cache) (string, error) {
		found, err := c.getMulti(keys)
		var lines []string
		for _, key := range slices.Sorted(maps.Keys(found)) {
			lines = append(lines, key+": "+found[key].String())
		}
		return strings.Join(lines, "\n"), err
	})
}

var one = []entry{{key: "k", value: "one", flags: 7}}

// several are enough entries for all nodes.
func several() []entry {
	var list []entry
	for i := range 30 {
		list = append(list, entry{key: fmt.Sprintf("many:%d", i), value: strings.Repeat("v", i), flags: uint32(i)})
	}
	return list
}

func keysOf(entries []entry) (keys []string) {
	for _, e := range entries {
		keys = append(keys, e.key)
	}
	return keys
}

const (
	hours = 4_000             // seconds
	weeks = 40 * 24 * 60 * 60 // beyond what the protocol takes as a time to live
)

var calls = slices.Concat(storeCalls, swapCalls, countCalls, lifeCalls, manyCalls, keyCalls())

var storeCalls = []call{
	{"get of nothing", reading("k")},
	{"set", storing("set", entry{key: "k", value: "one"})},
	{"get", after(one, reading("k"))},
	{"set again, with other flags", after(one, storing("set", entry{key: "k", value: "two", flags: 1<<32 - 1}))},
	{"get of the largest flags", after([]entry{{key: "k", value: "v", flags: 1<<32 - 1}}, reading("k"))},
	{"get of an empty value", after([]entry{{key: "k", flags: 3}}, reading("k"))},
	{"get of all bytes", after([]entry{{key: "k", value: allBytes()}}, reading("k"))},
	{"get of 100 KiB", after([]entry{{key: "k", value: strings.Repeat("0123456789", 10<<10)}}, reading("k"))},
	{"add", storing("add", one[0])},
	{"add to what is there", after(one, storing("add", entry{key: "k", value: "two"}))},
	{"replace", after(one, storing("replace", entry{key: "k", value: "two", flags: 8}))},
	{"replace of nothing", storing("replace", one[0])},
	{"append", after(one, storing("append", entry{key: "k", value: " more", flags: 8, seconds: hours}))},
	{"append to nothing", storing("append", one[0])},
	{"prepend", after(one, storing("prepend", entry{key: "k", value: "more ", flags: 8}))},
	{"prepend to nothing", storing("prepend", one[0])},
	{"delete", after(one, removing("k"))},
	{"delete of nothing", removing("k")},
	{"delete all", after(several(), func(c cache) (string, error) { return "", c.removeAll() })},
	{"ping", func(c cache) (string, error) { return "", c.ping() }},
}

func allBytes() string {
	var b strings.Builder
	for i := range 256 {
		b.WriteByte(byte(i))
	}
	return b.String() + "\r\nEND\r\n"
}

var swapCalls = []call{
	{"cas", swapping(func(cache) error { return nil })},
	{"cas of what was changed", swapping(func(c cache) error { return c.store("set", entry{key: "k", value: "two"}) })},
	{"cas of what was set to the same", swapping(func(c cache) error { return c.store("set", one[0]) })},
	{"cas of what is gone", swapping(func(c cache) error { return c.remove("k") })},
	{"cas of what a multi-get gave", after(one, func(c cache) (string, error) {
		found, err := c.getMulti([]string{"k"})
		if err != nil {
			return "", unprepared(err)
		}
		return "", c.store("cas", entry{key: "k", value: "swapped", cas: found["k"].cas})
	})},
}

var countCalls = []call{
	{"increment", after([]entry{{key: "k", value: "41", flags: 5}}, counting(cache.increment, "k", 1))},
	{"increment over the end", after([]entry{{key: "k", value: "18446744073709551615"}}, counting(cache.increment, "k", 2))},
	{"increment by the largest number", after([]entry{{key: "k", value: "0"}}, counting(cache.increment, "k", 1<<64-1))},
	{"increment of nothing", counting(cache.increment, "k", 1)},
	{"increment of a word", after(one, counting(cache.increment, "k", 1))},
	{"decrement", after([]entry{{key: "k", value: "100"}}, counting(cache.decrement, "k", 1))},
	{"decrement below nothing", after([]entry{{key: "k", value: "3"}}, counting(cache.decrement, "k", 5))},
	{"decrement of nothing", counting(cache.decrement, "k", 1)},
	{"decrement of a word", after(one, counting(cache.decrement, "k", 1))},
}

var lifeCalls = []call{
	{"set for a while", storing("set", entry{key: "k", value: "v", seconds: hours})},
	{"set for weeks", storing("set", entry{key: "k", value: "v", seconds: weeks})},
	{"set in the past", after([]entry{{key: "k", value: "v", seconds: -1}}, reading("k"))},
	{"add for a while", storing("add", entry{key: "k", value: "v", seconds: hours})},
	{"touch", after(one, touching("k", hours))},
	{"touch for ever", after([]entry{{key: "k", value: "v", seconds: hours}}, touching("k", 0))},
	{"touch into the past", after(one, touching("k", -1))},
	{"touch of nothing", touching("k", hours)},
	{"get and touch", after(one, func(c cache) (string, error) {
		e, err := c.getAndTouch("k", hours)
		return e.String(), err
	})},
	{"get and touch of nothing", func(c cache) (string, error) {
		e, err := c.getAndTouch("k", hours)
		return e.String(), err
	}},
}

var manyCalls = []call{
	{"get of many", readingMany(keysOf(several())...)},
	{"get of many, some of which are not there", readingMany("many:1", "nothing", "many:2", "nothing-else")},
	{"get of many, none of which is there", readingMany("nothing", "nothing-else")},
	{"get of many, one of them twice", readingMany("many:1", "many:2", "many:1")},
	{"get of many, which are none", readingMany()},
	{"get of many, one of them malformed", readingMany("many:1", "many 2", "many:3")},
}

var edgeKeys = map[string]string{
	"of 250 bytes":     strings.Repeat("k", 250),
	"of 251 bytes":     strings.Repeat("k", 251),
	"with a space":     "a b",
	"with a line end":  "a\r\nflush_all",
	"with a tab":       "a\tb",
	"with a zero byte": "a\x00b",
	"with a DEL":       "a\x7fb",
	"in UTF-8":         "schlüssel",
	"of bytes":         "\x80\xff",
	"with a hash tag":  "{user:1}:cart",
}

// storableKeys are all keys of all calls under which something can be stored.
func storableKeys() []string {
	keys := append(keysOf(several()), "k")
	for _, key := range edgeKeys {
		if len(key) <= 250 && strings.IndexFunc(key, func(c rune) bool { return c <= ' ' || c == 0x7f }) < 0 {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

// keyCalls are all operations on keys at the edge of what may be sent. The empty
// key is not among them: gomemcache sends it, and fails over the reply.
func keyCalls() (list []call) {
	for name, key := range edgeKeys {
		for _, how := range []string{"set", "add", "replace", "append", "prepend"} {
			list = append(list, call{how + ", key " + name, storing(how, entry{key: key, value: "v"})})
		}
		list = append(list,
			call{"cas, key " + name, storing("cas", entry{key: key, value: "v", cas: 1 << 60})},
			call{"get, key " + name, reading(key)},
			call{"delete, key " + name, removing(key)},
			call{"touch, key " + name, touching(key, hours)},
			call{"increment, key " + name, counting(cache.increment, key, 1)},
			call{"decrement, key " + name, counting(cache.decrement, key, 1)},
			call{"get of many, key " + name, readingMany("many:1", key)},
		)
	}
	slices.SortFunc(list, func(a, b call) int { return strings.Compare(a.name, b.name) })
	return list
}
