package metrics

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
)

// hung is a fleet of which no server ever answers.
type hung struct{}

func (hung) ForEachNode(ctx context.Context, _ func(context.Context, string, *redis.Client) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// A scrape ends with the time-out, whatever clients make of servers that hang.
func TestScrapeEndsWithTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewServers(ServersConfig{Redis: hung{}, Timeout: 300 * time.Millisecond})
		begun := time.Now()
		s.Collect(make(chan prometheus.Metric, 1))
		if took := time.Since(begun); took != 300*time.Millisecond {
			t.Errorf("the scrape took %v", took)
		}
	})
}
