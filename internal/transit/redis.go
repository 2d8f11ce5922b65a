package transit

import (
	"context"
	"crypto/sha1"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// MarkerPrefix begins the names of tombstones on Redis servers. It is reserved:
// an application must not use keys that begin with it.
const MarkerPrefix = "__ringway:tombstone:"

const closed = "closed" // the value of a closed tombstone; of an open one "open:" and a number

// Marker returns the name of a key's tombstone.
func Marker(key string) string { return MarkerPrefix + key }

// Redis is one Redis server, through a client of the caller's. Each method takes
// one exchange, two if the server is sent a script for the first time. It holds
// the server for as long as its keys take: some microseconds for a small one.
type Redis struct{ Client *redis.Client }

// RedisLook is what N says of a key before O is read.
type RedisLook struct {
	Since   int64  // the time at N, ms
	Marker  string // the value of its tombstone; "" if there is none
	Present bool
}

// Closed reports a tombstone that lets no copy in.
func (l RedisLook) Closed() bool { return l.Marker == closed }

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
	Plain   bool    // it is a string
	Expires int64   // ms since 1970; -1: never
	State   Outcome // 0: it is here; Gone, TooBig or Later
	Size    int64   // bytes of memory; with TooBig only
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

// plainFirst returns which values are here, those that are plain first, and how
// many of these there are. The places of the others are noted in results.
func plainFirst(values []RedisValue, results []Result) (at []int, plain int) {
	at = make([]int, 0, len(values))
	for i, v := range values {
		switch {
		case v.State != 0:
			results[i].Outcome = v.State
		case v.Plain:
			at = append(at, i)
		}
	}
	plain = len(at)
	for i, v := range values {
		if v.State == 0 && !v.Plain {
			at = append(at, i)
		}
	}
	return at, plain
}

// Store writes at N what Take read at O. looks are of the same keys, from before
// that.
func (r Redis) Store(ctx context.Context, looks []RedisLook, values []RedisValue) ([]Result, error) {
	return r.store(ctx, nil, looks, values)
}

// StoreFenced is Store for a mover: nothing arrives unless N lets it in.
func (r Redis) StoreFenced(ctx context.Context, f Fence, looks []RedisLook, values []RedisValue) ([]Result, error) {
	return r.store(ctx, &f, looks, values)
}

func (r Redis) store(ctx context.Context, f *Fence, looks []RedisLook, values []RedisValue) ([]Result, error) {
	results := make([]Result, len(values))
	at, plain := plainFirst(values, results)
	if len(at) == 0 {
		return results, nil
	}
	oldest, newest := looks[at[0]].Since, looks[at[0]].Since
	keys := make([]string, len(at), 2*len(at)+1)
	args := make([]any, 5, 5+2*len(at))
	for j, i := range at {
		oldest, newest = min(oldest, looks[i].Since), max(newest, looks[i].Since)
		keys[j] = values[i].Key
		keys = append(keys, Marker(values[i].Key))
		args = append(args, max(values[i].Expires, 0), values[i].Payload)
	}
	for j, i := range at {
		if looks[i].Marker != "" {
			args = append(args, j+1, looks[i].Marker)
		}
	}
	args[0], args[1], args[2], args[3], args[4] = CopyLimit.Milliseconds(), "", oldest, newest, plain
	if f != nil {
		keys, args[1] = append(keys, f.key()), f.value()
	}
	return results, outcomesOf(storeScript.Run(ctx, r.Client, keys, args...), results, at)
}

// Remove removes at O what is still as Take read it: value and expiry.
func (r Redis) Remove(ctx context.Context, values ...RedisValue) ([]Result, error) {
	results := make([]Result, len(values))
	at, plain := plainFirst(values, results)
	if len(at) == 0 {
		return results, nil
	}
	keys := make([]string, len(at))
	args := make([]any, 1, 1+2*len(at))
	args[0] = plain
	for j, i := range at {
		keys[j] = values[i].Key
		args = append(args, digest(values[i].Payload), values[i].Expires)
	}
	return results, outcomesOf(removeScript.Run(ctx, r.Client, keys, args...), results, at)
}

// digest is what a payload is recognised by: itself if it is short, which saves
// the server the hashing, else its SHA-1 and its length. That is longer than what
// is short, so that no value is taken for the digest of another one.
func digest(payload string) string {
	if len(payload) <= 64 {
		return payload
	}
	return fmt.Sprintf("sha1:%x:%020d", sha1.Sum([]byte(payload)), len(payload))
}

// outcomesOf reads the words of a script into the results at those places.
func outcomesOf(cmd *redis.Cmd, results []Result, at []int) error {
	words, err := cmd.StringSlice()
	if err != nil {
		return err
	}
	if len(words) != len(at) {
		return errReply
	}
	for i, text := range words {
		word, why, _ := strings.Cut(text, " ")
		outcome, known := outcomeOf(word)
		if !known {
			return errReply
		}
		results[at[i]].Outcome = outcome
		if outcome == Refused {
			results[at[i]].Err = errors.New("transit: the server refused the copy: " + why)
		}
	}
	return nil
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

// Bury puts a tombstone in the place of a key at N, and returns whether the key
// was there.
func (r Redis) Bury(ctx context.Context, kind Kind, key string) (existed bool, err error) {
	value := closed
	if kind == Open {
		value = "open:" + strconv.FormatUint(rand.Uint64(), 36)
	}
	n, err := buryScript.Run(ctx, r.Client, []string{key, Marker(key)}, value, TombstoneLife.Milliseconds()).Int64()
	return n > 0, err
}

// NewGuard returns a command that sets a closed tombstone beside a key and leaves
// the key as it is, not sent. It goes before a write at N, in one transaction with
// it, since what is written may end by itself: it may expire, be evicted, or be
// popped empty; a copy that was under way must not fill the gap.
func NewGuard(ctx context.Context, key string) *redis.StatusCmd {
	return redis.NewStatusCmd(ctx, "set", Marker(key), closed, "px", TombstoneLife.Milliseconds())
}

var errReply = errors.New("transit: a reply of an unexpected form")
