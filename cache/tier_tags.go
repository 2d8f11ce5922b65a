package cache

import (
	"context"
	"encoding/binary"
	"errors"
	"time"
)

// The versions of tags are in the far store, which all regions share. The near one has
// copies, as entries of its own under the key of the tag and a mark, so that a hit near
// asks nothing far. A copy is filled under a lease that is there before the far store
// is read, and who invalidates deletes it after the far store was changed: as with
// entries.
const tierTagMark = "!near"

func tierTags(tags []string) []string {
	keys := make([]string, len(tags))
	for i, tag := range tags {
		keys[i] = tag + tierTagMark
	}
	return keys
}

// GetTagged implements Tagger, if the far store does. A tag that another region has
// invalidated is known here when the Bus has told of it, and when NearTTL has ended.
func (t *Tiered) GetTagged(ctx context.Context, keys, tags []string) ([]Result, []TagVersion) {
	// Entries first: see Memory.GetTagged.
	results, versions := t.GetMany(ctx, keys), make([]TagVersion, len(tags))
	if !t.tags() {
		return results, failTags(versions, ErrUnsupported)
	}
	if len(tags) == 0 {
		return results, versions
	}
	copies := tierTags(tags)
	var missing some
	for i, r := range t.nearMany.GetMany(ctx, copies) {
		if versions[i].Version = tierTag(r); versions[i].Version == 0 {
			missing = append(missing, i)
		}
	}
	if len(missing) > 0 {
		t.readTags(ctx, tags, copies, missing, versions)
	}
	return results, versions
}

// tierTag returns the version that a copy says; 0: there is none.
func tierTag(r Result) uint64 {
	if r.Err != nil || len(r.Entry.Value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(r.Entry.Value)
}

// readTags reads versions of the far store, and keeps them near.
func (t *Tiered) readTags(ctx context.Context, tags, copies []string, missing some, versions []TagVersion) {
	leases := t.nearMany.LeaseMany(ctx, pick(copies, missing), LeaseRequest{Life: t.cfg.FarTimeout + time.Second})
	asking, cancel := t.farFor(ctx)
	_, far := t.far.(Tagger).GetTagged(asking, nil, pick(tags, missing))
	cancel()
	var fills []Write
	var back some
	for n, i := range missing {
		versions[i] = far[n]
		switch {
		case leases[n].Err != nil || leases[n].Grant.State != Won:
		case far[n].Version == 0:
			back = append(back, n)
		default:
			fills = append(fills, Write{Key: copies[i], Lease: &leases[n].Grant.Lease,
				Entry: Entry{Value: binary.BigEndian.AppendUint64(nil, far[n].Version), TTL: t.cfg.NearTTL}})
		}
	}
	atOnce(len(back), func(n int) {
		t.failed(t.nearest.Release(ctx, copies[missing[back[n]]], leases[back[n]].Grant.Lease))
	})
	if len(fills) > 0 {
		for _, r := range t.nearMany.StoreMany(ctx, fills) {
			t.failed(r.Err)
		}
	}
}

// MakeTags implements Tagger: by the far store, whose clock says how old they are. A
// copy that says something else is deleted, lest what is loaded now be a miss.
func (t *Tiered) MakeTags(ctx context.Context, tags []string) []TagVersion {
	if !t.tags() {
		return failTags(make([]TagVersion, len(tags)), ErrUnsupported)
	}
	asking, cancel := t.farFor(ctx)
	versions := t.far.(Tagger).MakeTags(asking, tags)
	cancel()
	copies := tierTags(tags)
	there := t.nearMany.GetMany(ctx, copies)
	atOnce(len(tags), func(i int) {
		if v := tierTag(there[i]); v != 0 && versions[i].Version != 0 && v != versions[i].Version {
			t.failed(t.near.Delete(ctx, copies[i], AnyVersion, 0))
		}
	})
	return versions
}

// BumpTags implements Tagger: the far store first, and then the copies.
func (t *Tiered) BumpTags(ctx context.Context, tags []string) []TagVersion {
	if !t.tags() {
		return failTags(make([]TagVersion, len(tags)), ErrUnsupported)
	}
	versions := t.far.(Tagger).BumpTags(ctx, tags)
	copies := tierTags(tags)
	atOnce(len(tags), func(i int) {
		if err := t.deleteNear(ctx, copies[i], AnyVersion, 0); err != nil {
			versions[i] = TagVersion{Err: errors.Join(versions[i].Err, err)}
		}
		t.tell(copies[i])
	})
	return versions
}
