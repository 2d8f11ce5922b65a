package lifecycle

import (
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

const second = time.Second

var testTiming = Timing{MinReady: 10 * second, MaxReady: 10 * time.Minute, ReturnWithin: 10 * time.Minute,
	BatchWindow: 3 * second, Dwell: 12 * second, MaxDwell: 30 * second, LeaveTimeout: time.Minute}

// rule is one sentence about the path of a node, and what shows it.
type rule struct {
	says string
	show func(*stage)
}

func (r rule) test(t *testing.T) {
	t.Run(r.says, func(t *testing.T) { r.show(newStage(t)) })
}

// stage is node "n" in a fleet that the test makes up: what others say is put
// into the ledger, and what the node says too.
type stage struct {
	t   *testing.T
	cfg Config
	m   *Machine
	in  Input
	out Output

	keys   int64  // that the server holds
	purges int    // that were done
	asked  []Task // tasks, each when it was asked for first
	said   ledger.Record
}

// newStage has contact, a server that answers and holds nothing, and no routers.
// Node b is ACTIVE.
func newStage(t *testing.T) *stage {
	s := &stage{t: t, cfg: Config{ID: "n", Kind: membership.Redis, Address: "h:1", Weight: 1, Generation: 100, Timing: testTiming},
		in: Input{Now: time.Unix(1_700_000_000, 0), Ledger: ledger.New(), Contact: true, Healthy: true, Hurry: true, RoutersSeen: ^uint64(0)}}
	s.other("b", membership.Active)
	return s
}

// alone is a stage without b.
func (s *stage) alone() *stage {
	s.in.Ledger = ledger.New()
	return s
}

// other has another node announce that it is in a state.
func (s *stage) other(id string, state membership.State) {
	s.says(id, func(r *ledger.Record) { r.State = state })
}

// says has another node announce a change of its record, with a new stamp.
func (s *stage) says(id string, change func(*ledger.Record)) {
	s.t.Helper()
	r, known := s.in.Ledger.Record(id)
	if !known {
		r = ledger.Record{ID: id, Kind: membership.Redis, Address: id + ":1", Weight: 1, Generation: 1, State: membership.Joining}
	}
	r.Sequence++
	r.Stamp = 1 + s.in.Ledger.Epoch()
	if change(&r); !s.in.Ledger.MergeRecord(r) {
		s.t.Fatalf("%+v is no news", r)
	}
	if err := r.Validate(); err != nil {
		s.t.Fatal(err)
	}
}

// takesPart is a change to a state in the transition of that number.
func takesPart(state membership.State, transition uint64) func(*ledger.Record) {
	return func(r *ledger.Record) { r.State, r.Transition = state, transition }
}

// ready is takesPart of one that holds nothing old.
func ready(state membership.State, transition uint64) func(*ledger.Record) {
	return func(r *ledger.Record) { r.State, r.Transition, r.Swept = state, transition, transition }
}

func swept(transition uint64) func(*ledger.Record) {
	return func(r *ledger.Record) { r.Swept = transition }
}

// next names the transition under way and its next ring, as the ledger has them.
func (s *stage) next() uint64 {
	view := s.in.Ledger.View()
	number, _ := view.Transition(membership.Redis)
	return nameOf(number, view.Next(membership.Redis))
}

// handsOver has another node announce that it has handed over.
func (s *stage) handsOver(id string) {
	s.t.Helper()
	done := s.next()
	s.says(id, func(r *ledger.Record) { r.Done = done })
}

// evict evicts a node and returns the stamp.
func (s *stage) evict(id string) uint64 {
	e := ledger.Eviction{ID: id, Stamp: 1 + s.in.Ledger.Epoch(), Since: s.in.Now.Unix(), By: "b"}
	s.in.Ledger.MergeEviction(e)
	return e.Stamp
}

// begin starts the agent.
func (s *stage) begin() *stage {
	s.m = New(s.cfg)
	return s
}

// restart starts the agent again; it has forgotten everything.
func (s *stage) restart() {
	s.cfg.Generation += 10
	s.asked, s.out = nil, Output{}
	s.begin()
}

// step lets the machine look, and passes on what it announces.
func (s *stage) step() {
	s.t.Helper()
	if s.m == nil {
		s.begin()
	}
	epoch := s.in.Ledger.Epoch()
	s.out = s.m.Step(s.in)
	rec := s.out.Record
	if n := len(s.asked); s.out.Task != Nothing && (n == 0 || s.asked[n-1] != s.out.Task) {
		s.asked = append(s.asked, s.out.Task)
	}
	if !s.out.Announce || !s.out.Known {
		return
	}
	old, known := s.in.Ledger.Record(rec.ID)
	if err := rec.Validate(); err != nil {
		s.t.Fatal(err)
	}
	if known && !later(rec, old) || !s.in.Ledger.MergeRecord(rec) {
		s.t.Fatalf("announces %+v, which does not replace %+v", rec, old)
	}
	if ringOf(old) != ringOf(rec) && rec.Stamp <= epoch {
		s.t.Fatalf("announces %+v after %+v without a stamp above epoch %d", rec, old, epoch)
	}
	s.said = rec
}

// ringOf is all of a record that matters to a ring, or is shown with it.
func ringOf(r ledger.Record) [8]any {
	if !ownsKeys(r) && !moving(r) {
		return [8]any{}
	}
	return [8]any{r.State, r.Step, r.Weight, r.NextWeight, r.Transition, r.Unhealthy, r.Address, r.Zone}
}

// pass lets time pass, a look each second; no task gets done.
func (s *stage) pass(d time.Duration) {
	s.t.Helper()
	for ; d > 0; d -= second {
		s.in.Now = s.in.Now.Add(second)
		s.step()
	}
}

// work does the task that is asked for.
func (s *stage) work() {
	switch s.out.Task {
	case Count:
		s.m.Counted(s.keys, s.in.Now)
	case Purge:
		s.keys = 0
		s.purges++
		s.m.Purged(s.out.For)
	case Sweep:
		s.m.Swept(s.out.For)
	case HandOver:
		s.m.HandedOver(s.out.For)
	}
}

// live is pass with a task done each second. An error ends it.
func (s *stage) live(d time.Duration) {
	s.t.Helper()
	for ; d > 0 && s.out.Err == nil; d -= second {
		s.pass(second)
		s.work()
	}
}

// liveTo lives until the node is in that state, and returns how long it took.
func (s *stage) liveTo(state membership.State, within time.Duration) time.Duration {
	s.t.Helper()
	began := s.in.Now
	for s.step(); s.out.Record.State != state; s.pass(second) {
		if s.work(); s.in.Now.Sub(began) > within {
			s.t.Fatalf("%s after %v, waits for %q, task %v; want %s", s.out.Record.State, within, s.out.Waits, s.out.Task, state)
		}
	}
	return s.in.Now.Sub(began)
}

func (s *stage) want(state membership.State) {
	s.t.Helper()
	if s.out.Record.State != state {
		s.t.Fatalf("%s, waits for %q; want %s", s.out.Record.State, s.out.Waits, state)
	}
}

func (s *stage) wantTask(task Task, number uint64) {
	s.t.Helper()
	if s.out.Task != task || task != Nothing && s.out.For != number {
		s.t.Fatalf("task %v for %d, want %v for %d", s.out.Task, s.out.For, task, number)
	}
}

func (s *stage) wantWaits(what string) {
	s.t.Helper()
	if !strings.Contains(s.out.Waits, what) {
		s.t.Fatalf("waits for %q, want %q", s.out.Waits, what)
	}
}

func (s *stage) check(ok bool, format string, args ...any) {
	s.t.Helper()
	if !ok {
		s.t.Fatalf(format, args...)
	}
}

// announce brings the node to ANNOUNCED, and returns its transition.
func (s *stage) announce() uint64 {
	s.t.Helper()
	s.liveTo(membership.Announced, time.Minute)
	return s.out.Record.Transition
}

// imports brings the node to IMPORTING, with b's help.
func (s *stage) imports() uint64 {
	s.t.Helper()
	number := s.announce()
	s.says("b", swept(number))
	s.liveTo(membership.Importing, time.Minute)
	return number
}

// goOn brings the node from ANNOUNCED to ACTIVE, with b's help.
func (s *stage) goOn() {
	s.t.Helper()
	s.says("b", swept(s.said.Transition))
	s.liveTo(membership.Importing, time.Minute)
	s.handsOver("b")
	s.liveTo(membership.Active, time.Minute)
}

// activate brings the node to ACTIVE, with b's help, and through the sweep that
// follows.
func (s *stage) activate() {
	s.t.Helper()
	s.announce()
	s.goOn()
	s.live(5 * second)
	s.wantTask(Nothing, 0)
	s.asked = nil
}
