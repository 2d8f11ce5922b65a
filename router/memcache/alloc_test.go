package memcache

import (
	"context"
	"testing"
	"time"
)

// A call allocates the value that it returns, and nothing else.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector, sync.Pool drops what it is given at random")
	}
	c, _ := real(t)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	item := Item{Key: "session:user:00000001", Value: make([]byte, 100), Flags: 7, TTL: time.Hour}
	must(t, c.Set(ctx, item))
	must(t, c.Set(ctx, Item{Key: "counter", Value: []byte("0")}))
	for _, tt := range []struct {
		name string
		most float64
		run  func() error
	}{
		{"Get", 1, func() error { _, err := c.Get(ctx, item.Key); return err }},
		{"a miss", 0, func() error {
			if _, err := c.Get(ctx, "missing"); err != ErrCacheMiss {
				return err
			}
			return nil
		}},
		{"Set", 0, func() error { return c.Set(ctx, item) }},
		{"Touch", 0, func() error { return c.Touch(ctx, item.Key, time.Hour) }},
		{"Increment", 1, func() error { _, err := c.Increment(ctx, "counter", 1); return err }},
		{"Ping", 0, func() error { return c.Ping(ctx) }},
	} {
		var failed error
		got := testing.AllocsPerRun(200, func() {
			if err := tt.run(); err != nil {
				failed = err
			}
		})
		if must(t, failed); got > tt.most {
			t.Errorf("%s: got %v allocations, want at most %v", tt.name, got, tt.most)
		}
	}
}
