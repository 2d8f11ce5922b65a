package tracing

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	routertracing "github.com/ringway/ringway/router/tracing"
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
	r            *recorder
	name, parent string
	attributes   []attribute.KeyValue
	status       codes.Code
	ended        int
}

func (s *span) SetStatus(c codes.Code, _ string) { s.locked(func() { s.status = c }) }
func (s *span) End(...trace.SpanEndOption)       { s.locked(func() { s.ended++ }) }
func (s *span) SetAttributes(all ...attribute.KeyValue) {
	s.locked(func() { s.attributes = append(s.attributes, all...) })
}

func (s *span) locked(f func()) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	f()
}

type parentKey struct{}

func (r *recorder) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracerOf{r: r} }

type tracerOf struct {
	embedded.Tracer
	r *recorder
}

func (t tracerOf) Start(ctx context.Context, name string, options ...trace.SpanStartOption) (context.Context, trace.Span) {
	config := trace.NewSpanStartConfig(options...)
	parent, _ := ctx.Value(parentKey{}).(string)
	s := &span{r: t.r, name: name, parent: parent, attributes: config.Attributes()}
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	t.r.spans = append(t.r.spans, s)
	return context.WithValue(trace.ContextWithSpan(ctx, s), parentKey{}, name), s
}

// take returns a line for each span since the last call, in the order of their
// beginnings.
func (r *recorder) take(t *testing.T) (lines []string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.ended != 1 {
			t.Errorf("%s: ended %d times", s.name, s.ended)
		}
		line := s.name + " in " + s.parent
		for _, a := range s.attributes {
			if text := a.Value.String(); strings.Contains(text, "secret") {
				t.Errorf("%s: attribute %s shows %s", s.name, a.Key, text)
			}
			if a.Key == "ringway.cache.source" || a.Key == "ringway.cache.keys" {
				line += " " + a.Value.String()
			}
		}
		if s.status == codes.Error {
			line += " failed"
		}
		lines = append(lines, line)
	}
	r.spans = nil
	return lines
}

type key string

func (k key) AppendKey(b *cache.KeyBuilder) { b.String(string(k)) }

func TestSpans(t *testing.T) {
	server := servertest.Redis(t)
	source, err := membership.Static(membership.Member{ID: "a", Address: server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	spans := &recorder{}
	client, err := router.NewRedis(t.Context(), router.Config{Source: source, Tracer: routertracing.New(routertracing.Config{Provider: spans})})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client), Tracer: New(Config{Provider: spans})})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	away := errors.New("away")
	s, err := cache.NewSpace(m, cache.SpaceConfig[key, string]{
		Name: "s", L1: cache.L1Config{MaxBytes: 1 << 20},
		Load: cache.Plain(func(ctx context.Context, k key) (string, error) {
			switch k {
			case "absent":
				return "", cache.ErrNotFound
			case "broken":
				return "", away
			}
			return "secret value", nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.WithValue(t.Context(), parentKey{}, "caller")
	get := func(k key) func() { return func() { _, _, _ = s.Get(ctx, k) } }
	const miss = "GET in cache lookup"
	for _, tt := range []struct {
		name string
		do   func()
		want []string
	}{
		{"a miss", get("secret"), []string{"cache get in caller loader", "cache l1 in cache get", "cache lookup in cache get", miss,
			"cache lease in cache get", "EVALSHA in cache lease failed", "EVAL in cache lease",
			"cache load in cache get", "cache store in cache get", "EVALSHA in cache store failed", "EVAL in cache store"}},
		{"a hit of level 1", get("secret"), []string{"cache get in caller L1", "cache l1 in cache get L1"}},
		{"an absence", get("absent"), []string{"cache get in caller loader", "cache l1 in cache get", "cache lookup in cache get", miss,
			"cache lease in cache get", "EVALSHA in cache lease", "cache load in cache get", "cache store in cache get", "EVALSHA in cache store"}},
		{"one that is remembered", get("absent"), []string{"cache get in caller negative", "cache l1 in cache get", "cache lookup in cache get", miss}},
		{"an error", get("broken"), []string{"cache get in caller failed", "cache l1 in cache get", "cache lookup in cache get", miss,
			"cache lease in cache get", "EVALSHA in cache lease", "cache load in cache get failed", "EVALSHA in cache get failed", "EVAL in cache get"}},
		{"Invalidate", func() { _ = s.Invalidate(ctx, "secret") },
			[]string{"cache invalidate in caller", "EVALSHA in cache invalidate failed", "EVAL in cache invalidate"}},
		{"many", func() { s.GetMany(ctx, []key{"absent"}) }, []string{"cache get_many in caller 1", "cache lookup in cache get_many 1", "MGET in cache lookup"}},
	} {
		tt.do()
		if got := spans.take(t); !slices.Equal(got, tt.want) {
			t.Errorf("%s:\n got %q\nwant %q", tt.name, got, tt.want)
		}
	}
	_, ended := New(Config{}).Start(ctx, "s/0", cache.OpGet) // the program's own provider, which may be none
	ended(cache.Outcome{})
}
