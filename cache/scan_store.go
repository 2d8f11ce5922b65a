package cache

import (
	"context"
	"slices"
	"strings"
	"time"
)

// Scanner is a Store that can go through its keys, and delete many at once.
type Scanner interface {
	// ScanKeys hands out the keys that begin with the prefix, from all nodes, some
	// at a time: to one call of batch after the other. One that is there from the
	// beginning to the end comes at least once, unless it moves to another node, or
	// is stored anew, meanwhile: who must have it scans twice. It ends with the
	// first error.
	ScanKeys(ctx context.Context, prefix string, batch func(keys []string) error) error

	// DeleteMany is Delete of any version for many keys, in one round trip a node.
	// The errors, or nil, are in the order of the keys.
	DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error
}

const (
	scanBatch  = 1000 // keys handed out at a time
	scanPasses = 2    // see Scanner.ScanKeys
)

// ScanKeys is Scanner.ScanKeys.
func (m *Memory) ScanKeys(ctx context.Context, prefix string, batch func(keys []string) error) error {
	m.mu.Lock()
	var keys []string
	for key := range m.cells {
		if strings.HasPrefix(key, prefix) && m.at(key) != nil {
			keys = append(keys, key)
		}
	}
	m.mu.Unlock()
	for some := range slices.Chunk(keys, scanBatch) {
		if err := firstError(ctx.Err(), batch(some)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// DeleteMany is Scanner.DeleteMany.
func (m *Memory) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = m.Delete(ctx, key, AnyVersion, holdOff)
	}
	return errs
}
