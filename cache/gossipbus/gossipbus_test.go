package gossipbus

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/membership/gossip"
)

// Three in ten packets are lost, and one process is cut off for a minute from the
// others, not from the store: no value in a first level is older than three digests,
// though the level itself would keep it for an hour. Both sides of the cut change.
func TestLossAndPartition(t *testing.T) {
	const (
		seed  = 5
		keys  = 5
		bound = 3*2*time.Second + time.Second // and how often silence is looked for
	)
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, seed, 0.3)
		defer f.end()
		f.join()
		var written [keys]struct{ number, at atomic.Int64 }
		load := func(_ context.Context, k number) (cache.Loaded[int64], error) {
			return cache.Loaded[int64]{Value: written[k].number.Load()}, nil
		}
		store := cache.NewMemory()
		var spaces []*cache.Space[number, int64]
		for range 3 {
			s, m := process(t, f.join(), store, true, load)
			defer m.Close()
			spaces = append(spaces, s)
		}
		time.Sleep(30 * time.Second)
		cut := []netip.AddrPort{f.members[1].Status().Gossip}
		worst := time.Duration(0)
		r := rand.New(rand.NewPCG(seed, 1))
		for tick := range 4 * 60 * 20 { // four minutes, the second one cut
			switch tick {
			case 1200:
				if err := f.network.Partition(cut); err != nil {
					t.Fatal(err)
				}
			case 2400:
				f.network.Heal()
			}
			if r.IntN(100) == 0 {
				id := r.Int64N(keys)
				written[id].number.Add(1)
				written[id].at.Store(time.Now().UnixNano())
				if err := spaces[r.IntN(2)].Invalidate(t.Context(), number(id)); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range spaces {
				for id := range int64(keys) {
					if v, _ := mustGet(t, s, number(id)); v != written[id].number.Load() {
						worst = max(worst, time.Since(time.Unix(0, written[id].at.Load())))
					}
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("no value was older than %v", worst)
		proofs.Record(t, proofs.Row{Proof: "gossip loss and partition", Got: fmt.Sprintf("no value older than %v", worst), Seed: seed})
		if worst > bound {
			t.Errorf("a value was served %v after it had changed, want %v at most (seed %d)", worst, bound, seed)
		}
		for i, s := range spaces {
			st := s.Stats()
			t.Logf("process %d: %d hits in L1, %d in L2, forgot %d times", i, st.L1Hits, st.L2Hits, st.L1Forgets)
			if st.L1Hits < 4*60*20*keys/4 || st.L1Forgets == 0 {
				t.Errorf("process %d: %d hits in L1, forgot %d times: the test shows nothing", i, st.L1Hits, st.L1Forgets)
			}
		}
	})
}

// What one process changes the other forgets in moments, one key and not all, and
// processes that read and load send nothing but digests. One that ends is not missed.
func TestChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 0)
		defer f.end()
		f.join()
		var value atomic.Int64
		load := func(context.Context, number) (cache.Loaded[int64], error) {
			return cache.Loaded[int64]{Value: value.Load()}, nil
		}
		store := cache.NewMemory()
		writer, ends := process(t, f.join(), store, true, load)
		reader, m := process(t, f.join(), store, true, load)
		defer m.Close()
		time.Sleep(time.Minute)
		// A member without the bus counts what it is sent: a digest of each of the
		// two every 2 s, or changes.
		count := func() uint64 { return f.members[0].Stats().Ignored["channel"] }
		// heard counts for 20 s that begin and end when no digest is due for 150 ms.
		heard := func(what func()) uint64 {
			for before := count() - 1; before != count(); {
				before = count()
				time.Sleep(300 * time.Millisecond)
			}
			time.Sleep(2*time.Second - 150*time.Millisecond)
			before, start := count(), time.Now()
			what()
			time.Sleep(20*time.Second - time.Since(start))
			return count() - before
		}
		read := func() {
			for i := range number(200) {
				mustGet(t, reader, i)
				mustGet(t, reader, i)
				mustGet(t, writer, i)
			}
		}
		if n := heard(read); n != 20 {
			t.Errorf("%d messages while values were read and loaded, want 20 digests", n)
		}
		forgets := reader.Stats().L1Forgets
		change := func() {
			value.Add(1)
			if err := writer.Invalidate(t.Context(), 7); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			if v, meta := mustGet(t, reader, 7); v != 1 {
				t.Errorf("%d from %v a moment after it was 1", v, meta.Source)
			}
			if v, meta := mustGet(t, reader, 8); v != 0 || meta.Source != cache.FromL1 {
				t.Errorf("another key: %d from %v, want 0 from L1", v, meta.Source)
			}
		}
		if n := heard(change); n != 21 {
			t.Errorf("%d messages, want 20 digests and one change", n)
		}
		// More keys than a packet takes.
		for i := range number(200) {
			if err := writer.Invalidate(t.Context(), i); err != nil {
				t.Fatal(err)
			}
		}
		_ = ends.Close()
		time.Sleep(10 * time.Second)
		for i := range number(200) {
			if v, _ := mustGet(t, reader, i); v != 1 {
				t.Fatalf("key %d: %d, want what was changed", i, v)
			}
		}
		if _, meta := mustGet(t, reader, 7); meta.Source != cache.FromL1 {
			t.Errorf("after the other has ended: from %v, want L1", meta.Source)
		}
		if n := reader.Stats().L1Forgets - forgets; n > 0 {
			t.Errorf("all was forgotten %d times", n)
		}
	})
}

// A process that dies is missed, and then no more.
func TestMissing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 0)
		defer f.end()
		f.join()
		load := func(context.Context, number) (cache.Loaded[int64], error) { return cache.Loaded[int64]{}, nil }
		store := cache.NewMemory()
		_, other := process(t, f.join(), store, true, load)
		defer other.Close()
		s, m := process(t, f.join(), store, true, load)
		defer m.Close()
		from := func() cache.Source { mustGet(t, s, 1); _, meta := mustGet(t, s, 1); return meta.Source }
		time.Sleep(30 * time.Second)
		if got := from(); got != cache.FromL1 {
			t.Fatalf("from %v at first", got)
		}
		f.network.Crash(f.members[1].Status().Gossip)
		time.Sleep(10 * time.Second)
		if got := from(); got != cache.FromL2 {
			t.Errorf("from %v while another is missed, want L2", got)
		}
		time.Sleep(115 * time.Second)
		if got := from(); got != cache.FromL1 {
			t.Errorf("from %v after 2 min, want L1", got)
		}
	})
}

func TestConfig(t *testing.T) {
	if _, err := New(nil, "x", Config{}); !errors.Is(err, cache.ErrConfig) {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, 0)
		defer f.end()
		g := f.join()
		for name, cfg := range map[string]Config{"a b": {}, "x": {Missing: -1}, "y": {Missing: time.Hour}, "z": {Bus: cache.BusConfig{Digest: -1}},
			"u": {Channel: gossip.ChannelConfig{Rate: -1}}} {
			if _, err := New(g, name, cfg); !errors.Is(err, cache.ErrConfig) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
