package cache

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

func TestConfig(t *testing.T) {
	m := newManager(t, NewMemory())
	for name, change := range map[string]func(*SpaceConfig[userKey, user]){
		"name":     func(c *SpaceConfig[userKey, user]) { c.Name = "a/b" },
		"no name":  func(c *SpaceConfig[userKey, user]) { c.Name = "" },
		"TTL":      func(c *SpaceConfig[userKey, user]) { c.Life.TTL = -1 },
		"long TTL": func(c *SpaceConfig[userKey, user]) { c.Life.TTL = maxTTL + 1 },
		"jitter":   func(c *SpaceConfig[userKey, user]) { c.Life.Jitter = 0.6 },
		"beta":     func(c *SpaceConfig[userKey, user]) { c.Life.Beta = math.NaN() },
		"lease":    func(c *SpaceConfig[userKey, user]) { c.Loads.Lease = time.Second },
		"timeout":  func(c *SpaceConfig[userKey, user]) { c.Loads.Timeout = -1 },
		"L1":       func(c *SpaceConfig[userKey, user]) { c.L1.TTL = -1 },
	} {
		cfg := SpaceConfig[userKey, user]{Name: "x"}
		change(&cfg)
		if _, err := NewSpace(m, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	cfg, err := SpaceConfig[userKey, user]{Name: "x"}.withDefaults()
	if l := cfg.Life; err != nil || l.TTL != 5*time.Minute || l.Jitter != 0.1 || l.NegativeTTL != 5*time.Second || l.StaleOnError != 5*time.Minute || cfg.Loads.Lease != 4*time.Second {
		t.Errorf("defaults %+v, %v", cfg, err)
	}
}

// 10,000 keys stored in the same second, an hour each: they end over 12 minutes,
// 13.9 a second; without jitter all at once.
func TestJitter(t *testing.T) {
	const keys, ttl = 10_000, time.Hour
	r := rand.New(rand.NewPCG(1, 2))
	perSecond := func(life LifeConfig) (peak int, low, high time.Duration) {
		ends := make(map[time.Duration]int)
		low = math.MaxInt64
		for range keys {
			d := jittered(ttl, life, r.Float64())
			low, high = min(low, d), max(high, d)
			second := d.Truncate(time.Second)
			ends[second]++
			peak = max(peak, ends[second])
		}
		return peak, low, high
	}
	peak, low, high := perSecond(LifeConfig{Jitter: 0.1})
	if peak >= 35 || low < 54*time.Minute || low > 55*time.Minute || high > 66*time.Minute || high < 65*time.Minute {
		t.Errorf("jitter: peak %d a second, %v to %v", peak, low, high)
	}
	if _, low, high := perSecond(LifeConfig{Jitter: 0.1, Ceiling: true}); high > ttl || low < 54*time.Minute || low > 55*time.Minute {
		t.Errorf("ceiling: %v to %v", low, high)
	}
	none, _, _ := perSecond(LifeConfig{})
	if none != keys {
		t.Errorf("no jitter: peak %d", none)
	}
	proofs.Record(t, proofs.Row{Proof: "jitter", Got: fmt.Sprintf("%d keys end from %v to %v: %.1f a second on average, %d at most; without jitter %d", keys, low.Round(time.Second), high.Round(time.Second), keys/(high-low).Seconds(), peak, none)})
}

// Through a space: what is stored has the jitter.
func TestJitterIsApplied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := NewMemory()
		u := 0.0
		m, err := NewManager(ManagerConfig{Store: store, random: func() float64 { return u }})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		src := newSource()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.NoStaleOnError = src.load, true })
		mustGet(t, s, ada)
		for _, c := range store.cells {
			if left := time.Until(c.ends); left != 270*time.Second { // 300 less a tenth
				t.Errorf("lives %v", left)
			}
		}
	})
}

// The rule of XFetch: the chance of a load is exp(-left/(delta·beta)), and u = 1
// never is early.
func TestXFetch(t *testing.T) {
	const delta, draws = time.Second, 200_000
	r := rand.New(rand.NewPCG(3, 4))
	for _, beta := range []float64{0.5, 1, 2} {
		for _, left := range []time.Duration{100 * time.Millisecond, time.Second, 3 * time.Second} {
			early := 0
			for range draws {
				if xfetch(delta, beta, 1-r.Float64(), left) {
					early++
				}
			}
			want := math.Exp(-left.Seconds() / (delta.Seconds() * beta))
			if got := float64(early) / draws; math.Abs(got-want) > 0.005+0.05*want {
				t.Errorf("beta %v, %v left: %.4f early, want %.4f", beta, left, got, want)
			}
		}
	}
	if xfetch(delta, 1, 1, time.Nanosecond) || !xfetch(delta, 1, 1, 0) {
		t.Error("u = 1")
	}
}

// With leases one load a window and, at many requests a second, none after the end.
func TestXFetchWithLeases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		var mu sync.Mutex // guards r
		m := newManager(t, NewMemory())
		m.cfg.random = func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return r.Float64()
		}
		src := newSource()
		s := newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Life.TTL, c.Life.NoJitter, c.Life.Beta = src.load, 5*time.Second, true, 1
		})
		src.fail(nil, 100*time.Millisecond)
		mustGet(t, s, ada)
		end := time.Now().Add(50 * time.Second)
		for time.Now().Before(end) {
			if _, meta := mustGet(t, s, ada); meta.Source != FromL2 {
				t.Fatalf("from %v", meta.Source)
			}
			time.Sleep(5 * time.Millisecond)
		}
		// A window is a little less than 5 s.
		if n := src.loads.Load(); n < 10 || n > 13 {
			t.Errorf("%d loads in ten windows", n)
		}
		if st := s.Stats(); st.Misses != 1 {
			t.Errorf("%d misses, want the first", st.Misses)
		}
		_ = m.Close()
	})
}
