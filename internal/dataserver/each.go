package dataserver

import (
	"context"
	"fmt"
	"strings"

	"github.com/ringway/ringway/router/memcache"
)

// Found is a key that a walk came upon.
type Found struct {
	Key  string
	Size int64 // bytes of memory that it takes; 0 with Redis, which does not say
}

// Each goes once over the keys of a Server that Open has returned, those that
// Count counts and that can be named (see ErrUnnameable), and calls page with those that want lets through, some hundred at
// a time or, with Memcached, up to some hundred thousand. A key that is there from
// beginning to end comes at least once. The walk waits while page runs, and ends
// with its error.
//
// want must be quick; it is asked about a key more than once. With Memcached, keys
// that it lets through although page has had them are what the walk begins anew
// for as long as they are too many: want is to refuse those that have stayed.
func Each(ctx context.Context, s Server, want func(key string) bool, page func([]Found) error) error {
	walker, ok := s.(interface {
		each(ctx context.Context, want func(key string) bool, page func([]Found) error) error
	})
	if !ok {
		return fmt.Errorf("dataserver: walk: got a Server of type %T, want one that Open has returned", s)
	}
	return walker.each(ctx, want, page)
}

func (r *redisServer) each(ctx context.Context, want func(key string) bool, page func([]Found) error) error {
	e := r.begin(ctx, "walk", 0)
	defer e.end()
	s, err := r.newSession()
	if err != nil {
		return e.verdict(err)
	}
	defer s.close()
	p := firstPage
	for range r.maxPages {
		p.keys = nil // none is to be removed
		if p, err = r.step(ctx, "walk", s, p); err != nil {
			return err
		}
		var found []Found
		for _, key := range p.keys {
			if r.ours(key) && want(key) {
				found = append(found, Found{Key: key})
			}
		}
		if len(found) > 0 {
			if err := page(found); err != nil {
				return err
			}
		}
		if p.cursor == 0 {
			return nil
		}
	}
	return e.verdict(fmt.Errorf("%w: %d pages", ErrEndless, r.maxPages))
}

func (m *memcachedServer) each(ctx context.Context, want func(key string) bool, page func([]Found) error) error {
	for range m.maxDumps {
		var found []Found
		err := m.dump(ctx, "walk", func(item memcache.ItemInfo) bool {
			if m.ours(item.Key) && nameable(item.Key) && want(item.Key) {
				found = append(found, Found{Key: item.Key, Size: int64(item.Size)})
			}
			return len(found) < m.gatherMax
		})
		if err != nil {
			return err
		}
		whole := len(found) < m.gatherMax
		if len(found) > 0 {
			if err := page(found); err != nil {
				return err
			}
		}
		if whole {
			return nil
		}
	}
	return m.failed("walk", fmt.Errorf("%w: %d dumps", ErrEndless, m.maxDumps))
}

// nameable reports whether the meta protocol can name a key that memcached holds.
func nameable(key string) bool {
	if len(key) <= memcache.MaxEncodedKey {
		return true
	}
	return !strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r == 0x7f })
}
