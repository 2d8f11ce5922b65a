package transit

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Redis is one Redis server, through a client of the caller's. Each method takes
// one exchange, two if the server is sent a script for the first time. It holds
// the server for as long as its keys take: some microseconds for a small one.
type Redis struct {
	Client *redis.Client
	Lines  *Lines // nil: none. With them TakeWithin, StoreFenced and Remove are quicker for many small keys

	// Transition is what copies and tombstones are made for. Those of a mover go by
	// its fence.
	Transition uint64
}

// RedisLook is what N says of a key before O is read.
type RedisLook struct {
	Since   int64  // the time at N, ms
	Marker  string // the value of its tombstone; "" if there is none
	Present bool
}

// Closed reports a tombstone that lets no copy of the transition in. A closed one of
// another transition is like an open one: the key has come to its current owner since.
func (l RedisLook) Closed(transition uint64) bool { return l.Marker == closed(transition) }

// passable reports a tombstone that lets in a copy which has begun after it.
func (l RedisLook) passable(transition uint64) bool { return l.Marker != "" && !l.Closed(transition) }

// Looks are those of several keys, in their order; a single one is of all of them.
type Looks []RedisLook

// Of returns that of the key in place i.
func (l Looks) Of(i int) *RedisLook {
	if len(l) == 1 {
		i = 0
	}
	return &l[i]
}

// Looker has the commands of a look at one key, to be sent with others.
type Looker struct {
	time   *redis.TimeCmd
	marker *redis.StringCmd
	exists *redis.IntCmd
}

// NewLooker returns them, not sent.
func NewLooker(ctx context.Context, key string) Looker {
	return Looker{
		time:   redis.NewTimeCmd(ctx, "time"),
		marker: redis.NewStringCmd(ctx, "get", Marker(key)),
		exists: redis.NewIntCmd(ctx, "exists", key),
	}
}

// Cmds are the commands, in the order in which they must run.
func (l Looker) Cmds() []redis.Cmder { return []redis.Cmder{l.time, l.marker, l.exists} }

// Look returns what was seen once the commands have run.
func (l Looker) Look() (RedisLook, error) {
	for _, err := range []error{l.time.Err(), l.marker.Err(), l.exists.Err()} {
		if err != nil && err != redis.Nil {
			return RedisLook{}, err
		}
	}
	return RedisLook{Since: l.time.Val().UnixMilli(), Marker: l.marker.Val(), Present: l.exists.Val() > 0}, nil
}

// Look looks at keys of N. It comes before Take at O.
func (r Redis) Look(ctx context.Context, keys ...string) ([]RedisLook, error) {
	pipe := r.Client.Pipeline()
	lookers := make([]Looker, len(keys))
	for i, key := range keys {
		lookers[i] = NewLooker(ctx, key)
		if err := pipe.BatchProcess(ctx, lookers[i].Cmds()...); err != nil {
			return nil, err
		}
	}
	if _, err := pipe.Exec(ctx); err != nil && err != redis.Nil {
		return nil, err
	}
	looks := make([]RedisLook, len(keys))
	for i, l := range lookers {
		var err error
		if looks[i], err = l.Look(); err != nil {
			return nil, err
		}
	}
	return looks, nil
}

// RedisValue is a key as it stands at O.
type RedisValue struct {
	Key     string
	Payload string  // as DUMP gives it, or with Plain the value itself
	Expires int64   // ms since 1970; -1: never
	Size    int64   // bytes of memory; with TooBig only
	State   Outcome // 0: it is here; Gone, TooBig or Later
	Plain   bool    // it is a string
}

// A Bound says how much is worth reading at a time. A zero field is no bound.
type Bound struct {
	Bytes    int64 // of memory that a key takes, as MEMORY USAGE counts
	Elements int64 // of a key; needs Bytes
	Total    int64 // bytes of all payloads; the one that passes it is the last
}

// Take reads keys of O. limit is the largest size in bytes, as MEMORY USAGE
// counts it, that is worth reading; 0: any.
func (r Redis) Take(ctx context.Context, limit int64, keys ...string) ([]RedisValue, error) {
	return r.TakeWithin(ctx, Bound{Bytes: limit}, keys...)
}

// TakeWithin reads keys of O, 1000 at most.
func (r Redis) TakeWithin(ctx context.Context, b Bound, keys ...string) ([]RedisValue, error) {
	values, _, err := r.TakeFrom(ctx, b, keys...)
	return values, err
}

// TakeFrom is TakeWithin that also returns which process of the server all values are
// from, by its run ID; empty where they did not come over one line.
func (r Redis) TakeFrom(ctx context.Context, b Bound, keys ...string) (values []RedisValue, process string, err error) {
	all := int64(len(keys)) * shortValue
	if r.Lines == nil || b.Bytes > 0 && b.Bytes < 2*shortValue || b.Total > 0 && b.Total < all {
		values, err = r.takeScripted(ctx, b, keys...)
		return values, "", err
	}
	values, rest, process, err := r.Lines.takeShort(ctx, keys)
	if isFull(err) {
		values, err = r.takeScripted(ctx, b, keys...)
		return values, "", err
	}
	if err != nil || len(rest) == 0 {
		return values, process, err
	}
	return values, "", r.takeRest(ctx, b, values, rest)
}

// isFull reports the answer of a server that has reached its maxmemory and evicts
// nothing: it takes no command into a transaction, while a script that only reads runs.
func isFull(err error) bool {
	var answer refusal
	return errors.As(err, &answer) && strings.HasPrefix(string(answer), "OOM")
}

// takeRest reads what takeShort has left, as far as the bound allows.
func (r Redis) takeRest(ctx context.Context, b Bound, values []RedisValue, rest []int) error {
	if b.Total > 0 {
		for i := range values {
			b.Total -= int64(len(values[i].Payload))
		}
		b.Total = max(b.Total, 1) // one key at least
	}
	keys := make([]string, len(rest))
	for j, i := range rest {
		keys[j] = values[i].Key
	}
	found, err := r.takeScripted(ctx, b, keys...)
	if err != nil {
		return err
	}
	for j, i := range rest {
		values[i] = found[j]
	}
	return nil
}

func (r Redis) takeScripted(ctx context.Context, b Bound, keys ...string) ([]RedisValue, error) {
	reply, err := takeScript.Run(ctx, r.Client, keys, b.Bytes, b.Elements, b.Total).Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) != 2*len(keys) {
		return nil, errReply
	}
	values := make([]RedisValue, len(keys))
	for i, key := range keys {
		values[i] = RedisValue{Key: key, State: Gone}
		expires, isInt := reply[2*i+1].(int64)
		if !isInt {
			return nil, errReply
		}
		switch payload := reply[2*i].(type) {
		case nil:
		case int64:
			values[i].State, values[i].Size = TooBig, payload
			if payload < 0 {
				values[i].State, values[i].Size = Later, 0
			}
		case string:
			values[i] = RedisValue{Key: key, Payload: payload, Plain: true, Expires: expires}
		case []any:
			dump, isDump := first(payload).(string)
			if !isDump {
				return nil, errReply
			}
			values[i] = RedisValue{Key: key, Payload: dump, Expires: expires}
		default:
			return nil, errReply
		}
	}
	return values, nil
}

func first(list []any) any {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// Store writes at N what Take read at O. looks are of the same keys, from before
// that.
func (r Redis) Store(ctx context.Context, looks Looks, values []RedisValue) ([]Result, error) {
	return r.run(ctx, storeCall(r.Transition, nil, looks, values))
}

// StoreFenced is Store for a mover: nothing arrives unless N lets it in.
func (r Redis) StoreFenced(ctx context.Context, f Fence, looks Looks, values []RedisValue) ([]Result, error) {
	return r.run(ctx, storeCall(f.Transition, &f, looks, values))
}

// Remove removes at O what is still as Take read it: value and expiry.
func (r Redis) Remove(ctx context.Context, values ...RedisValue) ([]Result, error) {
	return r.run(ctx, removeCall(values))
}

func (r Redis) run(ctx context.Context, c call) ([]Result, error) {
	if len(c.at) == 0 {
		return c.results, nil
	}
	if r.Lines != nil {
		reply, err := r.Lines.run(ctx, c)
		if err != nil {
			return c.results, err
		}
		return c.results, c.read(reply)
	}
	list := make(wordList, 0, c.words)
	c.write(&list)
	args := make([]any, 0, len(list)-c.keys)
	for _, word := range list[c.keys:] {
		args = append(args, word)
	}
	reply, err := c.script.Run(ctx, r.Client, list[:c.keys], args...).Slice()
	if err != nil {
		return c.results, err
	}
	return c.results, c.read(reply)
}

// Copy brings keys from O to N, those of at most limit bytes each; 0: any. What
// it returns of each is for Remove.
func (r Redis) Copy(ctx context.Context, to Redis, limit int64, keys ...string) ([]RedisValue, []Result, error) {
	looks, err := to.Look(ctx, keys...)
	if err != nil {
		return nil, nil, err
	}
	values, err := r.Take(ctx, limit, keys...)
	if err != nil {
		return nil, nil, err
	}
	results, err := to.Store(ctx, looks, values)
	return values, results, err
}

var errReply = errors.New("transit: a reply of an unexpected form")
