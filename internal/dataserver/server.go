package dataserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// A Server is one Redis or Memcached server. It is safe for concurrent use:
// what an agent asks while a walk over the keys goes on does not wait for it.
// Every call ends soon after its context, and all fail with ErrClosed after
// Close.
type Server interface {
	// Kind is membership.Redis or membership.Memcached.
	Kind() membership.Kind

	// Address is where the server is, in the form of membership.Member.Address:
	// as in the URL, with a port.
	Address() string

	// Probe asks the server whether it serves, in one exchange that takes
	// Config.Timeout at most: PING for Redis, mn for Memcached. A Redis that is
	// loading, is a replica, or belongs to a cluster does not.
	Probe(ctx context.Context) error

	// Identity names the process that serves: another one means that the server
	// was restarted. For Redis it is the run_id; for Memcached, which has none,
	// the process ID and the second of its start, so that a restart in a
	// container may go unnoticed if it takes less than a second. (Nothing old
	// comes back with that: Memcached forgets what it held.)
	Identity(ctx context.Context) (string, error)

	// Mark keeps a text on the server, under a name that no application uses; empty
	// removes it. Marked returns it, or nothing if there is none. It goes with a
	// Purge that drops all keys at once, and when the server loses or evicts it;
	// Count, Purge, Sweep and movers pass over it.
	Mark(ctx context.Context, text string) error
	Marked(ctx context.Context) (text string, err error)

	// Lasting reports whether a restarted server may come back with keys: a Redis
	// always (a snapshot, a log, or what it copied from another one), a Memcached
	// that was started with a memory file (-e).
	Lasting(ctx context.Context) (bool, error)

	// Count returns how many keys there are under the prefix, without the fences
	// and tombstones of transitions and the mark; in a large Redis database,
	// without a prefix, those are counted too. 0 is exact, as long as nobody writes. Redis counts
	// keys whose time is up and that it has not removed yet, and, when it walks,
	// possibly one twice while the server resizes its table. It costs a walk over
	// all keys of the server, unless it is a large Redis without a prefix.
	Count(ctx context.Context) (int64, error)

	// Purge removes every key that is there when it begins, and possibly some
	// that come meanwhile. It returns how many went, also with an error: where all
	// are dropped at once, fences and tombstones with them, as they were counted
	// just before. progress, unless nil,
	// is called now and then with that number so far, from this goroutine.
	Purge(ctx context.Context, progress func(removed int64)) (removed int64, err error)

	// Sweep is Purge for the keys that keep refuses. keep must be quick, and
	// must not call the Server; it may be asked about a key more than once, and
	// is asked about keys under the prefix only.
	Sweep(ctx context.Context, keep func(key string) bool, progress func(removed int64)) (removed int64, err error)

	// Memory returns the bytes that the server uses for its data, of all
	// databases, and how many it may use; limit 0: there is none.
	Memory(ctx context.Context) (used, limit int64, err error)

	// Close ends all connections and whatever is under way. It may be called
	// twice.
	Close() error
}

// Open returns the Server of a Config. It reads the files that the Config names
// and dials nothing. The error wraps ErrInvalidConfig.
func Open(config Config) (Server, error) {
	config, at, err := config.checked()
	if err != nil {
		return nil, err
	}
	creds, err := config.credentials(at)
	if err != nil {
		return nil, err
	}
	b := newBase(config, at)
	if at.redis() {
		return newRedis(b, creds), nil
	}
	return newMemcached(b)
}

// base is what both kinds have in common.
type base struct {
	at       endpoint // without its password
	dialer   dialer
	prefix   string
	timeout  time.Duration // of one exchange
	patience time.Duration // of one exchange in a walk
	rate     int           // keys a second; 0: no limit
	ctx      context.Context
	cancel   context.CancelFunc // by Close
}

func newBase(config Config, at endpoint) base {
	at.password = ""
	b := base{
		at:      at,
		dialer:  dialer{at: at, files: config.TLS, timeout: config.Timeout},
		prefix:  config.Prefix,
		timeout: config.Timeout, patience: workFactor * config.Timeout,
		rate: config.Rate,
	}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

func (b *base) Kind() membership.Kind { return b.at.kind }
func (b *base) Address() string       { return b.at.announced() }

// ours reports whether a key is one that the Server sees: under the prefix, and
// no fence or tombstone.
func (b *base) ours(key string) bool {
	return strings.HasPrefix(key, b.prefix) && !transit.IsMarker(key)
}

// String names the server; there is nothing secret in it.
func (b *base) String() string { return b.at.name() }

// Format is String whatever the verb, since some print the fields.
func (b *base) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, b.String()) }

// dial opens a connection, which Close and the context can prevent.
func (b *base) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(b.ctx, cancel)()
	return b.dialer.dial(ctx)
}

// An exchange is one question and its answer, or a walk with many of them.
type exchange struct {
	base   *base
	what   string // for errors: "probe"
	caller context.Context
	limit  time.Duration // 0: none but the caller's

	// ctx ends with the caller's, after limit, and with Close.
	ctx context.Context
	end func()
}

func (b *base) begin(ctx context.Context, what string, limit time.Duration) *exchange {
	e := &exchange{base: b, what: what, caller: ctx, limit: limit}
	var cancel context.CancelFunc
	if limit > 0 {
		e.ctx, cancel = context.WithTimeout(ctx, limit)
	} else {
		e.ctx, cancel = context.WithCancel(ctx)
	}
	stop := context.AfterFunc(b.ctx, cancel)
	e.end = func() { stop(); cancel() }
	if b.ctx.Err() != nil {
		cancel() // at once: what AfterFunc starts may come too late
	}
	return e
}

// verdict says why the exchange failed. What the network says is often only the
// consequence: of a context that ended, of Close, of our own limit.
func (e *exchange) verdict(err error) error {
	if err == nil {
		return nil
	}
	var slow net.Error
	late := errors.Is(err, context.DeadlineExceeded) || errors.As(err, &slow) && slow.Timeout()
	switch {
	case e.base.ctx.Err() != nil:
		err = ErrClosed
	case e.caller.Err() != nil:
		err = e.caller.Err()
	case late && passed(e.caller): // the network's clock was quicker than the context's
		err = context.DeadlineExceeded
	case e.ctx.Err() != nil, late && passed(e.ctx):
		err = fmt.Errorf("%w within %v", ErrNoAnswer, e.limit)
	case late:
		// Not wrapped: it would match context.DeadlineExceeded, which is for
		// the caller's own deadline.
		err = fmt.Errorf("%w: %v", ErrNoAnswer, err)
	}
	return e.base.failed(e.what, err)
}

// passed reports whether the deadline of ctx, if any, is over.
func passed(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ok && !time.Now().Before(deadline)
}

// failed says what failed, and at which server.
func (b *base) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("dataserver: %s of %s: %w", what, b.at.name(), err)
}

// rest waits as long as n keys take at the rate.
func (b *base) rest(ctx context.Context, n int) error {
	if b.rate == 0 || n == 0 {
		return ctx.Err()
	}
	return pause.For(ctx, time.Duration(float64(n)/float64(b.rate)*float64(time.Second)))
}

func keepNothing(string) bool    { return false }
func keepEverything(string) bool { return true }

// A tally is what a walk over the keys has done so far.
type tally struct {
	seen     int64 // keys under the prefix
	removed  int64
	progress func(removed int64) // nil: nobody asks
}

func (t *tally) report() {
	if t.progress != nil {
		t.progress(t.removed)
	}
}

var errNoKeep = errors.New("dataserver: sweep: keep: got nil, want a function; Purge removes everything")
