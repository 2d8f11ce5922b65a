package tracing

import (
	"context"

	"github.com/ringway/ringway/router"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// Config says where spans go. The zero value uses the program's own provider.
type Config struct {
	Provider trace.TracerProvider // nil: otel.GetTracerProvider()
}

// Tracer is a router.Tracer. It is safe for concurrent use.
type Tracer struct{ tracer trace.Tracer }

var _ router.Tracer = Tracer{}

// New returns a tracer for router.Config. It never fails, and keeps nothing that
// would have to be closed.
func New(cfg Config) Tracer {
	if cfg.Provider == nil {
		cfg.Provider = otel.GetTracerProvider()
	}
	return Tracer{cfg.Provider.Tracer("github.com/ringway/ringway/router")}
}

// Start implements router.Tracer: it starts a span, which the function that it
// returns ends.
func (t Tracer) Start(ctx context.Context, q router.Request) (context.Context, func(error)) {
	attributes := []attribute.KeyValue{
		attribute.String("db.system.name", string(q.Kind)),
		attribute.String("db.operation.name", q.Command),
		attribute.String("server.address", q.Address),
		attribute.String("ringway.node", q.Node),
		attribute.Int64("ringway.epoch", int64(q.Epoch)),
	}
	if q.Commands > 1 {
		attributes = append(attributes, attribute.Int("db.operation.batch.size", q.Commands))
	}
	if q.Zone != "" {
		attributes = append(attributes, attribute.String("ringway.zone", q.Zone))
	}
	ctx, span := t.tracer.Start(ctx, q.Command, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(attributes...))
	return ctx, func(err error) {
		if err != nil {
			span.SetStatus(codes.Error, err.Error())
		}
		span.End()
	}
}
