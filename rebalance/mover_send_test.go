package rebalance

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// TestSlowReceiver: what goes to one that answers slowly holds up nobody else.
func TestSlowReceiver(t *testing.T) {
	for _, kind := range bothKinds {
		t.Run(string(kind), func(t *testing.T) {
			f := newFleet(t, kind, active("a"), coming("b"), coming("c"))
			f.fence("b", "c")
			f.config.Source.URL = f.url("a")
			f.config.Limits.Latency = 20 * time.Millisecond
			toB, toC := f.ownedBy("a", "b", "b", 6000), f.ownedBy("a", "c", "c", 6000)
			items := make(map[string]testItem)
			for i := range toB {
				items[toB[i]], items[toC[i]] = testItem{"v", time.Hour}, testItem{"v", time.Hour}
			}
			must(t, f.store("a").fill(t.Context(), items))
			slow := f.through("b")
			slow.Delay(60 * time.Millisecond)
			m := f.mover("a")
			wait, _ := f.inBackground(m)
			eventually(t, "all that goes to the quick one has moved", func() bool {
				p := m.Progress()
				return len(p.Receivers) == 2 && p.Receivers[1].Keys == int64(len(toC))
			})
			if p := m.Progress(); p.Receivers[0].Keys > int64(len(toB)/2) || p.Pace == 1 {
				t.Errorf("the slow one has %d of %d keys by then, and the pace shown is %v", p.Receivers[0].Keys, len(toB), p.Pace)
			}
			slow.Heal()
			must(t, wait())
			if here, there := f.count("a", toB), f.count("b", toB); here != 0 || there != len(toB) {
				t.Errorf("%d keys at the source, and %d at the slow one", here, there)
			}
		})
	}
}

// TestAsideIsBounded: what a slow receiver would be given beyond some parcels is left
// to the next pass.
func TestAsideIsBounded(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"), coming("c"))
	m := f.mover("a")
	to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
	must(t, err)
	h, err := m.take(within(t), f.view, to, testTransition)
	must(t, err)
	defer func() { h.close(); m.release(false) }()
	p, r := newPass(h, 1), h.receivers["b"]
	r.turn <- struct{}{} // nothing moves
	ctx, cancel := context.WithCancel(t.Context())
	next := func() *parcel {
		batch := &parcel{to: []*receiver{r}}
		for _, key := range []string{"x", "y", "z"} {
			batch.add(found(key))
		}
		return batch
	}
	p.quick = time.Now().Add(time.Hour) // others take keys
	for i := range asideParcels + 2 {
		p.sendAside(ctx, next(), r)
		if left := p.left.Load(); left != int64(3*max(0, i+1-asideParcels)) {
			t.Fatalf("%d keys are left after %d parcels", left, i+1)
		}
	}
	if p.clean() {
		t.Error("a pass that has left keys is the last one")
	}
	p.quick = time.Now().Add(-time.Hour) // nobody else does
	go func() { <-r.aside }()
	if p.sendAside(ctx, next(), r); p.left.Load() != 6 {
		t.Errorf("%d keys are left when the walk could wait for a place", p.left.Load())
	}
	cancel()
	r.aside <- struct{}{} // for the one that was taken out
	p.flying.Wait()
}

// TestReceivers: a mover has to do with those nodes alone that keys go to.
func TestReceivers(t *testing.T) {
	for _, tt := range []struct {
		copies  int
		members []membership.Member
		want    []string
	}{
		{1, []membership.Member{active("a"), active("c"), active("d"), coming("b")}, []string{"b"}},
		{2, []membership.Member{active("a"), active("c"), active("d"), coming("b")}, []string{"b", "c", "d"}},
		{1, []membership.Member{{ID: "a", State: membership.Exporting}, active("c"), active("d")}, []string{"c", "d"}},
		{1, []membership.Member{active("a"), {ID: "b", State: membership.Exporting}, active("d")}, []string{}},
	} {
		f := newFleet(t, membership.Redis, tt.members...)
		f.config.Copies = tt.copies
		m := f.mover("a")
		to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
		must(t, err)
		h, err := m.take(within(t), f.view, to, testTransition)
		must(t, err)
		if got := h.ids(); !slices.Equal(got, tt.want) {
			t.Errorf("%d copies of %v: %v, want %v", tt.copies, tt.members, got, tt.want)
		}
		h.close()
		m.release(false)
	}
}

// TestPaceComesBack: after an outage a server is asked for as much as before within
// ten seconds.
func TestPaceComesBack(t *testing.T) {
	p, now := newPulse(), time.Unix(0, 0)
	beats := func(n int, took time.Duration) {
		for range n {
			now = now.Add(max(took, pulseInterval))
			p.beat(now, took, 0)
		}
	}
	beats(100, time.Millisecond)
	beats(30, pulseTimeout) // a minute
	if p.now() != slowest {
		t.Errorf("at the end of the outage: %v", p.now())
	}
	beats(int(10*time.Second/pulseInterval), time.Millisecond)
	if p.now() != 1 {
		t.Errorf("ten seconds later: %v", p.now())
	}
}

// TestWitness: a batch is known by the process that it began with.
func TestWitness(t *testing.T) {
	now, failure, asked := "one", error(nil), 0
	w := &witness{ask: func(context.Context) (string, error) { asked++; return now, failure }}
	ctx := t.Context()
	before, err := w.before(ctx)
	must(t, err)
	for range 3 {
		again, err := w.before(ctx)
		if err != nil || again != before || w.same(ctx, before) != nil {
			t.Errorf("the same process: %q, %v", again, err)
		}
	}
	if asked != 4 {
		t.Errorf("asked %d times", asked)
	}
	now = "two"
	if err := w.same(ctx, before); !errors.Is(err, errRestarted) {
		t.Errorf("another process: %v", err)
	}
	if err := w.same(ctx, before); !errors.Is(err, errRestarted) {
		t.Errorf("another batch that began before: %v", err)
	}
	if after, err := w.before(ctx); err != nil || after != "two" || w.same(ctx, after) != nil {
		t.Errorf("a batch that begins now: %q, %v", after, err)
	}
	failure = errors.New("no answer")
	if err := w.same(ctx, "two"); !errors.Is(err, failure) {
		t.Errorf("no answer: %v", err)
	}
}

// parts notes which parts of big keys came without a time to live in one
// transaction with them.
type parts struct{ seen, bare int }

func (h *parts) DialHook(next redis.DialHook) redis.DialHook          { return next }
func (h *parts) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (h *parts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		first, last := cmds[0].Name(), cmds[len(cmds)-1].Name()
		for _, cmd := range cmds {
			if cmd.Name() == "pexpire" {
				if h.seen++; first != "multi" || last != "exec" {
					h.bare++
				}
			}
		}
		return next(ctx, cmds)
	}
}

// TestPartsEnd: no part of a big key is at the receiver, however short, without a
// time to live: nobody would delete it if the mover died then.
func TestPartsEnd(t *testing.T) {
	f := newFleet(t, membership.Redis, active("a"), coming("b"))
	f.fence("b")
	m := f.mover("a")
	for _, v := range valuesOf {
		key := f.ownedBy("a", "b", v.kind, 1)[0]
		fillValue(t, f.redis("a"), v.script, key, v.count)
		to, err := newRoutes(m.cfg, m.kind, f.view, testTransition)
		must(t, err)
		h, err := m.take(within(t), f.view, to, testTransition)
		must(t, err)
		r, seen := h.receivers["b"], &parts{}
		h.carrier.(*redisCarrier).targets[r].Client.AddHook(seen)
		got, _, err := h.carrier.single(within(t), &parcel{keys: []dataserver.Found{found(key)}, to: []*receiver{r}, leave: true})
		if got != moved || err != nil || seen.bare > 0 || (seen.seen == 0) != (v.kind == "stream") {
			t.Errorf("%s: fate %d, %v, and %d of %d parts could be left for ever", v.kind, got, err, seen.bare, seen.seen)
		}
		h.close()
		m.release(false)
	}
}
