package rebalance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/transit"
)

// A bigKey is one key of a Redis server that is moved by itself.
//
// DUMP and RESTORE keep a server from everybody else for as long as they take, a
// second for a hash of a million fields. So a big key goes in parts, which are put
// together at the receiver under a name of its own, that nobody reads and that
// ends by itself. That nothing of it has changed meanwhile, the source knows: the
// key was given to WATCH before the first part was read, on two connections. On
// one a transaction says, once all parts are over, that they are what the key is
// at that moment; the receiver was looked at just before, so that the limit for
// copies begins there and not with the first part. Then the receiver gives the
// parts the key's name, under the conditions of every copy. On the other
// connection a transaction removes the key if nothing has changed since.
type bigKey struct {
	c     *redisCarrier
	p     *parcel
	key   string
	kind  string
	size  int64 // bytes of memory
	count int64 // elements, or bytes of a string
	bytes int64 // sent
	sent  func(n int64)
	send  sendParts // nil: in one piece
}

// errNotNow: the key is to be tried again in the next pass.
var errNotNow = errors.New("not now")

// move is run on the connection on which the key is watched until it is removed.
func (b *bigKey) move(ctx context.Context, mine *redis.Tx) (fate, error) {
	if err := b.measure(ctx); err != nil {
		return again, err
	}
	if b.kind == "none" {
		return settled, nil
	}
	manner := "in parts"
	if b.send == nil {
		manner = "as a whole: its type allows nothing else, and its servers do nothing else meanwhile"
	}
	b.c.h.log.Info("a big key moves", "transition", b.c.h.transition, "key", b.key, "type", b.kind,
		"bytes", b.size, "elements", b.count, "manner", manner)
	b.sent = b.c.h.m.rec.big(BigKey{Key: b.key, Type: b.kind, Bytes: b.size, Elements: b.elements(), InParts: b.send != nil})
	defer func() { b.sent(-1) }()

	copied := false
	before, err := witnesses(ctx, b.p)
	if err != nil {
		return again, err
	}
	for _, r := range b.p.to {
		outcome, err := b.to(ctx, r)
		switch {
		case errors.Is(err, errNotNow):
			return again, nil
		case err != nil:
			return again, err
		case outcome == transit.Gone:
			return settled, nil
		}
		copied = copied || outcome == transit.Copied
	}
	if !b.p.leave {
		if copied {
			return moved, nil
		}
		return settled, nil
	}
	if err := stillThere(ctx, b.p, before); err != nil {
		return again, err
	}
	_, err = mine.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
		pipe.Unlink(ctx, b.key)
		return nil
	})
	switch {
	case errors.Is(err, redis.TxFailedErr):
		return again, nil
	case err != nil:
		return again, err
	}
	return moved, nil
}

// counts are the commands that tell how many elements there are.
var counts = map[string]string{"string": "strlen", "hash": "hlen", "list": "llen", "set": "scard", "zset": "zcard", "stream": "xlen"}

func (b *bigKey) measure(ctx context.Context) (err error) {
	source := b.c.source.Client
	if b.kind, err = source.Type(ctx, b.key).Result(); err != nil || b.kind == "none" {
		return err
	}
	if b.size, err = source.MemoryUsage(ctx, b.key).Result(); err != nil && !isReply(err) {
		return err
	}
	if command := counts[b.kind]; command != "" {
		b.count, err = source.Do(ctx, command, b.key).Int64()
		if err != nil && !isReply(err) {
			return err
		}
	}
	b.send = b.parts()
	if b.kind == "hash" && b.timedFields(ctx) {
		b.send = nil
	}
	return nil
}

func (b *bigKey) elements() int64 {
	if b.kind == "string" {
		return 0
	}
	return b.count
}

// isReply reports whether an error is the server's answer, and not the network's.
func isReply(err error) bool {
	var said redis.Error
	return errors.As(err, &said)
}

// to copies the key to one receiver: Copied; Present, also where the receiver has
// a tombstone that makes the key one of yesterday; or Gone.
func (b *bigKey) to(ctx context.Context, r *receiver) (transit.Outcome, error) {
	look, err := b.look(ctx, r)
	if err != nil {
		return 0, err
	}
	if look.Present || look.Closed(b.c.fence.Transition) {
		return transit.Present, nil
	}
	before := b.bytes
	var result transit.Result
	if b.send != nil {
		result, err = b.inParts(ctx, r)
	} else {
		result, err = b.whole(ctx, r, look)
	}
	switch {
	case err != nil:
		return 0, err
	case result.Outcome == transit.Copied:
		b.c.h.m.rec.arrived(r.id, 1, b.bytes-before)
	case result.Outcome == transit.Refused:
		return 0, &holdup{r, result.Err, true}
	case result.Outcome == transit.Unfenced:
		return 0, &holdup{to: r, err: errUnfenced}
	case result.Outcome == transit.Late:
		return 0, fmt.Errorf("key %.100q: %w: it did not arrive within %v", b.key, errSlow, transit.CopyLimit)
	case result.Outcome == transit.Blocked:
		return 0, errNotNow
	}
	return result.Outcome, nil
}

var errSlow = errors.New("too slow")

func (b *bigKey) look(ctx context.Context, r *receiver) (transit.RedisLook, error) {
	looks, fenced, err := b.c.targets[r].LookFenced(ctx, b.c.fence, true, b.key)
	if err == nil && !fenced {
		err = errUnfenced
	}
	if err != nil {
		return transit.RedisLook{}, &holdup{to: r, err: err}
	}
	return looks[0], nil
}

// whole copies the key in one piece.
func (b *bigKey) whole(ctx context.Context, r *receiver, look transit.RedisLook) (transit.Result, error) {
	values, err := b.c.source.Take(ctx, 0, b.key)
	if err != nil {
		return transit.Result{}, err
	}
	if err := b.c.sameSource(ctx, b.p, ""); err != nil {
		return transit.Result{}, err
	}
	n := int64(len(values[0].Payload))
	b.bytes += n
	b.c.h.m.pacer.spend(0, n, b.c.h.paceTo(b.p.to))
	target := transit.Redis{Client: b.c.targets[r].Client} // lines are for many keys
	results, err := target.StoreFenced(ctx, b.c.fence, []transit.RedisLook{look}, values)
	if err != nil {
		return transit.Result{}, &holdup{to: r, err: err}
	}
	return results[0], nil
}

// partLife is how long parts stay at the receiver when nothing follows: a mover
// that was killed cannot delete them.
const partLife = time.Minute

// inParts copies the key piece by piece.
func (b *bigKey) inParts(ctx context.Context, r *receiver) (result transit.Result, err error) {
	target := b.c.targets[r]
	name := transit.PartKey(b.key, strconv.FormatUint(rand.Uint64(), 36))
	placed := false
	defer func() {
		if placed {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = target.Client.Unlink(ctx, name).Err()
	}()
	err = b.c.source.Client.Watch(ctx, func(check *redis.Tx) error {
		if err := b.send(b, ctx, r, name); err != nil {
			return err
		}
		failpoint.At("mover.allparts")
		look, err := b.look(ctx, r)
		if err != nil {
			return err
		}
		var expires *redis.DurationCmd
		var count *redis.Cmd
		_, err = check.TxPipelined(ctx, func(pipe redis.Pipeliner) error {
			expires, count = pipe.PExpireTime(ctx, b.key), pipe.Do(ctx, counts[b.kind], b.key)
			return nil
		})
		if errors.Is(err, redis.TxFailedErr) {
			return errNotNow
		}
		if err != nil {
			return err
		}
		want, _ := count.Int64()
		have, err := target.Client.Do(ctx, counts[b.kind], name).Int64()
		if err != nil {
			return &holdup{to: r, err: err}
		}
		if have != want || want == 0 {
			return errNotNow
		}
		v := transit.RedisValue{Key: b.key, Expires: expires.Val().Milliseconds()}
		if expires.Val() < 0 {
			v.Expires = -1
		}
		if err = b.c.sameSource(ctx, b.p, ""); err != nil {
			return err
		}
		if result, err = target.PutFenced(ctx, b.c.fence, look, name, v); err != nil {
			return &holdup{to: r, err: err}
		}
		placed = true
		failpoint.At("mover.placed")
		return nil
	}, b.key)
	return result, err
}
