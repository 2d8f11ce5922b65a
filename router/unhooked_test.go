package router

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"
)

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
