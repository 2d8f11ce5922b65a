package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench"
	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router"
)

const (
	keyCount  = 10_000
	valueSize = 100 // bytes

	// patience is the time-out of every client. On a machine that stands still
	// for a second a benchmark is slow; it need not fail.
	patience = 10 * time.Second
)

// benchKeys returns the keys in the order in which every client reads them.
func benchKeys() []string { return bench.Keys()[:keyCount] }

// valueOf is what is stored under a key: 100 bytes that begin with it.
func valueOf(key string) string { return strings.Repeat(key, valueSize/len(key)) }

// environment holds the servers, which are started when the first client wants
// them, and everything that is to be closed.
type environment struct {
	ctx              context.Context // of the whole run
	redis, memcached []string        // addresses; nil before they are started
	closers          []func() error
}

func (e *environment) onClose(f func() error) { e.closers = append(e.closers, f) }

// close closes clients and servers, what was opened last first.
func (e *environment) close() error {
	var errs []error
	for _, f := range slices.Backward(e.closers) {
		errs = append(errs, f())
	}
	e.closers = nil
	return errors.Join(errs...)
}

// redisServers returns the addresses of servers each of which has all keys, since
// each client places them by a rule of its own.
func (e *environment) redisServers() ([]string, error) {
	if e.redis != nil {
		return e.redis, nil
	}
	addrs, err := e.start(servers.Redis)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: patience, WriteTimeout: patience})
		_, err := client.Pipelined(e.ctx, func(pipe redis.Pipeliner) error {
			for _, key := range benchKeys() {
				pipe.Set(e.ctx, key, valueOf(key), 0)
			}
			return nil
		})
		if err = errors.Join(err, client.Close()); err != nil {
			return nil, fmt.Errorf("storing the keys: %w", err)
		}
	}
	e.redis = addrs
	return addrs, nil
}

// memcachedServers returns the addresses of servers each of which has the keys
// that it owns by our ring, which all memcached clients here use.
func (e *environment) memcachedServers() (addrs []string, err error) {
	if e.memcached != nil {
		return e.memcached, nil
	}
	if addrs, err = e.start(servers.Memcached); err != nil {
		return nil, err
	}
	client, err := newMemcached(e.ctx, addrs)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	items := make([]router.Item, keyCount)
	for i, key := range benchKeys() {
		items[i] = router.Item{Key: key, Value: []byte(valueOf(key))}
	}
	if err := client.SetMulti(e.ctx, items); err != nil {
		return nil, fmt.Errorf("storing the keys: %w", err)
	}
	e.memcached = addrs
	return addrs, nil
}

// start starts servers, with their data in folders that go when they are closed.
func (e *environment) start(kind servers.Kind) (addrs []string, err error) {
	dir, err := os.MkdirTemp("", "routers")
	if err != nil {
		return nil, err
	}
	e.onClose(func() error { return os.RemoveAll(dir) })
	for i := range shardCount {
		own := filepath.Join(dir, nodeID(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		server, err := servers.Start(e.ctx, servers.Config{Kind: kind, Dir: own})
		if err != nil {
			return nil, err
		}
		e.onClose(server.Close)
		addrs = append(addrs, server.Addr())
	}
	return addrs, nil
}

// nodeID names the servers in an order that is also that of the ring's positions.
func nodeID(i int) string { return fmt.Sprintf("node%d", i) }

// source is the fleet as the router sees it.
func source(kind membership.Kind, addrs []string) (membership.Source, error) {
	members := make([]membership.Member, len(addrs))
	for i, addr := range addrs {
		members[i] = membership.Member{ID: nodeID(i), Kind: kind, Address: addr}
	}
	return membership.Static(members...)
}

// ringConfig is the router's default, for the clients that we shard by hand.
var ringConfig = ring.Config{Hasher: ring.Hasher{HashTags: true}}

// newRing returns the ring of the servers; the position of an owner is the
// server's.
func newRing() (*ring.Ring, error) {
	ids := make([]string, shardCount)
	for i := range ids {
		ids[i] = nodeID(i)
	}
	return ring.New(ring.Nodes(ids...), ringConfig)
}
