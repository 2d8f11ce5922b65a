package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// ether is a Wire between processes in a test that loses messages at random, and
// those of processes that are cut off.
type ether struct {
	mu      sync.Mutex // guards the following
	random  *rand.Rand
	loss    float64
	ends    map[*etherWire]Receiver
	changes int // messages with changes
}

type etherWire struct {
	ether *ether
	cut   bool // guarded by ether.mu
}

func (w *etherWire) Channels() int { return 2 }

func (w *etherWire) Send(_ context.Context, channel int, data []byte) error {
	e := w.ether
	e.mu.Lock()
	defer e.mu.Unlock()
	if m, err := decodeBusMessage(data); err != nil {
		return err
	} else if m.kind == busChanges {
		e.changes++
	}
	if w.cut {
		return errors.New("cut off")
	}
	for end, r := range e.ends {
		if !end.cut && e.random.Float64() >= e.loss {
			r.Message(channel, data)
		}
	}
	return nil
}

func (w *etherWire) Receive(ctx context.Context, r Receiver) {
	set := func(r Receiver) {
		w.ether.mu.Lock()
		defer w.ether.mu.Unlock()
		if w.ether.ends[w] = r; r == nil {
			delete(w.ether.ends, w)
		}
	}
	set(r)
	<-ctx.Done()
	set(nil)
}

func (w *etherWire) cutOff(cut bool) {
	w.ether.mu.Lock()
	defer w.ether.mu.Unlock()
	w.cut = cut
}

// process is a manager with a bus of its own on the ether.
func (e *ether) process(t *testing.T, store Store, change func(*SpaceConfig[userKey, user])) (*Space[userKey, user], *Manager, *etherWire) {
	t.Helper()
	w := &etherWire{ether: e}
	bus, err := NewBus(w, BusConfig{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewManager(ManagerConfig{Store: store, Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.L1 = L1Config{MaxBytes: 1 << 20, TTL: time.Hour}
		c.Life.TTL = 10 * time.Hour
		change(c)
	}), m, w
}

func newEther(seed uint64, loss float64) *ether {
	return &ether{random: rand.New(rand.NewPCG(seed, 0)), loss: loss, ends: make(map[*etherWire]Receiver)}
}

// Three in ten messages are lost, and one process hears nothing for a minute: no
// value in a first level is older than the time of three digests, though the level
// itself would keep it for an hour.
func TestBusLossAndPartition(t *testing.T) {
	const (
		seed  = 5
		keys  = 5
		bound = 3*2*time.Second + time.Second // and how often silence is looked for
	)
	synctest.Test(t, func(t *testing.T) {
		e := newEther(seed, 0.3)
		var written [keys]struct {
			number, at atomic.Int64
		}
		load := func(_ context.Context, k userKey) (Loaded[user], error) {
			return Loaded[user]{Value: user{Name: fmt.Sprint(written[k.ID].number.Load())}}, nil
		}
		store := NewMemory()
		var spaces []*Space[userKey, user]
		var wires []*etherWire
		for range 3 {
			s, m, w := e.process(t, store, func(c *SpaceConfig[userKey, user]) { c.Load, c.L1.NeedsBus = load, true })
			defer m.Close()
			spaces, wires = append(spaces, s), append(wires, w)
		}
		worst := time.Duration(0)
		read := func(s *Space[userKey, user], id int64) {
			v, _ := mustGet(t, s, userKey{"", id})
			if v.Name != fmt.Sprint(written[id].number.Load()) {
				worst = max(worst, time.Since(time.Unix(0, written[id].at.Load())))
			}
		}
		r := rand.New(rand.NewPCG(seed, 1))
		for tick := range 3 * 60 * 20 { // three minutes, the one in the middle cut
			if tick%1200 == 0 {
				wires[1].cutOff(tick == 1200)
			}
			if r.IntN(150) == 0 { // so that often a message is the last for long
				id := r.Int64N(keys)
				written[id].number.Add(1)
				written[id].at.Store(time.Now().UnixNano())
				if err := spaces[0].Invalidate(t.Context(), userKey{"", id}); err != nil {
					t.Fatal(err)
				}
			}
			for _, s := range spaces {
				for id := range int64(keys) {
					read(s, id)
				}
			}
			time.Sleep(50 * time.Millisecond)
		}
		proofs.Record(t, proofs.Row{Proof: "bus loss and partition", Got: fmt.Sprintf("no value older than %v", worst), Seed: seed})
		if worst > bound {
			t.Errorf("a value was served %v after it had changed, want %v at most (seed %d)", worst, bound, seed)
		}
		for i, s := range spaces[1:] {
			if st := s.Stats(); st.L1Hits < st.L2Hits || st.L1Forgets == 0 {
				t.Errorf("process %d: %d hits in L1, %d in L2, forgot %d times: the test shows nothing", i+1, st.L1Hits, st.L2Hits, st.L1Forgets)
			}
		}
	})
}

// Reads and loads send nothing; a change sends one message and no more.
func TestBusTellsChangesOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther(1, 0)
		tb := &table{versions: true, row: user{Name: "first"}}
		store := NewMemory()
		change := func(c *SpaceConfig[userKey, user]) {
			c.Load, c.Save = tb.load, tb.save
			c.SaveMany = func(ctx context.Context, pairs []Pair[userKey, user]) ([]uint64, error) {
				v, err := tb.save(ctx, pairs[0].Key, pairs[0].Value)
				return []uint64{v}, err
			}
		}
		s, m, _ := e.process(t, store, change)
		defer m.Close()
		reader, m2, _ := e.process(t, store, change)
		defer m2.Close()
		sent := func() int {
			time.Sleep(time.Minute)
			e.mu.Lock()
			defer e.mu.Unlock()
			return e.changes
		}
		for _, s := range []*Space[userKey, user]{s, reader} {
			mustGet(t, s, ada)
			mustGet(t, s, ada)
			s.GetMany(t.Context(), []userKey{{"", 2}, {"", 3}})
		}
		if n := sent(); n != 0 {
			t.Errorf("reads sent %d messages", n)
		}
		for i, change := range []func() error{
			func() error { return s.Put(t.Context(), ada, user{Name: "1"}) },
			func() error { return s.Invalidate(t.Context(), ada) },
			func() error { return s.PutMany(t.Context(), []Pair[userKey, user]{{ada, user{Name: "2"}}}) },
			func() error { tb.versions = false; return s.Put(t.Context(), ada, user{Name: "3"}) },
		} {
			mustGet(t, reader, ada)
			wantName(t, reader, tb.row.Name, FromL1)
			forgets := reader.Stats().L1Forgets
			if err := change(); err != nil {
				t.Fatal(err)
			}
			if n := sent(); n != i+1 {
				t.Errorf("change %d: %d messages", i, n)
			}
			if v, meta := mustGet(t, reader, ada); v.Name != tb.row.Name || meta.Source == FromL1 {
				t.Errorf("change %d: %q from %v in another process", i, v.Name, meta.Source)
			}
			if n := reader.Stats().L1Forgets - forgets; n > 0 {
				t.Errorf("change %d: all was forgotten", i)
			}
		}
		if !t.Failed() {
			proofs.Record(t, proofs.Row{Proof: "changes only", Got: fmt.Sprintf("8 reads of two processes: no message; 4 changes: %d", e.changes)})
		}
	})
}

// With the wire stuck nobody who tells waits, what waits is bounded, and who hears
// of it later forgets everything.
func TestBusStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEther(1, 0)
		w := &etherWire{ether: e}
		heard := &script{}
		bus, err := NewBus(w, BusConfig{Queue: 10})
		if err != nil {
			t.Fatal(err)
		}
		listening, _ := NewBus(&etherWire{ether: e}, BusConfig{})
		ctx, stop := context.WithCancel(t.Context())
		var running sync.WaitGroup
		defer running.Wait()
		defer stop()
		for _, b := range []*SequencedBus{bus, listening} {
			var l Listener = listener{newManager(t, NewMemory())}
			if b == listening {
				l = heard
			}
			running.Go(func() { _ = b.Run(ctx, l) })
		}
		time.Sleep(time.Minute)
		if err := bus.Run(ctx, heard); err == nil {
			t.Error("it ran twice")
		}
		heard.take()
		e.mu.Lock() // no message passes
		for i := range 1000 {
			bus.Tell(Change{Space: "user/3", Key: [16]byte{byte(i), byte(i >> 8)}})
		}
		e.mu.Unlock()
		for _, box := range bus.boxes {
			box.mu.Lock()
			if n := len(box.waiting); n > 10 {
				t.Errorf("%d changes wait", n)
			}
			box.mu.Unlock()
		}
		time.Sleep(3 * time.Second)
		if said := heard.take(); !strings.HasSuffix(said, "doubt false") {
			t.Errorf("changes were dropped, and others heard %q", said)
		}
	})
}

// A process that ends says so: what it told last arrives, and nobody doubts.
func TestBusFarewell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, store, src := newEther(1, 0), NewMemory(), newSource()
		load := func(c *SpaceConfig[userKey, user]) { c.Load = src.load }
		writer, ends, _ := e.process(t, store, load)
		reader, m, _ := e.process(t, store, load)
		defer m.Close()
		time.Sleep(time.Minute)
		mustGet(t, reader, ada)
		wantName(t, reader, "Ada", FromL1)
		forgets := reader.Stats().L1Forgets
		src.set(ada, Loaded[user]{Value: user{Name: "new"}})
		if err := writer.Invalidate(t.Context(), ada); err != nil {
			t.Fatal(err)
		}
		_ = ends.Close() // at once
		wantName(t, reader, "new", FromLoader)
		time.Sleep(time.Minute)
		if n := reader.Stats().L1Forgets - forgets; n > 0 {
			t.Errorf("all was forgotten %d times", n)
		}
	})
}

// deadWire hears nothing.
type deadWire struct{ listened atomic.Int64 }

func (w *deadWire) Channels() int                           { return 3 }
func (w *deadWire) Send(context.Context, int, []byte) error { return nil }
func (w *deadWire) Receive(ctx context.Context, _ Receiver) { w.listened.Add(1); <-ctx.Done() }

// A wire over which nothing is heard may hang on a connection that is half open.
func TestBusListensAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &deadWire{}
		bus, err := NewBus(w, BusConfig{})
		if err != nil {
			t.Fatal(err)
		}
		m, err := NewManager(ManagerConfig{Store: NewMemory(), Bus: bus})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if n := w.listened.Load(); n < 4 || n > 5 {
			t.Errorf("listened %d times in a minute, want every 13 s", n)
		}
		_ = m.Close()
	})
}

func TestBusConfig(t *testing.T) {
	for name, cfg := range map[string]BusConfig{"digest": {Digest: -1}, "queue": {Queue: -1}} {
		if _, err := NewBus(&etherWire{}, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewBus(nil, BusConfig{}); !errors.Is(err, ErrConfig) {
		t.Error("no wire")
	}
	if _, err := NewRedisBus(nil, "x", BusConfig{}); !errors.Is(err, ErrConfig) {
		t.Error("no client")
	}
	m := newManager(t, NewMemory())
	if _, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "x", L1: L1Config{MaxBytes: 1, NeedsBus: true}}); !errors.Is(err, ErrConfig) {
		t.Errorf("NeedsBus without a bus: %v", err)
	}
}
