package agent

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/memcache"
)

// A fence is the key on the own server by which the movers of other nodes are let
// in: see transit.Fence.
type fence interface {
	Set(ctx context.Context, transition uint64) error
	Drop(ctx context.Context) error
	Close() error
}

// newFence returns the fence of a server. It dials when it is first used.
func newFence(cfg dataserver.Config) (fence, error) {
	kind, err := cfg.Kind()
	if err != nil {
		return nil, err
	}
	if kind == membership.Memcached {
		client, err := dataserver.MemcachedClient(cfg, 1)
		return memcachedFence{client, cfg.Prefix}, err
	}
	client, err := dataserver.RedisClient(cfg, 1)
	return redisFence{client, cfg.Prefix}, err
}

type redisFence struct {
	client *redis.Client
	prefix string
}

func (f redisFence) Set(ctx context.Context, transition uint64) error {
	return transit.Redis{Client: f.client}.SetFence(ctx, transit.Fence{Prefix: f.prefix, Transition: transition})
}
func (f redisFence) Drop(ctx context.Context) error {
	return transit.Redis{Client: f.client}.DropFence(ctx, f.prefix)
}
func (f redisFence) Close() error { return f.client.Close() }

type memcachedFence struct {
	client *memcache.Client
	prefix string
}

func (f memcachedFence) Set(ctx context.Context, transition uint64) error {
	return transit.Memcached{Client: f.client}.SetFence(ctx, transit.Fence{Prefix: f.prefix, Transition: transition})
}
func (f memcachedFence) Drop(ctx context.Context) error {
	return transit.Memcached{Client: f.client}.DropFence(ctx, f.prefix)
}
func (f memcachedFence) Close() error { return f.client.Close() }

const (
	fenceTimeout = 2 * time.Second // of one command
	fenceRetry   = time.Second     // after one that failed
)

// keepFence holds the fence up while the node receives keys, from the announcement
// on: when other nodes begin to move, it stands. It drops it as soon as the
// transition ends for the node, or turns round: the way back has another number,
// and what was on its way forward is let in no more.
func (a *Agent) keepFence(done <-chan struct{}) {
	var held uint64 // the transition of the fence that stands, or may; 0: none
	var seen *posting
	var want uint64
	failing := false
	defer func() {
		if held != 0 {
			_ = a.withFence(a.fence.Drop)
		}
		_ = a.fence.Close()
	}()
	for {
		p, changed := a.board.read()
		if p != seen {
			seen, want = p, a.receivesIn(p)
		}
		err := a.moveFence(held, want)
		if want != 0 || err == nil {
			held = want
		}
		if err != nil && !failing {
			a.log.Warn("movers of other nodes cannot be let in, or kept out, by now", "transition", want, "error", err)
		}
		failing = err != nil
		timer := time.NewTimer(waitForFence(held, err))
		select {
		case <-changed:
		case <-timer.C:
		case <-done:
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// waitForFence is how long to wait before the fence is looked at again, unless
// there is news.
func waitForFence(held uint64, err error) time.Duration {
	switch {
	case err != nil:
		return fenceRetry
	case held != 0:
		return transit.FenceRenewal
	}
	return time.Hour
}

// moveFence sets the fence of one transition in place of that of another; 0: none.
func (a *Agent) moveFence(held, want uint64) error {
	switch {
	case want != 0:
		err := a.withFence(func(ctx context.Context) error { return a.fence.Set(ctx, want) })
		failpoint.At("fence.set")
		return err
	case held != 0:
		err := a.withFence(a.fence.Drop)
		failpoint.At("fence.dropped")
		return err
	}
	return nil
}

func (a *Agent) withFence(do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), fenceTimeout)
	defer cancel()
	return do(ctx)
}

// receivesIn returns the transition in which keys come to the node, or 0.
func (a *Agent) receivesIn(p *posting) uint64 {
	if p == nil {
		return 0
	}
	number, phase := p.view.Transition(a.data.data.Kind())
	if phase == membership.Stable || !p.receives(a.cfg.Gossip.Name, a.data.data.Kind(), a.cfg.Gossip.Node.Copies, a.cfg.Gossip.Placement) {
		return 0
	}
	return number
}

// receives reports whether keys come to the node in the transition under way. With
// several copies that is not looked at closely: a fence that nobody needs does no
// harm.
func (p *posting) receives(id string, kind membership.Kind, copies int, placement ring.Config) bool {
	isNext := false
	for _, n := range p.view.Next(kind) {
		isNext = isNext || n.ID == id
	}
	now, errNow := ring.New(p.view.Current(kind), placement)
	next, errNext := ring.New(p.view.Next(kind), placement)
	if !isNext || copies > 1 || errNow != nil || errNext != nil {
		return isNext
	}
	movements, err := ring.Diff(now, next)
	for _, m := range movements {
		if m.To == id {
			return true
		}
	}
	return err != nil
}
