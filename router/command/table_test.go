package command_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/router/command"
)

func TestLookup(t *testing.T) {
	for _, tt := range []struct {
		args []any
		want string // "": unknown
	}{
		{words("get k"), "GET"}, {words("GET k"), "GET"}, {words("gEt k"), "GET"}, {words("waitAOF 0 0 0"), "WAITAOF"},
		{[]any{[]byte("Get"), "k"}, "GET"}, {[]any{ptr("get"), "k"}, "GET"}, {[]any{marshaler{"get"}, "k"}, "GET"},
		{words("json.get k"), "JSON.GET"}, {words("ft._list"), "FT._LIST"},
		{words("xinfo stream k"), "XINFO STREAM"}, {[]any{"XINFO", []byte("Stream"), "k"}, "XINFO STREAM"},
		{words("xinfo"), "XINFO"}, {words("xinfo nonsense k"), ""}, {[]any{"xinfo", 5}, ""}, {[]any{"xinfo", struct{}{}}, ""},
		{words("command"), "COMMAND"}, {words("command docs get"), "COMMAND DOCS"}, {words("command nonsense"), ""},
		{words("debug object k"), "DEBUG OBJECT"}, {words("debug sleep 1"), "DEBUG"}, {words("debug"), "DEBUG"},
		{words("get stream"), "GET"}, {[]any{"xinfo stream", "k"}, ""}, {[]any{"get "}, ""},
		{nil, ""}, {[]any{}, ""}, {[]any{""}, ""}, {[]any{nil}, ""}, {[]any{5}, ""}, {[]any{struct{}{}}, ""},
		{words("nonsense"), ""}, {[]any{strings.Repeat("get", 1000)}, ""}, {[]any{"GET\x00"}, ""}, {[]any{"ＧＥＴ"}, ""},
	} {
		c, known := command.Lookup(tt.args)
		got := ""
		if known {
			got = c.Name()
		} else if c != nil {
			t.Errorf("%v: unknown, and %s", tt.args, c.Name())
		}
		if got != tt.want {
			t.Errorf("%v: %q, want %q", tt.args, got, tt.want)
		}
	}
}

func TestNamed(t *testing.T) {
	var table command.Table
	for c := range table.All() {
		for _, name := range []string{c.Name(), strings.ToLower(c.Name()), strings.ToLower(c.Name()[:1]) + c.Name()[1:]} {
			if got, known := table.Named(name); !known || got != c {
				t.Errorf("%q: %v, %t", name, got, known)
			}
			if got, known := command.Lookup(words(name)); !known || got != c {
				t.Errorf("lookup of %q: %v, %t", name, got, known)
			}
		}
	}
	for _, name := range []string{"", " ", "nonsense", "get k", "xinfo nonsense", "xinfo stream k", " get"} {
		if c, known := table.Named(name); known || c != nil {
			t.Errorf("%q: %v, %t", name, c, known)
		}
	}
}

func TestAllIsInOrder(t *testing.T) {
	var names []string
	for c := range (command.Table{}).All() {
		names = append(names, c.Name())
	}
	if len(names) < 500 {
		t.Errorf("%d commands: some are missing", len(names))
	}
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Error("not in order, or some are there twice")
	}
	for range (command.Table{}).All() {
		break // must not go on
	}
}

func TestWith(t *testing.T) {
	var builtin command.Table
	one := []command.KeySpec{{First: 1, Access: command.Read}}
	table, err := builtin.With(
		command.Definition{Name: "mymodule.get", Arity: 2, Keys: one},
		command.Definition{Name: "MYMODULE.ADMIN RELOAD", Route: command.AllNodes, Combine: command.AllSucceed},
		command.Definition{Name: "XINFO Brand-New", Arity: -3, Keys: []command.KeySpec{{First: 2}}},
		command.Definition{Name: "MYMODULE.MSET", Arity: -3, Route: command.SplitByKey, Combine: command.Sum,
			Keys: []command.KeySpec{{First: 1, Last: -1, Step: 2, Access: command.Overwrite}}},
		command.Definition{Name: "MYMODULE.WAIT", Arity: 3, Keys: one, Blocking: command.Blocking{Pos: 2, Unit: time.Second}},
		command.Definition{Name: "MYMODULE.LAST", Arity: -2, Find: func(args []any) ([]command.Key, error) {
			return []command.Key{{Pos: len(args) - 1, Access: command.Delete}}, nil
		}},
		command.Definition{Name: "MYMODULE.BAD", Find: func(args []any) ([]command.Key, error) { return []command.Key{{Pos: len(args)}}, nil }},
		command.Definition{Name: "MYMODULE.NONE", Route: command.Refused, Reason: "because"},
		// Their arity promises less than their keys need.
		command.Definition{Name: "MYMODULE.LAX", Keys: one},
		command.Definition{Name: "MYMODULE.COUNT", Keys: []command.KeySpec{{Count: 1}}},
	)
	if err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string][]command.Key{
		"MYMODULE.GET k":          {{Pos: 1, Access: command.Read}},
		"mymodule.admin reload":   nil,
		"xinfo BRAND-new k":       {{Pos: 2}},
		"XINFO STREAM k":          {{Pos: 2, Access: command.Read}}, // still there
		"Mymodule.Mset a 1 b 2":   {{Pos: 1, Access: command.Overwrite}, {Pos: 3, Access: command.Overwrite}},
		"MYMODULE.LAST a b c":     {{Pos: 3, Access: command.Delete}},
		"MYMODULE.WAIT k 5":       {{Pos: 1, Access: command.Read}},
		"MYMODULE.NONE something": nil,
		"GET k":                   {{Pos: 1, Access: command.Read}},
	} {
		c, known := table.Lookup(words(line))
		if !known {
			t.Errorf("%s is unknown", line)
			continue
		}
		if keys, err := c.Keys(nil, words(line)); err != nil || !slices.Equal(keys, want) {
			t.Errorf("%s: %v, %v; want %v", line, keys, err, want)
		}
	}
	c, _ := table.Named("MYMODULE.BAD")
	if keys, err := c.Keys(nil, words("MYMODULE.BAD k")); !errors.Is(err, command.ErrSyntax) || len(keys) != 0 {
		t.Errorf("a position outside the arguments: %v, %v", keys, err)
	}
	for _, line := range []string{"MYMODULE.LAX", "MYMODULE.COUNT"} {
		c := mustNamed(t, table, line)
		if keys, err := c.Keys(nil, words(line)); !errors.Is(err, command.ErrArity) || len(keys) != 0 {
			t.Errorf("%s: %v, %v", line, keys, err)
		}
		if pos, ok := c.Key(words(line)); ok {
			t.Errorf("%s: a key at %d", line, pos)
		}
	}
	// The tables that were there before have not changed.
	for _, name := range []string{"MYMODULE.GET", "XINFO BRAND-NEW", "MYMODULE.ADMIN"} {
		if _, known := builtin.Named(name); known {
			t.Errorf("%s got into the built-in table", name)
		}
	}
	more, err := table.With(command.Definition{Name: "MYMODULE.ADMIN STATS", Route: command.AnyNode})
	if err != nil {
		t.Fatal(err)
	}
	if _, known := table.Named("MYMODULE.ADMIN STATS"); known {
		t.Error("MYMODULE.ADMIN STATS got into the table before")
	}
	if _, known := more.Named("MYMODULE.ADMIN RELOAD"); !known {
		t.Error("MYMODULE.ADMIN RELOAD was lost")
	}
	// The caller's slice is not kept.
	one[0].First = 7
	if keys, _ := mustNamed(t, table, "MYMODULE.GET").Keys(nil, words("MYMODULE.GET k")); keys[0].Pos != 1 {
		t.Errorf("%v: follows a slice of the caller", keys)
	}
	count := 0
	for range more.All() {
		count++
	}
	for range builtin.All() {
		count--
	}
	if count != 12 { // eleven added, and the container MYMODULE.ADMIN
		t.Errorf("%d commands more than built in, want 12", count)
	}
}

func mustNamed(t *testing.T, table command.Table, name string) *command.Command {
	t.Helper()
	c, known := table.Named(name)
	if !known {
		t.Fatalf("%s is unknown", name)
	}
	return c
}

func TestBadDefinitions(t *testing.T) {
	key := []command.KeySpec{{First: 1}}
	find := func([]any) ([]command.Key, error) { return nil, nil }
	for _, tt := range []struct {
		d     command.Definition
		field string
	}{
		{command.Definition{Keys: key}, "Name"},
		{command.Definition{Name: "a b c", Keys: key}, "Name"},
		{command.Definition{Name: " a", Keys: key}, "Name"},
		{command.Definition{Name: "a  b", Keys: key}, "Name"},
		{command.Definition{Name: "a\n", Keys: key}, "Name"},
		{command.Definition{Name: "é", Keys: key}, "Name"},
		{command.Definition{Name: strings.Repeat("x", 65), Keys: key}, "Name"},
		{command.Definition{Name: "get", Keys: key}, "Name"},
		{command.Definition{Name: "GET x", Keys: []command.KeySpec{{First: 2}}}, "Name"},
		{command.Definition{Name: "xinfo stream", Keys: []command.KeySpec{{First: 2}}}, "Name"},
		{command.Definition{Name: "X"}, "Keys"},
		{command.Definition{Name: "X", Route: 99, Keys: key}, "Route"},
		{command.Definition{Name: "X", Combine: 99, Keys: key}, "Combine"},
		{command.Definition{Name: "X", Keys: key, Combine: command.Sum}, "Combine"},
		{command.Definition{Name: "X", Route: command.AllNodes}, "Combine"},
		{command.Definition{Name: "X", Route: command.AllNodes, Combine: command.Sum, Keys: key}, "Keys"},
		{command.Definition{Name: "X", Route: command.AnyNode, Find: find}, "Keys"},
		{command.Definition{Name: "X", Route: command.Refused}, "Reason"},
		{command.Definition{Name: "X", Keys: key, Reason: "none needed"}, "Reason"},
		{command.Definition{Name: "X", Keys: key, Find: find}, "Find"},
		{command.Definition{Name: "X", Route: command.SplitByKey, Combine: command.Sum, Keys: key}, "Keys"},
		{command.Definition{Name: "X", Route: command.SplitByKey, Combine: command.Sum, Find: find}, "Keys"},
		{command.Definition{Name: "X", Route: command.SplitByKey, Combine: command.Sum, Keys: []command.KeySpec{{Count: 1}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{First: 0}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{First: -1}}}, "Keys"},
		{command.Definition{Name: "X Y", Keys: []command.KeySpec{{First: 1}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{First: 3, Last: 2}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{First: 1, Step: -1}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{First: 1, Access: 99}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{Count: -1}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{Count: 2, First: 2}}}, "Keys"},
		{command.Definition{Name: "X", Keys: []command.KeySpec{{Count: 1, Last: -1}}}, "Keys"},
		{command.Definition{Name: "X", Keys: key, Blocking: command.Blocking{Pos: 1}}, "Blocking"},
		{command.Definition{Name: "X", Keys: key, Blocking: command.Blocking{Unit: time.Second}}, "Blocking"},
		{command.Definition{Name: "X", Keys: key, Blocking: command.Blocking{Pos: -1, Word: "BLOCK", Unit: time.Second}}, "Blocking"},
	} {
		table, err := (command.Table{}).With(command.Definition{Name: "FINE", Keys: key}, tt.d)
		var bad *command.DefinitionError
		if !errors.As(err, &bad) || !errors.Is(err, command.ErrDefinition) || bad.Field != tt.field {
			t.Errorf("%+v: %v, want one about %s", tt.d, err, tt.field)
		}
		if _, known := table.Named("FINE"); known {
			t.Errorf("%+v: the table has changed in part", tt.d)
		}
	}
}

func TestNamesOfValues(t *testing.T) {
	for got, want := range map[string]string{
		command.ReadModifyWrite.String(): "read-modify-write", command.NoAccess.String(): "none", command.Access(99).String(): "Access(99)",
		command.OneNode.String(): "one node", command.Refused.String(): "refused", command.Route(99).String(): "Route(99)",
		command.Single.String(): "single", command.FirstFound.String(): "first found", command.Combine(99).String(): "Combine(99)",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
