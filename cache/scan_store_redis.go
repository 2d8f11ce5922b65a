package cache

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// As deleteAnyScript, and the memory of a large value is given back in the background.
var unlinkScript = redis.NewScript(luaHeldOff + `
return redis.call('UNLINK', KEYS[1])`)

// ScanKeys is Scanner.ScanKeys, by SCAN: it never keeps a server from others for
// longer than a thousand keys take.
func (r *Redis) ScanKeys(ctx context.Context, prefix string, batch func(keys []string) error) error {
	var mu sync.Mutex // one batch at a time, also of nodes that are scanned together
	scan := func(ctx context.Context, client redis.Cmdable) error {
		for cursor := uint64(0); ; {
			keys, next, err := client.Scan(ctx, cursor, globOf(prefix), scanBatch).Result()
			if err != nil {
				return fmt.Errorf("cache: redis: scan: %w", keyless(err))
			}
			if len(keys) > 0 {
				mu.Lock()
				err = batch(keys)
				mu.Unlock()
				if err != nil {
					return err
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	}
	node := func(ctx context.Context, client *redis.Client) error { return scan(ctx, client) }
	switch client := r.client.(type) {
	case *redis.ClusterClient: // its own Scan goes to one of its nodes
		return client.ForEachMaster(ctx, node)
	case *redis.Ring: // likewise
		return client.ForEachShard(ctx, node)
	}
	return scan(ctx, r.client)
}

// globOf returns the pattern that is matched by what begins with the prefix.
func globOf(prefix string) string {
	var out strings.Builder
	for i := range len(prefix) {
		if strings.IndexByte(`*?[]^\`, prefix[i]) >= 0 {
			out.WriteByte('\\')
		}
		out.WriteByte(prefix[i])
	}
	return out.String() + "*"
}

// DeleteMany is Scanner.DeleteMany.
func (r *Redis) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	calls := make([]scriptCall, len(keys))
	for i, key := range keys {
		if calls[i] = (scriptCall{script: unlinkScript, key: key}); holdOff > 0 {
			calls[i] = scriptCall{script: deleteScript, key: key, args: []any{bigEndian(AnyVersion), milliseconds(holdOff)}}
		}
	}
	errs := make([]error, len(keys))
	for i, reply := range r.runMany(ctx, calls) {
		if err := reply.Err(); err != nil {
			errs[i] = fmt.Errorf("cache: redis: delete: %w", keyless(err))
		}
	}
	return errs
}
