package router

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// MemcachedConfig has what only NewMemcached needs. The zero value is the default.
type MemcachedConfig struct {
	// Conns is the number of connections a node at most, shared by all callers;
	// 0 means memcache.DefaultConns, more than 64 is refused.
	Conns int

	// MaxValueSize is the longest value in bytes that is sent or returned; 0
	// means 1 MiB, the server's own default.
	MaxValueSize int

	// EncodeKeys sends keys with spaces or control characters in base64, up to
	// memcache.MaxEncodedKey bytes of them. By default they are refused. All
	// programs that use such keys must encode them; other keys are sent as they
	// are.
	EncodeKeys bool
}

// memcachedNode is the client of one memcached server.
type memcachedNode struct {
	node
	client *memcache.Client
}

func newMemcachedNode(m membership.Member, cfg Config) (*memcachedNode, error) {
	client, err := memcache.New(memcache.Config{
		Address: m.Address, TLS: cfg.Node.TLS,
		Conns: cfg.Memcached.Conns, MaxValueSize: cfg.Memcached.MaxValueSize, EncodeKeys: cfg.Memcached.EncodeKeys,
		DialTimeout: cfg.Node.DialTimeout, ReplyTimeout: cfg.Node.ReadTimeout,
	})
	if err != nil {
		return nil, err
	}
	n := &memcachedNode{client: client}
	n.init(m, cfg, memcachedKindOf)
	return n, nil
}

func (n *memcachedNode) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.drain)
	defer cancel()
	n.lifecycle.retire(ctx)
	n.client.Close()
}

// memcachedKindOf sorts the errors of package memcache: only a *NoReplyError
// says something of the node.
func memcachedKindOf(err error) errorKind {
	var silent *memcache.NoReplyError
	var late interface{ Timeout() bool }
	switch {
	case err == nil || errors.Is(err, memcache.ErrCacheMiss):
		return fine
	case !errors.As(err, &silent) && !errors.Is(err, memcache.ErrProtocol):
		return reply
	case errors.Is(err, context.Canceled):
		return canceled
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, memcache.ErrOverdue), errors.Is(err, memcache.ErrDialTimeout),
		errors.As(err, &late) && late.Timeout():
		return timeout
	}
	return network
}

// snapshot returns what a router tells of a memcached node.
func (n *memcachedNode) snapshot() NodeStats {
	m, latency, client := n.member(), n.node.stats.histogram(), n.client.Stats()
	return NodeStats{
		Node: m.ID, Address: m.Address, Zone: m.Zone,
		Operations: latency.Total(), InFlight: n.inFlight.Load(), Errors: n.node.stats.errors(),
		Breaker: n.breaker.state(), Latency: latency,
		OpenConns: uint32(client.Conns),
	}
}

// ask runs a request on a node that was entered: allowed, timed, and its error
// put into the router's terms.
func (n *memcachedNode) ask(ctx context.Context, request func(context.Context, *memcache.Client) error) error {
	begun, err := n.begin(ctx)
	if err != nil {
		return err
	}
	return n.end(ctx, &begun, request(ctx, n.client), false)
}

// memcachedAnswer is the error of a request without those that are answers of the
// server, and what was asked for.
func memcachedAnswer(err error) error {
	if errors.Is(err, ErrCacheMiss) || errors.Is(err, ErrNotStored) || errors.Is(err, ErrCASConflict) {
		return nil
	}
	return err
}

// ttlWithin cuts a time to live; 0, which is for ever, is cut too.
func ttlWithin(ttl, limit time.Duration) time.Duration {
	if ttl == 0 || ttl > limit {
		return limit
	}
	return ttl
}
