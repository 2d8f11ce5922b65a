// Package pause waits for a time that somebody may cut short.
package pause

import (
	"context"
	"time"
)

// For waits for d, and returns nil; or until ctx ends, and returns why. With a d of 0 or
// less it does not wait, and returns nil unless ctx has ended before.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
