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
	ttl       time.Duration // the phases are some times as long
	rate      int           // Gets a second of the fleet in usual use; there is ten times that
	loads     float64       // a second, on average, of steady use at that: who sets limits has measured it
	takes     time.Duration // a load
	most      int           // loads of a process at a time
	open      func() Store
	kill      func()
	revive    func()
	protected bool
}

// offSource counts the loads of each second. It does so when they begin, by the clock:
// on a busy machine who counts once a second does so too late.
type offSource struct {
	crowd
	mu         sync.Mutex // guards what follows
	second     int64      // since 1970
	inIt, most int64      // loads in it, and in any
}

func (s *offSource) load(ctx context.Context, key userKey) (Loaded[int], error) {
	s.mu.Lock()
	if second := time.Now().Unix(); second != s.second {
		s.second, s.inIt = second, 0
	}
	s.inIt++
	s.most = max(s.most, s.inIt)
	s.mu.Unlock()
	return s.crowd.load(ctx, key)
}

// peaks returns the most loads in a second and at a time, and begins anew.
func (s *offSource) peaks() (perSecond, atOnce int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	perSecond, s.inIt, s.most = s.most, 0, 0
	return perSecond, s.crowd.peak.Swap(0)
}

// offPhase is what happened in a part of the trial.
type offPhase struct {
	asked, good, shed int64
	loads             int64   // a second, on average
	peak              int64   // loads in a second, at most
	crowd             int64   // loads at a time, at most
	fills             int64   // that callers caused in a second, at most, while the store was cold to all
	cold              int     // after how many seconds it was not cold to anybody any more
	late              float64 // part of the last five seconds that was good
}

// The limits of all processes together. What is stored while the store is cold, by
// callers and by warming, must be more than steady use has loads, or the store never
// becomes warm.
func (o *offTrial) limitPerSecond() float64 { return 1.5 * o.loads }
func (o *offTrial) fillsPerSecond() float64 { return o.loads }
func (o *offTrial) warmPerSecond() float64  { return 0.4 * o.loads }

func (o *offTrial) config(src *offSource) SpaceConfig[userKey, int] {
	cfg := SpaceConfig[userKey, int]{Name: "n", Load: src.load, Life: LifeConfig{TTL: o.ttl}}
	if !o.protected {
		cfg.Limit.Disabled = true
		return cfg
	}
	share := 1 / float64(o.processes)
	cfg.Limit = LimitConfig{Max: o.most, Initial: o.most, PerSecond: o.limitPerSecond() * share, Wait: 200 * time.Millisecond}
	cfg.Fallback = FallbackConfig{MaxBytes: 16 << 20, MaxAge: time.Minute}
	cfg.Recovery = RecoveryConfig{FillsPerSecond: o.fillsPerSecond() * share, WarmPerSecond: o.warmPerSecond() * share}
	return cfg
}

// run is the trial. What recovery is compared with is as long as recovery, and has the
// same traffic: the peak of more seconds is higher. It begins when what was loaded
// together in the beginning ends at times of its own. Recovery is long enough for the
// store to be warm again, and what was kept meanwhile to be let go.
func (o *offTrial) run(t *testing.T) (steady, off, recovery offPhase) {
	src := &offSource{crowd: crowd{takes: o.takes}}
	var spaces []*Space[userKey, int]
	for range o.processes {
		s, end := newNumbers(t, o.open(), o.config(src))
		defer end()
		spaces = append(spaces, s)
	}
	ttl := int(o.ttl / time.Second)
	o.drive(src, spaces, ttl, 1)
	o.drive(src, spaces, 3*ttl, 10)
	steady = o.drive(src, spaces, 4*ttl, 10)
	o.kill()
	off = o.drive(src, spaces, 2*ttl, 10)
	o.revive()
	recovery = o.drive(src, spaces, 4*ttl, 10)
	return steady, off, recovery
}

// offSecond is what is counted second by second.
type offSecond struct {
	at    time.Time
	good  int64
	fills int64 // that callers caused
	cold  int   // processes to which the store is cold
}

func offNow(spaces []*Space[userKey, int], good *atomic.Int64) (now offSecond) {
	now.at, now.good = time.Now(), good.Load()
	for _, s := range spaces {
		st := s.Stats()
		now.fills += int64(st.Stored) - int64(st.Rewarmed)
		if s.State().Store == StoreCold {
			now.cold++
		}
	}
	return now
}

// drive asks for keys for some seconds.
func (o *offTrial) drive(src *offSource, spaces []*Space[userKey, int], seconds, times int) (p offPhase) {
	var good, shed atomic.Int64
	var all sync.WaitGroup
	random := rand.New(rand.NewPCG(21, uint64(times)))
	zipf := rand.NewZipf(random, 1.1, 5, uint64(o.keys-1))
	src.peaks()
	first := src.all.Load()
	const ticks = 20
	begun := time.Now()
	var lateGood, lateAsked int64
	before := offNow(spaces, &good)
	for second := range seconds {
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
		now := offNow(spaces, &good)
		if before.cold == len(spaces) && now.cold == len(spaces) { // a busy machine's second is longer
			p.fills = max(p.fills, int64(float64(now.fills-before.fills)/now.at.Sub(before.at).Seconds()+0.5))
		}
		if now.cold > 0 {
			p.cold = second + 1
		}
		if p.asked += int64(asked); second >= seconds-5 {
			lateAsked, lateGood = lateAsked+int64(asked), lateGood+now.good-before.good
		}
		before = now
	}
	all.Wait()
	p.good, p.shed = good.Load(), shed.Load()
	p.peak, p.crowd = src.peaks()
	p.loads = (src.all.Load() - first) / int64(seconds)
	p.late = float64(lateGood) / float64(lateAsked)
	return p
}

func (o *offTrial) log(t *testing.T, steady, off, recovery offPhase) {
	t.Helper()
	for _, p := range []struct {
		name string
		offPhase
	}{{"steady", steady}, {"off", off}, {"recovery", recovery}} {
		t.Logf("%-8s %7d asked, %5.1f%% good (%5.1f%% in the last 5 s), %6d refused; source: %4d loads/s, at most %4d in a second, %3d at a time; cold for %2d s, at most %3d fills in a second",
			p.name, p.asked, 100*float64(p.good)/float64(p.asked), 100*p.late, p.shed, p.loads, p.peak, p.crowd, p.cold, p.fills)
	}
	o.record(t, steady, off, recovery)
}

func (o *offTrial) check(t *testing.T, steady, off, recovery offPhase) {
	t.Helper()
	for _, p := range []offPhase{off, recovery} {
		if most := int64(o.most * o.processes); p.crowd > most {
			t.Errorf("%d loads at a time, the limit is %d", p.crowd, most)
		}
		// Each process lets the first one through at once.
		if most := int64(o.limitPerSecond()) + int64(o.processes); p.peak > most {
			t.Errorf("%d loads in a second, the limit is %d", p.peak, most)
		}
		if p.late < 0.9 || float64(p.good) < 0.5*float64(p.asked) {
			t.Errorf("%d of %d were good, of the last 5 s %.2f: want half, and nine tenths", p.good, p.asked, p.late)
		}
	}
	if 2*recovery.peak > 3*steady.peak {
		t.Errorf("%d loads in a second of recovery, want at most 1.5 times those of steady use, %d", recovery.peak, steady.peak)
	}
	if recovery.cold == 0 || recovery.cold > 3*int(o.ttl/time.Second) {
		t.Errorf("cold for %d s: recovery was not seen from its beginning to its end", recovery.cold)
	}
	if most := int64(o.fillsPerSecond()) + int64(o.processes); recovery.fills > most {
		t.Errorf("%d fills in a second of recovery, want at most %d", recovery.fills, most)
	}
	// Nine in a hundred fewer without what was kept: see orFallback.
	if float64(recovery.good) < 0.97*float64(recovery.asked) {
		t.Errorf("%d of %d were good in recovery", recovery.good, recovery.asked)
	}
	if d := float64(steady.loads)/o.loads - 1; d < -0.15 || d > 0.15 {
		t.Errorf("%d loads a second in steady use, and the limits were set for %.0f", steady.loads, o.loads)
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
		limit = fmt.Sprintf("limit %d at a time and %.0f a second; cold for %d s, with at most %d fills in a second", o.most*o.processes, o.limitPerSecond(), recovery.cold, recovery.fills)
	}
	proofs.Record(t, proofs.Row{Proof: "cache off", Seed: 21,
		Got: fmt.Sprintf("%s; steady: %s; off: %s; recovery: %s, %.2f × steady", limit, words(steady), words(off), words(recovery), float64(recovery.peak)/float64(steady.peak))})
}

func TestCacheOff(t *testing.T) {
	for _, protected := range []bool{true, false} {
		name := map[bool]string{true: "protected", false: "not"}[protected]
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &outageStore{Memory: NewMemory()}
				o := offTrial{processes: 3, keys: 600, ttl: 10 * time.Second, rate: 80, loads: 44, takes: 50 * time.Millisecond, most: 6, protected: protected,
					open: func() Store { return store }, kill: func() { store.down.Store(true) },
					revive: func() { store.empty(); store.down.Store(false) }}
				steady, off, recovery := o.run(t)
				o.log(t, steady, off, recovery)
				if protected {
					o.check(t, steady, off, recovery)
				} else if off.crowd <= int64(o.most*o.processes) || recovery.peak < 3*steady.peak {
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
			o := offTrial{processes: 3, keys: 3000, ttl: 20 * time.Second, rate: 400, loads: 89, takes: 20 * time.Millisecond, most: 8, protected: true,
				open: func() Store { return defaultStore(t, kind, addresses) },
				kill: func() { each(servers, (*servertest.Server).Kill) }, revive: func() { each(servers, (*servertest.Server).Restart) }}
			steady, off, recovery := o.run(t)
			o.log(t, steady, off, recovery)
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
