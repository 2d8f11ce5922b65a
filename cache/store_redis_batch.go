package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// GetMany is Batcher.GetMany, in one request: see getAll.
func (r *Redis) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	if len(keys) == 0 {
		return results
	}
	for i, there := range r.getAll(ctx, keys) {
		results[i] = there.result()
	}
	return results
}

// redisText is what lies under a key.
type redisText struct {
	text  string
	found bool
	err   error // why it is not known whether it is there
}

func (t redisText) result() (r Result) {
	switch {
	case t.found:
		r.Entry, r.Err = redisEntry([]byte(t.text))
	case t.err != nil:
		r.Err = t.err
	default:
		r.Err = ErrMiss
	}
	return r
}

// getAll reads keys by one MGET, which the router cuts by node. A cluster refuses one of
// keys of several slots, and a Ring sends it to the node of the first key: both cut a
// pipeline of GETs by themselves.
func (r *Redis) getAll(ctx context.Context, keys []string) []redisText {
	switch r.client.(type) {
	case *redis.ClusterClient, *redis.Ring:
		return r.getEach(ctx, keys)
	}
	there := make([]redisText, len(keys))
	values, err := r.client.MGet(ctx, keys...).Result()
	if err != nil {
		err = fmt.Errorf("cache: redis: get: %w", keyless(err))
	}
	for i := range there {
		if i < len(values) {
			there[i].text, there[i].found = values[i].(string)
		}
		if !there[i].found {
			there[i].err = err // of some node: the key may be there or not
		}
	}
	return there
}

func (r *Redis) getEach(ctx context.Context, keys []string) []redisText {
	there := make([]redisText, len(keys))
	replies := make([]*redis.StringCmd, len(keys))
	pipe := r.client.Pipeline()
	for i, key := range keys {
		replies[i] = pipe.Get(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, reply := range replies {
		text, err := reply.Result()
		switch {
		case err == nil:
			there[i] = redisText{text: text, found: true}
		case !redisAbsent(err):
			there[i].err = fmt.Errorf("cache: redis: get: %w", keyless(err))
		}
	}
	return there
}

// LeaseMany is Batcher.LeaseMany.
func (r *Redis) LeaseMany(ctx context.Context, keys []string, q LeaseRequest) []Result {
	results := make([]Result, len(keys))
	if err := checkLease(q); err != nil {
		return failAll(results, err)
	}
	leases := make([]Lease, len(keys))
	calls := make([]scriptCall, len(keys))
	for i, key := range keys {
		leases[i] = Lease{token: newToken(), until: time.Now().Add(q.Life)}
		calls[i] = scriptCall{script: leaseScript, key: key, args: leaseArgs(leases[i], q)}
	}
	for i, reply := range r.runMany(ctx, calls) {
		value, err := reply.Result()
		results[i].Grant, results[i].Err = redisGrant(leases[i], value, err)
	}
	return results
}

// StoreMany is Batcher.StoreMany.
func (r *Redis) StoreMany(ctx context.Context, writes []Write) []Result {
	results := make([]Result, len(writes))
	calls := make([]scriptCall, len(writes))
	for i, w := range writes {
		if err := checkEntry(w.Entry); err != nil {
			return failAll(results, err) // nothing was sent
		}
		if w.Lease == nil {
			calls[i] = scriptCall{script: setScript, key: w.Key, args: setArgs(w.Entry)}
		} else {
			calls[i] = scriptCall{script: fillScript, key: w.Key, args: fillArgs(*w.Lease, w.Entry)}
		}
	}
	for i, reply := range r.runMany(ctx, calls) {
		n, err := reply.Int()
		if err != nil {
			results[i].Err = fmt.Errorf("cache: redis: store: %w", keyless(err))
			continue
		}
		results[i].Filled = Filled(n)
	}
	return results
}

func failAll(results []Result, err error) []Result {
	for i := range results {
		results[i].Err = err
	}
	return results
}

type scriptCall struct {
	script *redis.Script
	key    string
	args   []any
}

// runMany runs the scripts in one pipeline, which the router cuts by node. Those
// whose node did not have the script are sent once more, with its text: a node
// that does not know a script has not run it.
func (r *Redis) runMany(ctx context.Context, calls []scriptCall) []*redis.Cmd {
	replies := make([]*redis.Cmd, len(calls))
	send := func(pick func(int) bool, run func(redis.Pipeliner, scriptCall) *redis.Cmd) {
		pipe := r.client.Pipeline()
		for i, c := range calls {
			if pick(i) {
				replies[i] = run(pipe, c)
			}
		}
		if pipe.Len() > 0 {
			_, _ = pipe.Exec(ctx) // each command has its own error
		}
	}
	send(func(int) bool { return true }, func(p redis.Pipeliner, c scriptCall) *redis.Cmd {
		return c.script.EvalSha(ctx, p, []string{c.key}, c.args...)
	})
	missing := make([]bool, len(calls))
	for i := range calls {
		missing[i] = redis.HasErrorPrefix(replies[i].Err(), "NOSCRIPT")
	}
	send(func(i int) bool { return missing[i] }, func(p redis.Pipeliner, c scriptCall) *redis.Cmd {
		return c.script.Eval(ctx, p, []string{c.key}, c.args...)
	})
	return replies
}
