package router

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// TestRedisHistory: see history.
func TestRedisHistory(t *testing.T) {
	s := newStage(t)
	h := &history{t: t}
	var routers [2]*actor
	for i := range routers {
		routers[i] = s.router(membership.Stable, Config{})
		h.routers[i] = redisSubject{routers[i]}
	}
	h.pass = func() bool { return s.pass(routers[0]) }
	h.run()
}

type redisSubject struct{ *actor }

func (r redisSubject) see(state membership.State) {
	members := r.stage.members(done)
	members[2].State = state
	if state != membership.Active && state != membership.Left {
		members[2].Transition = 1
	}
	before := r.Epoch()
	if err := r.source.Set(members...); err != nil {
		r.stage.t.Error(err)
	}
	for r.Epoch() == before && r.stage.t.Context().Err() == nil {
	}
}

func (r redisSubject) get(how int, keys ...string) (values []string, err error) {
	ctx := context.Background()
	switch {
	case how%3 == 0 || len(keys) > 1:
		list, err := r.MGet(ctx, keys...).Result()
		for _, v := range list {
			text, _ := v.(string)
			values = append(values, text)
		}
		return values, err
	case how%3 == 1:
		var get *redis.StringCmd
		_, err = r.Pipelined(ctx, func(p redis.Pipeliner) error { get = p.Get(ctx, keys[0]); return nil })
		values = []string{get.Val()}
	default:
		v, errGet := r.Get(ctx, keys[0]).Result()
		values, err = []string{v}, errGet
	}
	if err == redis.Nil {
		err = nil
	}
	return values, err
}

func (r redisSubject) set(how int, value string, keys ...string) error {
	ctx := context.Background()
	switch {
	case len(keys) > 1:
		return r.MSet(ctx, keys[0], value, keys[1], value).Err()
	case how%3 == 0:
		_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, keys[0], value, 0); return nil })
		return err
	}
	return r.Set(ctx, keys[0], value, time.Duration(how%2)*time.Hour).Err()
}

func (r redisSubject) delete(how int, keys ...string) (int, error) {
	if how%2 == 0 {
		n, err := r.Unlink(context.Background(), keys...).Result()
		return int(n), err
	}
	n, err := r.Del(context.Background(), keys...).Result()
	return int(n), err
}

func (r redisSubject) append(how int, key, value string) error {
	ctx := context.Background()
	switch how % 4 {
	case 0:
		_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Append(ctx, key, value); return nil })
		return err
	case 1:
		return r.Eval(ctx, "return redis.call('APPEND', KEYS[1], ARGV[1])", []string{key}, value).Err()
	case 2:
		return r.Watch(ctx, func(tx *redis.Tx) error {
			old, err := tx.Get(ctx, key).Result()
			if err != nil && err != redis.Nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, key, old+value, 0); return nil })
			return err
		}, key)
	}
	return r.Append(ctx, key, value).Err()
}

func (r redisSubject) take(key string) (string, error) {
	old, err := r.GetDel(context.Background(), key).Result()
	if err == redis.Nil {
		err = nil
	}
	return old, err
}

// pass goes once over all nodes, as the mover does, and reports whether there was
// nothing left to move.
func (s *stage) pass(r *actor) (finished bool) {
	snap := r.fleet.current.Load()
	finished = true
	for i, c := range s.clients {
		for it := c.Scan(context.Background(), 0, "*", 10).Iterator(); it.Next(context.Background()); {
			key := it.Val()
			next := r.holdersOn(snap, true, key)[0].member().ID
			if transit.IsMarker(key) || next == fmt.Sprint("node", i) {
				continue
			}
			finished = false
			to := transit.Redis{Client: s.clients[next[4]-'0'], Transition: snap.moving.number}
			if err := moveSlowly(transit.Redis{Client: c}, to, key); err != nil {
				s.t.Errorf("mover: %v", err)
			}
		}
	}
	return finished
}

// moveSlowly moves one key, with pauses between the steps.
func moveSlowly(o, n transit.Redis, key string) error {
	ctx := context.Background()
	looks, err := n.Look(ctx, key)
	if err != nil {
		return err
	}
	values, err := o.Take(ctx, 0, key)
	if err != nil {
		return err
	}
	pauseAtRandom()
	results, err := n.Store(ctx, looks, values)
	if err != nil {
		return err
	}
	pauseAtRandom()
	switch results[0].Outcome {
	case transit.Copied:
	case transit.Present: // a read has copied it, if it is the same
		there, err := n.Take(ctx, 0, key)
		if err != nil || there[0].Payload != values[0].Payload {
			return err
		}
	default:
		return nil
	}
	_, err = o.Remove(ctx, values...)
	return err
}
