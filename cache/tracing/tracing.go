package tracing

import (
	"context"
	"errors"

	"github.com/ringway/ringway/cache"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go. The zero value uses the program's own provider.
type Config struct {
	Provider trace.TracerProvider // nil: otel.GetTracerProvider()
}

// Tracer is a cache.Tracer. It is safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

var _ cache.Tracer = Tracer{}

// New returns a tracer for cache.ManagerConfig. It never fails, and keeps nothing
// that would have to be closed.
func New(cfg Config) Tracer {
	if cfg.Provider == nil {
		cfg.Provider = otel.GetTracerProvider()
	}
	return Tracer{cfg.Provider.Tracer("github.com/ringway/ringway/cache")}
}

// Start implements cache.Tracer: it starts a span, which the function that it
// returns ends.
func (t Tracer) Start(ctx context.Context, space string, op cache.Operation) (context.Context, func(cache.Outcome)) {
	ctx, span := t.tracer.Start(ctx, "cache "+op.String(), trace.WithSpanKind(trace.SpanKindInternal), trace.WithAttributes(
		attribute.String("ringway.cache.space", space),
		attribute.String("ringway.cache.operation", op.String()),
	))
	return ctx, func(o cache.Outcome) {
		if o.Source != 0 {
			span.SetAttributes(attribute.String("ringway.cache.source", o.Source.String()))
		}
		if o.Keys > 0 {
			span.SetAttributes(attribute.Int("ringway.cache.keys", o.Keys))
		}
		if o.Err != nil && !answer(o.Err) {
			span.SetStatus(codes.Error, o.Err.Error())
		}
		span.End()
	}
}

// answer says whether an error tells only that something is not there.
func answer(err error) bool {
	return errors.Is(err, cache.ErrNotFound) || errors.Is(err, cache.ErrMiss) || errors.Is(err, cache.ErrNoLoader)
}
