package router

import (
	"context"
	"fmt"
	"net"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/redis/go-redis/v9/push"
	"github.com/ringway/ringway/router/command"
)

// The methods of redis.Client that the hook does not see, and that are not in
// redis.go or pubsub.go. None of them may reach the embedded client's own
// connections, which lead nowhere, or run over the fleet what its caller expects
// to run on one connection.

// oneConnection is why.
func oneConnection(method string) *UnsupportedError {
	return &UnsupportedError{Command: method, Reason: "a fleet has no single connection: ForEachNode and Watch have the clients of nodes"}
}

// Conn returns a connection on which everything fails with an *UnsupportedError:
// its commands may concern any node, and would not share a connection. Take the
// Conn of a node's client, which ForEachNode has.
func (r *Redis) Conn() *redis.Conn { return refusing(oneConnection("Conn")).Conn() }

// EphemeralConn returns what Conn does.
func (r *Redis) EphemeralConn() *redis.Conn {
	return refusing(oneConnection("EphemeralConn")).EphemeralConn()
}

// refusing returns a client on which everything fails. It holds nothing that
// would have to be closed.
func refusing(err error) *redis.Client {
	c := redis.NewClient(&redis.Options{Addr: "fleet", MaxRetries: -1, PoolSize: 1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
	c.AddHook(refusal{err})
	return c
}

// refusal is a hook that lets nothing through.
type refusal struct{ err error }

func (h refusal) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, h.err }
}

func (h refusal) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(context.Context, redis.Cmder) error { return h.err }
}

func (h refusal) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(_ context.Context, cmds []redis.Cmder) error {
		setErrors(cmds, h.err)
		return h.err
	}
}

// AutoPipeline and its variants fail with an *UnsupportedError, as those of
// redis.Ring do. The commands of concurrent callers share packets already, node
// by node; a queue in front of all nodes would make every caller wait for the
// slowest of them. One caller with many commands uses Pipeline.
func (r *Redis) AutoPipeline() (*redis.AutoPipeliner, error) { return nil, errAutoPipeline() }

// AutoPipelineWithOptions is refused: see AutoPipeline.
func (r *Redis) AutoPipelineWithOptions(*redis.AutoPipelineOptions) (*redis.AutoPipeliner, error) {
	return nil, errAutoPipeline()
}

// AsyncAutoPipeline is refused: see AutoPipeline.
func (r *Redis) AsyncAutoPipeline() (*redis.AutoPipeliner, error) { return nil, errAutoPipeline() }

// AsyncAutoPipelineWithOptions is refused: see AutoPipeline.
func (r *Redis) AsyncAutoPipelineWithOptions(*redis.AutoPipelineOptions) (*redis.AutoPipeliner, error) {
	return nil, errAutoPipeline()
}

func errAutoPipeline() error {
	return &UnsupportedError{Command: "AutoPipeline", Reason: "commands of concurrent callers share packets already, node by node; one caller with many commands uses Pipeline"}
}

// Quit is refused, where go-redis panics. Close closes.
func (r *Redis) Quit(ctx context.Context) *redis.StatusCmd {
	cmd := redis.NewStatusCmd(ctx, "quit")
	cmd.SetErr(&UnsupportedError{Command: "QUIT", Reason: "it ends one connection, and calls share connections: use Close"})
	return cmd
}

// JSONDebugMemory is refused, where go-redis panics.
func (r *Redis) JSONDebugMemory(ctx context.Context, key, path string) *redis.IntCmd {
	cmd := redis.NewIntCmd(ctx, "json.debug", "memory", key, path)
	cmd.SetErr(&UnsupportedError{Command: "JSONDebugMemory", Reason: "go-redis does not implement it: use Do"})
	return cmd
}

// FTExplainCli is refused, as are all searches.
func (r *Redis) FTExplainCli(context.Context, string, string) error {
	return &UnsupportedError{Command: "FT.EXPLAINCLI", Reason: string(command.ReasonIndex)}
}

// RegisterPushNotificationHandler is refused: it would hear nothing here.
// Register it on the nodes' clients, in Config.OnNewNode.
func (r *Redis) RegisterPushNotificationHandler(string, push.NotificationHandler, bool) error {
	return &UnsupportedError{Command: "RegisterPushNotificationHandler", Reason: "notifications come on the nodes' connections: register it in Config.OnNewNode"}
}

// GetPushNotificationHandler returns nil: see RegisterPushNotificationHandler.
func (r *Redis) GetPushNotificationHandler(string) push.NotificationHandler { return nil }

// Options returns a copy of the options that the nodes' clients have in common.
// It has no address, and no password: with it no client of the fleet can be
// made.
func (r *Redis) Options() *redis.Options {
	n := r.cfg.Node
	return &redis.Options{
		DB: n.DB, TLSConfig: n.TLS, MaxRetries: -1, ContextTimeoutEnabled: true, PoolSize: n.PoolSize,
		DialTimeout: n.DialTimeout, ReadTimeout: n.ReadTimeout, WriteTimeout: n.WriteTimeout,
	}
}

// NodeAddress returns "": there are several. Stats has them.
func (r *Redis) NodeAddress() string { return "" }

// String says how many nodes there are, and by which ring.
func (r *Redis) String() string {
	s := r.fleet.current.Load()
	return fmt.Sprintf("Redis<%d nodes, epoch %d>", len(s.nodes), s.view.Epoch)
}
