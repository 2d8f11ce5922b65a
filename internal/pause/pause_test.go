package pause

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFor(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	end()
	for _, tt := range []struct {
		name string
		ctx  context.Context
		d    time.Duration
		took time.Duration
		err  error
	}{
		{"a time", context.Background(), time.Minute, time.Minute, nil},
		{"none", context.Background(), 0, 0, nil},
		{"less than none", context.Background(), -time.Second, 0, nil},
		{"ended before", ended, time.Minute, 0, context.Canceled},
		{"ended before, and no time", ended, 0, 0, context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				if err := For(tt.ctx, tt.d); !errors.Is(err, tt.err) || time.Since(began) != tt.took {
					t.Errorf("%v after %v, want %v after %v", err, time.Since(began), tt.err, tt.took)
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := For(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
			t.Errorf("%v after %v, want %v after 1s", err, time.Since(began), context.DeadlineExceeded)
		}
	})
}
