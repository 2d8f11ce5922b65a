package tracing

import (
	"context"
	"slices"
	"testing"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.opentelemetry.io/otel/attribute"
)

func TestMemcachedSpans(t *testing.T) {
	server := servertest.Memcached(t)
	source, err := membership.Static(membership.Member{ID: "a", Kind: membership.Memcached, Address: server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	spans := &recorder{}
	m, err := router.NewMemcached(t.Context(), router.Config{Source: source, Tracer: New(Config{Provider: spans})})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	ctx := context.WithValue(t.Context(), parentKey{}, "caller")
	onA := " in caller ringway.node=a ringway.epoch=1"
	m.Get(ctx, "k")
	if len(spans.spans) != 1 || !slices.Contains(spans.spans[0].attributes, attribute.String("db.system.name", "memcached")) {
		t.Errorf("%+v", spans.spans)
	}
	if got := spans.take(t); !slices.Equal(got, []string{"get" + onA + " Unset"}) { // a miss is an answer
		t.Errorf("Get: %q", got)
	}
	m.SetMulti(ctx, []router.Item{{Key: "k"}, {Key: "l"}})
	if got := spans.take(t); !slices.Equal(got, []string{"set" + onA + " db.operation.batch.size=2 Unset"}) {
		t.Errorf("SetMulti: %q", got)
	}
	server.Kill()
	m.Delete(ctx, "k")
	if got := spans.take(t); !slices.Equal(got, []string{"delete" + onA + " Error"}) {
		t.Errorf("Delete on a node that is down: %q", got)
	}
}
