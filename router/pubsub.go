package router

import (
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Subscribe returns a subscription to channels, with go-redis's own type. A
// channel belongs to the node that owns its name as a key, hash tag included:
// there the router sends PUBLISH, and there it subscribes. The channels of
// keyspace notifications, which every server publishes itself, are subscribed to
// on all nodes.
//
// Receive returns a *redis.Subscription once the node has confirmed, and another
// one whenever the subscription had to be made anew, because the node was lost
// or the channel got another owner: what was published in between may be missed.
// While a node cannot be reached, Receive returns an error that names it, once,
// and goes on with the channels of the others; the node is tried again until it
// answers.
//
// A subscription holds a connection to each node that it needs. It ends with its
// Close, or with that of the router.
func (r *Redis) Subscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return r.hub.client.Subscribe(ctx, channels...)
}

// PSubscribe is Subscribe for patterns: on every node, since a channel of any of
// them may match. It is confirmed once every node that can be reached has.
func (r *Redis) PSubscribe(ctx context.Context, patterns ...string) *redis.PubSub {
	return r.hub.client.PSubscribe(ctx, patterns...)
}

// SSubscribe is Subscribe for what is published with SPUBLISH.
func (r *Redis) SSubscribe(ctx context.Context, channels ...string) *redis.PubSub {
	return r.hub.client.SSubscribe(ctx, channels...)
}

// hub makes a redis.PubSub span the fleet. The type has no exported fields and
// no interface behind it; what it does have is a connection. So its client's
// connections lead to the hub, which speaks the protocol of a server's
// subscriptions and holds the real ones: a session for each connection.
type hub struct {
	fleet  *fleet[*redisNode]
	client *redis.Client
	health time.Duration // how often a silent node is asked whether it is there

	ctx  context.Context // ends with the hub
	stop context.CancelFunc

	mu       sync.Mutex // held while a session starts, so that close waits for it
	sessions sync.WaitGroup
}

// healthInterval is go-redis's own.
const healthInterval = 3 * time.Second

func newHub(f *fleet[*redisNode]) *hub {
	h := &hub{fleet: f, health: healthInterval}
	h.ctx, h.stop = context.WithCancel(context.Background())
	h.client = redis.NewClient(&redis.Options{
		Addr: "fleet", Dialer: h.dial, Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	return h
}

// dial starts a session.
func (h *hub) dial(context.Context, string, string) (net.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ctx.Err() != nil {
		return nil, ErrClosed
	}
	outer, inner := net.Pipe()
	newSession(h, inner).start()
	return outer, nil
}

// close ends all sessions and waits for them.
func (h *hub) close() error {
	h.mu.Lock()
	h.stop()
	h.mu.Unlock()
	err := h.client.Close()
	h.sessions.Wait()
	return err
}

// subject is what one subscribes to. The kind is the command: a channel and a
// pattern of the same name are two.
type subject struct{ kind, name string }

const (
	toChannel = "subscribe"
	toPattern = "psubscribe"
	toShard   = "ssubscribe"
)

// undone is the opposite of each command.
var undone = map[string]string{toChannel: "unsubscribe", toPattern: "punsubscribe", toShard: "sunsubscribe"}

// everywhere reports a subject that concerns every node.
func (s subject) everywhere() bool {
	return s.kind == toPattern ||
		s.kind == toChannel && (strings.HasPrefix(s.name, "__keyspace@") || strings.HasPrefix(s.name, "__keyevent@"))
}

// targets returns the nodes that a subject concerns by a snapshot.
func (s subject) targets(snap *snapshot[*redisNode]) []*redisNode {
	switch {
	case snap.placement == nil:
		return nil
	case s.everywhere():
		return snap.all()
	}
	i := snap.placement.OwnerIndex(s.name)
	return snap.nodes[i : i+1]
}
