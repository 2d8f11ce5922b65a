package router

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"
)

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
