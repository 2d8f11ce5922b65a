package rebalance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/transit"
)

// SampleConfig says how a server is sampled. The zero value is ready to use.
type SampleConfig struct {
	Prefix string // only keys that begin with it count; empty: all
	Keys   int    // how many to look at, at least, if there are so many; 0 means DefaultSampleKeys
	Sizes  int    // of how many to ask the size at most, Redis only; 0 means DefaultSampleSizes
	Seed   uint64 // where a walk over a Redis begins; any number, 0 included

	// Time is how long the sample may take: what was seen until then has to do. 0
	// means DefaultSampleTime.
	Time time.Duration

	// Wanted picks the keys to be returned, with their sizes. nil: all.
	Wanted func(key string) bool
}

// What a zero field of a SampleConfig stands for.
const (
	DefaultSampleKeys  = 20_000
	DefaultSampleSizes = 2_000
	DefaultSampleTime  = 5 * time.Second
)

// ErrSampleConfig: a field of a SampleConfig is negative.
var ErrSampleConfig = errors.New("sample config")

func (c SampleConfig) withDefaults() (SampleConfig, error) {
	if c.Keys < 0 || c.Sizes < 0 || c.Time < 0 {
		return c, fmt.Errorf("rebalance: %w: got Keys %d, Sizes %d, Time %v, want none below 0", ErrSampleConfig, c.Keys, c.Sizes, c.Time)
	}
	if c.Keys == 0 {
		c.Keys = DefaultSampleKeys
	}
	if c.Sizes == 0 {
		c.Sizes = DefaultSampleSizes
	}
	if c.Time == 0 {
		c.Time = DefaultSampleTime
	}
	if c.Wanted == nil {
		c.Wanted = func(string) bool { return true }
	}
	return c, nil
}

const (
	scanPage  = 500 // keys of a page: some 0.2 ms of the server's time
	sizesPage = 100 // sizes asked for in one exchange: less than 1 ms

	// fruitless is how many pages without a key end the trying of random cursors:
	// a server whose table is nearly empty, or that knows no cursors but its own.
	fruitless = 8
)

// SampleRedis samples the keys of the database that the client has selected.
//
// Each page comes from a SCAN that begins at a random cursor. Redis goes by a hash
// of the key with a secret that each process draws for itself, so that where a key
// lies in its table has to do neither with its size, nor its age, nor its place on
// the ring; and a cursor is a place in that table, whoever made it. All the keys
// of a place are taken, and whether a place is come upon does not depend on what
// it holds: every key is as likely as any other. RANDOMKEY is not used: it prefers
// keys that have empty places around them, costs an exchange a key, and removes
// what has expired. Nor is MATCH: pages would come back empty, and the number of
// keys under the prefix is not known to the server anyway.
//
// A database that is hardly larger than the sample is walked over as a whole, from
// cursor 0; then nothing is estimated but sizes. At most (Keys + Sizes)/100
// exchanges or so are needed, each of which holds the server for less than a
// millisecond. (MEMORY USAGE looks at five elements of a list or a hash, however
// long.)
//
// The server must allow DBSIZE and SCAN; without MEMORY USAGE there are no sizes.
func SampleRedis(ctx context.Context, client *redis.Client, cfg SampleConfig) (Sample, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Sample{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Time)
	defer cancel()
	r := redisSampler{client: client, cfg: cfg, seen: make(map[string]bool), random: rand.New(rand.NewPCG(cfg.Seed, 1))}
	if r.Population, err = client.DBSize(ctx).Result(); err != nil {
		return Sample{}, fmt.Errorf("rebalance: sample: DBSIZE: %w", err)
	}
	if err := r.keys(ctx); err != nil && (len(r.seen) == 0 || !outOfTime(ctx)) {
		return Sample{}, fmt.Errorf("rebalance: sample: SCAN: %w", err)
	}
	if err := r.sizes(ctx); err != nil && !outOfTime(ctx) {
		return Sample{}, fmt.Errorf("rebalance: sample: MEMORY USAGE: %w", err)
	}
	return r.Sample, nil
}

// outOfTime reports whether the time for the sample is over, and not that of the
// caller's patience.
func outOfTime(ctx context.Context) bool { return errors.Is(ctx.Err(), context.DeadlineExceeded) }

type redisSampler struct {
	Sample
	client *redis.Client
	cfg    SampleConfig
	seen   map[string]bool
	random *rand.Rand
}

// keys looks at as many keys as are wanted.
func (r *redisSampler) keys(ctx context.Context) error {
	if r.Population <= int64(r.cfg.Keys)+int64(r.cfg.Keys)/4 {
		return r.walk(ctx)
	}
	pages := 4 * (r.cfg.Keys/scanPage + fruitless) // some pages overlap
	empty := 0
	for ; pages > 0 && len(r.seen) < r.cfg.Keys; pages-- {
		keys, _, err := r.client.Scan(ctx, r.random.Uint64(), "", scanPage).Result()
		if err != nil {
			return err
		}
		if r.take(keys); len(keys) > 0 {
			continue
		}
		if empty++; empty == fruitless && len(r.seen) == 0 {
			return r.walk(ctx)
		}
	}
	return nil
}

// walk goes over the whole database, or as far as the sample is to go.
func (r *redisSampler) walk(ctx context.Context) error {
	most := r.cfg.Keys + r.cfg.Keys/4
	for cursor, pages := uint64(0), 0; ; pages++ {
		keys, next, err := r.client.Scan(ctx, cursor, "", scanPage).Result()
		if err != nil {
			return err
		}
		r.take(keys)
		if next == 0 {
			r.Population = r.Seen // counted
			return nil
		}
		if len(r.seen) >= most || pages > 64+r.cfg.Keys { // a table that shrank may have many empty pages
			return nil
		}
		cursor = next
	}
}

func (r *redisSampler) take(keys []string) {
	for _, key := range keys {
		if r.seen[key] {
			continue
		}
		r.seen[key] = true
		r.Seen++
		if !strings.HasPrefix(key, r.cfg.Prefix) || transit.IsMarker(key) {
			continue
		}
		r.Kept++
		if r.cfg.Wanted(key) {
			r.Wanted = append(r.Wanted, SampledKey{Key: key})
		}
	}
	r.Population = max(r.Population, r.Seen) // it has grown meanwhile
}

// sizes asks for the sizes of some of the keys, drawn at random.
func (r *redisSampler) sizes(ctx context.Context) error {
	r.random.Shuffle(len(r.Wanted), func(i, j int) { r.Wanted[i], r.Wanted[j] = r.Wanted[j], r.Wanted[i] })
	asked := r.Wanted[:min(len(r.Wanted), r.cfg.Sizes)]
	for len(asked) > 0 {
		page := asked[:min(len(asked), sizesPage)]
		asked = asked[len(page):]
		pipe := r.client.Pipeline()
		replies := make([]*redis.IntCmd, len(page))
		for i, k := range page {
			replies[i] = pipe.MemoryUsage(ctx, k.Key)
		}
		_, _ = pipe.Exec(ctx) // what failed is told by each reply
		for i, reply := range replies {
			size, err := reply.Result()
			var said redis.Error
			switch {
			case err == nil:
				page[i].Size = size
			case errors.Is(err, redis.Nil): // gone
			case errors.As(err, &said):
				r.NoSizes = "MEMORY USAGE: " + said.Error()
				return nil
			default:
				return err
			}
		}
	}
	return nil
}
