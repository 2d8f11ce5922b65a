package dataserver

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// Kind returns what the URL is that of.
func (c Config) Kind() (membership.Kind, error) {
	at, err := parseURL(c.URL)
	return at.kind, err
}

// At returns the Config of another server of the same fleet: at that address, in
// the form of membership.Member.Address, and otherwise like this one. A server
// behind a Unix socket is spoken to without TLS.
func (c Config) At(address string) (Config, error) {
	at, err := parseURL(c.URL)
	if err != nil {
		return c, err
	}
	u, err := url.Parse(c.URL)
	if err != nil {
		return c, invalid("URL", "it cannot be parsed")
	}
	path, unix := strings.CutPrefix(address, "unix://")
	switch {
	case unix:
		u.Scheme, u.Host, u.Path, u.RawQuery = string(at.kind)+"+unix", "", path, ""
		c.TLS = TLSFiles{}
	case at.unix:
		u.Scheme, u.Host, u.Path, u.RawQuery = string(at.kind), address, "", ""
	default:
		u.Host = address
		u.Path, u.RawQuery = "", ""
	}
	u.RawPath = ""
	switch {
	case at.db != 0 && unix:
		u.RawQuery = fmt.Sprintf("db=%d", at.db)
	case at.db != 0:
		u.Path = fmt.Sprintf("/%d", at.db)
	}
	c.URL = u.String()
	if _, err := parseURL(c.URL); err != nil {
		return c, fmt.Errorf("dataserver: address %.200q: got none that a server can be reached at: %w", address, err)
	}
	return c, nil
}

// RedisClient returns a client for the Redis server of a Config, with up to conns
// connections: it repeats nothing by itself, and dials when it is first used. It
// is the caller's to close. A call ends with its context's deadline, and with the
// client; not when its context is cancelled.
func RedisClient(config Config, conns int) (*redis.Client, error) {
	config, at, err := config.checked()
	if err != nil {
		return nil, err
	}
	if !at.redis() {
		return nil, invalid("URL", "got that of a %s server, want a Redis", at.kind)
	}
	creds, err := config.credentials(at)
	if err != nil {
		return nil, err
	}
	r := newRedis(newBase(config, at), creds)
	options := r.options(r.base.dial)
	options.PoolSize = conns
	options.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		password, err := r.credentials.now()
		if err != nil {
			return err
		}
		return r.introduce(ctx, conn, password)
	}
	return redis.NewClient(options), nil
}

// maxValue is the longest value that a memcached can be set up to hold (its
// option -I).
const maxValue = 1 << 30

// MemcachedClient is RedisClient for Memcached. Here a call ends when its context
// does.
func MemcachedClient(config Config, conns int) (*memcache.Client, error) {
	config, at, err := config.checked()
	if err != nil {
		return nil, err
	}
	if at.redis() {
		return nil, invalid("URL", "got that of a Redis server, want a Memcached")
	}
	if _, err := config.credentials(at); err != nil {
		return nil, err
	}
	b := newBase(config, at)
	c := b.memcacheConfig(b.patience)
	c.Conns, c.MaxValueSize = conns, maxValue
	client, err := memcache.New(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInvalidConfig, err)
	}
	return client, nil
}
