package cache

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// What a client has that can reach each server: *router.Memcached, or a
// *memcache.Client.
type (
	memcachedNodes interface {
		ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *memcache.Client) error) error
	}
	memcachedDump interface {
		Metadump(ctx context.Context) iter.Seq2[memcache.ItemInfo, error]
	}
)

// ScanKeys is Scanner.ScanKeys, by lru_crawler metadump: Memcached has nothing else
// that lists keys. Those of a node are collected before they are handed out, at about
// 100 bytes each, since the server waits meanwhile. ErrUnsupported: the client reaches
// no single servers.
func (m *Memcached) ScanKeys(ctx context.Context, prefix string, batch func(keys []string) error) error {
	var mu sync.Mutex // one batch at a time
	scan := func(ctx context.Context, client memcachedDump) error {
		keys, err := dumpKeys(ctx, client, prefix)
		if err != nil {
			return fmt.Errorf("cache: memcached: scan: %w", keyless(err))
		}
		mu.Lock()
		defer mu.Unlock()
		for some := range slices.Chunk(keys, scanBatch) {
			if err := firstError(ctx.Err(), batch(some)); err != nil {
				return err
			}
		}
		return nil
	}
	switch client := m.client.(type) {
	case memcachedNodes:
		return client.ForEachNode(ctx, func(ctx context.Context, _ string, node *memcache.Client) error { return scan(ctx, node) })
	case memcachedDump:
		return scan(ctx, client)
	}
	return fmt.Errorf("%w: scan: %T reaches no single servers, want ForEachNode or Metadump", ErrUnsupported, m.client)
}

// dumpKeys waits while the server dumps for somebody else.
func dumpKeys(ctx context.Context, client memcachedDump, prefix string) ([]string, error) {
	for {
		var keys []string
		var err error
		for item, failed := range client.Metadump(ctx) {
			if err = failed; err != nil {
				break
			}
			if strings.HasPrefix(item.Key, prefix) {
				keys = append(keys, item.Key)
			}
		}
		if !errors.Is(err, memcache.ErrBusy) {
			return keys, err
		}
		select {
		case <-time.After(lastPoll):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// DeleteMany is Scanner.DeleteMany.
func (m *Memcached) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	errs := make([]error, len(keys))
	together(memcachedWidth, len(keys), func(i int) { errs[i] = m.Delete(ctx, keys[i], AnyVersion, holdOff) })
	return errs
}
