package router

import (
	"reflect"
	"testing"

	"github.com/redis/go-redis/v9"
)

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
