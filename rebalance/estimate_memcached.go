package rebalance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

const (
	crawlerPause = 20 * time.Millisecond // before a crawler that was busy is asked again
	flagsPage    = 100                   // items whose flags are asked for in one exchange

	// emptyItem is more than an item without a value takes beside its key: only
	// one that is no larger can be a tombstone.
	emptyItem = 72 // bytes
)

// SampleMemcached samples the items of a server.
//
// It is the beginning of a walk over the server's hash table (lru_crawler metadump
// hash), or all of it, if there are not more items than Keys asks for. Where an
// item lies in that table is decided by a hash of its key that has nothing to do
// with the ring's, its size or its age: the beginning is an even sample. (A walk
// over the lists of the LRU, the other form of the dump, would begin with the
// smallest and oldest items.) It is the same each time, so that Seed means nothing
// here. The dump has the sizes in it, which cost nothing.
//
// Tombstones do not show in a dump. Items small enough to be one, of those that
// are wanted, are asked for their flags, as many as Sizes allows: an exchange for
// a hundred.
//
// The server must allow stats and lru_crawler metadump (neither -X nor -o
// no_lru_crawler).
func SampleMemcached(ctx context.Context, client *memcache.Client, cfg SampleConfig) (Sample, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Sample{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Time)
	defer cancel()
	m := memcachedSampler{client: client, cfg: cfg}
	if err := m.items(ctx); err != nil && (m.Seen == 0 || !outOfTime(ctx)) {
		return Sample{}, fmt.Errorf("rebalance: sample: %w", err)
	}
	if err := m.dropTombstones(ctx); err != nil && !outOfTime(ctx) {
		return Sample{}, fmt.Errorf("rebalance: sample: mg: %w", err)
	}
	return m.Sample, nil
}

// items looks at items. A dump without any proves nothing: the server answers with
// one when its hash table is growing. It is believed where the table has not grown
// meanwhile: then what the server counts has expired.
func (m *memcachedSampler) items(ctx context.Context) error {
	before, err := memcachedTable(ctx, m.client)
	for err == nil && before.items > 0 {
		m.Population = before.items
		err = m.dump(ctx)
		busy := errors.Is(err, memcache.ErrBusy)
		if err != nil && !busy || m.Seen > 0 {
			break
		}
		var after table
		if after, err = memcachedTable(ctx, m.client); err != nil {
			break
		}
		if !busy && before.growing == 0 && before.power == after.power {
			m.Population = 0
			break
		}
		before, err = after, pause.For(ctx, crawlerPause)
	}
	return err
}

// table is what a server says of its hash table.
type table struct{ items, power, growing int64 }

func memcachedTable(ctx context.Context, client *memcache.Client) (t table, err error) {
	stats, err := client.ServerStats(ctx, "")
	if err != nil {
		return t, fmt.Errorf("stats: %w", err)
	}
	for name, value := range map[string]*int64{"curr_items": &t.items, "hash_power_level": &t.power, "hash_is_expanding": &t.growing} {
		if *value, err = memcachedNumber(stats, name); err != nil {
			return t, err
		}
	}
	return t, nil
}

func memcachedNumber(stats map[string]string, name string) (int64, error) {
	n, err := strconv.ParseInt(stats[name], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("stats: %s: got %.40q, want a number", name, stats[name])
	}
	return n, nil
}

type memcachedSampler struct {
	Sample
	client *memcache.Client
	cfg    SampleConfig
}

// dump looks at items until there are enough.
func (m *memcachedSampler) dump(ctx context.Context) error {
	most := int64(m.cfg.Keys)
	if m.Population <= most+most/4 {
		most += most / 4
	}
	for item, err := range m.client.Metadump(ctx) {
		if err != nil {
			return fmt.Errorf("lru_crawler metadump: %w", err)
		}
		if m.Seen == most { // and there is one more
			m.Population = max(m.Population, m.Seen+1)
			return nil
		}
		m.Seen++
		if !strings.HasPrefix(item.Key, m.cfg.Prefix) || transit.IsMarker(item.Key) { // a fence
			continue
		}
		m.Kept++
		if m.cfg.Wanted(item.Key) {
			m.Wanted = append(m.Wanted, SampledKey{Key: item.Key, Size: int64(item.Size)})
		}
	}
	if m.Seen > 0 {
		m.Population = m.Seen // counted
	}
	return nil
}

// dropTombstones takes out of the sample what is none of the application's items.
func (m *memcachedSampler) dropTombstones(ctx context.Context) error {
	var small []int // positions in Wanted
	for i, k := range m.Wanted {
		if k.Size <= int64(len(k.Key))+emptyItem && len(k.Key) <= memcache.MaxEncodedKey && len(small) < m.cfg.Sizes {
			small = append(small, i)
		}
	}
	tombstones := make(map[int]bool)
	for len(small) > 0 {
		page := small[:min(len(small), flagsPage)]
		small = small[len(page):]
		requests := make([]memcache.GetRequest, len(page))
		for i, at := range page {
			requests[i] = transit.LookRequest(m.Wanted[at].Key)
		}
		results, err := m.client.MetaGetMulti(ctx, requests)
		if err != nil {
			return err
		}
		now := time.Now()
		for i, result := range results {
			if result.Err == nil && transit.LookOf(now, &result.Response).Tombstone {
				tombstones[page[i]] = true
			}
		}
	}
	kept := m.Wanted[:0]
	for i, k := range m.Wanted {
		if !tombstones[i] {
			kept = append(kept, k)
		}
	}
	m.Wanted = kept
	m.Kept -= int64(len(tombstones))
	return nil
}
