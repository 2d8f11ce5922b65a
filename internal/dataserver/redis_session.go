package dataserver

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// A session is one connection to a Redis server: a go-redis client that dials
// once. go-redis would replace a connection that is lost without a word, and
// after some failures answer with the last of them for a second instead of
// dialling; here whoever finds a session broken ends it and opens another.
type session struct {
	client *redis.Client
	secret string // the password, to be kept out of errors
	ctx    context.Context
	cancel context.CancelFunc

	farewell error // what the server said before it closed the connection
}

// sessionPool is the size of go-redis's pool. One connection is in use; the
// number is how many dials may fail before go-redis starts a goroutine that
// dials on its own.
const sessionPool = 4

// newSession returns a session that dials when it is first used.
func (r *redisServer) newSession() (*session, error) {
	password, err := r.credentials.now()
	if err != nil {
		return nil, err
	}
	s := &session{secret: password}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var dialled atomic.Bool
	options := r.options(func(ctx context.Context) (net.Conn, error) {
		if dialled.Swap(true) {
			return nil, ErrConnectionLost
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(s.ctx, cancel)()
		return r.dialer.dial(ctx)
	})
	options.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		return r.introduce(ctx, conn, password)
	}
	options.PoolSize = sessionPool
	s.client = redis.NewClient(options)
	s.client.AddHook(listener{s})
	return s, nil
}

// options are those of all clients: they repeat nothing by themselves.
func (r *redisServer) options(dial func(context.Context) (net.Conn, error)) *redis.Options {
	return &redis.Options{
		Network: r.at.network, Addr: r.at.address,
		Dialer:   func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) },
		Protocol: 2, DisableIdentity: true,
		MaxRetries: -1, DialerRetries: 1,
		PipelinePoolSize: -1, ConnMaxIdleTime: -1,
		ContextTimeoutEnabled: true,
		DialTimeout:           r.timeout, ReadTimeout: r.patience, WriteTimeout: r.patience,
	}
}

// introduce does what go-redis could do by itself, but would tell the failure of
// in words of its own that nothing but their text sets apart.
func (r *redisServer) introduce(ctx context.Context, conn *redis.Conn, password string) error {
	auth := []any{"AUTH", r.credentials.username, password}
	if r.credentials.username == "" {
		auth = []any{"AUTH", password}
	}
	if password != "" {
		if err := conn.Process(ctx, redis.NewStatusCmd(ctx, auth...)); err != nil {
			return &refusal{ErrCredentials, err}
		}
	}
	if r.at.db != 0 {
		if err := conn.Select(ctx, r.at.db).Err(); err != nil {
			return &refusal{fmt.Errorf("database %d", r.at.db), err}
		}
	}
	return nil
}

// A refusal is the failure of a new connection's first words. It hides its cause
// from errors.Unwrap, which go-redis calls before it hands the error on.
type refusal struct {
	meaning error
	cause   error
}

func (e *refusal) Error() string { return e.meaning.Error() }

// run calls f, which uses the client once, and closes the session if ctx ends
// first: go-redis does not look at a context while it waits for the network.
func (s *session) run(ctx context.Context, f func(ctx context.Context, client *redis.Client) error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	defer context.AfterFunc(ctx, s.close)()
	err := f(ctx, s.client)
	if err != nil && s.farewell != nil {
		err = s.farewell
	}
	return s.explain(err)
}

func (s *session) close() {
	s.cancel()
	_ = s.client.Close()
}

// A reply is an error that the server answered with: the connection is good.
type reply struct {
	meaning error // one of this package, or nil
	text    string
}

func (e *reply) Error() string {
	if e.meaning == nil {
		return e.text
	}
	return e.meaning.Error() + ": " + e.text
}

func (e *reply) Unwrap() error { return e.meaning }

// meanings of the first word of an error reply.
var meanings = map[string]error{
	"NOAUTH": ErrCredentials, "WRONGPASS": ErrCredentials, "NOPERM": ErrCredentials,
	"LOADING": ErrLoading, "READONLY": ErrReplica, "MASTERDOWN": ErrReplica,
	"CLUSTERDOWN": ErrMode, "MOVED": ErrMode, "ASK": ErrMode,
}

// A listener hears what the server says to HELLO, which go-redis passes over
// since some servers do not know it: that it has too many clients, or takes none
// from other machines without a password. Of what follows, an EOF is left.
type listener struct{ *session }

func (l listener) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if cmd.Name() == "hello" && (redis.IsMaxClientsError(err) || redis.HasErrorPrefix(err, "DENIED ")) {
			l.farewell = err
		}
		return err
	}
}

func (l listener) DialHook(next redis.DialHook) redis.DialHook { return next }

func (l listener) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// explain turns an error reply of the server into a *reply. Everything else is
// left as it is.
func (s *session) explain(err error) error {
	var first *refusal
	if errors.As(err, &first) {
		err = first.cause
	}
	var said redis.Error
	if err == nil || !errors.As(err, &said) {
		return err
	}
	e := &reply{text: s.clean(said.Error())}
	code, _, _ := strings.Cut(e.text, " ")
	e.meaning = meanings[code]
	if first != nil && (e.meaning == nil || first.meaning == ErrCredentials) {
		e.meaning = first.meaning // whatever word the server has for it
	}
	return e
}

const shownReply = 200 // bytes of what a server says

// clean leaves out of an error reply what a password can be in: a server that
// does not know AUTH quotes its arguments, up to some length.
func (s *session) clean(text string) string {
	text, _, _ = strings.Cut(text, ", with args beginning with")
	if s.secret != "" {
		text = strings.ReplaceAll(text, s.secret, "(hidden)")
	}
	if len(text) > shownReply {
		text = text[:shownReply] + "…"
	}
	return text
}
