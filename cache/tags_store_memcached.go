package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// GetTagged is Tagger.GetTagged: the client cuts it by node.
func (m *Memcached) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	results, versions := make([]Result, len(keys)), make([]TagVersion, len(tags))
	all := append(append(make([]string, 0, len(keys)+len(tags)), keys...), tags...)
	if len(all) == 0 {
		return results, versions
	}
	items, err := m.client.GetMulti(ctx, all)
	var multi *router.MultiError
	partial := errors.As(err, &multi)
	for i, key := range all {
		item, found := items[key]
		failed := err
		if partial {
			failed = multi.Keys[key]
		}
		if failed != nil {
			failed = fmt.Errorf("cache: memcached: get: %w", keyless(failed))
		}
		switch {
		case i >= len(keys) && found:
			versions[i-len(keys)].Version = memcachedTag(item.Value)
		case i >= len(keys):
			versions[i-len(keys)].Err = failed
		case found:
			results[i].Entry, results[i].Err = memcachedEntry(item.Value)
		case failed != nil:
			results[i].Err = failed
		default:
			results[i].Err = ErrMiss
		}
	}
	return results, versions
}

// memcachedTag returns the version, or 0 for what is none. A number that has become
// shorter has spaces behind it.
func memcachedTag(value []byte) uint64 {
	n, _ := strconv.ParseUint(strings.TrimRight(string(value), " "), 10, 64)
	return n
}

// MakeTags is Tagger.MakeTags.
func (m *Memcached) MakeTags(ctx context.Context, tags []string) []TagVersion {
	return m.countTags(ctx, tags, 0)
}

// BumpTags is Tagger.BumpTags.
func (m *Memcached) BumpTags(ctx context.Context, tags []string) []TagVersion {
	return m.countTags(ctx, tags, 1)
}

func (m *Memcached) countTags(ctx context.Context, tags []string, delta uint64) []TagVersion {
	versions := make([]TagVersion, len(tags))
	atOnce(len(tags), func(i int) {
		if versions[i] = m.countTag(ctx, tags[i], delta); versions[i].Err != nil {
			versions[i].Err = fmt.Errorf("cache: memcached: tag: %w", keyless(versions[i].Err))
		}
	})
	return versions
}

// countTag is one ma, which makes the tag where it is missing.
func (m *Memcached) countTag(ctx context.Context, tag string, delta uint64) TagVersion {
	r := memcache.ArithmeticRequest{Key: tag, Delta: delta, Initial: newTagVersion(), Create: memcache.ExpireIn(tagLife),
		Return: memcache.ReturnValue | memcache.ReturnTTL}
	if delta > 0 {
		r.Touch = memcache.ExpireIn(tagLife)
	}
	for range 100 {
		sent := time.Now()
		resp, err := m.client.MetaArithmetic(ctx, r)
		switch {
		case errors.Is(err, memcache.ErrClientError): // no number
			return m.replaceTag(ctx, tag)
		case err != nil:
			return TagVersion{Err: err}
		case resp.Status == memcache.StatusNotStored: // made by another meanwhile
			continue
		}
		version := memcachedTag(resp.Value)
		switch {
		case resp.Status != memcache.StatusValue && resp.Status != memcache.StatusOK, len(resp.Value) == 0:
			return TagVersion{Err: fmt.Errorf("unexpected status %v", resp.Status)}
		case version == 0: // "0", or counted round
			return m.replaceTag(ctx, tag)
		}
		var said time.Duration
		if resp.TTL > 0 { // else it lives for ever, and its age is not known
			said = tagAge(resp.TTL, time.Second) // the server's clock ticks once a second
		}
		return TagVersion{Version: version, Age: m.tags.age(tag, version, sent, said)}
	}
	return TagVersion{Err: errBusyKey}
}

// replaceTag makes the tag anew in place of what is none.
func (m *Memcached) replaceTag(ctx context.Context, tag string) TagVersion {
	version := newTagVersion()
	resp, err := m.client.MetaSet(ctx, memcache.SetRequest{Key: tag, Value: strconv.AppendUint(nil, version, 10), TTL: tagLife})
	if err == nil && resp.Status != memcache.StatusOK {
		err = fmt.Errorf("unexpected status %v", resp.Status)
	}
	if err != nil {
		return TagVersion{Err: err}
	}
	return TagVersion{Version: version}
}
