package cache

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// Three thousand keys (a million with RINGWAY_SOAK=1) are loaded in the same second,
// for ten minutes each, and two processes go on reading all of them. With jitter the
// source is asked for each once, over two minutes; without, for all in a few seconds.
func TestManyKeysExpireTogether(t *testing.T) {
	keys := soak(3000, 1_000_000)
	const every = 30 // seconds, in which each key is read once by each process
	for _, c := range []struct {
		name   string
		jitter bool
	}{{"jitter", true}, {"none", false}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peak, total := expireTogether(t, keys, every, c.jitter)
				t.Logf("%d loads, at most %d in a second", total, peak)
				proofs.Record(t, proofs.Row{Proof: "expire together", Got: fmt.Sprintf("%d keys: %d loads, at most %d in a second", keys, total, peak)})
				if total != keys {
					t.Errorf("%d loads of %d keys: want one each, whichever process makes it", total, keys)
				}
				mean := float64(keys) / 120 // 10 min ± 10%
				if most := mean + 6*math.Sqrt(mean); c.jitter && float64(peak) > most {
					t.Errorf("%d loads in a second, want %.0f on average, and %.0f at most", peak, mean, most)
				}
				if !c.jitter && peak < keys/every {
					t.Errorf("%d loads in a second without jitter: the test shows nothing", peak)
				}
			})
		})
	}
}

// expireTogether returns the loads from the first expiry to the last, and the most
// of them in a second.
func expireTogether(t *testing.T, keys, every int, jitter bool) (peak, total int) {
	var loads atomic.Int64
	takes := time.Millisecond
	load := func(context.Context, userKey) (Loaded[int], error) {
		loads.Add(1)
		time.Sleep(takes)
		return Loaded[int]{Value: 1}, nil
	}
	store := NewMemory()
	random := rand.New(rand.NewPCG(11, 0))
	var mu sync.Mutex // guards random
	var spaces []*Space[userKey, int]
	for range 2 {
		m, err := NewManager(ManagerConfig{Store: store, random: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return random.Float64()
		}})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s, err := NewSpace(m, SpaceConfig[userKey, int]{Name: "n", Load: load, Life: LifeConfig{TTL: 10 * time.Minute, NoJitter: !jitter},
			Limit: LimitConfig{Disabled: true}})
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, s)
	}
	begun := time.Now()
	// read reads keys from first on, in steps: as many at once as have a hundred turns of
	// each, and waits for all at the end.
	read := func(first, step int, each time.Duration) {
		var all sync.WaitGroup
		atOnce := max(1, keys/step/100)
		for i, n := first, 0; i < keys; i, n = i+step, n+1 {
			if n%atOnce == 0 {
				time.Sleep(each)
			}
			for _, s := range spaces {
				all.Go(func() {
					if _, _, err := s.Get(context.Background(), userKey{"", int64(i)}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		all.Wait()
	}
	read(0, 1, 5*time.Millisecond)
	takes = 100 * time.Millisecond
	if n := loads.Swap(0); int(n) != keys {
		t.Fatalf("%d loads at first, want %d", n, keys)
	}
	time.Sleep(time.Until(begun.Add(530 * time.Second)))
	// What ends last, 10 min and 10% after its load, is read once more within every.
	for second := 530; second < 660+2*every && (jitter || total < keys); second++ {
		read(second%every, every, 8*time.Millisecond)
		n := int(loads.Swap(0))
		peak, total = max(peak, n), total+n
		time.Sleep(time.Until(begun.Add(time.Duration(second+1) * time.Second)))
	}
	return peak, total
}
