package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
)

// The last node that could own keys is not drained unless that is wanted: of those that
// are dead, leave or are of another kind, none takes its keys.
func TestDrainTheLast(t *testing.T) {
	last := membership.Member{ID: "a", Address: "10.0.0.1:6379"}
	other := func(change func(*membership.Member)) membership.Member {
		m := membership.Member{ID: "b", Address: "10.0.0.2:6379"}
		change(&m)
		return m
	}
	for _, test := range []struct {
		name    string
		members []membership.Member
		refused bool
	}{
		{"alone", []membership.Member{last}, true},
		{"the other one is dead", []membership.Member{last, other(func(m *membership.Member) { m.Health = membership.Dead })}, true},
		{"its server is", []membership.Member{last, other(func(m *membership.Member) { m.Health = membership.Unhealthy })}, true},
		{"the other one leaves", []membership.Member{last, other(func(m *membership.Member) { m.State = membership.Leaving })}, true},
		{"two others leave, one after the other", []membership.Member{last,
			other(func(m *membership.Member) { m.State, m.Transition = membership.Exporting, 7 }),
			other(func(m *membership.Member) { m.ID, m.State, m.Transition = "c", membership.Leaving, 8 })}, true},
		{"has left", []membership.Member{last, other(func(m *membership.Member) { m.State = membership.Left })}, true},
		{"waits to join", []membership.Member{last, other(func(m *membership.Member) { m.State = membership.Joining })}, true},
		{"is of another kind", []membership.Member{last, other(func(m *membership.Member) { m.Kind = membership.Memcached })}, true},
		{"joins", []membership.Member{last, other(func(m *membership.Member) { m.State, m.Transition = membership.Importing, 7 })}, false},
		{"is there", []membership.Member{last, other(func(*membership.Member) {})}, false},
		{"it was told before", []membership.Member{other(func(m *membership.Member) { m.ID, m.State = "a", membership.Leaving })}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, url := newMovers(t, test.members, importing("a"))
			args := []string{"drain", "a", "--no-wait", "--agent", url}
			code, stdout, stderr := run(args...)
			if test.refused {
				checkUsageError(t, code, stdout, stderr)
				if !strings.Contains(stderr, "the last node") || len(f.left) != 0 {
					t.Errorf("told: %v, %s", f.left, stderr)
				}
				args = append(args, "--force")
				code, _, stderr = run(args...)
				if !strings.Contains(stderr, "warning: nobody takes the keys of a") {
					t.Errorf("forced: %q", stderr)
				}
			} else if stderr != "" {
				t.Errorf("stderr %q", stderr)
			}
			if code != 0 || len(f.left) != 1 {
				t.Errorf("exit %d, told: %v", code, f.left)
			}
		})
	}
}

// threeActive is a fleet of which b is to leave.
func threeActive() []membership.Member {
	return []membership.Member{{ID: "a", Address: "10.0.0.1:6379"}, {ID: "b", Address: "10.0.0.2:6379"}, {ID: "c", Address: "10.0.0.3:6379"}}
}

// afterLeave calls do once b was told to leave.
func (f *fakeMovers) afterLeave(t *testing.T, do func()) (done chan struct{}) {
	told := make(chan struct{})
	f.onLeave, done = told, make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-told:
			do()
		case <-t.Context().Done():
		}
	}()
	return done
}

// The only agent that was named ends meanwhile: the others tell what became of the node.
func TestDrainAsksTheOthers(t *testing.T) {
	exporting := importing("b") // its own agent does not say more than that
	exporting.NodeState, exporting.HandedOver = membership.Exporting, true
	f, url := newMovers(t, threeActive(), exporting, importing("c"), importing("a"))
	done := f.afterLeave(t, func() {
		f.https["a"].Close() // what it was asked it answers
		members := threeActive()
		members[1].State = membership.Left
		f.fleet.set(t, 10, members...)
	})
	code, stdout, stderr := run("drain", "b", "--agent", url)
	<-done
	if code != 0 || stderr != "" || !strings.Contains(stdout, "b is LEFT after") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// Nobody answers any more: it says so, and ends.
func TestDrainOfNobody(t *testing.T) {
	drainPatience = 50 * time.Millisecond
	t.Cleanup(func() { drainPatience = 15 * time.Second })
	f, url := newMovers(t, threeActive(), importing("b"), importing("c"), importing("a"))
	done := f.afterLeave(t, func() {
		for _, s := range f.https {
			s.Close() // what it was asked it answers
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // it would wait for ever
	defer cancel()
	code, _, stderr := runContext(ctx, strings.NewReader(""), "drain", "b", "--agent", url)
	<-done
	if code != cli.ExitFailed || !strings.Contains(stderr, "not reached: no agent has answered for 50ms; b may go on leaving\nringway: agent "+url) {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

// Ctrl-C ends the waiting, and not the leaving: that is said.
func TestDrainInterrupted(t *testing.T) {
	f, url := newMovers(t, threeActive(), importing("b"), importing("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.fleet.mu.Lock()
	f.fleet.asked = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if len(f.left) > 0 {
			cancel()
		}
	}
	f.fleet.mu.Unlock()
	code, _, stderr := runContext(ctx, strings.NewReader(""), "drain", "b", "--agent", url)
	if want := "ringway: interrupted: b goes on leaving; \"ringway rebalance --abort\" takes that back\n"; code != cli.ExitInterrupted || stderr != want {
		t.Errorf("exit %d, %q, want %q", code, stderr, want)
	}
}
