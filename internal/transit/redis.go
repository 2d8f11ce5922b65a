package transit

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
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

// IsMarker reports whether a key is a tombstone.
func IsMarker(key string) bool { return strings.HasPrefix(key, MarkerPrefix) }

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
	Payload string  // as DUMP gives it
	Expires int64   // ms since 1970; -1: never
	State   Outcome // 0: it is here; Gone or TooBig
}

// Take reads keys of O. limit is the largest size in bytes, as MEMORY USAGE
// counts it, that is worth reading; 0: any.
func (r Redis) Take(ctx context.Context, limit int64, keys ...string) ([]RedisValue, error) {
	reply, err := takeScript.Run(ctx, r.Client, keys, limit).Slice()
	if err != nil {
		return nil, err
	}
	if len(reply) != len(keys) {
		return nil, errReply
	}
	values := make([]RedisValue, len(keys))
	for i, key := range keys {
		values[i] = RedisValue{Key: key, State: Gone}
		pair, _ := reply[i].([]any)
		switch {
		case len(pair) == 1:
			values[i].State = TooBig
		case len(pair) != 2:
			return nil, errReply
		default:
			payload, there := pair[0].(string)
			expires, isInt := pair[1].(int64)
			if there && isInt && expires > -2 {
				values[i] = RedisValue{Key: key, Payload: payload, Expires: expires}
			}
		}
	}
	return values, nil
}

// Store writes at N what Take read at O. looks are of the same keys, from before
// that.
func (r Redis) Store(ctx context.Context, looks []RedisLook, values []RedisValue) ([]Result, error) {
	results := make([]Result, len(values))
	var keys []string
	var at []int
	args := []any{CopyLimit.Milliseconds()}
	for i, v := range values {
		if v.State != 0 {
			results[i].Outcome = v.State
			continue
		}
		keys, at = append(keys, v.Key, Marker(v.Key)), append(at, i)
		args = append(args, looks[i].Since, looks[i].Marker, max(v.Expires, 0), v.Payload)
	}
	if len(keys) == 0 {
		return results, nil
	}
	return results, outcomesOf(storeScript.Run(ctx, r.Client, keys, args...), results, at)
}

// Remove removes at O what is still as Take read it: value and expiry.
func (r Redis) Remove(ctx context.Context, values ...RedisValue) ([]Result, error) {
	results := make([]Result, len(values))
	var keys []string
	var at []int
	var args []any
	for i, v := range values {
		if v.State != 0 {
			results[i].Outcome = v.State
			continue
		}
		sum := sha1.Sum([]byte(v.Payload))
		keys, at = append(keys, v.Key), append(at, i)
		args = append(args, hex.EncodeToString(sum[:]), v.Expires)
	}
	if len(keys) == 0 {
		return results, nil
	}
	return results, outcomesOf(removeScript.Run(ctx, r.Client, keys, args...), results, at)
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
			results[at[i]].Err = errors.New("transit: RESTORE: " + why)
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
