package cache

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// GetMany is Batcher.GetMany: one MGET, which the router cuts by node.
func (r *Redis) GetMany(ctx context.Context, keys []string) []Result {
	results := make([]Result, len(keys))
	if len(keys) == 0 {
		return results
	}
	values, err := r.client.MGet(ctx, keys...).Result()
	for i := range keys {
		var data any
		if i < len(values) {
			data = values[i]
		}
		switch data := data.(type) {
		case string:
			results[i].Entry, results[i].Err = redisEntry([]byte(data))
		case nil:
			// With an error of some node it may be there or not; a miss either way.
			results[i].Err = ErrMiss
			if err != nil {
				results[i].Err = fmt.Errorf("cache: redis: get: %w", err)
			}
		}
	}
	return results
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
			results[i].Err = fmt.Errorf("cache: redis: store: %w", err)
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
