package main

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
)

// reached makes movers of agents that have answered.
func reached(t *testing.T, says ...agentapi.Rebalance) (m movers) {
	t.Helper()
	client, err := agents.New(agents.Config{URLs: []string{"http://h:1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	for _, r := range says {
		m.all = append(m.all, mover{member: agentapi.MemberStatus{ID: r.ID, Kind: membership.Redis}, at: client.Given()[0], now: r})
	}
	return m
}

// ended is a mover that has handed all over in the transition under way.
func ended(id string) agentapi.Rebalance {
	r := importing(id)
	r.State, r.KeysLeft, r.KeysPerSecond, r.SecondsLeft, r.Ended = "idle", 0, 0, 0, clock
	return r
}

// Ctrl-C ends a watch that has not come to its end: 130, as with drain.
func TestRebalanceWatchInterrupted(t *testing.T) {
	f, url := newMovers(t, threeMembers, importing("b"), importing("a"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f.fleet.mu.Lock()
	f.fleet.asked = func() { cancel() }
	f.fleet.mu.Unlock()
	code, stdout, stderr := runContext(ctx, strings.NewReader(""), "rebalance", "--watch", "--agent", url)
	if code != cli.ExitInterrupted || stdout != "" || stderr != "ringway: interrupted\n" {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
}

func TestTotal(t *testing.T) {
	slow, lost := importing("b"), importing("c")
	slow.SecondsLeft, lost.KeysLeft, lost.SecondsLeft = 90, -1, -1
	before := ended("a")
	before.Transition = 0
	for _, test := range []struct {
		name string
		says []agentapi.Rebalance
		want string
	}{
		{"nobody", nil, ""},
		{"all have ended", []agentapi.Rebalance{ended("a"), ended("b")}, ""},
		{"the slowest counts", []agentapi.Rebalance{importing("a"), slow, ended("c")},
			"2 of 3 nodes moving · 3,600 keys, 168 kB moved · 7,200 left · 1,800 keys/s · 90 s left"},
		{"one does not know", []agentapi.Rebalance{lost, importing("a")}, "2 of 2 nodes moving · 2,400 keys, 112 kB moved · 1,800 keys/s"},
		{"of a transition before", []agentapi.Rebalance{before, importing("b")},
			"1 of 2 nodes moving · 1,200 keys, 56.0 kB moved · 3,600 left · 900 keys/s · 4 s left"},
	} {
		if got := totalOf(reached(t, test.says...)).text(); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Of many nodes those come first whose keys move, and what is the same of several of
// them is said once.
func TestManyMovers(t *testing.T) {
	var says []agentapi.Rebalance
	for i := range 12 {
		r := ended(fmt.Sprintf("n%02d", i))
		if i >= 6 {
			r = importing(r.ID)
			r.Error = "node new: it is full"
			r.Receivers = []agentapi.MoveReceiver{{ID: "new", Waiting: "it is full"}}
		}
		says = append(says, r)
	}
	var b bytes.Buffer
	moversTable(&b, cli.Style{}, reached(t, says...))
	text := b.String()
	if first, second := strings.Index(text, "n06"), strings.Index(text, "n00"); first < 0 || first > second {
		t.Errorf("those that move are not first:\n%s", text)
	}
	if want := "n06, n07, n08, n09, 2 other nodes: nothing goes to new at present: it is full.\n"; !strings.HasSuffix(text, want) || strings.Count(text, "it is full") != 1 {
		t.Errorf("want once, and last: %q\n%s", want, text)
	}
	if !strings.Contains(text, "\n6 of 12 nodes moving · 14,400 keys, ") {
		t.Errorf("no total:\n%s", text)
	}
}

// Without a terminal one line tells of all nodes, and only what is new.
func TestMoverLog(t *testing.T) {
	full := importing("b")
	full.Error, full.Receivers = "node c: it is full", []agentapi.MoveReceiver{{ID: "c", Waiting: "it is full"}}
	slow, slower := importing("b"), importing("b")
	slow.Pace, slower.Pace = 0.5, 0.25
	further := importing("a")
	further.KeysMoved, further.KeysLeft = 1300, 3500
	var log moverLog
	for i, step := range []struct {
		now  []agentapi.Rebalance
		want string
	}{
		{[]agentapi.Rebalance{importing("a"), importing("b")},
			"redis transition 7: keys move\n2 of 2 nodes moving · 2,400 keys, 112 kB moved · 7,200 left · 1,800 keys/s · 4 s left\n"},
		{[]agentapi.Rebalance{importing("a"), importing("b")}, ""},
		{[]agentapi.Rebalance{further, importing("b")}, "2 of 2 nodes moving · 2,500 keys, 112 kB moved · 7,100 left · 1,800 keys/s · 4 s left\n"},
		{[]agentapi.Rebalance{further, full}, "b: nothing goes to c at present: it is full.\n"},
		{[]agentapi.Rebalance{further, full}, ""},
		{[]agentapi.Rebalance{further, slow}, "b: down to 50% of its speed where a server answers slowly.\n"},
		{[]agentapi.Rebalance{further, slower}, ""},
		{[]agentapi.Rebalance{further, full}, "b: nothing goes to c at present: it is full.\n"},
	} {
		var out bytes.Buffer
		if err := log.write(&out, reached(t, step.now...)); err != nil || out.String() != step.want {
			t.Errorf("look %d: %v, %q, want %q", i+1, err, out.String(), step.want)
		}
	}
}
