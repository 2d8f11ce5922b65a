package command_test

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/router/command"
)

// recorder is a hook that keeps what is sent and sends nothing.
type recorder struct{ sent [][]any }

var errRecorded = errors.New("recorded, not sent")

func (r *recorder) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, errRecorded }
}

func (r *recorder) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		r.sent = append(r.sent, cmd.Args())
		return errRecorded
	}
}

func (r *recorder) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		for _, cmd := range cmds {
			r.sent = append(r.sent, cmd.Args())
		}
		return errRecorded
	}
}

// Prefixes of the values passed for a method's parameters: what the method
// calls a key must be a key of the command that it sends.
const (
	keyPrefix     = "key:"
	channelPrefix = "channel:"
)

// asKey are the names of parameters and of fields that hold keys, in small
// letters; the type tells ZRangeStore's destination from a set of options.
var asKey = []string{"key", "keys", "stream", "destkey", "destination", "source", "sourcekey", "sourcekeys",
	"newkey", "dest", "dst", "key1", "key2", "store", "storedist"}

var asChannel = []string{"channel", "channels"}

// filler makes values for parameters.
type filler struct {
	n      int
	sparse bool // empty structs, one element: methods refuse some combinations
}

func (f *filler) value(name string, typ reflect.Type) reflect.Value {
	v := reflect.New(typ).Elem()
	switch typ {
	case reflect.TypeFor[context.Context]():
		return reflect.ValueOf(context.Background())
	case reflect.TypeFor[time.Duration]():
		return reflect.ValueOf(5 * time.Second)
	case reflect.TypeFor[time.Time]():
		return reflect.ValueOf(time.Unix(1e9, 0))
	case reflect.TypeFor[redis.Vector]():
		return reflect.ValueOf(&redis.VectorValues{Val: []float64{1, 2}})
	}
	switch typ.Kind() {
	case reflect.String:
		v.SetString(f.text(name))
	case reflect.Interface:
		if typ.NumMethod() == 0 {
			v.Set(reflect.ValueOf(f.text(name)))
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
		for range f.length() {
			v.Set(reflect.Append(v, f.value(name, typ.Elem())))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(typ))
		v.SetMapIndex(f.value(name, typ.Key()), f.value("", typ.Elem()))
	case reflect.Pointer:
		v.Set(reflect.New(typ.Elem()))
		v.Elem().Set(f.value(name, typ.Elem()))
	case reflect.Struct:
		for i := range typ.NumField() {
			field := typ.Field(i)
			if field.IsExported() && (!f.sparse || isOneOf(asKey, field.Name)) {
				v.Field(i).Set(f.value(field.Name, field.Type))
			}
		}
	}
	return v
}

func (f *filler) length() int {
	if f.sparse {
		return 1
	}
	return 4
}

func (f *filler) text(name string) string {
	f.n++
	switch {
	case isOneOf(asKey, name):
		return fmt.Sprint(keyPrefix, f.n)
	case isOneOf(asChannel, name):
		return fmt.Sprint(channelPrefix, f.n)
	}
	return fmt.Sprint("arg:", f.n)
}

func isOneOf(list []string, name string) bool { return slices.Contains(list, strings.ToLower(name)) }

// byHand calls the methods for which made-up values are refused before anything
// is sent, or do not show which of them are keys.
var byHand = map[string]func(ctx context.Context, c *redis.Client){
	"MSet":         func(ctx context.Context, c *redis.Client) { c.MSet(ctx, "key:1", "v", []byte("key:2"), "v") },
	"MSetNX":       func(ctx context.Context, c *redis.Client) { c.MSetNX(ctx, "key:1", "v", "key:2", "v") },
	"JSONMSet":     func(ctx context.Context, c *redis.Client) { c.JSONMSet(ctx, "key:1", "$", "1", "key:2", "$", "2") },
	"JSONSetMode":  func(ctx context.Context, c *redis.Client) { c.JSONSetMode(ctx, "key:1", "$", "1", "NX") },
	"XReadStreams": func(ctx context.Context, c *redis.Client) { c.XReadStreams(ctx, "key:1", "key:2", "0", "0") },
	"ClientSetInfo": func(ctx context.Context, c *redis.Client) {
		c.Conn().ClientSetInfo(ctx, redis.WithLibraryName("x"))
	},
	"MSetEX": func(ctx context.Context, c *redis.Client) {
		c.MSetEX(ctx, redis.MSetEXArgs{Condition: redis.NX}, "key:1", "v", "key:2", "v")
	},
	"TSMAdd": func(ctx context.Context, c *redis.Client) {
		c.TSMAdd(ctx, [][]any{{"key:1", 1, 2.5}, {"key:2", 1, 2.5}})
	},
	"JSONSetWithArgs": func(ctx context.Context, c *redis.Client) {
		c.JSONSetWithArgs(ctx, "key:1", "$", "1", &redis.JSONSetArgsOptions{Mode: "XX"})
	},
	"XRead": func(ctx context.Context, c *redis.Client) {
		c.XRead(ctx, &redis.XReadArgs{Streams: []string{"key:1", "key:2", "0", "0"}, Count: 5, Block: 5})
	},
	"XReadGroup": func(ctx context.Context, c *redis.Client) {
		c.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "streams", Consumer: "streams", Streams: []string{"key:1", "key:2", ">", ">"}, NoAck: true})
	},
	"FTCreate": func(ctx context.Context, c *redis.Client) {
		c.FTCreate(ctx, "index", nil, &redis.FieldSchema{FieldName: "f", FieldType: redis.SearchFieldTypeText})
	},
	"FTHybrid": func(ctx context.Context, c *redis.Client) {
		c.FTHybrid(ctx, "index", "*", "v", &redis.VectorFP32{Val: []byte("1234")})
	},
	"GeoRadius": func(ctx context.Context, c *redis.Client) {
		//lint:ignore SA1019 deprecated methods are methods
		c.GeoRadius(ctx, "key:1", 1, 2, &redis.GeoRadiusQuery{Radius: 3, Unit: "km"})
	},
	"GeoRadiusByMember": func(ctx context.Context, c *redis.Client) {
		//lint:ignore SA1019 deprecated methods are methods
		c.GeoRadiusByMember(ctx, "key:1", "store", &redis.GeoRadiusQuery{Radius: 3, Unit: "km"})
	},
	"Pipelined": func(ctx context.Context, c *redis.Client) {
		_, _ = c.Pipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "key:1"); return nil })
	},
	"TxPipelined": func(ctx context.Context, c *redis.Client) { // MULTI and EXEC are among what the hook sees
		_, _ = c.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "key:1"); return nil })
	},
}

// silent are the methods that send nothing.
var silent = []string{
	"Pipeline", "TxPipeline", // return something to put commands into
	"Quit", "JSONDebugMemory", // in go-redis they do nothing but panic
	"Do", "DoRaw", "DoRawWriteTo", "Process", // send what they are given
}

// calledKeys are the methods with a parameter that is called a key and is none.
var calledKeys = []string{
	"ClientKillByFilter", // filters
	"Keys",               // reads like one
	"ClusterKeySlot", "ClusterGetKeysInSlot",
}

// methods returns the methods of go-redis that send commands, by name.
func methods(client *redis.Client) map[string]reflect.Value {
	all := make(map[string]reflect.Value)
	add := func(of any, in reflect.Type) {
		for i := range in.NumMethod() {
			name := in.Method(i).Name
			if m := reflect.ValueOf(of).MethodByName(name); m.IsValid() {
				all[name] = m
			}
		}
	}
	add(client.Conn(), reflect.TypeFor[redis.StatefulCmdable]())
	add(client, reflect.TypeFor[redis.Cmdable]())
	// What a client has beyond the interfaces: whatever returns a command.
	for i := range reflect.TypeFor[*redis.Client]().NumMethod() {
		m := reflect.TypeFor[*redis.Client]().Method(i)
		if m.Type.NumOut() > 0 && m.Type.Out(0).Implements(reflect.TypeFor[redis.Cmder]()) {
			all[m.Name] = reflect.ValueOf(client).Method(i)
		}
	}
	return all
}

// parameterNames reads the names of the parameters of methods, which reflection
// does not know, from the sources of go-redis.
func parameterNames(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/redis/go-redis/v9").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string][]string)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			f, isFunc := decl.(*ast.FuncDecl)
			if !isFunc || f.Recv == nil {
				continue
			}
			switch r := fmt.Sprint(f.Recv.List[0].Type); {
			case r == "cmdable", r == "statefulCmdable", strings.Contains(r, "Client"):
				var list []string
				for _, p := range f.Type.Params.List {
					for _, n := range p.Names {
						list = append(list, n.Name)
					}
				}
				if r == "cmdable" || names[f.Name.Name] == nil {
					names[f.Name.Name] = list
				}
			}
		}
	}
	return names
}

// sentBy calls a method and returns what it wanted to send.
func sentBy(t *testing.T, client *redis.Client, r *recorder, name string, method reflect.Value, params []string) [][]any {
	t.Helper()
	r.sent = nil
	if call := byHand[name]; call != nil {
		call(context.Background(), client)
		return r.sent
	}
	for _, sparse := range []bool{false, true} {
		f := &filler{sparse: sparse}
		args := make([]reflect.Value, method.Type().NumIn())
		for i := range args {
			param := ""
			if i < len(params) {
				param = params[i]
			}
			args[i] = f.value(param, method.Type().In(i))
		}
		if method.Type().IsVariadic() {
			method.CallSlice(args)
		} else {
			method.Call(args)
		}
		if len(r.sent) > 0 {
			break
		}
	}
	return r.sent
}

// TestEveryMethodOfGoRedis calls all methods that send commands: each command
// is in the table, and its keys are the arguments that the method calls keys.
func TestEveryMethodOfGoRedis(t *testing.T) {
	r := &recorder{}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	defer client.Close()
	client.AddHook(r)
	names, all := parameterNames(t), methods(client)
	if len(all) < 550 || len(names["TSCreateRule"]) != 5 {
		t.Fatalf("%d methods, parameters of TSCreateRule %q: some are missing", len(all), names["TSCreateRule"])
	}
	withKeys, channels := 0, 0
	for name, method := range all {
		if slices.Contains(silent, name) {
			continue
		}
		sent := sentBy(t, client, r, name, method, names[name])
		if len(sent) == 0 {
			t.Errorf("%s sent nothing: call it by hand", name)
		}
		for _, args := range sent {
			c, known := command.Lookup(args)
			if !known {
				t.Errorf("%s sends %v, which is not in the table", name, args)
				continue
			}
			keys, err := c.Keys(nil, args)
			if err != nil {
				t.Errorf("%s sends %v: %v", name, args, err)
				continue
			}
			if slices.Contains(calledKeys, name) || c.Route() == command.Refused {
				continue
			}
			if want := marked(args, keyPrefix); !slices.Equal(positions(keys, false), want) {
				t.Errorf("%s sends %v: keys at %v, want %v", name, args, positions(keys, false), want)
			} else if len(want) > 0 {
				withKeys++
			}
			if want := marked(args, channelPrefix); !slices.Equal(positions(keys, true), want) {
				t.Errorf("%s sends %v: channels at %v, want %v", name, args, positions(keys, true), want)
			} else if len(want) > 0 {
				channels++
			}
		}
	}
	if withKeys < 400 || channels < 4 {
		t.Errorf("keys of %d commands and channels of %d were compared: too few to tell anything", withKeys, channels)
	}
}

// marked returns the positions of arguments with a prefix.
func marked(args []any, prefix string) (list []int) {
	for i, arg := range args {
		if s, sent := command.KeyString(arg); sent && i > 0 && strings.HasPrefix(s, prefix) {
			list = append(list, i)
		}
	}
	return list
}

func positions(keys []command.Key, channels bool) (list []int) {
	for _, k := range keys {
		if (k.Access == command.NoAccess) == channels {
			list = append(list, k.Pos)
		}
	}
	slices.Sort(list)
	return list
}
