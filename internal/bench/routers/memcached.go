package main

import (
	"context"
	"errors"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/adapter/memcacheselector"
)

// memcached is the router with its source, which goes when it is closed.
type memcached struct {
	*router.Memcached
	source membership.Source
}

func (m memcached) Close() error { return errors.Join(m.Memcached.Close(), m.source.Close()) }

func newMemcached(ctx context.Context, addrs []string) (memcached, error) {
	src, err := contest.Source(membership.Memcached, addrs)
	if err != nil {
		return memcached{}, err
	}
	m, err := router.NewMemcached(ctx, router.Config{Source: src, Node: router.NodeConfig{ReadTimeout: contest.Patience}})
	return memcached{m, src}, err
}

func memcachedGet(e *contest.Environment) (contest.Operation, error) {
	addrs, err := memcachedServers(e)
	if err != nil {
		return nil, err
	}
	m, err := newMemcached(e.Ctx, addrs)
	if err != nil {
		return nil, err
	}
	e.OnClose(m.Close)
	return func(keys []string) error {
		item, err := m.Get(background, keys[0])
		return checkBytes(keys[0], item.Value, err)
	}, nil
}

func gomemcacheGet(e *contest.Environment) (contest.Operation, error) {
	addrs, err := memcachedServers(e)
	if err != nil {
		return nil, err
	}
	shards := make([]memcacheselector.Server, len(addrs))
	for i, addr := range addrs {
		shards[i] = memcacheselector.Server{ID: contest.NodeID(i), Address: addr}
	}
	selector, err := memcacheselector.New(contest.RingConfig, shards...)
	if err != nil {
		return nil, err
	}
	c := memcache.NewFromSelector(selector)
	c.MaxIdleConns, c.Timeout = many, contest.Patience
	e.OnClose(c.Close)
	return func(keys []string) error {
		item, err := c.Get(keys[0])
		if err != nil {
			return err
		}
		return checkBytes(keys[0], item.Value, nil)
	}, nil
}

// checkBytes is check, without the copy that a conversion would be.
func checkBytes(key string, value []byte, err error) error {
	if err == nil && (len(value) != valueSize || string(value[:len(key)]) != key) {
		return errWrong
	}
	return err
}
