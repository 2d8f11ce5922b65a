package router

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/command"
)

// Config is what a router needs to know. Only Source is required; the zero value
// of everything else is a safe default.
type Config struct {
	// Source says who is in the fleet. It stays the caller's, to be closed after
	// the router.
	Source membership.Source

	Placement PlacementConfig // which node owns which key; the same for all clients of a fleet
	Node      NodeConfig      // how to reach a node
	Breaker   BreakerConfig   // when a node is left alone for a while
	Failure   FailureConfig   // what happens to an operation whose node is not reached
	Keys      KeyGuard        // keys to refuse
	Memcached MemcachedConfig // what only NewMemcached needs

	// Replication keeps copies of keys on further nodes; off by default, and for
	// Redis only.
	Replication ReplicationConfig

	// Tracer is told of each request to a node; package tracing has one for
	// OpenTelemetry. nil: nobody is.
	Tracer Tracer

	// Commands makes further Redis commands known, such as those of a module.
	Commands []command.Definition

	// FailClosed refuses every operation with a *DisagreementError while the
	// fleet disagrees about the ring: other members have had another one for
	// longer than convergence takes, or the fleet computes another one than this
	// router from the same members. By default OnError is told, and operations
	// go on: for a cache, a key that two clients look for on different nodes
	// costs less than no cache at all.
	FailClosed bool

	// NoAutoPipeline sends each command of NewRedis by itself. By default
	// commands share a connection and packets where more than four are under way
	// on a node.
	NoAutoPipeline bool

	// DrainTimeout is how long the client of a node that left, or of a router
	// that is closed, waits for requests in flight; 0 means 30 s.
	DrainTimeout time.Duration

	// OnNewNode is called with each Redis node's client before its first request:
	// the place for instrumentation by node. It must not call the router.
	OnNewNode func(id string, client *redis.Client)

	// OnError is told what a router cannot return to anybody: a view of the
	// fleet that it cannot use, a source that failed. It may be called from
	// several goroutines.
	OnError func(error)
}

// NodeConfig says how to reach a node. Addresses come from the Source. The zero
// value is for servers without TLS and passwords.
type NodeConfig struct {
	// Username and Password for every Redis node; Credentials, where it is set,
	// is asked instead for each new connection, with the node's ID, so that they
	// may differ by node and change. None of them is ever logged.
	Username, Password string
	Credentials        func(ctx context.Context, node string) (username, password string, err error)

	DB  int         // Redis database
	TLS *tls.Config // nil: no TLS. A ServerName is filled in where it has none

	// DialTimeout bounds the opening of a connection, ReadTimeout the wait for a
	// reply; 0 means 1 s. The deadline of a call's context counts if it is
	// earlier. For memcached, whose connections are shared, ReadTimeout is how
	// long one may go without any reply that is due before it is given up.
	DialTimeout, ReadTimeout time.Duration

	WriteTimeout time.Duration // Redis: of a request; 0 means ReadTimeout
	PoolSize     int           // Redis: connections a node at most; 0 means 10 a CPU
}

// String prints the configuration for people, the password left out.
func (c NodeConfig) String() string {
	return fmt.Sprintf("{Username:%q Password:%s Credentials:%t DB:%d TLS:%t DialTimeout:%v ReadTimeout:%v WriteTimeout:%v PoolSize:%d}",
		c.Username, hidden(c.Password), c.Credentials != nil, c.DB, c.TLS != nil, c.DialTimeout, c.ReadTimeout, c.WriteTimeout, c.PoolSize)
}

// GoString is String, for %#v.
func (c NodeConfig) GoString() string { return c.String() }

func hidden(secret string) string {
	if secret == "" {
		return "none"
	}
	return "hidden"
}

// KeyGuard refuses keys before anything is sent. The zero value lets everything
// through that the server takes.
type KeyGuard struct {
	MaxLength int             // bytes; 0: what the server takes, 512 MiB with Redis and 250 bytes with memcached
	Allowed   func(byte) bool // nil: every byte
}

func (g KeyGuard) check(key string) error {
	if g.MaxLength > 0 && len(key) > g.MaxLength {
		return &KeyError{Key: key, Reason: fmt.Sprintf("%d bytes, want at most %d", len(key), g.MaxLength)}
	}
	if g.Allowed == nil {
		return nil
	}
	for i := range len(key) {
		if !g.Allowed(key[i]) {
			return &KeyError{Key: key, Reason: fmt.Sprintf("byte %q at %d is not allowed", key[i], i)}
		}
	}
	return nil
}

func (c Config) withDefaults() (Config, error) {
	if c.Source == nil {
		return c, errors.New("router: config Source: got nil, want a membership.Source")
	}
	if err := c.Failure.validate(); err != nil {
		return c, err
	}
	if err := c.Replication.validate(c.Failure); err != nil {
		return c, err
	}
	for name, d := range map[string]time.Duration{
		"DrainTimeout": c.DrainTimeout, "Node.DialTimeout": c.Node.DialTimeout, "Node.ReadTimeout": c.Node.ReadTimeout,
		"Node.WriteTimeout": c.Node.WriteTimeout, "Failure.GutterTTL": c.Failure.GutterTTL,
	} {
		if d < 0 {
			return c, fmt.Errorf("router: config %s: got %v, want 0 or more", name, d)
		}
	}
	c.DrainTimeout = orDefault(c.DrainTimeout, 30*time.Second)
	c.Failure.GutterTTL = orDefault(c.Failure.GutterTTL, 10*time.Second)
	c.Node.DialTimeout = orDefault(c.Node.DialTimeout, time.Second)
	c.Node.ReadTimeout = orDefault(c.Node.ReadTimeout, time.Second)
	c.Node.WriteTimeout = orDefault(c.Node.WriteTimeout, c.Node.ReadTimeout)
	if c.OnError == nil {
		c.OnError = func(error) {}
	}
	return c, nil
}
