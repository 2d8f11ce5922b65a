package router

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const someDelay = 10 * time.Second

// opened returns a breaker that has just opened.
func opened(t *testing.T, probes uint) *breaker {
	t.Helper()
	b := newBreaker(BreakerConfig{Failures: 3, Delay: someDelay, Probes: probes})
	for range 3 {
		p, allowed := b.allow()
		if !allowed {
			t.Fatal("a closed breaker refuses")
		}
		b.record(p, true, 0)
	}
	if b.state() != "open" {
		t.Fatalf("after 3 failures it is %s", b.state())
	}
	return b
}

// probe is allow for a request that must be allowed.
func probe(t *testing.T, b *breaker) permit {
	t.Helper()
	p, allowed := b.allow()
	if !allowed {
		t.Fatalf("a %s breaker refuses a request that it should allow", b.state())
	}
	return p
}

func refused(t *testing.T, b *breaker) {
	t.Helper()
	if _, allowed := b.allow(); allowed {
		t.Errorf("a %s breaker allows a request that it should refuse", b.state())
	}
}

func TestBreakerCountsFailuresInARow(t *testing.T) {
	const slow = time.Second
	for name, tt := range map[string]struct {
		calls string // f failed, s slow, c cancelled, . fine
		want  string
	}{
		"fewer":              {"ffff", "closed"},
		"enough":             {"fffff", "open"},
		"slow ones count":    {"fsfsf", "open"},
		"a success between":  {"ffff.ffff", "closed"},
		"then enough":        {"ffff.fffff", "open"},
		"long healthy":       {"f....ffff", "closed"},
		"cancelled ones not": {"ffffcccc", "closed"},
		"nor as successes":   {"ffffccf", "open"},
	} {
		b := newBreaker(BreakerConfig{SlowCall: slow})
		for _, call := range tt.calls {
			p := probe(t, b)
			switch call {
			case 'f':
				b.record(p, true, 0)
			case 's':
				b.record(p, false, slow)
			case 'c':
				b.abandon(p)
			default:
				b.record(p, false, slow-1)
			}
		}
		if b.state() != tt.want {
			t.Errorf("%s: %s is %s, want %s", name, tt.calls, b.state(), tt.want)
		}
	}
	off := newBreaker(BreakerConfig{Disabled: true})
	for range 100 {
		off.record(probe(t, off), true, time.Hour)
	}
}

func TestBreakerProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, 2)
		if !b.refuses() {
			t.Error("an open breaker does not say that it refuses")
		}
		refused(t, b)
		time.Sleep(someDelay * 7 / 10) // the jitter takes a fifth at most
		refused(t, b)
		time.Sleep(someDelay / 2)
		if b.refuses() {
			t.Error("it says that it refuses although the delay is over")
		}
		first, second := probe(t, b), probe(t, b)
		refused(t, b)
		b.record(first, false, 0)
		probe(t, b) // its permit is free again, until the second success
		b.record(second, false, 0)
		if b.state() != "closed" {
			t.Errorf("after two good probes it is %s", b.state())
		}
		if b.unsettled.Load() {
			t.Error("a closed breaker still takes its lock for each call")
		}

		b = opened(t, 2)
		time.Sleep(2 * someDelay)
		first, second = probe(t, b), probe(t, b)
		b.record(first, true, 0)
		b.record(second, false, 0)
		refused(t, b)
		time.Sleep(2 * someDelay)
		b.abandon(probe(t, b))
		if b.state() != "open" {
			t.Errorf("after a cancelled probe it is %s", b.state())
		}
	})
}

// A call that began before the breaker opened and ends while it probes knows
// nothing of the node as it is now, and holds no permit.
func TestBreakerLeavesOutStaleCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBreaker(BreakerConfig{Failures: 3, Delay: someDelay, Probes: 2})
		var stale []permit
		for range 8 {
			stale = append(stale, probe(t, b))
		}
		for range 3 {
			b.record(probe(t, b), true, 0)
		}
		time.Sleep(2 * someDelay)
		first := probe(t, b)
		for i, p := range stale {
			switch i % 3 {
			case 0:
				b.record(p, false, 0)
			case 1:
				b.record(p, true, 0)
			case 2:
				b.abandon(p)
			}
		}
		if b.state() != "half-open" {
			t.Fatalf("stale calls made it %s", b.state())
		}
		second := probe(t, b)
		refused(t, b) // no permit came from the stale calls
		b.record(first, false, 0)
		b.record(second, false, 0)
		if b.state() != "closed" {
			t.Errorf("after two good probes it is %s", b.state())
		}
	})
}

// Whatever happens in whatever order, no permit is lost: a node that is well
// again is asked again.
func TestBreakerLosesNoPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		b := newBreaker(BreakerConfig{Failures: 2, Delay: time.Second, Probes: 3})
		var wait sync.WaitGroup
		for g := range 16 {
			wait.Go(func() {
				random := rand.New(rand.NewPCG(seed, uint64(g)))
				for range 500 {
					p, allowed := b.allow()
					time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
					if !allowed {
						continue
					}
					switch random.IntN(4) {
					case 0:
						b.record(p, true, 0)
					case 1:
						b.abandon(p)
					default:
						b.record(p, false, 0)
					}
				}
			})
		}
		wait.Wait()
		for range 20 {
			if p, allowed := b.allow(); allowed {
				b.record(p, false, 0)
			}
			time.Sleep(time.Second)
		}
		if b.state() != "closed" {
			t.Errorf("a node that answers is still %s", b.state())
		}
	})
}
