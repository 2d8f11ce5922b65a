package cache

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

var errRefusing = errors.New("down")

// failing is a store of which deletes and tags fail while it is down.
type failing struct {
	*Memory
	down atomic.Bool
}

func (f *failing) Delete(ctx context.Context, key string, below uint64, holdOff time.Duration) error {
	if f.down.Load() {
		return errRefusing
	}
	return f.Memory.Delete(ctx, key, below, holdOff)
}

func (f *failing) DeleteMany(ctx context.Context, keys []string, holdOff time.Duration) []error {
	errs := f.Memory.DeleteMany(ctx, keys, holdOff)
	if f.down.Load() {
		for i := range errs {
			errs[i] = errRefusing
		}
	}
	return errs
}

func (f *failing) BumpTags(ctx context.Context, tags []string) []TagVersion {
	if f.down.Load() {
		return failTags(make([]TagVersion, len(tags)), errRefusing)
	}
	return f.Memory.BumpTags(ctx, tags)
}

func (f *failing) MakeTags(ctx context.Context, tags []string) []TagVersion {
	if f.down.Load() {
		return failTags(make([]TagVersion, len(tags)), errRefusing)
	}
	return f.Memory.MakeTags(ctx, tags)
}

func (f *failing) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	results, versions := f.Memory.GetTagged(ctx, keys, tags)
	if f.down.Load() {
		versions = failTags(versions, errRefusing)
	}
	return results, versions
}
