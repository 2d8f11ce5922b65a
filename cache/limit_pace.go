package cache

import (
	"context"
	"math"
	"time"

	"github.com/failsafe-go/failsafe-go/ratelimiter"
)

// newPace returns what spreads so many a second evenly; nil for 0.
func newPace(perSecond float64) ratelimiter.RateLimiter[any] {
	if perSecond <= 0 {
		return nil
	}
	return ratelimiter.NewSmoothWithMaxRate[any](max(1, time.Duration(float64(time.Second)/perSecond)))
}

func checkRate(field string, perSecond float64) error {
	if math.IsNaN(perSecond) || perSecond < 0 || perSecond > 1e6 || (perSecond > 0 && perSecond < 1e-3) {
		return configError(field, perSecond, "0, or a thousandth to a million a second")
	}
	return nil
}

// pause sleeps, or returns why ctx ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
