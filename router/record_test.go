package router

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// recordedFleet is a router over four nodes whose clients send nothing: a hook
// on each keeps what it was given, and answers.
type recordedFleet struct {
	*Redis
	dials int // of the front, which must stay 0

	mu     sync.Mutex // guards the following
	sent   map[string][][]any
	answer func(cmd redis.Cmder) error
}

// recorded is an error that a server might give, so that no breaker opens and
// nothing is sent again.
type recorded struct{}

func (recorded) Error() string { return "RECORDED by the test" }
func (recorded) RedisError()   {}

func recordFleet(t *testing.T) *recordedFleet {
	t.Helper()
	f := &recordedFleet{}
	f.reset()
	var members []membership.Member
	for i := range 4 {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: "127.0.0.1:1"})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	f.Redis = newRedis(t, Config{Source: source, NoAutoPipeline: true, OnNewNode: func(id string, client *redis.Client) {
		client.AddHook(nodeRecorder{f, id})
	}})
	f.Redis.Client.AddHook(dialCounter{&f.dials})
	return f
}

func (f *recordedFleet) reset() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent = make(map[string][][]any)
	f.answer = func(redis.Cmder) error { return recorded{} }
}

// nodes returns which nodes were given a command.
func (f *recordedFleet) nodes() []string { return slices.Sorted(maps.Keys(f.sent)) }

// answering names the node that is being asked: the one that was last given
// something. It is called by answer, which holds mu.
func (f *recordedFleet) answering() string {
	most := ""
	for node := range f.sent {
		most = max(most, node)
	}
	return fmt.Sprint(most, len(f.sent))
}

type nodeRecorder struct {
	fleet *recordedFleet
	id    string
}

func (h nodeRecorder) DialHook(redis.DialHook) redis.DialHook {
	return func(context.Context, string, string) (net.Conn, error) { return nil, recorded{} }
}

func (h nodeRecorder) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		h.fleet.mu.Lock()
		defer h.fleet.mu.Unlock()
		h.fleet.sent[h.id] = append(h.fleet.sent[h.id], cmd.Args())
		err := h.fleet.answer(cmd)
		cmd.SetErr(err)
		return err
	}
}

func (h nodeRecorder) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) (err error) {
		for _, cmd := range cmds {
			err = h.ProcessHook(nil)(ctx, cmd)
		}
		return err
	}
}

// dialCounter counts what would be a connection of the embedded client.
type dialCounter struct{ dials *int }

func (h dialCounter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		*h.dials++
		return next(ctx, network, addr)
	}
}

func (h dialCounter) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }

func (h dialCounter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// spy is a user hook that remembers what was called and how it ended.
type spy struct {
	cmds  []redis.Cmder
	inner error
}

func (s *spy) DialHook(next redis.DialHook) redis.DialHook { return next }

func (s *spy) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		s.cmds = append(s.cmds, cmd)
		s.inner = next(ctx, cmd)
		return s.inner
	}
}

func (s *spy) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		s.cmds = append(s.cmds, cmds...)
		s.inner = next(ctx, cmds)
		return s.inner
	}
}
