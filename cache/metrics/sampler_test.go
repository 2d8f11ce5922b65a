package metrics

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/servertest"
)

func TestSampler(t *testing.T) {
	fleet := redisOf(t, servertest.Redis(t).Addr(), servertest.Redis(t).Addr())
	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(fleet)})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	space, err := cache.NewSpace(m, cache.SpaceConfig[key, string]{Name: "svc", Life: cache.LifeConfig{TTL: 10 * time.Minute, NoStaleOnError: true},
		Load: cache.Plain(func(_ context.Context, k key) (string, error) { return strings.Repeat("x", 1000), nil })})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range strings.Fields("a b c d e f g h i j") {
		if _, _, err := space.Get(t.Context(), key(k)); err != nil {
			t.Fatal(err)
		}
	}
	for _, k := range []string{"svc/0/s1:a", "svc/0/s1:b"} { // what has no end any more
		if err := fleet.Persist(t.Context(), k).Err(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := NewSampler(SamplerConfig{Manager: m})
	if err != nil {
		t.Fatal(err)
	}
	if got := gathered(t, s); len(got) != 0 {
		t.Errorf("before the first sample: %v", got)
	}
	if err := s.Sample(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := gathered(t, s)
	for name, want := range map[string]float64{
		"size_bytes{space=svc/0}": 10, "ttl_seconds{space=svc/0}": 8, "sampled{space=svc/0}": 10,
		"problems{problem=no_ttl,space=svc/0}": 2, "problems{problem=undecodable,space=svc/0}": 0,
	} {
		if got["ringway_entries_"+name] != want {
			t.Errorf("%s: %v, want %v", name, got["ringway_entries_"+name], want)
		}
	}
	lint(t, s)
}

// failing is a manager whose audit fails, or tells that it was asked.
type failing struct {
	asked chan cache.AuditConfig
	err   error
}

func (f failing) Audit(_ context.Context, cfg cache.AuditConfig) (cache.AuditReport, error) {
	f.asked <- cfg
	return cache.AuditReport{}, f.err
}

func TestSamplerRuns(t *testing.T) {
	for _, cfg := range []SamplerConfig{{}, {Manager: (*cache.Manager)(nil)}} {
		if _, err := NewSampler(cfg); !errors.Is(err, cache.ErrConfig) || !strings.Contains(err.Error(), "Manager: nil") {
			t.Errorf("a sampler without a manager, %T: %v", cfg.Manager, err)
		}
	}
	f := failing{make(chan cache.AuditConfig), errors.New("away")}
	told := make(chan error, 10)
	s, err := NewSampler(SamplerConfig{Manager: f, Every: time.Millisecond, OnError: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	for range 3 {
		if cfg := <-f.asked; cfg.Limit != 1000 {
			t.Errorf("limit %d", cfg.Limit)
		}
	}
	cancel()
	for done := false; !done; {
		select {
		case <-f.asked: // one that was under way
		case <-ended:
			done = true
		}
	}
	if len(told) < 2 || !errors.Is(<-told, f.err) {
		t.Error("nobody was told of samples that failed")
	}
}
