package router

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// recordedFleet is a router over four nodes whose clients send nothing: a hook
// on each keeps what it was given, and answers.
type recordedFleet struct {
	*Redis
	dials int // of the front, which must stay 0

	mu     sync.Mutex // guards the following
	sent   map[string][][]any
	answer func(cmd redis.Cmder) error
}

// recorded is an error that a server might give, so that no breaker opens and
// nothing is sent again.
type recorded struct{}

func (recorded) Error() string { return "RECORDED by the test" }
func (recorded) RedisError()   {}

func recordFleet(t *testing.T) *recordedFleet {
	t.Helper()
	f := &recordedFleet{}
	f.reset()
	var members []membership.Member
	for i := range 4 {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: "127.0.0.1:1"})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	f.Redis = newRedis(t, Config{Source: source, NoAutoPipeline: true, OnNewNode: func(id string, client *redis.Client) {
		client.AddHook(nodeRecorder{f, id})
	}})
	f.Redis.Client.AddHook(dialCounter{&f.dials})
	return f
}

func (f *recordedFleet) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = make(map[string][][]any)
	f.answer = func(redis.Cmder) error { return recorded{} }
}

// nodes returns which nodes were given a command.
func (f *recordedFleet) nodes() []string { return slices.Sorted(maps.Keys(f.sent)) }

type nodeRecorder struct {
	fleet *recordedFleet
	id    string
}

func (h nodeRecorder) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, recorded{} }
}

func (h nodeRecorder) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		h.fleet.mu.Lock()
		defer h.fleet.mu.Unlock()
		h.fleet.sent[h.id] = append(h.fleet.sent[h.id], cmd.Args())
		err := h.fleet.answer(cmd)
		cmd.SetErr(err)
		return err
	}
}

func (h nodeRecorder) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) (err error) {
		for _, cmd := range cmds {
			err = h.ProcessHook(nil)(ctx, cmd)
		}
		return err
	}
}

// dialCounter counts what would be a connection of the embedded client.
type dialCounter struct{ dials *int }

func (h dialCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		*h.dials++
		return next(ctx, network, addr)
	}
}
func (h dialCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (h dialCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// filler makes up arguments. All strings are different; tagged ones have a
// common hash tag, so that whichever of them are keys are on one node.
type filler struct {
	n      int
	tag    string
	sparse bool // empty structs and slices of one: methods refuse some combinations
}

func (f *filler) text() string {
	f.n++
	return fmt.Sprint(f.tag, "text", f.n)
}

func (f *filler) value(typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ {
	case reflect.TypeFor[context.Context]():
		return reflect.ValueOf(context.Background())
	case reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Unix(1e9, 0))
	case reflect.TypeFor[time.Duration]():
		return reflect.ValueOf(5 * time.Second)
	case reflect.TypeFor[redis.Vector]():
		return reflect.ValueOf(&redis.VectorValues{Val: []float64{1, 2}})
	case reflect.TypeFor[io.Writer]():
		return reflect.ValueOf(&bytes.Buffer{})
	}
	switch typ.Kind() {
	case reflect.String:
		v.SetString(f.text())
	case reflect.Interface:
		if typ.NumMethod() == 0 {
			v.Set(reflect.ValueOf(f.text()))
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(3)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(3)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1.5)
	case reflect.Slice:
		n := 4
		if f.sparse {
			n = 1
		}
		for range n {
			v.Set(reflect.Append(v, f.value(typ.Elem())))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(f.value(typ.Key()), f.value(typ.Elem()))
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(f.value(typ.Elem()))
	case reflect.Struct:
		for i := range typ.NumField() {
			if field := typ.Field(i); field.IsExported() && !f.sparse {
				v.Field(i).Set(f.value(field.Type))
			}
		}
	}
	return v
}

// byHand calls the methods for which made-up arguments are refused before the
// router sees them. k makes a key.
var byHand = map[string]func(ctx context.Context, c redis.UniversalClient, k func() string){
	"JSONSetMode": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.JSONSetMode(ctx, k(), "$", "1", "NX")
	},
	"JSONSetWithArgs": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.JSONSetWithArgs(ctx, k(), "$", "1", &redis.JSONSetArgsOptions{Mode: "XX"})
	},
	"JSONMSet": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.JSONMSet(ctx, k(), "$", "1", k(), "$", "2")
	},
	"MSetEX": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.MSetEX(ctx, redis.MSetEXArgs{Condition: redis.NX}, k(), "v", k(), "v")
	},
	"TSMAdd": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.TSMAdd(ctx, [][]any{{k(), 1, 2.5}, {k(), 1, 2.5}})
	},
	"XReadStreams": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.XReadStreams(ctx, k(), k(), "0", "0")
	},
	"XRead": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.XRead(ctx, &redis.XReadArgs{Streams: []string{k(), k(), "0", "0"}, Block: -1})
	},
	"XReadGroup": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{k(), k(), ">", ">"}, Block: -1})
	},
	"GeoRadius": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.GeoRadius(ctx, k(), 1, 2, &redis.GeoRadiusQuery{Radius: 3, Unit: "km"})
	},
	"GeoRadiusByMember": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.GeoRadiusByMember(ctx, k(), "m", &redis.GeoRadiusQuery{Radius: 3, Unit: "km"})
	},
	"Scan": func(ctx context.Context, c redis.UniversalClient, _ func() string) { c.Scan(ctx, 0, "*", 10) },
	"ScanType": func(ctx context.Context, c redis.UniversalClient, _ func() string) {
		c.ScanType(ctx, 0, "*", 10, "hash")
	},
	"FTCreate": func(ctx context.Context, c redis.UniversalClient, _ func() string) {
		c.FTCreate(ctx, "index", nil, &redis.FieldSchema{FieldName: "f", FieldType: redis.SearchFieldTypeText})
	},
	"FTHybrid": func(ctx context.Context, c redis.UniversalClient, _ func() string) {
		c.FTHybrid(ctx, "index", "*", "v", &redis.VectorFP32{Val: []byte("1234")})
	},
	"Do":    func(ctx context.Context, c redis.UniversalClient, k func() string) { c.Do(ctx, "GET", k()) },
	"DoRaw": func(ctx context.Context, c redis.UniversalClient, k func() string) { c.(*Redis).DoRaw(ctx, "GET", k()) },
	"DoRawWriteTo": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.(*Redis).DoRawWriteTo(ctx, io.Discard, "GET", k())
	},
	"Process": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.Process(ctx, redis.NewCmd(ctx, "GET", k()))
	},
	"Pipelined": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, k()); p.Incr(ctx, k()); return nil })
	},
	"Pipeline": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		p := c.Pipeline()
		p.Get(ctx, k())
		p.Incr(ctx, k())
		p.Exec(ctx)
	},
	"TxPipelined": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, k()); p.Incr(ctx, k()); return nil })
	},
	"TxPipeline": func(ctx context.Context, c redis.UniversalClient, k func() string) {
		p := c.TxPipeline()
		p.Get(ctx, k())
		p.Incr(ctx, k())
		p.Exec(ctx)
	},
}

// spy is a user hook that remembers what was called and how it ended.
type spy struct {
	cmds  []redis.Cmder
	inner error
}

func (s *spy) DialHook(next redis.DialHook) redis.DialHook { return next }
func (s *spy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.cmds = append(s.cmds, cmd)
		s.inner = next(ctx, cmd)
		return s.inner
	}
}
func (s *spy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.cmds = append(s.cmds, cmds...)
		s.inner = next(ctx, cmds)
		return s.inner
	}
}

// callWithMadeUp calls a method with made-up arguments and returns what the hook saw.
func callWithMadeUp(client *Redis, s *spy, method reflect.Method, tag string) {
	s.cmds, s.inner = nil, nil
	ctx := context.Background()
	f := &filler{tag: tag}
	if by := byHand[method.Name]; by != nil {
		by(ctx, client, f.text)
		return
	}
	bound := reflect.ValueOf(client).MethodByName(method.Name)
	for _, sparse := range []bool{false, true} {
		f.sparse = sparse
		args := make([]reflect.Value, bound.Type().NumIn())
		for i := range args {
			args[i] = f.value(bound.Type().In(i))
		}
		if bound.Type().IsVariadic() {
			bound.CallSlice(args)
		} else {
			bound.Call(args)
		}
		if len(s.cmds) > 0 {
			return
		}
	}
}

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

func TestMethodsThatTheHookDoesNotSee(t *testing.T) {
	f := recordFleet(t)
	ctx := t.Context()
	refused := func(what string, err error) {
		t.Helper()
		var unsupported *UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Reason == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := f.AutoPipeline()
	refused("AutoPipeline", err)
	_, err = f.AutoPipelineWithOptions(nil)
	refused("AutoPipelineWithOptions", err)
	_, err = f.AsyncAutoPipeline()
	refused("AsyncAutoPipeline", err)
	_, err = f.AsyncAutoPipelineWithOptions(nil)
	refused("AsyncAutoPipelineWithOptions", err)
	refused("Quit", f.Quit(ctx).Err())
	refused("JSONDebugMemory", f.JSONDebugMemory(ctx, "a", "$").Err())
	refused("FTExplainCli", f.FTExplainCli(ctx, "i", "q"))
	refused("RegisterPushNotificationHandler", f.RegisterPushNotificationHandler("x", silentHandler{}, false))
	for name, conn := range map[string]*redis.Conn{"Conn": f.Conn(), "EphemeralConn": f.EphemeralConn()} {
		refused(name+" Get", conn.Get(ctx, "a").Err())
		refused(name+" Select", conn.Select(ctx, 1).Err())
		_, err := conn.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "a"); return nil })
		refused(name+" Pipelined", err)
		cmds, err := conn.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "a"); return nil })
		refused(name+" TxPipelined", err)
		refused(name+" a command of TxPipelined", cmds[0].Err())
		if err := conn.Close(); err != nil {
			t.Errorf("%s Close: %v", name, err)
		}
	}
	refused("Watch without keys", f.Watch(ctx, func(*redis.Tx) error { return nil }))

	if got := f.Options(); got.Addr != "" || got.Password != "" || got.ReadTimeout != time.Second {
		t.Errorf("Options: %+v", got)
	}
	if f.String() != "Redis<4 nodes, epoch 1>" || f.NodeAddress() != "" || f.GetPushNotificationHandler("x") != nil {
		t.Errorf("%s at %q", f, f.NodeAddress())
	}
	if f.GetMaintNotificationsManager() != nil || f.CSCStats() != (redis.CSCStats{}) || f.CSCRefreshStats() != (redis.CSCRefreshStats{}) {
		t.Error("the embedded client has a cache, or follows a server's maintenance")
	}
	bounded, cancel := f.WithTimeout(ctx, time.Hour)
	defer cancel()
	if _, has := bounded.Deadline(); !has {
		t.Error("WithTimeout: no deadline")
	}

	// Sync panics in go-redis too, and nobody can be told: it returns nothing.
	func() {
		defer func() {
			if recover() == nil {
				t.Error("Sync does something now: look at it")
			}
		}()
		f.Sync(ctx)
	}()

	for _, name := range builders {
		f.reset()
		builder := reflect.ValueOf(f.Redis).MethodByName(name)
		args := make([]reflect.Value, builder.Type().NumIn())
		for i := range args {
			args[i] = (&filler{}).value(builder.Type().In(i))
		}
		built := builder.Call(args)[0]
		if name == "NewAliasBuilder" {
			built = reflect.ValueOf(built.Interface().(*redis.AliasBuilder).Add("i"))
		}
		if name == "NewDictBuilder" {
			built = reflect.ValueOf(built.Interface().(*redis.DictBuilder).Add("a"))
		}
		if name == "NewCursorBuilder" {
			built = reflect.ValueOf(built.Interface().(*redis.CursorBuilder).Read())
		}
		if name == "NewCreateIndexBuilder" {
			built = reflect.ValueOf(built.Interface().(*redis.CreateIndexBuilder).Schema(&redis.FieldSchema{FieldName: "f", FieldType: redis.SearchFieldTypeText}))
		}
		results := built.MethodByName("Run").Call(nil)
		err, _ := results[len(results)-1].Interface().(error)
		refused(name, err)
		if len(f.nodes()) > 0 {
			t.Errorf("%s sent %v", name, f.sent)
		}
	}
	if f.dials != 0 {
		t.Errorf("the embedded client dialled %d times", f.dials)
	}
}

type silentHandler struct{}

func (silentHandler) HandlePushNotification(context.Context, push.NotificationHandlerContext, []any) error {
	return nil
}

// TestCommandsOnlyByOtherMeans: what has no method of its own, and what a
// pipeline does with it.
func TestCommandsOnlyByOtherMeans(t *testing.T) {
	f := recordFleet(t)
	ctx := t.Context()
	var (
		unknown     *UnknownCommandError
		unsupported *UnsupportedError
		crossing    *CrossNodeError
	)
	for _, c := range []struct {
		args []any
		want any
	}{
		{[]any{"FROB", "a"}, &unknown},
		{[]any{"XINFO", "FROB"}, &unknown},
		{[]any{"MULTI"}, &unsupported},
		{[]any{"SUBSCRIBE", "a"}, &unsupported},
		{[]any{"monitor"}, &unsupported},
		{[]any{"SELECT", 3}, &unsupported},
		{[]any{[]byte("rename"), []byte("text1"), []byte("text2")}, &crossing},
	} {
		if err := f.Do(ctx, c.args...).Err(); !errors.As(err, c.want) {
			t.Errorf("Do %q: %v", c.args, err)
		}
		cmds, err := f.Pipelined(ctx, func(p redis.Pipeliner) error { p.Do(ctx, c.args...); return nil })
		if !errors.As(err, c.want) || !errors.As(cmds[0].Err(), c.want) {
			t.Errorf("%q in a pipeline: %v, %v", c.args, err, cmds[0].Err())
		}
	}
	// A type that cannot hold what several nodes answer.
	for _, args := range [][]any{{"DEL", "text1", "text2", "text3"}, {"MSET", "text1", 1, "text2", 1, "text3", 1}, {"FLUSHALL"}, {"KEYS", "*"}} {
		if err := f.DoRaw(ctx, args...).Err(); !errors.As(err, &unsupported) {
			t.Errorf("DoRaw %q: %v", args, err)
		}
		cmds, err := f.Pipelined(ctx, func(p redis.Pipeliner) error {
			return p.Process(ctx, redis.NewRawCmd(ctx, args...))
		})
		if !errors.As(err, &unsupported) || !errors.As(cmds[0].Err(), &unsupported) {
			t.Errorf("raw %q in a pipeline: %v", args, err)
		}
	}
	if len(f.nodes()) > 0 || f.dials != 0 {
		t.Errorf("sent: %v; %d dials", f.sent, f.dials)
	}
}

// TestRepliesOfSeveralNodesBecomeOne answers in the names of servers that are
// not at hand, and of all others whose replies are put together.
func TestRepliesOfSeveralNodesBecomeOne(t *testing.T) {
	f := recordFleet(t)
	ctx := t.Context()
	keys := []string{"text1", "text2", "text3", "text4", "text5", "text6"}
	each := func(cmd *redis.Cmd, head, step int, f func(key any) any) {
		var list []any
		for i := head; i < len(cmd.Args()); i += step {
			list = append(list, f(cmd.Args()[i]))
		}
		cmd.SetVal(list)
	}
	for name, c := range map[string]struct {
		answer func(cmd *redis.Cmd)
		call   func() (any, error)
		want   any
	}{
		"PUBSUB NUMSUB": {func(cmd *redis.Cmd) {
			var list []any
			for _, channel := range cmd.Args()[2:] {
				list = append(list, channel, int64(len(channel.(string))))
			}
			cmd.SetVal(list)
		}, func() (any, error) { return f.PubSubNumSub(ctx, append(keys, "text10")...).Result() },
			map[string]int64{"text1": 5, "text2": 5, "text3": 5, "text4": 5, "text5": 5, "text6": 5, "text10": 6}},
		"TS.MADD": {func(cmd *redis.Cmd) {
			var list []any
			for i := 2; i < len(cmd.Args()); i += 3 {
				list = append(list, int64(cmd.Args()[i].(int)))
			}
			cmd.SetVal(list)
		}, func() (any, error) {
			return f.TSMAdd(ctx, [][]any{{"text1", 11, 1.5}, {"text2", 22, 1.5}, {"text3", 33, 1.5}, {"text4", 44, 1.5}}).Result()
		}, []int64{11, 22, 33, 44}},
		"JSON.MGET": {func(cmd *redis.Cmd) {
			var list []any
			for _, key := range cmd.Args()[1 : len(cmd.Args())-1] {
				list = append(list, `["`+key.(string)+`"]`)
			}
			cmd.SetVal(list)
		}, func() (any, error) { return f.JSONMGet(ctx, "$", keys[:3]...).Result() },
			[]any{`["text1"]`, `["text2"]`, `["text3"]`}},
		"MGET": {func(cmd *redis.Cmd) { each(cmd, 1, 1, func(key any) any { return key.(string) + "!" }) },
			func() (any, error) { return f.MGet(ctx, keys[:3]...).Result() }, []any{"text1!", "text2!", "text3!"}},
		"MSET": {func(cmd *redis.Cmd) { cmd.SetVal("OK") },
			func() (any, error) { return f.MSet(ctx, "text1", 1, "text2", 2, "text3", 3).Result() }, "OK"},
		"DEL": {func(cmd *redis.Cmd) { cmd.SetVal(int64(len(cmd.Args()) - 1)) },
			func() (any, error) { return f.Del(ctx, keys...).Result() }, int64(6)},
		"TS.MGET": {func(cmd *redis.Cmd) {
			cmd.SetVal(map[any]any{"series of " + f.answering(): []any{map[any]any{}, []any{}, 1.5}})
		}, func() (any, error) { m, err := f.TSMGet(ctx, []string{"a=b"}).Result(); return len(m), err }, 4},
		"TS.MRANGE": {func(cmd *redis.Cmd) {
			cmd.SetVal([]any{[]any{"series of " + f.answering(), []any{}, []any{}}})
		}, func() (any, error) {
			m, err := f.TSMRange(ctx, 0, 1, []string{"a=b"}).Result()
			return len(m), err
		}, 4},
		"TS.QUERYINDEX": {func(cmd *redis.Cmd) { cmd.SetVal([]any{"of " + f.answering(), "of all"}) },
			func() (any, error) { l, err := f.TSQueryIndex(ctx, []string{"a=b"}).Result(); return len(l), err }, 5},
		"LATENCY RESET": {func(cmd *redis.Cmd) { cmd.SetVal(int64(0)) },
			func() (any, error) { return f.LatencyReset(ctx).Result() }, "0"},
		"SCRIPT EXISTS": {func(cmd *redis.Cmd) { cmd.SetVal([]any{int64(1), int64(1 - len(f.sent)/4)}) },
			func() (any, error) { return f.ScriptExists(ctx, "a", "b").Result() }, []bool{true, false}},
		"SLOWLOG LEN": {func(cmd *redis.Cmd) { cmd.SetVal(int64(3)) },
			func() (any, error) { return f.SlowLogLen(ctx).Result() }, int64(12)},
		"PUBSUB NUMPAT": {func(cmd *redis.Cmd) { cmd.SetVal(int64(3)) },
			func() (any, error) { return f.PubSubNumPat(ctx).Result() }, int64(3)},
	} {
		f.reset()
		f.answer = func(cmd redis.Cmder) error { c.answer(cmd.(*redis.Cmd)); return nil }
		if got, err := c.call(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v; want %v", name, got, err, c.want)
		}
		if len(f.nodes()) < 2 {
			t.Errorf("%s asked %v", name, f.nodes())
		}
		// An answer that nobody expects is an error and no result.
		f.answer = func(cmd redis.Cmder) error { cmd.(*redis.Cmd).SetVal(struct{}{}); return nil }
		if got, err := c.call(); err == nil && name != "MSET" && name != "LATENCY RESET" {
			t.Errorf("%s: nonsense became %v", name, got)
		}
	}
}

// answering names the node that is being asked: the one that was last given
// something. It is called by answer, which holds mu.
func (f *recordedFleet) answering() string {
	most := ""
	for node := range f.sent {
		most = max(most, node)
	}
	return fmt.Sprint(most, len(f.sent))
}

// golden compares with a file in testdata, or writes it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(was), len(is)) {
		switch {
		case i >= len(was):
			t.Errorf("%s: new: %s", path, is[i])
		case i >= len(is):
			t.Errorf("%s: gone: %s", path, was[i])
		case was[i] != is[i]:
			t.Errorf("%s line %d:\nwas %s\nis  %s", path, i+1, was[i], is[i])
			return
		}
	}
}
