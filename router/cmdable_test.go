package router

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/command"
)

// outcome puts into words where a call went.
func outcome(t *testing.T, f *recordedFleet, s *spy) string {
	t.Helper()
	var (
		crossing    *CrossNodeError
		unsupported *UnsupportedError
		several     *MultiError
		arguments   *command.ArgumentError
	)
	err := s.inner
	nodes := f.nodes()
	if len(nodes) == 0 { // refused: for a reason that is given, and typed
		switch {
		case errors.As(err, &crossing) && len(crossing.Keys) > 1 && len(crossing.Nodes) == len(crossing.Keys):
			return "CrossNodeError"
		case errors.As(err, &unsupported) && unsupported.Reason != "" && unsupported.Command != "":
			return "refused: " + unsupported.Reason
		case errors.As(err, &arguments):
			t.Errorf("%v: %v", s.cmds[0].Args(), err) // made-up arguments that make no sense: call it by hand
		}
		t.Errorf("%v went nowhere, with %v", s.cmds[0].Args(), err)
		return "?"
	}
	c, _ := command.Lookup(s.cmds[0].Args())
	if len(s.cmds) > 1 {
		return map[bool]string{true: "owner", false: "split"}[len(nodes) == 1]
	}
	keys, errKeys := c.Keys(nil, s.cmds[0].Args())
	if errKeys != nil {
		t.Errorf("%v: %v", s.cmds[0].Args(), errKeys)
	}
	switch {
	case c.Route() == command.AllNodes && c.Combine() == command.Cursor:
		return "all nodes, one after the other"
	case len(nodes) == 4 && len(keys) == 0:
		return "all nodes"
	case len(keys) == 0 && len(nodes) == 1:
		return "any node"
	case len(nodes) > 1:
		if !errors.As(err, &several) {
			t.Errorf("%v went to %d nodes: %v", s.cmds[0].Args(), len(nodes), err)
		}
		checkSplit(t, f, c, s.cmds[0].Args(), keys)
		return "split"
	}
	for _, k := range keys {
		name, _ := command.KeyString(s.cmds[0].Args()[k.Pos])
		if owner := f.NodeFor(name); owner != nodes[0] {
			t.Errorf("%v: key %q is %s's and went to %s", s.cmds[0].Args(), name, owner, nodes[0])
		}
	}
	if !slices.ContainsFunc(f.sent[nodes[0]], func(args []any) bool { return reflect.DeepEqual(args, s.cmds[0].Args()) }) {
		t.Errorf("%v went as %v", s.cmds[0].Args(), f.sent[nodes[0]])
	}
	return "owner"
}

// checkSplit holds each piece of a command against the owners of its keys.
func checkSplit(t *testing.T, f *recordedFleet, c *command.Command, args []any, keys []command.Key) {
	t.Helper()
	found := 0
	for node, sent := range f.sent {
		for _, piece := range sent {
			inPiece, err := c.Keys(nil, piece)
			if err != nil {
				t.Errorf("%v: piece %v: %v", args, piece, err)
			}
			for _, k := range inPiece {
				name, _ := command.KeyString(piece[k.Pos])
				if owner := f.NodeFor(name); owner != node {
					t.Errorf("%v: key %q is %s's and went to %s", args, name, owner, node)
				}
				found++
			}
		}
	}
	if found != len(keys) {
		t.Errorf("%v has %d keys, its pieces %d", args, len(keys), found)
	}
}

// TestEveryMethodIsRoutedOrRefused calls all methods of redis.Cmdable, and all
// others of a client that send something, twice: with one hash tag in every
// argument, and with none. testdata/methods.txt says what happens to each.
func TestEveryMethodIsRoutedOrRefused(t *testing.T) {
	f := recordFleet(t)
	s := &spy{}
	f.AddHook(s)
	// Made-up keys must be on several nodes, or nothing is shown.
	owners := make(map[string]bool)
	for i := range 4 {
		owners[f.NodeFor(fmt.Sprint("text", i+1))] = true
	}
	if len(owners) < 2 {
		t.Fatalf("the keys of untagged calls are all on one node")
	}
	var list strings.Builder
	fmt.Fprintf(&list, "# method, command, keys with one hash tag, keys without\n")
	called := 0
	for method := range sending() {
		if slices.Contains([]string{"Quit", "JSONDebugMemory"}, method.Name) {
			continue // overridden: TestMethodsThatTheHookDoesNotSee
		}
		f.reset()
		callWithMadeUp(f.Redis, s, method, "{tag}")
		if len(s.cmds) == 0 {
			t.Errorf("%s sent nothing: call it by hand", method.Name)
			continue
		}
		name, together := nameOf(s), outcome(t, f, s)
		f.reset()
		callWithMadeUp(f.Redis, s, method, "")
		apart := outcome(t, f, s)
		called++
		fmt.Fprintf(&list, "%-30s %-28s %-16s %s\n", method.Name, name, together, apart)
		if together == "CrossNodeError" {
			t.Errorf("%s: keys with one hash tag are on several nodes", method.Name)
		}
	}
	if called < 600 {
		t.Errorf("%d methods were called: some are missing", called)
	}
	if f.dials != 0 {
		t.Errorf("the embedded client dialled %d times", f.dials)
	}
	golden(t, "testdata/methods.txt", tidy(list.String()))
}

// tidy says a refusal once where it is the same with and without a tag.
func tidy(list string) string {
	lines := strings.Split(list, "\n")
	for i, line := range lines {
		if head, rest, refused := strings.Cut(line, "refused: "); refused {
			if reason, again, twice := strings.Cut(rest, "refused: "); twice && strings.TrimSpace(reason) == again {
				lines[i] = head + "refused: " + again
			}
		}
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func nameOf(s *spy) string {
	if c, known := command.Lookup(s.cmds[0].Args()); known && len(s.cmds) == 1 {
		return c.Name()
	}
	var names []string
	for _, cmd := range s.cmds {
		names = append(names, strings.ToUpper(cmd.Name()))
	}
	return strings.Join(names, "+")
}

// sending yields the methods of redis.Client that send commands: all of
// redis.Cmdable and those beyond it that return a command.
func sending() func(yield func(reflect.Method) bool) {
	return func(yield func(reflect.Method) bool) {
		in := reflect.TypeFor[redis.Cmdable]()
		typ := reflect.TypeFor[*redis.Client]()
		for i := range typ.NumMethod() {
			m := typ.Method(i)
			if slices.Contains(unseen, m.Name) {
				continue
			}
			_, isCmdable := in.MethodByName(m.Name)
			returns := m.Type.NumOut() > 0 && m.Type.Out(0).Implements(reflect.TypeFor[redis.Cmder]())
			if (isCmdable || returns || byHand[m.Name] != nil) && !yield(m) {
				return
			}
		}
	}
}

// unseen are the methods of redis.Client that do not send a command through the
// hook. Each is overridden, or harmless; TestMethodsThatTheHookDoesNotSee has
// them one by one.
var unseen = []string{
	"AddHook", "AsyncAutoPipeline", "AsyncAutoPipelineWithOptions", "AutoPipeline", "AutoPipelineWithOptions",
	"CSCRefreshStats", "CSCStats", "Close", "Conn", "EphemeralConn", "FTExplainCli", "GetMaintNotificationsManager",
	"GetPushNotificationHandler", "JSONDebugMemory", "NodeAddress", "Options", "PSubscribe", "PoolStats", "Quit",
	"RegisterPushNotificationHandler", "SSubscribe", "String", "Subscribe", "Sync", "Watch", "WithTimeout",
}

// builders return something that sends when it is run.
var builders = []string{
	"NewAggregateBuilder", "NewAliasBuilder", "NewCreateIndexBuilder", "NewCursorBuilder", "NewDictBuilder",
	"NewDropIndexBuilder", "NewExplainBuilder", "NewSearchBuilder", "NewSearchInfoBuilder", "NewSpellCheckBuilder",
	"NewSynUpdateBuilder", "NewTagValsBuilder",
}

// TestNoMethodIsOverlooked: a method that a later go-redis adds is in one of the
// lists, or is one that sends a command.
func TestNoMethodIsOverlooked(t *testing.T) {
	known := make(map[string]bool)
	for m := range sending() {
		known[m.Name] = true
	}
	for _, name := range slices.Concat(unseen, builders) {
		known[name] = true
	}
	typ := reflect.TypeFor[*redis.Client]()
	for i := range typ.NumMethod() {
		if !known[typ.Method(i).Name] {
			t.Errorf("%s: is it overridden, routed or refused?", typ.Method(i).Name)
		}
	}
}
