package cache

import (
	"context"
	"math/rand/v2"
	"time"
)

// Tagger is a Store that keeps the versions of tags. A version is a number that each
// invalidation counts up; it begins at random, so that one that was lost and begins
// anew is none that an entry has.
//
// A tag lives for tagLife after it was made or last changed, and no operation makes
// that shorter. One that ends is made anew.
type Tagger interface {
	// GetTagged is Batcher.GetMany, and in the same round trip the versions of
	// tags. The results are in the order of the keys and of the tags.
	GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion)

	// MakeTags returns the versions of tags and their ages. One that is not there
	// is made.
	MakeTags(ctx context.Context, tags []string) []TagVersion

	// BumpTags counts the versions of tags up. One that is not there is made.
	BumpTags(ctx context.Context, tags []string) []TagVersion
}

// TagVersion is what a Tagger says of a tag.
type TagVersion struct {
	Version uint64        // 0: it is not there
	Age     time.Duration // of MakeTags: it has had this version for at least that long
	Err     error         // that of its node; Version is 0 then
}

// tagLife is how long a tag lives after its last change. What is left of it tells
// how long ago that was, by one clock.
const tagLife = maxTTL

// newTagVersion leaves room to count up.
func newTagVersion() uint64 { return max(1, rand.Uint64()>>2) }

// tagAge returns the age of a version, at least, from the life that the tag has left,
// which the store knows to within the grain.
func tagAge(left, grain time.Duration) time.Duration { return max(0, tagLife-left-grain) }

func failTags(versions []TagVersion, err error) []TagVersion {
	for i := range versions {
		versions[i] = TagVersion{Err: err}
	}
	return versions
}

// Without a store no tag has a version that could change: what there is of it is this
// process's, and level 1 goes by what the process has invalidated and heard of (tagTurns).

func (noStore) GetTagged(_ context.Context, keys, tags []string) ([]Result, []TagVersion) {
	results := make([]Result, len(keys))
	return failAll(results, ErrMiss), unchanging(len(tags))
}

func (noStore) MakeTags(_ context.Context, tags []string) []TagVersion { return unchanging(len(tags)) }

func (noStore) BumpTags(_ context.Context, tags []string) []TagVersion { return unchanging(len(tags)) }

func unchanging(tags int) []TagVersion {
	versions := make([]TagVersion, tags)
	for i := range versions {
		versions[i] = TagVersion{Version: 1, Age: tagLife}
	}
	return versions
}
