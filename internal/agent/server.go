package agent

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/membership/gossip"
)

// server is the data server as gossip asks for it. It counts what is done, and
// logs how a long purge or sweep gets on; that one is done is gossip's to log.
type server struct {
	data     dataserver.Server
	log      *slog.Logger
	counters *counters
	restarts *restarts
}

var (
	_ gossip.Server = (*server)(nil)
	_ gossip.Knower = (*server)(nil)
)

func (s *server) Probe(ctx context.Context) error {
	began := time.Now()
	err := s.data.Probe(ctx)
	if err == nil {
		err = s.restarts.check(ctx)
	}
	s.counters.probed(time.Since(began), err)
	return err
}

func (s *server) Knows() (own, asked bool) { return s.restarts.knows() }

func (s *server) Count(ctx context.Context) (int64, error) { return s.restarts.count(ctx) }

func (s *server) Purge(ctx context.Context) (int64, error) { return s.restarts.purge(ctx) }

// empty removes all keys.
func (s *server) empty(ctx context.Context) (int64, error) {
	s.log.Warn("purging the server: all keys under the prefix are removed", "server", s.data.Address())
	progress := s.progress("purge", &s.counters.purged)
	removed, err := s.data.Purge(ctx, progress)
	progress(removed)
	return removed, err
}

func (s *server) Sweep(ctx context.Context, keep func(key string) bool) (int64, error) {
	progress := s.progress("sweep", &s.counters.swept)
	removed, err := s.data.Sweep(ctx, keep, progress)
	failpoint.At("agent.swept")
	progress(removed)
	return removed, err
}

// progressEvery is the time between two lines about one purge or sweep.
const progressEvery = 10 * time.Second

// progress counts the keys as they go, so that those of an attempt that fails
// are not forgotten, and logs a line now and then.
func (s *server) progress(what string, total *atomic.Int64) func(removed int64) {
	counted, last := int64(0), time.Now()
	return func(removed int64) {
		total.Add(removed - counted)
		counted = removed
		if now := time.Now(); now.Sub(last) >= progressEvery {
			last = now
			s.log.Info("keys are being removed", "task", what, "removed", removed)
		}
	}
}
