package transit

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router/memcache"
)

// FencePrefix begins the names of fences, on Redis and on Memcached servers. It
// is reserved, as MarkerPrefix is.
const FencePrefix = "__ringway:fence:"

const (
	// FenceLife is how long a fence stands that is not set again.
	FenceLife = 10 * time.Second

	// FenceRenewal is how often a receiver sets its fence again.
	FenceRenewal = 3 * time.Second
)

// FenceKey returns the name of the fence of the fleet whose keys have that
// prefix. Fleets that share a database of a server have fences of their own.
func FenceKey(prefix string) string {
	return FencePrefix + shortened(prefix)
}

// Fence is what a receiver lets the mover of one transition in by: a key on its
// server that names the transition and is short-lived. A mover that was stopped
// or cut off, and goes on when the transition is over, finds none, or another
// one.
type Fence struct {
	Prefix     string // of the fleet's keys
	Transition uint64
}

func (f Fence) key() string   { return FenceKey(f.Prefix) }
func (f Fence) value() string { return strconv.FormatUint(f.Transition, 10) }

// SetFence lets the mover of the transition in for FenceLife, also where the server
// has no memory left: the mover is to be told that, and not that it is kept out.
func (r Redis) SetFence(ctx context.Context, f Fence) error {
	return fenceScript.Run(ctx, r.Client, []string{f.key()}, f.value(), FenceLife.Milliseconds()).Err()
}

// DropFence lets no mover in any more.
func (r Redis) DropFence(ctx context.Context, prefix string) error {
	return r.Client.Unlink(ctx, FenceKey(prefix)).Err()
}

// Fenced reports whether the mover of the transition is let in.
func (r Redis) Fenced(ctx context.Context, f Fence) (bool, error) {
	value, err := r.Client.Get(ctx, f.key()).Result()
	if errors.Is(err, redis.Nil) {
		return false, nil
	}
	return value == f.value(), err
}

// SetFence lets the mover of the transition in for FenceLife.
func (m Memcached) SetFence(ctx context.Context, f Fence) error {
	_, err := m.Client.MetaSet(ctx, memcache.SetRequest{Key: f.key(), EncodeKey: true, Value: []byte(f.value()), TTL: FenceLife})
	return err
}

// DropFence lets no mover in any more.
func (m Memcached) DropFence(ctx context.Context, prefix string) error {
	_, err := m.Client.MetaDelete(ctx, memcache.DeleteRequest{Key: FenceKey(prefix), EncodeKey: true})
	return err
}

// Fenced reports whether the mover of the transition is let in.
func (m Memcached) Fenced(ctx context.Context, f Fence) (bool, error) {
	resp, err := m.Client.MetaGet(ctx, memcache.GetRequest{Key: f.key(), EncodeKey: true, NoBump: true, Return: memcache.ReturnValue})
	if err != nil {
		return false, err
	}
	return resp.Found() && string(resp.Value) == f.value(), nil
}

// partPrefix begins the names of keys that are being put together from parts.
const partPrefix = "__ringway:part:"

// IsMarker reports whether a key is a tombstone, a fence, one that is not
// complete yet, or one that names the server's process: a key of the servers' own,
// which is no application's.
func IsMarker(key string) bool {
	rest, ours := strings.CutPrefix(key, "__ringway:")
	return ours && (strings.HasPrefix(rest, "tombstone:") || strings.HasPrefix(rest, "fence:") ||
		strings.HasPrefix(rest, "part:") || strings.HasPrefix(rest, "process:"))
}
