package dataserver

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// redisServer is the Server of a Redis, or of what speaks its protocol.
type redisServer struct {
	base
	credentials credentials
	maxPages    int // of a walk

	turn chan struct{} // holds one while kept is in use
	kept *session      // nil: none, or it broke
}

func newRedis(b base, creds credentials) *redisServer {
	return &redisServer{base: b, credentials: creds, maxPages: maxPages, turn: make(chan struct{}, 1)}
}

// Close implements Server.
func (r *redisServer) Close() error {
	r.cancel()
	r.turn <- struct{}{} // what is under way ends at once
	if r.kept != nil {
		r.kept.close()
		r.kept = nil
	}
	<-r.turn
	return nil
}

// ask has f use the connection that is kept open. If that turns out to have
// been lost since it was last used, or never to have been let in, f is called
// once more, with a new one.
func (r *redisServer) ask(ctx context.Context, what string, f func(ctx context.Context, client *redis.Client) error) error {
	e := r.begin(ctx, what, r.timeout)
	defer e.end()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-e.ctx.Done():
		return e.verdict(e.ctx.Err())
	}
	if r.base.ctx.Err() != nil {
		return e.verdict(ErrClosed)
	}
	used := r.kept != nil
	err := r.useKept(e.ctx, f)
	if used && r.kept == nil && e.ctx.Err() == nil {
		err = r.useKept(e.ctx, f)
	}
	return e.verdict(err)
}

// useKept opens a session if there is none, and ends it if it is good for
// nothing more: then kept is nil.
func (r *redisServer) useKept(ctx context.Context, f func(ctx context.Context, client *redis.Client) error) (err error) {
	if r.kept == nil {
		if r.kept, err = r.newSession(); err != nil {
			return err
		}
	}
	err = r.kept.run(ctx, f)
	var said *reply
	if good := err == nil || errors.As(err, &said); !good || ctx.Err() != nil {
		r.kept.close()
		r.kept = nil
	}
	return err
}

// Probe implements Server. A PING alone is not enough: a replica and a sentinel
// answer it too.
func (r *redisServer) Probe(ctx context.Context) error {
	var pong, server, replication string
	err := r.ask(ctx, "probe", func(ctx context.Context, client *redis.Client) error {
		pipe := client.Pipeline()
		one, two, three := pipe.Ping(ctx), pipe.Info(ctx, "server"), pipe.Info(ctx, "replication")
		_, err := pipe.Exec(ctx) // the first error, and so that of PING if there is one
		pong, server, replication = one.Val(), two.Val(), three.Val()
		return err
	})
	switch {
	case err != nil:
		return err
	case pong != "PONG":
		return r.failed("probe", fmt.Errorf("it answers PING with %.20q, want PONG", pong))
	}
	return r.failed("probe", suitable(server, replication))
}

// suitable judges by the sections server and replication of INFO.
func suitable(server, replication string) error {
	mode := infoField(server, "redis_mode")
	if mode == "" {
		mode = infoField(server, "server_mode") // Valkey 8
	}
	if mode != "" && mode != "standalone" {
		return fmt.Errorf("%w: got %.20q", ErrMode, mode)
	}
	switch role := infoField(replication, "role"); role {
	case "master":
		return nil
	case "slave":
		return fmt.Errorf("%w: it follows %.200s:%.5s", ErrReplica,
			infoField(replication, "master_host"), infoField(replication, "master_port"))
	default:
		return fmt.Errorf("INFO replication: role: got %.20q, want master", role)
	}
}

// Identity implements Server.
func (r *redisServer) Identity(ctx context.Context) (string, error) {
	text, err := r.info(ctx, "identity", "server")
	if err != nil {
		return "", err
	}
	id := infoField(text, "run_id")
	if id == "" {
		return "", r.failed("identity", errors.New("INFO server: run_id: got none, want one"))
	}
	return id, nil
}

// Memory implements Server.
func (r *redisServer) Memory(ctx context.Context) (used, limit int64, err error) {
	text, err := r.info(ctx, "memory", "memory")
	if err != nil {
		return 0, 0, err
	}
	for name, value := range map[string]*int64{"used_memory": &used, "maxmemory": &limit} {
		field := infoField(text, name)
		if *value, err = strconv.ParseInt(field, 10, 64); err != nil || *value < 0 {
			return 0, 0, r.failed("memory", fmt.Errorf("INFO memory: %s: got %.20q, want a number of bytes", name, field))
		}
	}
	return used, limit, nil
}

func (r *redisServer) info(ctx context.Context, what, section string) (text string, err error) {
	err = r.ask(ctx, what, func(ctx context.Context, client *redis.Client) (err error) {
		text, err = client.Info(ctx, section).Result()
		return err
	})
	return text, err
}

// infoField finds "name:value" among the lines of an INFO; empty: there is none.
func infoField(text, name string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if value, found := strings.CutPrefix(line, name+":"); found {
			return strings.TrimRight(value, "\r")
		}
	}
	return ""
}
