package router

import (
	"context"
	"errors"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// effect says what an operation does, for the failure policy.
type effect uint8

const (
	toRead   effect = iota // may be asked elsewhere, and be a miss
	toSet                  // may be done elsewhere instead: a second time makes no difference
	toDelete               // is done elsewhere too, and has failed all the same
	toAlter                // may be done elsewhere only if it was not done here
)

// operation is what is done to one key or to many.
type operation struct {
	name string // for the tracer and MultiError
	what effect
}

// on runs an operation on the owner of the key. request is given a limit of the
// time to live, 0 for none.
func (m *Memcached) on(ctx context.Context, key string, op operation, request func(ctx context.Context, c *memcache.Client, limit time.Duration) error) error {
	if err := m.cfg.Keys.check(key); err != nil {
		return err
	}
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return m.empty(s)
		}
		n := s.nodes[s.placement.OwnerIndex(key)]
		if s.moving != nil && m.moved(s, n, key) {
			done, err := m.onMoving(ctx, key, op, func(ctx context.Context, c *memcache.Client) error { return request(ctx, c, 0) })
			if done {
				return err
			}
			continue
		}
		if n.enter() == 0 {
			continue // it is being retired: there is a newer snapshot
		}
		err := m.ask(ctx, s, n, op, 1, func(ctx context.Context, c *memcache.Client) error { return request(ctx, c, 0) })
		n.leave()
		if err != nil && m.cfg.Failure.Policy != FailFast {
			return m.afterFailure(ctx, s, n, key, op, err, request)
		}
		return err
	}
}

// ask runs a request on a node that was entered, and tells the tracer.
func (m *Memcached) ask(ctx context.Context, s *snapshot[*memcachedNode], n *memcachedNode, op operation, keys int, request func(context.Context, *memcache.Client) error) (err error) {
	if m.cfg.Tracer != nil {
		traced, done := n.trace(ctx, m.cfg.Tracer, Request{Kind: membership.Memcached, Command: op.name, Commands: keys, Epoch: s.view.Epoch})
		ctx = traced
		defer func() { done(memcachedAnswer(err)) }()
	}
	return n.ask(ctx, request)
}

func (m *Memcached) afterFailure(ctx context.Context, s *snapshot[*memcachedNode], owner *memcachedNode, key string, op operation, err error, request func(context.Context, *memcache.Client, time.Duration) error) error {
	var failed *NodeError
	if !errors.As(err, &failed) || ctx.Err() != nil {
		return err
	}
	if m.cfg.Failure.Policy == Miss {
		if op.what == toRead {
			return ErrCacheMiss
		}
		return err
	}
	if op.what == toAlter && !neverSent(failed.Err) {
		return err
	}
	next := s.successor(key, owner)
	if next == nil || next.enter() == 0 {
		return err
	}
	defer next.leave()
	instead := m.ask(ctx, s, next, op, 1, func(ctx context.Context, c *memcache.Client) error {
		return request(ctx, c, m.cfg.Failure.GutterTTL)
	})
	if op.what == toDelete {
		return err // the owner may come back with the value
	}
	return instead
}

// successor returns the node behind the key's owner on the ring, nil if there is
// none.
func (s *snapshot[P]) successor(key string, owner P) (next P) {
	ring, walks := s.placement.(walker)
	if !walks {
		return next
	}
	id := owner.member().ID
	ring.EachOwner(key, func(i int) bool {
		if s.nodes[i].member().ID == id {
			return true
		}
		next = s.nodes[i]
		return false
	})
	return next
}

// neverSent reports a failure before the server saw anything.
func neverSent(err error) bool {
	var silent *memcache.NoReplyError
	return errors.Is(err, ErrBreakerOpen) || errors.As(err, &silent) && !silent.Sent
}

func limited(ttl, limit time.Duration) time.Duration {
	if limit == 0 {
		return ttl
	}
	return ttlWithin(ttl, limit)
}
