package cache

import (
	"context"
	"strconv"
	"time"
)

// GetTagged is Tagger.GetTagged.
func (m *Memory) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	versions := make([]TagVersion, len(tags))
	if err := ctx.Err(); err != nil {
		return m.GetMany(ctx, keys), failTags(versions, err)
	}
	// Entries first: a tag that is invalidated in between makes a miss of one that
	// was whole, and never a hit of one that was not.
	results := m.GetMany(ctx, keys)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, tag := range tags {
		versions[i].Version = m.tag(tag)
	}
	return results, versions
}

// tag returns the version of a tag, or 0. mu is held.
func (m *Memory) tag(key string) uint64 {
	c := m.at(key)
	if c == nil || c.kind != cellValue {
		return 0
	}
	n, _ := strconv.ParseUint(string(c.value), 10, 64)
	return n
}

func (m *Memory) setTag(key string, version uint64) {
	m.put(key, &cell{kind: cellValue, value: strconv.AppendUint(nil, version, 10), ends: time.Now().Add(tagLife)})
}

// MakeTags is Tagger.MakeTags.
func (m *Memory) MakeTags(ctx context.Context, tags []string) []TagVersion {
	versions := make([]TagVersion, len(tags))
	if err := ctx.Err(); err != nil {
		return failTags(versions, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, tag := range tags {
		if versions[i].Version = m.tag(tag); versions[i].Version == 0 {
			versions[i].Version = newTagVersion()
			m.setTag(tag, versions[i].Version)
		}
		versions[i].Age = tagAge(time.Until(m.cells[tag].ends), 0)
	}
	return versions
}

// BumpTags is Tagger.BumpTags.
func (m *Memory) BumpTags(ctx context.Context, tags []string) []TagVersion {
	versions := make([]TagVersion, len(tags))
	if err := ctx.Err(); err != nil {
		return failTags(versions, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, tag := range tags {
		if versions[i].Version = m.tag(tag) + 1; versions[i].Version == 1 {
			versions[i].Version = newTagVersion()
		}
		m.setTag(tag, versions[i].Version)
	}
	return versions
}
