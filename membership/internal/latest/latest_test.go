package latest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errEnd = errors.New("the end")

func put(text string) func(string, uint64) string {
	return func(old string, version uint64) string { return fmt.Sprint(old, text, version) }
}

func TestWaitersGetTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Box[string]
		got := make(chan string, 3)
		for range 3 {
			go func() {
				value, err := b.Next(context.Background(), 1)
				if err != nil {
					t.Error(err)
				}
				got <- value
			}()
		}
		b.Set(put("a"))
		synctest.Wait()
		if len(got) != 0 {
			t.Fatalf("%q for a reader that has seen version 1", <-got)
		}
		b.Set(put("b"))
		for range 3 {
			if value := <-got; value != "a1b2" {
				t.Errorf("got %q", value)
			}
		}
		b.Set(put("c"))
		if value, err := b.Next(t.Context(), 0); value != "a1b2c3" || err != nil {
			t.Errorf("a late reader: %q, %v", value, err)
		}
	})
}

func TestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b Box[string]
		cause := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		var waiting sync.WaitGroup
		waiting.Go(func() {
			if _, err := b.Next(ctx, 0); !errors.Is(err, cause) {
				t.Errorf("after its context ended: %v", err)
			}
		})
		waiting.Go(func() {
			if _, err := b.Next(context.Background(), 0); !errors.Is(err, errEnd) {
				t.Errorf("waiting when the box closed: %v", err)
			}
		})
		synctest.Wait()
		cancel(cause)
		synctest.Wait()
		b.Close(errEnd)
		b.Close(cause)
		waiting.Wait()
		if _, err := b.Next(t.Context(), 0); err != errEnd {
			t.Errorf("Next after Close: %v", err)
		}
		if err := b.Set(put("x")); err != errEnd {
			t.Errorf("Set after Close: %v", err)
		}
	})
}

// TestManyAtOnce is for the race detector, and for versions that no reader sees
// go back.
func TestManyAtOnce(t *testing.T) {
	var b Box[uint64]
	const last = 300
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for seen := uint64(0); seen < last; {
				version, err := b.Next(t.Context(), seen)
				if err != nil || version <= seen {
					t.Errorf("version %d after %d, %v", version, seen, err)
					return
				}
				seen = version
			}
		})
	}
	for range 3 {
		all.Go(func() {
			for range last / 3 {
				b.Set(func(_ uint64, version uint64) uint64 { return version })
			}
		})
	}
	all.Wait()
}
