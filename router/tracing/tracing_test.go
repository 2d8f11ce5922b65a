package tracing

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/embedded"
	"go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// recorder is a TracerProvider and Tracer that keeps the spans.
type recorder struct {
	embedded.TracerProvider
	mu    sync.Mutex
	spans []*span
}

type span struct {
	noop.Span
	name, parent string
	kind         trace.SpanKind
	attributes   []attribute.KeyValue
	status       codes.Code
	ended        int
}

func (s *span) SetStatus(c codes.Code, _ string) { s.status = c }
func (s *span) End(...trace.SpanEndOption)       { s.ended++ }

type parentKey struct{}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracerOf{r: r} }

type tracerOf struct {
	embedded.Tracer
	r *recorder
}

func (t tracerOf) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	parent, _ := ctx.Value(parentKey{}).(string)
	s := &span{name: name, parent: parent, kind: config.SpanKind(), attributes: config.Attributes()}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.r.spans = append(t.r.spans, s)
	return context.WithValue(trace.ContextWithSpan(ctx, s), parentKey{}, name), s
}

// take returns a line for each span since the last call, in order.
func (r *recorder) take(t *testing.T) (lines []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.ended != 1 || s.kind != trace.SpanKindClient {
			t.Errorf("%s: ended %d times, kind %v", s.name, s.ended, s.kind)
		}
		line := s.name + " in " + s.parent
		for _, a := range s.attributes {
			if strings.HasPrefix(string(a.Key), "ringway.") || a.Key == "db.operation.batch.size" {
				line += fmt.Sprintf(" %s=%v", a.Key, a.Value.String())
			}
		}
		lines = append(lines, line+" "+s.status.String())
	}
	slices.Sort(lines)
	r.spans = nil
	return lines
}

// seen is a hook of a node's client that notes the span it is called in.
type seen struct {
	mu      *sync.Mutex
	parents *[]string
}

func (h seen) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h seen) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		parent, _ := ctx.Value(parentKey{}).(string)
		h.mu.Lock()
		*h.parents = append(*h.parents, parent)
		h.mu.Unlock()
		return next(ctx, cmd)
	}
}
func (h seen) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestSpans(t *testing.T) {
	a, b := servertest.Redis(t), servertest.Redis(t)
	source, err := membership.Static(
		membership.Member{ID: "a", Address: a.Addr(), Zone: "z"}, membership.Member{ID: "b", Address: b.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	spans := &recorder{}
	var mu sync.Mutex
	var parents []string
	r, err := router.NewRedis(t.Context(), router.Config{
		Source: source, Tracer: New(Config{Provider: spans}),
		OnNewNode: func(_ string, c *redis.Client) { c.AddHook(seen{&mu, &parents}) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx := context.WithValue(t.Context(), parentKey{}, "caller")
	key := map[string]string{}
	for i := 0; len(key) < 2; i++ {
		k := fmt.Sprint("k", i)
		key[r.NodeFor(k)] = k
	}
	onA, onB := " ringway.node=a ringway.epoch=1 ringway.zone=z", " ringway.node=b ringway.epoch=1"
	onA2, onB2 := " ringway.node=a ringway.epoch=1 db.operation.batch.size=2 ringway.zone=z", onB+" db.operation.batch.size=2"
	for _, tt := range []struct {
		name string
		do   func() error
		want []string
	}{
		{"SET", func() error { return r.Set(ctx, key["a"], 1, 0).Err() }, []string{"SET in caller" + onA + " Unset"}},
		{"a miss", func() error { return r.Get(ctx, key["b"]).Err() }, []string{"GET in caller" + onB + " Unset"}},
		{"an error", func() error { return r.LPush(ctx, key["a"], 1).Err() }, []string{"LPUSH in caller" + onA + " Error"}},
		{"split", func() error { return r.MGet(ctx, key["a"], key["b"]).Err() },
			[]string{"MGET in caller" + onA + " Unset", "MGET in caller" + onB + " Unset"}},
		{"pipeline", func() error {
			_, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, k := range []string{"a", "b", "a", "b"} {
					p.Exists(ctx, key[k])
				}
				return nil
			})
			return err
		}, []string{"PIPELINE in caller" + onA2 + " Unset", "PIPELINE in caller" + onB2 + " Unset"}},
		{"transaction", func() error {
			_, err := r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, key["a"]); return nil })
			return err
		}, []string{"MULTI in caller" + onA + " Unset"}},
		{"WATCH", func() error { return r.Watch(ctx, func(*redis.Tx) error { return nil }, key["b"]) },
			[]string{"WATCH in caller" + onB + " Unset"}},
		{"unknown", func() error { return r.Do(ctx, "FROB").Err() }, nil},
	} {
		tt.do()
		if got := spans.take(t); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
	if len(parents) == 0 || parents[0] != "SET" {
		t.Errorf("the hooks of the nodes' clients were called in %q", parents)
	}
	b.Kill()
	r.Set(ctx, key["b"], 1, 0)
	if got := spans.take(t); !slices.Equal(got, []string{"SET in caller" + onB + " Error"}) {
		t.Errorf("a node that is down: %q", got)
	}
	New(Config{}).Start(ctx, router.Request{Command: "GET"}) // the program's own provider, which may be none
}
