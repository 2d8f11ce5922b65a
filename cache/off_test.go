package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

// The proof "cache off": a fleet in use, all of its servers killed while there is ten
// times the traffic, and brought back empty.
type offTrial struct {
	processes int           // each with a store of its own over the same fleet
	keys      int           // asked for with Zipf's law
	ttl       time.Duration // so that the source has keys/ttl loads a second, in steady use
	rate      int           // Gets a second of the fleet in steady use
	takes     time.Duration // a load
	most      int           // loads of a process at a time
	open      func() Store
	kill      func()
	revive    func()
	protected bool
}

// offPhase is what happened in a part of the trial.
type offPhase struct {
	asked, good, shed int64
	loads             int64   // a second, on average
	peak              int64   // loads in a second, at most
	crowd             int64   // loads at a time, at most
	late              float64 // part of the last five seconds that was good
}

func (o *offTrial) config(src *crowd) SpaceConfig[userKey, int] {
	cfg := SpaceConfig[userKey, int]{Name: "n", Load: src.load, Life: LifeConfig{TTL: o.ttl}}
	if !o.protected {
		cfg.Limit.Disabled = true
		return cfg
	}
	steady := float64(o.keys) / o.ttl.Seconds()
	cfg.Limit = LimitConfig{Max: o.most, Initial: o.most, PerSecond: 1.4 * steady / float64(o.processes), Wait: 200 * time.Millisecond}
	cfg.Fallback = FallbackConfig{MaxBytes: 16 << 20, MaxAge: time.Minute}
	cfg.Recovery = RecoveryConfig{FillsPerSecond: steady, WarmPerSecond: steady / float64(4*o.processes)}
	return cfg
}

func (o *offTrial) run(t *testing.T, seconds int) (steady, off, recovery offPhase) {
	src := &crowd{takes: o.takes}
	var spaces []*Space[userKey, int]
	for range o.processes {
		s, end := newNumbers(t, o.open(), o.config(src))
		defer end()
		spaces = append(spaces, s)
	}
	o.drive(src, spaces, 2*seconds, 1) // until it is in use
	steady = o.drive(src, spaces, seconds, 1)
	o.kill()
	off = o.drive(src, spaces, 2*seconds, 10)
	o.revive()
	recovery = o.drive(src, spaces, 2*seconds, 10)
	return steady, off, recovery
}

// drive asks for keys for some seconds.
func (o *offTrial) drive(src *crowd, spaces []*Space[userKey, int], seconds, times int) (p offPhase) {
	var good, shed atomic.Int64
	var all sync.WaitGroup
	random := rand.New(rand.NewPCG(21, uint64(times)))
	zipf := rand.NewZipf(random, 1.1, 5, uint64(o.keys-1))
	src.peak.Store(0)
	first := src.all.Load()
	const ticks = 20
	begun := time.Now()
	var lateGood, lateAsked int64
	for second := range seconds {
		before, goodBefore := src.all.Load(), good.Load()
		asked := 0
		for tick := range ticks {
			for range o.rate * times / ticks {
				key, s := userKey{"", int64(zipf.Uint64())}, spaces[asked%len(spaces)]
				asked++
				all.Go(func() {
					ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
					defer cancel()
					switch _, _, err := s.Get(ctx, key); {
					case err == nil:
						good.Add(1)
					case errors.Is(err, ErrShed):
						shed.Add(1)
					}
				})
			}
			time.Sleep(time.Until(begun.Add(time.Duration(second)*time.Second + time.Duration(tick+1)*time.Second/ticks)))
		}
		p.peak = max(p.peak, src.all.Load()-before)
		if p.asked += int64(asked); second >= seconds-5 {
			lateAsked, lateGood = lateAsked+int64(asked), lateGood+good.Load()-goodBefore
		}
	}
	all.Wait()
	p.good, p.shed, p.crowd = good.Load(), shed.Load(), src.peak.Load()
	p.loads = (src.all.Load() - first) / int64(seconds)
	p.late = float64(lateGood) / float64(lateAsked)
	return p
}

func (o *offTrial) check(t *testing.T, steady, off, recovery offPhase) {
	t.Helper()
	for _, p := range []struct {
		name string
		offPhase
	}{{"steady", steady}, {"off, 10 x the traffic", off}, {"recovery, 10 x", recovery}} {
		t.Logf("%-22s %7d asked, %5.1f%% good (%5.1f%% in the last 5 s), %6d refused; source: %4d loads/s, at most %4d in a second, %3d at a time",
			p.name, p.asked, 100*float64(p.good)/float64(p.asked), 100*p.late, p.shed, p.loads, p.peak, p.crowd)
	}
	o.record(t, steady, off, recovery)
	for _, p := range []offPhase{off, recovery} {
		if most := int64(o.most * o.processes); p.crowd > most {
			t.Errorf("%d loads at a time, the limit is %d", p.crowd, most)
		}
		// That of steady use is by the times to live, since what is measured has noise.
		if most := 1.5 * float64(o.keys) / o.ttl.Seconds(); float64(p.peak) > most {
			t.Errorf("%d loads in a second, want at most %.0f: 1.5 times that of steady use", p.peak, most)
		}
		if p.late < 0.9 || float64(p.good) < 0.5*float64(p.asked) {
			t.Errorf("%d of %d were good, of the last 5 s %.2f: want half, and nine tenths", p.good, p.asked, p.late)
		}
	}
	if float64(steady.good) < 0.99*float64(steady.asked) {
		t.Errorf("%d of %d were good in steady use", steady.good, steady.asked)
	}
}

func (o *offTrial) record(t *testing.T, steady, off, recovery offPhase) {
	t.Helper()
	words := func(p offPhase) string {
		return fmt.Sprintf("%.1f%% of %d good, at most %d loads in a second and %d at a time", 100*float64(p.good)/float64(p.asked), p.asked, p.peak, p.crowd)
	}
	limit := "no limit"
	if o.protected {
		limit = fmt.Sprintf("limit %d at a time, %.0f loads a second by the times to live", o.most*o.processes, float64(o.keys)/o.ttl.Seconds())
	}
	proofs.Record(t, proofs.Row{Proof: "cache off", Got: fmt.Sprintf("%s; steady: %s; off: %s; recovery: %s", limit, words(steady), words(off), words(recovery)), Seed: 21})
}

func TestCacheOff(t *testing.T) {
	for _, protected := range []bool{true, false} {
		name := map[bool]string{true: "protected", false: "not"}[protected]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &outageStore{Memory: NewMemory()}
				o := offTrial{processes: 2, keys: 300, ttl: 10 * time.Second, rate: 40, takes: 200 * time.Millisecond, most: 4, protected: protected,
					open: func() Store { return store }, kill: func() { store.down.Store(true) },
					revive: func() { store.empty(); store.down.Store(false) }}
				steady, off, recovery := o.run(t, 10)
				if protected {
					o.check(t, steady, off, recovery)
				} else if o.record(t, steady, off, recovery); off.peak < 3*steady.peak || off.crowd <= int64(o.most*o.processes) {
					t.Errorf("without protection %+v, %+v: the test shows nothing", steady, off)
				}
			})
		})
	}
}

// The same with three servers of each kind, and in real time: for RINGWAY_SOAK=1.
func TestCacheOffOnServers(t *testing.T) {
	if os.Getenv("RINGWAY_SOAK") != "1" {
		t.Skip("takes minutes: RINGWAY_SOAK=1 runs it")
	}
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		t.Run(string(kind), func(t *testing.T) {
			var servers []*servertest.Server
			var addresses []string
			for range 3 {
				server := serverOf(t, kind)
				servers, addresses = append(servers, server), append(addresses, server.Addr())
			}
			o := offTrial{processes: 3, keys: 3000, ttl: 20 * time.Second, rate: 400, takes: 20 * time.Millisecond, most: 8, protected: true,
				open: func() Store { return defaultStore(t, kind, addresses) },
				kill: func() { each(servers, (*servertest.Server).Kill) }, revive: func() { each(servers, (*servertest.Server).Restart) }}
			steady, off, recovery := o.run(t, 30)
			o.check(t, steady, off, recovery)
		})
	}
}

func each(servers []*servertest.Server, do func(*servertest.Server)) {
	for _, s := range servers {
		do(s)
	}
}

// defaultStore is a store over a router as it is without any configuration.
func defaultStore(t *testing.T, kind membership.Kind, addresses []string) Store {
	cfg := router.Config{Source: sourceOf(t, kind, addresses)}
	if kind == membership.Memcached {
		client, err := router.NewMemcached(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		return OnMemcached(client)
	}
	client, err := router.NewRedis(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return OnRedis(client)
}
