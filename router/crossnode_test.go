package router

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// TestNotOverNodes: calls whose keys are on several nodes and that one server
// would do as a whole. Each names its keys and their owners, and sends nothing.
func TestNotOverNodes(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	a, b := ownedBy(r, "node0", 0), ownedBy(r, "node1", 0)
	both := []string{a, b}
	for name, call := range map[string]func() error{
		"MSETNX":   func() error { return r.MSetNX(ctx, a, 1, b, 2).Err() },
		"RENAME":   func() error { return r.Rename(ctx, a, b).Err() },
		"RENAMENX": func() error { return r.RenameNX(ctx, a, b).Err() },
		"COPY":     func() error { return r.Copy(ctx, a, b, 0, false).Err() },
		"LCS":      func() error { return r.LCS(ctx, &redis.LCSQuery{Key1: a, Key2: b}).Err() },
		"SORT":     func() error { return r.SortStore(ctx, a, b, &redis.Sort{}).Err() },
		"LMOVE":    func() error { return r.LMove(ctx, a, b, "left", "left").Err() },
		//lint:ignore SA1019 the old command is routed like the new one
		"RPOPLPUSH":   func() error { return r.RPopLPush(ctx, a, b).Err() },
		"LMPOP":       func() error { return r.LMPop(ctx, "left", 1, both...).Err() },
		"BLPOP":       func() error { return r.BLPop(ctx, time.Minute, both...).Err() },
		"BLMOVE":      func() error { return r.BLMove(ctx, a, b, "left", "left", time.Minute).Err() },
		"SMOVE":       func() error { return r.SMove(ctx, a, b, "m").Err() },
		"SINTER":      func() error { return r.SInter(ctx, both...).Err() },
		"SINTERCARD":  func() error { return r.SInterCard(ctx, 0, both...).Err() },
		"SUNION":      func() error { return r.SUnion(ctx, both...).Err() },
		"SDIFF":       func() error { return r.SDiff(ctx, both...).Err() },
		"SUNIONSTORE": func() error { return r.SUnionStore(ctx, a, b).Err() },
		"SDIFFSTORE":  func() error { return r.SDiffStore(ctx, a, b).Err() },
		"ZUNIONSTORE": func() error { return r.ZUnionStore(ctx, a, &redis.ZStore{Keys: []string{b}}).Err() },
		"ZINTER":      func() error { return r.ZInter(ctx, &redis.ZStore{Keys: both}).Err() },
		"ZDIFF":       func() error { return r.ZDiff(ctx, both...).Err() },
		"ZRANGESTORE": func() error { return r.ZRangeStore(ctx, a, redis.ZRangeArgs{Key: b, Start: 0, Stop: 1}).Err() },
		"ZMPOP":       func() error { return r.ZMPop(ctx, "min", 1, both...).Err() },
		"BZPOPMIN":    func() error { return r.BZPopMin(ctx, time.Minute, both...).Err() },
		"XREAD": func() error {
			return r.XRead(ctx, &redis.XReadArgs{Streams: []string{a, b, "0", "0"}, Block: -1}).Err()
		},
		"XREADGROUP": func() error {
			return r.XReadGroup(ctx, &redis.XReadGroupArgs{Group: "g", Consumer: "c", Streams: []string{a, b, ">", ">"}, Block: -1}).Err()
		},
		"GEOSEARCHSTORE": func() error {
			return r.GeoSearchStore(ctx, a, b, &redis.GeoSearchStoreQuery{GeoSearchQuery: redis.GeoSearchQuery{Member: "m", Radius: 1, RadiusUnit: "m"}}).Err()
		},
		"PFCOUNT": func() error { return r.PFCount(ctx, both...).Err() },
		"PFMERGE": func() error { return r.PFMerge(ctx, a, b).Err() },
		"BITOP":   func() error { return r.BitOpAnd(ctx, a, b).Err() },
		"EVAL":    func() error { return r.Eval(ctx, "return 1", both).Err() },
		"EVALSHA": func() error { return r.EvalSha(ctx, strings.Repeat("0", 40), both).Err() },
		"FCALL":   func() error { return r.FCall(ctx, "f", both).Err() },
		"MULTI": func() error {
			_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error {
				p.Set(ctx, a, 1, 0)
				p.Set(ctx, b, 1, 0)
				return nil
			})
			return err
		},
		"WATCH": func() error { return r.Watch(ctx, func(*redis.Tx) error { return errors.New("ran") }, both...) },
	} {
		var crossing *CrossNodeError
		err := call()
		if !errors.As(err, &crossing) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		named := slices.Sorted(slices.Values(crossing.Keys))
		if crossing.Command != name || !slices.Equal(named, slices.Sorted(slices.Values(both))) ||
			!slices.Equal(slices.Sorted(slices.Values(crossing.Nodes)), []string{"node0", "node1"}) {
			t.Errorf("%s: %+v", name, crossing)
		}
	}
	if n, err := r.DBSize(ctx).Result(); n != 0 || err != nil {
		t.Errorf("%d keys were written, %v", n, err)
	}
}
