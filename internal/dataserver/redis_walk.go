package dataserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/transit"
)

const (
	// pageSize is the COUNT of a SCAN, a compromise between the number of
	// exchanges and how long the server, which does one thing at a time, is
	// kept from others: some 0.2 ms for 500 keys.
	pageSize = 500

	// maxPages bounds a walk at a server that never gives out the last cursor.
	// Redis holds 2^32 keys at most. A page has pageSize of them or comes from
	// ten times as many buckets, and there are about as many buckets as keys,
	// unless most keys went lately.
	maxPages = 1 << 24
)

// countBelow is up to which size a whole database is counted key by key, so that
// fences and tombstones are left out. Among more keys they make no difference to
// anyone who counts.
const countBelow = 10_000

// Count implements Server.
func (r *redisServer) Count(ctx context.Context) (n int64, err error) {
	if r.prefix == "" {
		err = r.ask(ctx, "count", func(ctx context.Context, client *redis.Client) (err error) {
			n, err = client.DBSize(ctx).Result()
			return err
		})
		if err != nil || n == 0 || n > countBelow {
			return n, err
		}
		n = 0
		err = r.each(ctx, func(string) bool { n++; return false }, nil) // so few that no rate is needed
		return n, err
	}
	t, err := r.walk(ctx, "count", keepEverything, nil)
	return t.seen, err
}

// Purge implements Server. Without a prefix it is FLUSHDB, of this database
// alone; key by key where that is refused.
func (r *redisServer) Purge(ctx context.Context, progress func(removed int64)) (removed int64, err error) {
	if r.prefix == "" {
		if removed, done, err := r.flush(ctx); done || err != nil {
			if done && progress != nil {
				progress(removed)
			}
			return removed, err
		}
	}
	t, err := r.walk(ctx, "purge", keepNothing, progress)
	return t.removed, err
}

// flush empties the database. done is false if the server refuses to.
func (r *redisServer) flush(ctx context.Context) (removed int64, done bool, err error) {
	e := r.begin(ctx, "purge", r.patience)
	defer e.end()
	s, err := r.newSession()
	if err != nil {
		return 0, false, e.verdict(err)
	}
	defer s.close()
	var refused bool
	err = s.run(e.ctx, func(ctx context.Context, client *redis.Client) error {
		pipe := client.Pipeline()
		pipe.Unlink(ctx, transit.ProcessKey(r.prefix)) // it is not to be counted
		size, flush := pipe.DBSize(ctx), pipe.FlushDBAsync(ctx)
		_, err := pipe.Exec(ctx)
		var said redis.Error
		if refused = errors.As(flush.Err(), &said); refused {
			return nil
		}
		removed = size.Val()
		return err
	})
	if err != nil || refused {
		return 0, false, e.verdict(err)
	}
	return removed, true, nil
}

// Sweep implements Server.
func (r *redisServer) Sweep(ctx context.Context, keep func(key string) bool, progress func(removed int64)) (removed int64, err error) {
	if keep == nil {
		return 0, errNoKeep
	}
	t, err := r.walk(ctx, "sweep", keep, progress)
	return t.removed, err
}

// walk goes once over the keys under the prefix and removes those that are not
// kept, each page together with the request for the next one.
func (r *redisServer) walk(ctx context.Context, what string, keep func(key string) bool, progress func(removed int64)) (tally, error) {
	t := tally{progress: progress}
	e := r.begin(ctx, what, 0)
	defer e.end()
	s, err := r.newSession()
	if err != nil {
		return t, e.verdict(err)
	}
	defer s.close()
	p := firstPage
	for range r.maxPages {
		p, err = r.step(ctx, what, s, p)
		t.removed += p.removed
		if err != nil {
			return t, err
		}
		t.report()
		var remove []string
		for _, key := range p.keys {
			if !r.ours(key) {
				continue
			}
			t.seen++
			if !keep(key) {
				remove = append(remove, key)
			}
		}
		if p.cursor == 0 && len(remove) == 0 {
			return t, nil
		}
		if err := r.rest(e.ctx, len(p.keys)); err != nil {
			return t, e.verdict(err)
		}
		p.keys = remove
	}
	return t, e.verdict(fmt.Errorf("%w: %d pages", ErrEndless, r.maxPages))
}

// A page is where a walk stands.
type page struct {
	first   bool     // nothing was asked for yet
	cursor  uint64   // of the next page; 0: there is none, unless this is the first
	keys    []string // that the server has returned, and then those of them to be removed
	removed int64    // in the exchange that brought the keys
}

var firstPage = page{first: true}

// step removes keys and fetches the next page, if there is one.
func (r *redisServer) step(ctx context.Context, what string, s *session, p page) (next page, err error) {
	e := r.begin(ctx, what, r.patience)
	defer e.end()
	err = s.run(e.ctx, func(ctx context.Context, client *redis.Client) error {
		pipe := client.Pipeline()
		var unlink *redis.IntCmd
		if len(p.keys) > 0 {
			unlink = pipe.Unlink(ctx, p.keys...)
		}
		var scan *redis.ScanCmd
		if p.first || p.cursor != 0 {
			scan = pipe.Scan(ctx, p.cursor, r.pattern(), pageSize)
		}
		_, err := pipe.Exec(ctx)
		if unlink != nil {
			next.removed = unlink.Val()
		}
		if scan != nil {
			next.keys, next.cursor = scan.Val()
		}
		return err
	})
	var said *reply
	if err != nil && !p.first && !errors.As(err, &said) && !errors.Is(err, ErrConnectionLost) {
		err = fmt.Errorf("%w: %w", ErrConnectionLost, err)
	}
	return next, e.verdict(err)
}

// pattern is what SCAN is to look for; empty: everything. A prefix may be any
// bytes, those with a meaning in a pattern included.
func (r *redisServer) pattern() string {
	if r.prefix == "" {
		return ""
	}
	return literal.Replace(r.prefix) + "*"
}

var literal = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`)
