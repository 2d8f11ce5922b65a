package gossip

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/lifecycle"
	"github.com/ringway/ringway/ring"
)

// TestTaskIsRepeated: what fails is tried again, at growing intervals, and the
// node waits for it.
func TestTaskIsRepeated(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a")
		broken := errors.New("out of order")
		s := newServer()
		s.fails = broken
		f.servers["b"] = s
		g := f.node("b")
		time.Sleep(5 * time.Minute)
		st := g.Status()
		if !errors.Is(st.TaskError, broken) || st.Node.State != membership.Joining || !st.Healthy {
			t.Errorf("status: %+v", st)
		}
		// 1 s, 2 s, … 32 s, then 30 s: some 15, and twice as many with jitter.
		if n := s.tried(); n < 8 || n > 32 {
			t.Errorf("tried %d times in 5 minutes", n)
		}
		s.set(func() { s.fails = nil })
		f.agree(time.Minute, "a", "b")
		if st := g.Status(); st.TaskError != nil {
			t.Errorf("afterwards: %v", st.TaskError)
		}
	})
}

// handOver records its calls, and does not return before it may.
type handOver struct {
	mu    sync.Mutex
	calls []uint64
	ended []error
	may   chan struct{}
}

func (h *handOver) run(ctx context.Context, view membership.View, transition uint64) error {
	h.mu.Lock()
	h.calls = append(h.calls, transition)
	h.mu.Unlock()
	if number, phase := view.Transition(membership.Redis); number != transition || phase != membership.PhaseImporting {
		return errors.New("the view is of another transition")
	}
	var err error
	select {
	case <-h.may:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	h.mu.Lock()
	h.ended = append(h.ended, err)
	h.mu.Unlock()
	return err
}

// seen returns the transitions of the calls so far, and how they ended.
func (h *handOver) seen() (calls []uint64, ended []error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.calls), slices.Clone(h.ended)
}

// TestHandOver: keys are handed over in each transition, by the nodes that own
// keys, and the transition waits for them; a call that is not wanted any more is
// cancelled; Leave gives up with its context and Close ends what runs.
func TestHandOver(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		h := &handOver{may: make(chan struct{})}
		with := func(c *Config) { c.Node.HandOver = h.run }
		a := f.node("a", bootstrap, with)
		f.agree(time.Minute, "a")
		f.node("b")
		time.Sleep(2 * time.Minute)
		calls, _ := h.seen()
		if st := a.Status(); len(calls) != 1 || st.Task != "hand over" {
			t.Fatalf("calls %v, status %+v", calls, st)
		}
		if got := f.members["b"].Status(); got.Node.State != membership.Importing || got.Waits == "" {
			t.Errorf("b meanwhile: %+v", got)
		}
		h.may <- struct{}{}
		f.agree(10*time.Second, "a", "b")

		f.node("c") // and crashes on its way
		time.Sleep(time.Minute)
		f.crash("c")
		time.Sleep(time.Minute)
		calls, ended := h.seen()
		if len(calls) != 2 || len(ended) != 2 || !errors.Is(ended[1], errGone) {
			t.Errorf("calls %v ended with %v, want the second cancelled", calls, ended)
		}
		if st := a.Status(); st.TaskError != nil {
			t.Errorf("a task that was cancelled is shown as failed: %v", st.TaskError)
		}

		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := a.Leave(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "EXPORTING") {
			t.Errorf("leave: %v", err)
		}
		began := time.Now()
		_ = a.Close()
		if _, ended = h.seen(); time.Since(began) > time.Second || len(ended) != 3 {
			t.Errorf("close took %v, hand over ended with %v", time.Since(began), ended)
		}
		delete(f.members, "a")
	})
}

// TestHandOverWaitsForAll: nothing is taken away from where it was before all who
// might look for it there have heard that keys move.
func TestHandOverWaitsForAll(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		h := &handOver{may: make(chan struct{})}
		a := f.node("a", bootstrap, func(c *Config) { c.Node.HandOver = h.run })
		f.agree(time.Minute, "a")
		b := f.node("b")
		f.reaches(b, membership.Importing, time.Minute) // and a second more
		dwell := a.cfg.Timing.Dwell
		time.Sleep(dwell - 1500*time.Millisecond)
		if calls, _ := h.seen(); len(calls) != 0 {
			t.Error("keys were taken away at once")
		}
		time.Sleep(2 * time.Second)
		if calls, _ := h.seen(); len(calls) != 1 {
			t.Errorf("calls %v, want one", calls)
		}
		close(h.may)
		f.agree(10*time.Second, "a", "b")
	})
}

// TestAnotherPlacement: an agent whose placement is configured differently would
// sweep and hand over by a ring that nobody else has. It waits outside, also where its
// node is in the ring.
func TestAnotherPlacement(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		different := func(c *Config) { c.Placement = ring.Config{VirtualNodes: 100, Hasher: ring.Hasher{HashTags: true}} }
		c := f.node("c", different)
		time.Sleep(5 * time.Minute)
		if s := c.Status(); s.Node.State != membership.Joining || !strings.Contains(s.Waits, "placement") {
			t.Errorf("c: %+v", s)
		}
		f.crash("c")
		f.crash("b")
		sweeps := func() int {
			s := f.servers["b"]
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.sweeps
		}
		before := sweeps()
		b := f.node("b", different)
		time.Sleep(5 * time.Minute)
		if s := b.Status(); sweeps() != before || !strings.Contains(s.Waits, "placement") {
			t.Errorf("b: %+v, %d sweeps", s, sweeps()-before)
		}
	})
}

// TestLeaveWaits: Leave returns when the keys are handed over.
func TestLeaveWaits(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		h := &handOver{may: make(chan struct{})}
		f.start("a", "b")
		c := f.node("c", func(c *Config) { c.Node.HandOver = h.run })
		f.agree(time.Minute, "a", "b", "c")
		time.AfterFunc(time.Minute, func() { h.may <- struct{}{} })
		began := time.Now()
		if err := c.Leave(t.Context()); err != nil {
			t.Error(err)
		}
		if lasted := time.Since(began); lasted < time.Minute || lasted > 80*time.Second {
			t.Errorf("it took %v, want a little more than a minute", lasted)
		}
		delete(f.members, "c")
		f.agree(5*time.Second, "a", "b")
		for _, m := range f.members["client"].Members() {
			if m.ID == "c" && (m.State != membership.Left || m.Alive) {
				t.Errorf("the client has %+v", m)
			}
		}
	})
}

// TestResultOfCancelledTask: it does not count, whatever it is, since what asked
// for the task may have changed meanwhile.
func TestResultOfCancelledTask(t *testing.T) {
	g, _ := unopened(t, Config{Name: "b", Node: goodNode()})
	n := g.loop.node
	n.finished(lifecycle.Sweep, 5, 1, time.Now(), true, nil)
	n.finished(lifecycle.Sweep, 5, 0, time.Now(), true, errDown)
	if n.machine.Record().Swept != 0 || n.job.err != nil || n.job.failures != 0 {
		t.Errorf("swept %d, %+v", n.machine.Record().Swept, n.job)
	}
	n.finished(lifecycle.Sweep, 5, 1, time.Now(), false, nil)
	if n.machine.Record().Swept != 5 {
		t.Error("the result of another one does not count either")
	}
}

// TestSweepKeepsOwnKeys: keys of which the node is the owner, or holds a copy.
func TestSweepKeepsOwnKeys(t *testing.T) {
	for _, copies := range []int{0, 1, 2} {
		g, _ := unopened(t, Config{Name: "b", Node: &NodeConfig{Address: "b:1", Server: newServer(), Copies: copies}})
		view, err := membership.NewView(1,
			membership.Member{ID: "a", Address: "a:1"}, membership.Member{ID: "b", Address: "b:1"}, membership.Member{ID: "c", Address: "c:1"},
			membership.Member{ID: "d", Address: "d:1", State: membership.Announced})
		if err != nil {
			t.Fatal(err)
		}
		keep, err := g.loop.node.keeps(view)
		if err != nil {
			t.Fatal(err)
		}
		r, _ := ring.New(ring.Nodes("a", "b", "c"), ring.Config{})
		for _, key := range []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"} {
			want := false
			for _, n := range r.Replicas(nil, key, max(copies, 1)) {
				want = want || n.ID == "b"
			}
			if got := keep(key); got != want {
				t.Errorf("%d copies, key %s: kept %v, want %v", copies, key, got, want)
			}
		}
		if _, err := g.loop.node.keeps(membership.View{}); err == nil {
			t.Error("a sweep for a ring without nodes")
		}
	}
}
