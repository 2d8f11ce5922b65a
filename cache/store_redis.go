package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis keeps entries in Redis servers. Reads are plain GET and MGET, which share
// packets with those of other callers. What has to be decided is decided by a
// script on the one key that has value, version and lease together: a lease under
// a key of its own could be on another node, or end at another moment.
type Redis struct{ client redis.UniversalClient }

// OnRedis returns a store over a client, such as a *router.Redis. The client stays
// the caller's. Servers of version 5 and later will do.
//
// A *redis.Client, *redis.ClusterClient and *redis.Ring will do too, with all that a
// store can: no request has keys that must be on one node. Of the last two a batch of
// reads is a pipeline of GETs, for MGET does not reach several slots or nodes there; a
// type of one's own around one of them is not recognized.
func OnRedis(client redis.UniversalClient) *Redis { return &Redis{client: client} }

// A cell on Redis is kind 1 · version 8 · token 16 · lease until 8 (ms, by the
// server's clock) · value.
const cellHeader = 1 + 8 + 16 + 8

func redisEntry(data []byte) (Entry, error) {
	if len(data) < cellHeader || cellKind(data[0]) != cellValue {
		return Entry{}, ErrMiss
	}
	return Entry{Version: binary.BigEndian.Uint64(data[1:]), Value: data[cellHeader:]}, nil
}

func bigEndian(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// Get is Store.Get.
func (r *Redis) Get(ctx context.Context, key string) (Entry, error) {
	data, err := r.client.Get(ctx, key).Bytes()
	switch {
	case err == nil: // first: a look at what kind of error it is allocates
		return redisEntry(data)
	case redisAbsent(err):
		return Entry{}, ErrMiss
	}
	return Entry{}, fmt.Errorf("cache: redis: get: %w", keyless(err))
}

// redisAbsent says that there is no entry: nothing, or something of another type, as MGET has
// it too.
func redisAbsent(err error) bool {
	return errors.Is(err, redis.Nil) || redis.HasErrorPrefix(err, "WRONGTYPE")
}

// Set is Store.Set.
func (r *Redis) Set(ctx context.Context, key string, e Entry) (bool, error) {
	if err := checkEntry(e); err != nil {
		return false, err
	}
	n, err := setScript.Run(ctx, r.client, []string{key}, setArgs(e)...).Int()
	if err != nil {
		return false, fmt.Errorf("cache: redis: set: %w", keyless(err))
	}
	return Filled(n) == Stored, nil
}

func setArgs(e Entry) []any { return []any{bigEndian(e.Version), milliseconds(e.TTL), e.Value} }

// milliseconds rounds up, for 0 would be no time to live.
func milliseconds(d time.Duration) int64 { return int64((d + time.Millisecond - 1) / time.Millisecond) }

// Delete is Store.Delete.
func (r *Redis) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	var err error
	if below == AnyVersion && holdOff <= 0 {
		// As by the script, but for a hold-off of another caller: it stays, since
		// what it waits for has not passed.
		err = deleteAnyScript.Run(ctx, r.client, []string{key}).Err()
	} else {
		err = deleteScript.Run(ctx, r.client, []string{key}, bigEndian(below), max(milliseconds(holdOff), 0)).Err()
	}
	if err != nil {
		return fmt.Errorf("cache: redis: delete: %w", keyless(err))
	}
	return nil
}

// Lease is Leaser.Lease.
func (r *Redis) Lease(ctx context.Context, key string, q LeaseRequest) (Grant, error) {
	if err := checkLease(q); err != nil {
		return Grant{}, err
	}
	mine := Lease{token: newToken(), until: time.Now().Add(q.Life)}
	reply, err := leaseScript.Run(ctx, r.client, []string{key}, leaseArgs(mine, q)...).Result()
	return redisGrant(mine, reply, err)
}

func leaseArgs(mine Lease, q LeaseRequest) []any {
	renew := 0
	if q.Renew {
		renew = 1
	}
	return []any{mine.token[:], milliseconds(q.Life), renew}
}

var errReply = errors.New("unexpected reply of a script")

func redisGrant(mine Lease, reply any, err error) (Grant, error) {
	if err != nil {
		return Grant{}, fmt.Errorf("cache: redis: lease: %w", keyless(err))
	}
	parts, ok := reply.([]any)
	if !ok || len(parts) != 2 {
		return Grant{}, fmt.Errorf("cache: redis: lease: %w: %T", errReply, reply)
	}
	state, _ := parts[0].(int64)
	data, _ := parts[1].(string)
	g := Grant{State: LeaseState(state)}
	if e, err := redisEntry([]byte(data)); err == nil {
		g.Entry = e
	}
	switch g.State {
	case Won:
		g.Lease = mine
	case Pending:
		if len(data) >= cellHeader {
			g.Lease.token = [16]byte([]byte(data[9:25]))
		}
	case Hit, HoldOff:
	default:
		return Grant{}, fmt.Errorf("cache: redis: lease: %w: state %d", errReply, state)
	}
	return g, nil
}

// Fill is Leaser.Fill.
func (r *Redis) Fill(ctx context.Context, key string, lease Lease, e Entry) (Filled, error) {
	if err := checkEntry(e); err != nil {
		return 0, err
	}
	if !time.Now().Before(lease.until) {
		return Lost, nil
	}
	n, err := fillScript.Run(ctx, r.client, []string{key}, fillArgs(lease, e)...).Int()
	if err != nil {
		return 0, fmt.Errorf("cache: redis: fill: %w", keyless(err))
	}
	return Filled(n), nil
}

func fillArgs(lease Lease, e Entry) []any { return append([]any{lease.token[:]}, setArgs(e)...) }

// Release is Leaser.Release.
func (r *Redis) Release(ctx context.Context, key string, lease Lease) error {
	if err := releaseScript.Run(ctx, r.client, []string{key}, lease.token[:]).Err(); err != nil {
		return fmt.Errorf("cache: redis: release: %w", keyless(err))
	}
	return nil
}

// Incr is Counter.Incr.
func (r *Redis) Incr(ctx context.Context, key string, delta uint64, ttl time.Duration) (uint64, error) {
	if err := checkTTL(ttl); err != nil {
		return 0, err
	}
	if delta > math.MaxInt64 {
		return 0, errCounter
	}
	sum, err := incrScript.Run(ctx, r.client, []string{key}, int64(delta), milliseconds(ttl)).Text()
	if err != nil {
		return 0, fmt.Errorf("cache: redis: incr: %w", keyless(err))
	}
	n, err := strconv.ParseUint(sum, 10, 63)
	if err != nil {
		return 0, errCounter
	}
	return n, nil
}
