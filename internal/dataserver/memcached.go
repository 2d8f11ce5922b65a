package dataserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/ringway/ringway/router/memcache"
)

// memcachedServer is the Server of a Memcached.
type memcachedServer struct {
	base
	probes *memcache.Client // for short questions
	work   *memcache.Client // for walks over the keys, whose exchanges may take longer

	gatherMax  int   // keys gathered from one dump
	maxDumps   int   // of a walk
	flushAbove int64 // so many items are worth a flush_all
	busyFor    time.Duration
	busyPause  time.Duration
}

func newMemcached(b base) (*memcachedServer, error) {
	m := &memcachedServer{base: b, gatherMax: gatherMax, maxDumps: maxDumps, flushAbove: flushAbove, busyFor: busyFor, busyPause: busyPause}
	var err, errWork error
	m.probes, err = m.client(b.timeout)
	m.work, errWork = m.client(b.patience)
	if err = errors.Join(err, errWork); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidConfig, err)
	}
	return m, nil
}

func (m *memcachedServer) client(replyTimeout time.Duration) (*memcache.Client, error) {
	return memcache.New(m.memcacheConfig(replyTimeout))
}

// memcacheConfig is that of all clients.
func (b *base) memcacheConfig(replyTimeout time.Duration) memcache.Config {
	address := b.at.address
	if b.at.unix {
		address = "unix://" + address
	}
	return memcache.Config{
		Address: address, Conns: 1, EncodeKeys: true,
		DialTimeout: b.timeout, ReplyTimeout: replyTimeout,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) { return b.dial(ctx) },
	}
}

// Close implements Server.
func (m *memcachedServer) Close() error {
	m.cancel()
	return errors.Join(m.probes.Close(), m.work.Close())
}

// Probe implements Server.
func (m *memcachedServer) Probe(ctx context.Context) error {
	e := m.begin(ctx, "probe", m.timeout)
	defer e.end()
	return e.verdict(timely(m.probes.Ping(e.ctx)))
}

// timely gives the errors of package memcache that stand for a lapse of time
// the name that this package has for it.
func timely(err error) error {
	if errors.Is(err, memcache.ErrOverdue) || errors.Is(err, memcache.ErrDialTimeout) {
		return fmt.Errorf("%w: %w", ErrNoAnswer, err)
	}
	return err
}

// numbers are those of the server's statistics that are of interest here.
type numbers struct {
	pid, now, uptime  int64 // now in Unix seconds, by the server's clock
	items             int64 // expired and flushed ones may be among them
	used, limit       int64 // bytes
	hashPower, expand int64 // of the hash table; whether it is growing: 0, 1
}

func (m *memcachedServer) numbers(ctx context.Context, what string) (n numbers, err error) {
	e := m.begin(ctx, what, m.timeout)
	defer e.end()
	stats, err := m.probes.ServerStats(e.ctx, "")
	if err != nil {
		return n, e.verdict(timely(err))
	}
	for name, value := range map[string]*int64{
		"pid": &n.pid, "time": &n.now, "uptime": &n.uptime, "curr_items": &n.items,
		"bytes": &n.used, "limit_maxbytes": &n.limit,
		"hash_power_level": &n.hashPower, "hash_is_expanding": &n.expand,
	} {
		if *value, err = strconv.ParseInt(stats[name], 10, 64); err != nil || *value < 0 {
			return numbers{}, m.failed(what, fmt.Errorf("stats: %s: got %.40q, want a number", name, stats[name]))
		}
	}
	return n, nil
}

// Identity implements Server. The server takes its time and its uptime from the
// same tick of its clock: their difference does not change while it runs.
func (m *memcachedServer) Identity(ctx context.Context) (string, error) {
	n, err := m.numbers(ctx, "identity")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%d@%d", n.pid, n.now-n.uptime), nil
}

// Memory implements Server.
func (m *memcachedServer) Memory(ctx context.Context) (used, limit int64, err error) {
	n, err := m.numbers(ctx, "memory")
	return n.used, n.limit, err
}
