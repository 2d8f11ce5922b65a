package router

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// redisNode is the client of one Redis server.
type redisNode struct {
	node
	client *redis.Client
	pipe   *redis.AutoPipeliner // nil where auto-pipelining is off
	queue  *redis.AutoPipeliner // the same for callers who may leave before the reply
}

func newRedisNode(m membership.Member, cfg Config) (*redisNode, error) {
	if err := dialable(m.Address); err != nil {
		return nil, err
	}
	n := &redisNode{client: redis.NewClient(redisOptions(m, cfg))}
	n.client.AddHook(readGuard{}) // before those of OnNewNode, which it has inside
	n.init(m, cfg, kindOf)
	if !cfg.NoAutoPipeline {
		var err, errQueue error
		n.pipe, err = n.client.AutoPipelineWithOptions(packets())
		n.queue, errQueue = n.client.AsyncAutoPipelineWithOptions(packets())
		if err = errors.Join(err, errQueue); err != nil {
			return nil, errors.Join(err, n.client.Close())
		}
	}
	if cfg.OnNewNode != nil {
		cfg.OnNewNode(m.ID, n.client)
	}
	n.client.AddHook(patientHook{n.client})
	return n, nil
}

// packets says when commands that wait to share a packet are sent: as soon as the
// packet before has been answered. By default go-redis then waits for as many more
// as that packet had. With several servers they often go to another one, so that
// all wait for a time-out instead.
func packets() *redis.AutoPipelineOptions {
	return &redis.AutoPipelineOptions{MaxBatchSize: 1, MaxConcurrentBatches: 1}
}

// dialable refuses an address that no dial can reach, whoever made the view: it
// would fail with the first request, and say less.
func dialable(address string) error {
	if path, isUnix := strings.CutPrefix(address, "unix://"); isUnix && strings.HasPrefix(path, "/") {
		return nil
	}
	if host, port, err := net.SplitHostPort(address); err == nil && host != "" && !strings.ContainsAny(host, "/@ ") {
		if n, err := strconv.ParseUint(port, 10, 16); err == nil && n > 0 {
			return nil
		}
	}
	return fmt.Errorf("address: got %q, want host:port or unix:///path; NodeConfig.TLS turns on TLS", clip(address))
}

// redisOptions leaves no retry to go-redis: after a time-out it cannot know
// whether an INCR was done, and would do it again.
func redisOptions(m membership.Member, cfg Config) *redis.Options {
	network, address := "tcp", m.Address
	if path, isUnix := strings.CutPrefix(address, "unix://"); isUnix {
		network, address = "unix", path
	}
	o := &redis.Options{
		Network: network, Addr: address, DB: cfg.Node.DB,
		Username: cfg.Node.Username, Password: cfg.Node.Password,
		MaxRetries: -1, ContextTimeoutEnabled: true,
		DialTimeout: cfg.Node.DialTimeout, DialerRetries: 1,
		ReadTimeout: cfg.Node.ReadTimeout, WriteTimeout: cfg.Node.WriteTimeout,
		PoolSize: cfg.Node.PoolSize,
	}
	if ask := cfg.Node.Credentials; ask != nil {
		o.CredentialsProviderContext = func(ctx context.Context) (username, password string, err error) {
			if username, password, err = ask(ctx, m.ID); err != nil {
				err = &credentialsError{err}
			}
			return username, password, err
		}
	}
	if cfg.Node.TLS != nil {
		o.TLSConfig = withServerName(cfg.Node.TLS, address)
	}
	return o
}

func withServerName(cfg *tls.Config, address string) *tls.Config {
	cfg = cfg.Clone()
	if host, _, err := net.SplitHostPort(address); err == nil && cfg.ServerName == "" {
		cfg.ServerName = host
	}
	return cfg
}

func (n *redisNode) retire(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, n.drain)
	defer cancel()
	n.lifecycle.retire(ctx)
	n.client.Close() // closes the auto-pipeliner too; there is nobody to tell of an error
}

func kindOf(err error) errorKind {
	if err == nil || err == redis.Nil {
		return fine
	}
	if errors.Is(err, redis.ErrPoolTimeout) || errors.As(err, new(*credentialsError)) {
		return local
	}
	var fromServer redis.Error
	if errors.As(err, &fromServer) && !errors.Is(err, redis.ErrClosed) {
		if notReady(err) {
			return network
		}
		return reply
	}
	if errors.As(err, new(*net.OpError)) || errors.Is(err, redis.ErrClosed) {
		return networkOrTimeout(err)
	}
	if strings.HasPrefix(err.Error(), "redis: ") { // what go-redis says of a reply that the command cannot take; it has no types for it
		return reply
	}
	var number *strconv.NumError
	if errors.As(err, &number) { // a text where the command's type wants a number
		return reply
	}
	if errors.Is(err, context.Canceled) {
		return canceled
	}
	return networkOrTimeout(err)
}

func networkOrTimeout(err error) errorKind {
	var late interface{ Timeout() bool }
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &late) && late.Timeout() {
		return timeout
	}
	return network
}

// notReady reports a server that is there, and did nothing: it loads its data,
// has lost its master, or has too many clients. For whoever asks for a key that
// is a node that fails.
func notReady(err error) bool {
	return redis.IsLoadingError(err) || redis.IsMasterDownError(err) || redis.IsClusterDownError(err) || redis.IsMaxClientsError(err)
}

// credentialsError is an error of NodeConfig.Credentials, which says nothing of
// the node.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return "credentials: " + e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }
