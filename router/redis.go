package router

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

// Redis is a client for a fleet of Redis servers: a redis.UniversalClient that
// sends each key to the node that owns it. It is safe for concurrent use.
//
// All of go-redis's typed commands are there, through an embedded client that
// never dials: every command passes one hook, which routes it and calls nothing
// further.
type Redis struct {
	// Client is the embedded front. Its connection methods are overridden here;
	// do not call Client.Close or Client.AddHook on it by name.
	*redis.Client

	cfg   Config
	table command.Table
	fleet *fleet[*redisNode]
	hub   *hub // subscriptions
	crew  *crew
	given givenTags

	policy movePolicy // of operations on keys that have two owners
	spool  *spool     // what nodes have to be told and could not

	closed atomic.Bool
	hooks  sync.Mutex                // held while chain is replaced
	chain  atomic.Pointer[hookChain] // user hooks around the routing
}

var _ redis.UniversalClient = (*Redis)(nil)

// NewRedis returns a client that follows cfg.Source. It returns once the first
// view of the fleet is there, for which ctx bounds the wait, and dials no server
// before the first command. Close it when done.
func NewRedis(ctx context.Context, cfg Config) (*Redis, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	table, err := command.Table{}.With(cfg.Commands...)
	if err != nil {
		return nil, err
	}
	r := &Redis{cfg: cfg, table: table, policy: cacheMode{}, crew: newCrew()}
	r.spool = newSpool(r.payDebt)
	r.fleet = &fleet[*redisNode]{
		source: cfg.Source, kind: membership.Redis, place: cfg.Placement, report: cfg.OnError, failClosed: cfg.FailClosed,
		check: cfg.check, aftermath: transit.TombstoneLife, owes: r.spool.owing,
		open: func(m membership.Member) (*redisNode, error) { return newRedisNode(m, cfg) },
	}
	r.chain.Store(newHookChain(r, nil))
	if err := startFleet(ctx, r.fleet); err != nil {
		r.spool.close()
		return nil, err
	}
	r.Client = redis.NewClient(&redis.Options{
		Addr: "fleet", MaxRetries: -1, PoolSize: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
		// What would need a connection to "the" server fails with this.
		Dialer: func(context.Context, string, string) (net.Conn, error) {
			return nil, &UnsupportedError{Command: "a connection of its own", Reason: "a fleet has no single server: use ForEachNode or NodeFor"}
		},
	})
	r.Client.AddHook(frontHook{r})
	r.hub = newHub(r.fleet)
	return r, nil
}

// frontHook is the only hook of the embedded client. It never calls next.
type frontHook struct{ r *Redis }

func (h frontHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h frontHook) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error { return h.r.chain.Load().process(ctx, cmd) }
}

func (h frontHook) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error { return h.r.chain.Load().pipeline(ctx, cmds) }
}

// hookChain is the users' hooks around the routing, ready to call.
type hookChain struct {
	hooks    []redis.Hook
	process  redis.ProcessHook
	pipeline redis.ProcessPipelineHook
}

func newHookChain(r *Redis, hooks []redis.Hook) *hookChain {
	c := &hookChain{hooks: hooks, process: r.route, pipeline: r.routePipeline}
	for i := len(hooks) - 1; i >= 0; i-- { // the first that was added is the outermost
		if wrapped := hooks[i].ProcessHook(c.process); wrapped != nil {
			c.process = wrapped
		}
		if wrapped := hooks[i].ProcessPipelineHook(c.pipeline); wrapped != nil {
			c.pipeline = wrapped
		}
	}
	return c
}

// Process sends a command that the caller has made. Unless it is a *redis.Cmd,
// which takes any reply, it goes by itself: where others' commands are in the same
// packet, a reply that does not fit its type would fail them.
func (r *Redis) Process(ctx context.Context, cmd redis.Cmder) error {
	if _, takesAny := cmd.(*redis.Cmd); !takesAny {
		ctx = WithoutAutoPipeline(ctx)
	}
	return r.Client.Process(ctx, cmd)
}

// AddHook adds a hook around each command and pipeline, before it is routed; the
// first that was added is the outermost, as in go-redis. A hook sees a command
// once, however many nodes it goes to, and never a dial: for hooks by node see
// Config.OnNewNode.
func (r *Redis) AddHook(hook redis.Hook) {
	r.hooks.Lock()
	defer r.hooks.Unlock()
	old := r.chain.Load().hooks
	r.chain.Store(newHookChain(r, append(old[:len(old):len(old)], hook)))
}

// Close ends the client: it waits for requests in flight, at most
// Config.DrainTimeout, and closes every connection. Later commands fail with
// ErrClosed. The Source is left open. An error also says if there were nodes that
// could not be told, while keys moved, that a key was written or deleted elsewhere.
func (r *Redis) Close() error {
	if r.closed.Swap(true) {
		return nil
	}
	err := errors.Join(r.hub.close(), r.spool.settleWithin(r.cfg.DrainTimeout))
	r.spool.close()
	defer r.crew.close()
	return errors.Join(err, r.fleet.close(context.Background()), r.Client.Close())
}

// empty is the error of a snapshot that routes nothing.
func (r *Redis) empty(s *snapshot[*redisNode]) error {
	if r.closed.Load() {
		return ErrClosed
	}
	return s.why(membership.Redis)
}

// GoString is String: %#v would print the whole configuration.
func (r *Redis) GoString() string { return r.String() }

// PoolStats returns the sums of the nodes' connection pools.
func (r *Redis) PoolStats() *redis.PoolStats {
	var sum redis.PoolStats
	for _, n := range r.fleet.all() {
		s := n.client.PoolStats()
		sum.Hits += s.Hits
		sum.Misses += s.Misses
		sum.Timeouts += s.Timeouts
		sum.TotalConns += s.TotalConns
		sum.IdleConns += s.IdleConns
		sum.StaleConns += s.StaleConns
	}
	return &sum
}

// Stats returns what is known of each node, in the order of the placement.
func (r *Redis) Stats() []NodeStats {
	var all []NodeStats
	for _, n := range r.fleet.all() {
		m, pool, latency := n.member(), n.client.PoolStats(), n.stats.histogram()
		all = append(all, NodeStats{
			Node: m.ID, Address: m.Address, Zone: m.Zone,
			Operations: latency.Total() + n.stats.blocked.Load(), InFlight: n.inFlight.Load(), Errors: n.stats.errors(),
			Breaker: n.breaker.state(), Latency: latency,
			OpenConns: pool.TotalConns, IdleConns: pool.IdleConns, PoolTimeouts: pool.Timeouts,
			Owed: r.spool.size(m.ID),
		})
	}
	return all
}

// Epoch returns the epoch of the ring that new commands are routed by.
func (r *Redis) Epoch() uint64 { return r.fleet.current.Load().view.Epoch }

// NodeFor returns the ID of the node that owns the key, by the current ring if it
// is on the move, and "" if the fleet has no nodes. By the time it returns the fleet may have changed.
func (r *Redis) NodeFor(key string) string {
	s := r.fleet.current.Load()
	if s.placement == nil {
		return ""
	}
	return s.nodes[s.placement.OwnerIndex(key)].member().ID
}

// ForEachNode calls fn with the client of every node at the same time, also of
// those that keys are only being moved to, and joins the errors, each as a
// *NodeError. The clients belong to the router: do not
// close them, or keep them after fn has returned.
func (r *Redis) ForEachNode(ctx context.Context, fn func(ctx context.Context, id string, client *redis.Client) error) error {
	nodes, err := r.enterAll()
	if err != nil {
		return err
	}
	errs := make([]error, len(nodes))
	r.crew.together(len(nodes), func(i int) {
		n := nodes[i]
		defer n.leave()
		if err := fn(ctx, n.member().ID, n.client); err != nil {
			errs[i] = n.fail(err)
		}
	})
	return errors.Join(errs...)
}

// Watch runs a transaction on the node that owns the keys, as
// redis.Client.Watch does. It fails with a *CrossNodeError if they have several
// owners. Commands inside fn go to that node whatever their keys.
func (r *Redis) Watch(ctx context.Context, fn func(*redis.Tx) error, keys ...string) error {
	if err := r.watchable(keys); err != nil {
		return err
	}
	for {
		n, err := r.nodeOfAll("WATCH", keys)
		if err == nil {
			defer n.leave()
			return r.watchOn(ctx, n, fn, keys, nil)
		}
		if err != errMoving {
			return err
		}
		m, err := r.beginMove(ctx, watch, readsOf(keys))
		if err != nil {
			return err
		}
		if m != nil {
			defer m.end()
			return m.watch(ctx, fn, keys)
		}
	}
}

// WithTimeout returns a context that bounds calls of this client, since a fleet
// has no single connection whose time-outs could be changed: it is here so that
// the embedded client's method of this name is not called by mistake.
func (r *Redis) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, d)
}

type plainKey struct{}

// WithoutAutoPipeline returns a context whose commands are sent each by itself.
func WithoutAutoPipeline(ctx context.Context) context.Context {
	return context.WithValue(ctx, plainKey{}, true)
}
