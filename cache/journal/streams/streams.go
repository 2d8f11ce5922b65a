package streams

import (
	"context"
	"crypto/rand"
	"fmt"
	"reflect"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/internal/group"
)

// Config is what may be set of a Journal. The zero value is safe.
type Config struct {
	// Lease is how long a process that reads is waited for before another one reads
	// what it had: longer than it takes to do what was read, since a process that is
	// slower than that does it at the same time as the next; 0 means 30 s.
	Lease time.Duration

	// Timeout of a request that repeats; 0 means 5 s.
	Timeout time.Duration

	// MaxLen is how many records a queue takes, of all processes together; 0 means
	// 1,000,000.
	MaxLen int

	// Poll is how often who has nothing to do looks for what others have appended; 0
	// means 50 ms.
	Poll time.Duration

	// Volatile: a server that keeps no append-only file will do. What it has is lost
	// with it.
	Volatile bool
}

// Journal keeps queues in Redis Streams. It is safe for concurrent use.
type Journal struct {
	client redis.UniversalClient
	cfg    Config
}

// New returns a journal over a client, such as a *router.Redis, which stays the
// caller's. Nothing is sent until Queue is called.
func New(client redis.UniversalClient, cfg Config) (*Journal, error) {
	switch v := reflect.ValueOf(client); {
	case !v.IsValid(), v.Kind() == reflect.Pointer && v.IsNil():
		return nil, fmt.Errorf("journal: streams: client: nil (%T), want a client", client)
	case cfg.Lease < 0 || cfg.Timeout < 0 || cfg.Poll < 0 || cfg.MaxLen < 0:
		return nil, fmt.Errorf("journal: streams: Lease %v, Timeout %v, Poll %v, MaxLen %d: want 0 or more", cfg.Lease, cfg.Timeout, cfg.Poll, cfg.MaxLen)
	}
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{{&cfg.Lease, 30 * time.Second}, {&cfg.Timeout, 5 * time.Second}, {&cfg.Poll, 50 * time.Millisecond}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if cfg.MaxLen == 0 {
		cfg.MaxLen = 1_000_000
	}
	return &Journal{client: client, cfg: cfg}, nil
}

// Queue is journal.Journal's. The server must answer.
func (j *Journal) Queue(ctx context.Context, name string) (journal.Queue, error) {
	if err := journal.CheckName(name); err != nil {
		return nil, err
	}
	me := rand.Text()
	q := &queue{j: j, me: me, stream: "{" + name + "}:records", reader: "{" + name + "}:reader", appender: "{" + name + "}:by:" + me,
		poke: make(chan struct{}, 1), closed: make(chan struct{}), from: "-"}
	q.group = group.New(q.commit)
	kept, err := openScript.Run(ctx, j.client, []string{q.stream}, flag(j.cfg.Volatile)).Int()
	switch {
	case err != nil:
		return nil, fmt.Errorf("journal: streams: open %q: %w", name, err)
	case kept == 0:
		return nil, fmt.Errorf("journal: streams: open %q: the server keeps no append-only file, want appendonly yes, or Config.Volatile", name)
	}
	return q, nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}
