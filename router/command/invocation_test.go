package command_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// grammar is how a command's arguments are put together, from COMMAND DOCS.
type grammar struct {
	name, kind, token string
	flags             []string
	args              []grammar
}

func (g grammar) is(flag string) bool { return slices.Contains(g.flags, flag) }

// readGrammars asks a server about all its commands: a grammar for each, by
// name in capitals with the subcommand, without containers.
func readGrammars(t *testing.T, client *redis.Client) map[string][]grammar {
	t.Helper()
	reply, err := client.Do(context.Background(), "COMMAND", "DOCS").Result()
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][]grammar)
	var add func(name string, doc map[string]any)
	add = func(name string, doc map[string]any) {
		name = strings.ToUpper(strings.ReplaceAll(name, "|", " "))
		if subs := asMap(doc["subcommands"]); len(subs) > 0 && name != "COMMAND" {
			for sub, d := range subs {
				add(sub, asMap(d))
			}
			return
		}
		all[name] = readArgs(doc["arguments"])
		for sub, d := range asMap(doc["subcommands"]) { // of COMMAND
			add(sub, asMap(d))
		}
	}
	for name, doc := range asMap(reply) {
		add(name, asMap(doc))
	}
	return all
}

func readArgs(reply any) (args []grammar) {
	list, _ := reply.([]any)
	for _, element := range list {
		m := asMap(element)
		g := grammar{args: readArgs(m["arguments"])}
		g.name, _ = m["name"].(string)
		g.kind, _ = m["type"].(string)
		g.token, _ = m["token"].(string)
		if g.token == `""` {
			g.token = ""
		}
		flags, _ := m["flags"].([]any)
		for _, f := range flags {
			g.flags = append(g.flags, fmt.Sprint(f))
		}
		args = append(args, g)
	}
	return args
}

// asMap reads a map in either protocol: 2 has flat arrays for it.
func asMap(reply any) map[string]any {
	m := make(map[string]any)
	switch r := reply.(type) {
	case map[any]any:
		for k, v := range r {
			m[fmt.Sprint(k)] = v
		}
	case []any:
		for i := 0; i+1 < len(r); i += 2 {
			m[fmt.Sprint(r[i])] = r[i+1]
		}
	}
	return m
}

// Words that commands give a meaning to. Keys and values are drawn from them
// too: a key called "STORE" is a key.
var nasty = strings.Fields(`STORE storedist STREAMS streams GROUP group BLOCK KEYS keys BY GET get LIMIT REPLACE
	COUNT AUTH AUTH2 EX PX NX KEEPTTL FIELDS DB WEIGHTS 0 1 2 -1 007 99`)

// writer makes invocations out of grammars.
type writer struct {
	rand    *rand.Rand
	args    []string
	count   int           // of the keys or IDs that must come next; -1: any
	timeout time.Duration // that was written; 0 if none was
}

func (w *writer) write(list []grammar) {
	for i, g := range list {
		switch {
		case g.name == "numkeys":
			least := 1
			if list[i+1].is("optional") {
				least = 0
			}
			w.count = least + w.rand.IntN(4)
			w.args = append(w.args, fmt.Sprint(w.count))
			continue
		case g.kind == "key" && g.is("multiple") && w.count >= 0:
			w.repeat(g, w.count)
			w.count = -1
			continue
		case g.kind == "key" && g.is("multiple") && i+1 < len(list) && list[i+1].is("multiple"):
			// STREAMS key [key …] id [id …]
			n := 1 + w.rand.IntN(3)
			w.repeat(g, n)
			w.count = n
			continue
		case w.count >= 0 && g.is("multiple") && strings.EqualFold(g.name, "id"):
			w.repeat(g, w.count)
			w.count = -1
			continue
		case g.is("optional") && w.rand.IntN(2) == 0:
			continue
		}
		n := 1
		if g.is("multiple") {
			n += w.rand.IntN(3)
		}
		w.repeat(g, n)
	}
}

func (w *writer) repeat(g grammar, n int) {
	for i := range n {
		if g.token != "" && (i == 0 || g.is("multiple_token")) {
			w.args = append(w.args, w.anyCase(g.token))
		}
		w.one(g)
	}
}

func (w *writer) one(g grammar) {
	switch g.kind {
	case "block":
		w.write(g.args)
	case "oneof":
		g = g.args[w.rand.IntN(len(g.args))]
		w.repeat(g, 1)
	case "pure-token":
		if g.token == "" { // MIGRATE's empty key
			w.args = append(w.args, "")
		}
	default:
		w.args = append(w.args, w.value(g))
	}
}

func (w *writer) value(g grammar) string {
	switch {
	case g.name == "timeout" || g.token == "BLOCK":
		n := 1 + w.rand.IntN(9000)
		w.timeout = time.Duration(n) * time.Millisecond
		if g.kind == "double" {
			w.timeout = time.Duration(n) * time.Second
		}
		return fmt.Sprint(n)
	case g.kind == "integer" || g.kind == "unix-time":
		return fmt.Sprint(w.rand.IntN(100))
	case g.kind == "double":
		return fmt.Sprint(float64(w.rand.IntN(100)) / 4)
	case w.rand.IntN(5) == 0:
		return nasty[w.rand.IntN(len(nasty))]
	}
	return fmt.Sprintf("%s:%d", g.kind, w.rand.IntN(1e6))
}

func (w *writer) anyCase(word string) string {
	if w.rand.IntN(2) == 0 {
		return strings.ToLower(word)
	}
	return word
}

// invocation returns arguments for a command, name included, and the time-out
// among them. COMMAND DOCS does not tell units: the server takes seconds where
// fractions are allowed, and milliseconds where not.
func invocation(r *rand.Rand, name string, args []grammar) (words []string, timeout time.Duration) {
	w := &writer{rand: r, count: -1}
	for word := range strings.FieldsSeq(name) {
		w.args = append(w.args, w.anyCase(word))
	}
	w.write(args)
	return w.args, w.timeout
}
