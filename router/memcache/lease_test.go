package memcache

import (
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	lease := func(want Lease, value string) Item {
		t.Helper()
		got, err := c.GetLease(ctx, "k", time.Minute, 0)
		if err != nil || got.Won != want.Won || got.Stale != want.Stale || got.Pending != want.Pending || string(got.Item.Value) != value {
			t.Fatalf("got %+v, %v, want %+v with the value %q", got, err, want, value)
		}
		return got.Item
	}
	won := lease(Lease{Won: true}, "")
	lease(Lease{Pending: true}, "")
	if resp, err := c.MetaGet(ctx, GetRequest{Key: "k", Return: ReturnTTL}); err != nil || resp.TTL == 0 || resp.TTL > time.Minute {
		t.Errorf("the lease lives for %v, %v, want at most a minute", resp.TTL, err)
	}
	won.Value, won.Flags = []byte("v"), 7
	must(t, c.CompareAndSwap(ctx, won))
	if item := lease(Lease{}, "v"); item.Flags != 7 || item.Key != "k" {
		t.Errorf("got %+v", item)
	}

	must(t, c.Invalidate(ctx, "k", time.Minute))
	won = lease(Lease{Won: true, Stale: true}, "v")
	lease(Lease{Stale: true, Pending: true}, "v")
	must(t, c.Invalidate(ctx, "k", time.Minute)) // while the winner is at work
	won.Value = []byte("late")
	wantError(t, c.CompareAndSwap(ctx, won), ErrCASConflict)
	won = lease(Lease{Won: true, Stale: true}, "v")
	won.Value, won.TTL = []byte("w"), time.Minute
	must(t, c.CompareAndSwap(ctx, won))
	lease(Lease{}, "w")

	soon, err := c.GetLease(ctx, "k", time.Minute, time.Hour)
	if err != nil || !soon.Won || soon.Stale || string(soon.Item.Value) != "w" {
		t.Errorf("a value that has less than an hour left: %+v, %v", soon, err)
	}
	must(t, c.Delete(ctx, "k"))
	wantError(t, c.CompareAndSwap(ctx, won), ErrCacheMiss)
	wantError(t, c.Invalidate(ctx, "k", time.Minute), ErrCacheMiss)
	_, err = c.GetLease(ctx, "k", 0, 0)
	wantError(t, err, ErrInvalidRequest)
}

func TestDecrementWithInitial(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	wantCount(t, 10)(c.DecrementWithInitial(ctx, "n", 3, 10, time.Hour))
	wantCount(t, 7)(c.DecrementWithInitial(ctx, "n", 3, 10, time.Minute))
	got, err := c.MetaGet(ctx, GetRequest{Key: "n", Return: ReturnTTL})
	if err != nil || got.TTL < 59*time.Minute {
		t.Errorf("got %+v, %v, want the time to live of the creation", got, err)
	}
}

func TestExpiryWithin(t *testing.T) {
	for _, tt := range []struct {
		x, want Expiry
	}{
		{Expiry{}, Expiry{}},
		{ExpireIn(0), ExpireIn(time.Minute)},
		{ExpireIn(time.Hour), ExpireIn(time.Minute)},
		{ExpireIn(time.Second), ExpireIn(time.Second)},
		{ExpireIn(-1), ExpireIn(-1)},
	} {
		if got := tt.x.Within(time.Minute); got != tt.want {
			t.Errorf("%+v: got %+v, want %+v", tt.x, got, tt.want)
		}
	}
}
