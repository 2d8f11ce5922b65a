package rebalance

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/pause"
)

// TestPacer: what is let through takes its time, in virtual time to the
// nanosecond.
func TestPacer(t *testing.T) {
	for _, c := range []struct {
		name   string
		limits Limits
		keys   int
		bytes  int64
		pace   float64
		want   time.Duration // of ten batches
	}{
		{"no limit", Limits{}, 100, 1 << 20, 1, 0},
		{"keys", Limits{Keys: 1000}, 100, 1 << 20, 1, time.Second},
		{"bytes", Limits{Bytes: 1 << 20}, 100, 1 << 20, 1, 10 * time.Second},
		{"the slower of both", Limits{Keys: 1000, Bytes: 1 << 20}, 100, 1 << 20, 1, 10 * time.Second},
		{"at half the pace", Limits{Keys: 1000}, 100, 0, 0.5, 2 * time.Second},
		{"at the slowest pace, a batch at a time", Limits{Keys: 1000}, 100, 0, slowest, 10 * (longestRest + 100*time.Millisecond)},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPacer(c.limits)
				began := time.Now()
				for range 10 {
					must(t, p.wait(t.Context()))
					p.spend(c.keys, c.bytes, c.pace)
				}
				must(t, p.wait(t.Context()))
				if took := time.Since(began); took != c.want {
					t.Errorf("it took %v, want %v", took, c.want)
				}
				time.Sleep(time.Hour) // what was not used is not saved up
				p.spend(1000, 0, 1)
				began = time.Now()
				must(t, p.wait(t.Context()))
				if took := time.Since(began); c.limits.Keys > 0 && took != time.Second {
					t.Errorf("after a rest it took %v", took)
				}
			})
		})
	}
}

func TestPacerChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPacer(Limits{Keys: 1})
		p.spend(3600, 0, 1)
		done := make(chan error)
		go func() { done <- p.wait(t.Context()) }()
		synctest.Wait()
		p.set(Limits{Keys: 2})
		must(t, <-done)
		p.spend(3600, 0, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if err := p.wait(ctx); err != context.DeadlineExceeded || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

// TestBatch: little and often where the rate is limited.
func TestBatch(t *testing.T) {
	for keys, want := range map[int]int{0: maxBatch, 1: minBatch, 20_000: 100, 1_000_000: maxBatch} {
		if got := (Limits{Keys: keys}).batch(); got != want {
			t.Errorf("%d keys a second: batches of %d, want %d", keys, got, want)
		}
	}
}

// TestPulse: the pace is halved when a server becomes slow, and comes back.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 10 * time.Millisecond
		p := newPulse()
		beats := func(n int, took time.Duration) float64 {
			for range n {
				time.Sleep(pulseInterval)
				p.beat(time.Now(), took, limit)
			}
			return p.now()
		}
		if pace := beats(10, time.Millisecond); pace != 1 {
			t.Errorf("as long as all is well: %v", pace)
		}
		if pace := beats(1, 20*time.Millisecond); pace != 0.5 {
			t.Errorf("one slow answer: %v", pace)
		}
		if pace := beats(9, 20*time.Millisecond); pace != 0.5 {
			t.Errorf("more of them within half a second: %v", pace)
		}
		if pace := beats(200, 20*time.Millisecond); pace != slowest {
			t.Errorf("slow for ten seconds: %v", pace)
		}
		if pace := beats(20, time.Millisecond); pace <= slowest || pace > 4*slowest {
			t.Errorf("a second later: %v", pace)
		}
		if pace := beats(600, time.Millisecond); pace != 1 {
			t.Errorf("half a minute later: %v", pace)
		}
		for usual, want := range map[time.Duration]time.Duration{time.Millisecond: minLatencyLimit, 50 * time.Millisecond: 150 * time.Millisecond} {
			if got := (&pulse{usual: usual}).limit(0); got != want {
				t.Errorf("usually %v: limit %v, want %v", usual, got, want)
			}
		}
	})
}

// TestPulseWatches: it asks now and then, and ends with the context.
func TestPulseWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulse()
		ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second) // while it is asked for the fifth time
		defer cancel()
		asked := 0
		slow := func(ctx context.Context) error { asked++; return pause.For(ctx, time.Hour) } // until it gives up
		p.watch(ctx, slow, func() time.Duration { return time.Second })
		if asked != 5 || p.now() != 1.0/16 {
			t.Errorf("asked %d times, pace %v", asked, p.now())
		}
	})
}

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		must(t, g.pass(t.Context()))
		g.close()
		passed := make(chan error, 1)
		go func() { passed <- g.pass(t.Context()) }()
		synctest.Wait()
		if len(passed) != 0 || !g.closed() {
			t.Error("it does not hold")
		}
		g.release()
		g.release()
		must(t, <-passed)
		g.close()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.pass(ctx); err != context.Canceled {
			t.Error(err)
		}
	})
}

func TestMeter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m meter
		if keys, bytes := m.rates(time.Now()); keys != 0 || bytes != 0 {
			t.Errorf("nothing: %v, %v", keys, bytes)
		}
		for range 1000 {
			m.add(time.Now(), 10, 100)
			time.Sleep(10 * time.Millisecond)
		}
		keys, bytes := m.rates(time.Now())
		if keys < 900 || keys > 1100 || bytes < 9000 || bytes > 11000 {
			t.Errorf("1000 keys a second: %v, %v", keys, bytes)
		}
		time.Sleep(time.Minute)
		if keys, _ := m.rates(time.Now()); keys != 0 {
			t.Errorf("a minute later: %v", keys)
		}
	})
}

// TestHold: a receiver is left alone for longer each time, once for what was under
// way together.
func TestHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &receiver{id: "b"}
		for i, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
			news := r.hold(time.Now(), "full")
			again := r.hold(time.Now(), "full")
			ready, at := r.ready(time.Now())
			if ready || time.Until(at) != want*time.Millisecond || news != (i == 0) || again {
				t.Errorf("%d: ready %v, in %v, news %v", i, ready, time.Until(at), news)
			}
			time.Sleep(time.Until(at))
		}
		if ready, _ := r.ready(time.Now()); !ready || !r.serves() || r.serves() {
			t.Error("it does not come back")
		}
	})
}

func TestKeysLeft(t *testing.T) {
	for _, c := range []struct {
		name string
		r    *record
		want int64
	}{
		{"nothing known", newRecord(), -1},
		{"nothing seen", &record{total: 100}, -1},
		{"half seen", &record{total: 1000, seen: 500, found: 100, settled: 60}, 140},
		{"all seen", &record{total: 1000, seen: 1000, found: 200, settled: 180, p: Progress{KeysWaiting: 5}}, 25},
		{"empty", &record{}, 0},
	} {
		if got := c.r.left(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
