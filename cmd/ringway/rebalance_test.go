package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/cmd/ringway/internal/agents"
	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
)

// fakeMovers are the agents of a fleet that a test makes up, each at a URL of its
// own.
type fakeMovers struct {
	fleet *fakeAgent
	urls  map[string]string
	https map[string]*httptest.Server // by ID

	mu     sync.Mutex // guards the following
	says   map[string]agentapi.Rebalance
	orders []string // "ID JSON"
	tokens []string // of the orders
	refuse int      // status of the answer to orders; 0: they are taken
	left   []string

	onLeave chan struct{} // closed when one is told to leave; nil: nobody waits
}

// newMovers starts an agent for each member that has something to say, and makes
// all of them tell of the others.
func newMovers(t *testing.T, members []membership.Member, says ...agentapi.Rebalance) (f *fakeMovers, url string) {
	t.Helper()
	f = &fakeMovers{urls: make(map[string]string), https: make(map[string]*httptest.Server), says: make(map[string]agentapi.Rebalance)}
	f.fleet, _ = newAgentOf(t, ringConfig(), 9, members...)
	for _, r := range says {
		r.Schema, r.Kind = agentapi.RebalanceSchema, membership.Redis
		f.says[r.ID] = r
		s := httptest.NewServer(f.agent(r.ID))
		t.Cleanup(s.Close)
		f.urls[r.ID], f.https[r.ID] = s.URL, s
		url = s.URL
	}
	f.fleet.mu.Lock()
	defer f.fleet.mu.Unlock()
	f.fleet.more = func(m *agentapi.Members) {
		for i := range m.Members {
			m.Members[i].HTTP = f.urls[m.Members[i].ID]
		}
	}
	return f, url
}

func (f *fakeMovers) agent(id string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != agentapi.RebalancePath && r.URL.Path != agentapi.LeavePath {
			f.fleet.ServeHTTP(w, r)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		switch {
		case r.URL.Path == agentapi.LeavePath:
			f.left = append(f.left, id)
			if f.onLeave != nil {
				close(f.onLeave)
			}
			w.WriteHeader(http.StatusAccepted)
			return
		case r.Method == http.MethodPost:
			var body bytes.Buffer
			_, _ = body.ReadFrom(r.Body)
			f.orders, f.tokens = append(f.orders, id+" "+body.String()), append(f.tokens, r.Header.Get("Authorization"))
			if f.refuse != 0 {
				http.Error(w, "not now", f.refuse)
				return
			}
			w.WriteHeader(http.StatusAccepted)
		case r.Header.Get("Authorization") != "" && id != "a":
			http.Error(w, "a token that nobody asked for", http.StatusTeapot)
			return
		}
		_ = json.NewEncoder(w).Encode(f.says[id])
	})
}

func (f *fakeMovers) taken() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders
}

func importing(id string) agentapi.Rebalance {
	return agentapi.Rebalance{ID: id, NodeState: membership.Active, Transition: 7, Phase: "importing", State: "moving", Pass: 1,
		KeysMoved: 1200, BytesMoved: 56_000, KeysLeft: 3600, KeysPerSecond: 900, SecondsLeft: 4, Began: clock}
}

var threeMembers = []membership.Member{
	{ID: "a", Address: "10.0.0.1:6379"}, {ID: "b", Address: "10.0.0.2:6379"},
	{ID: "c", Address: "10.0.0.3:6379", State: membership.Importing, Transition: 7},
}

// One agent is named, all are asked; who cannot be is said.
func TestRebalanceShow(t *testing.T) {
	waiting := importing("b")
	waiting.State, waiting.KeysLeft, waiting.SecondsLeft, waiting.Error = "waiting", -1, -1, "node c: it is full"
	waiting.Limits = agentapi.MoveLimits{KeysPerSecond: 1000, BytesPerSecond: 50_000_000}
	waiting.Receivers = []agentapi.MoveReceiver{{ID: "c", Waiting: "it is full"}}
	waiting.BigKeys = []agentapi.BigKey{{Key: "k", Type: "hash", Bytes: 3_000_000}}
	_, url := newMovers(t, threeMembers, waiting, importing("a"))
	for _, format := range []string{"table", "json", "csv"} {
		args := []string{"rebalance", "--format", format, "--agent", url}
		code, stdout, stderr := run(args...)
		if code != 0 || stderr != "" {
			t.Fatalf("exit %d, %s", code, stderr)
		}
		if format == "table" {
			checkWidth(t, stdout)
		}
		compareGolden(t, "rebalance-"+format, strings.NewReplacer(url, "URL").Replace(withoutPorts(goldenText(args, code, stdout, stderr))))
	}
}

// withoutPorts puts URL in place of the addresses of fakes.
func withoutPorts(text string) string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n\",", r) })
	for _, w := range words {
		if strings.HasPrefix(w, "http://127.0.0.1:") {
			text = strings.ReplaceAll(text, w, "URL")
		}
	}
	return text
}

// An address that leads to another agent than the one that is meant, as 127.0.0.1
// does from another machine, is not asked for more, and never told anything.
func TestOrdersGoToWhomTheyAreFor(t *testing.T) {
	f, url := newMovers(t, threeMembers, importing("b"), importing("c"), importing("a"))
	f.urls["b"] = f.urls["c"]
	code, stdout, stderr := run("rebalance", "--pause", "--agent", url)
	if code != 1 || stdout != "" || !strings.Contains(stderr, "node b was not told") || !strings.Contains(stderr, `is the agent of "c" here`) {
		t.Errorf("exit %d, %q, %q", code, stdout, stderr)
	}
	for _, order := range f.taken() {
		if id, body, _ := strings.Cut(order, " "); !strings.Contains(body, fmt.Sprintf("%q", id)) {
			t.Errorf("order %s", order)
		}
	}
	if n := len(f.taken()); n != 2 {
		t.Errorf("%d orders, want 2: to a and c", n)
	}
}

// What each order says, and with which token.
func TestRebalanceOrders(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string // what a is told
		to   int
	}{
		{[]string{"--pause"}, `{"id":"a","pause":true}`, 3},
		{[]string{"--resume"}, `{"id":"a","pause":false}`, 3},
		{[]string{"--keys-per-second", "20000", "--bytes-per-second", "50MB"}, `{"id":"a","keys_per_second":20000,"bytes_per_second":50000000}`, 3},
		{[]string{"--bytes-per-second", "0"}, `{"id":"a","bytes_per_second":0}`, 3},
		{[]string{"--abort"}, `{"id":"a","abort":true}`, 1},
	} {
		f, url := newMovers(t, threeMembers, importing("b"), importing("c"), importing("a"))
		code, _, stderr := run(append([]string{"rebalance", "--agent", url, "--token-file", "testdata/good.token"}, test.args...)...)
		orders := f.taken()
		if code != 0 || len(orders) != test.to || !strings.Contains(strings.Join(orders, "\n"), "a "+test.want) {
			t.Errorf("%v: exit %d, %s, orders %q", test.args, code, stderr, orders)
		}
		for _, token := range f.tokens {
			if token != "Bearer 0123456789abcdef" {
				t.Errorf("%v: token %q", test.args, token)
			}
		}
	}
}

// An abort that one agent refuses is refused by all.
func TestAbortRefused(t *testing.T) {
	f, url := newMovers(t, threeMembers, importing("b"), importing("a"))
	f.refuse = http.StatusConflict
	code, _, stderr := run("rebalance", "--abort", "--agent", url)
	if code != 1 || !strings.Contains(stderr, "not now") || len(f.taken()) != 1 {
		t.Errorf("exit %d, %s, %d orders", code, stderr, len(f.taken()))
	}
}

// Watching ends with the transition. On a terminal there is a bar a node, elsewhere a
// line for all of them, when there is something new.
func TestRebalanceWatch(t *testing.T) {
	done := importing("a")
	done.Transition, done.Phase, done.State, done.KeysLeft, done.Ended = 0, "stable", "idle", 0, clock
	for _, inPlace := range []bool{false, true} {
		client, err := agents.New(agents.Config{URLs: []string{"http://h:1"}})
		if err != nil {
			t.Fatal(err)
		}
		looks := []agentapi.Rebalance{importing("a"), importing("a"), done}
		var out bytes.Buffer
		w := &watcher{out: &out, errs: &out, format: cli.Table, inPlace: inPlace}
		err = followMovers(t.Context(), w, time.Millisecond, func(context.Context) (movers, error) {
			now := looks[0]
			looks = looks[1:]
			return movers{all: []mover{{member: agentapi.MemberStatus{ID: "a", Kind: membership.Redis}, at: client.Given()[0], now: now}}}, nil
		})
		client.Close()
		text := out.String()
		lines := "redis transition 7: keys move\n" +
			"1 of 1 node moving · 1,200 keys, 56.0 kB moved · 3,600 left · 900 keys/s · 4 s left\n" +
			"no transition under way: 1,200 keys, 56.0 kB moved last\n"
		if err != nil || len(looks) != 0 || !inPlace && text != lines {
			t.Errorf("%v, %d looks left, %q", err, len(looks), text)
		}
		last := strings.NewReplacer("\x1b[K", "", "\x1b[J", "").Replace(text)
		if inPlace && (!strings.Contains(text, "25%") || !strings.Contains(text, "keys move") || !strings.HasSuffix(last, "done, 1,200 keys, 56.0 kB moved\n")) {
			t.Errorf("in place: %q", text)
		}
	}
}

// Watching goes on while a node joins, whose transition is still to come.
func TestRebalanceWatchWaitsForNewcomers(t *testing.T) {
	idle, slow := importing("a"), importing("b")
	idle.Transition, idle.Phase, idle.State, idle.Ended = 0, "stable", "idle", clock
	slow.Pace, slow.Waits = 0.25, `routers that have not shown that they know: "web-3"`
	client, err := agents.New(agents.Config{URLs: []string{"http://h:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	node := func(id string, state membership.State, health membership.Health, now agentapi.Rebalance) mover {
		return mover{member: agentapi.MemberStatus{ID: id, Kind: membership.Redis, State: state, Health: health}, at: client.Given()[0], now: now}
	}
	looks := [][]mover{
		{node("a", membership.Active, "", idle), node("b", membership.Joining, "", idle)},
		{node("a", membership.Active, "", importing("a")), node("b", membership.Importing, "", slow)},
		{node("a", membership.Active, "", idle), node("b", membership.Joining, membership.Dead, idle)},
	}
	var out bytes.Buffer
	err = followMovers(t.Context(), &watcher{out: &out, errs: &out, format: cli.Table}, time.Millisecond, func(context.Context) (movers, error) {
		m := movers{all: looks[0]}
		looks = looks[1:]
		return m, nil
	})
	if err != nil || len(looks) != 0 {
		t.Errorf("%v, %d looks left", err, len(looks))
	}
	for _, want := range []string{"joining: b\n", `"web-3"`, "25% of its speed"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), strings.Join(strings.Fields(want), " ")) {
			t.Errorf("%q is not in %q", want, out.String())
		}
	}
}

// Drain says where the keys go, tells the node's own agent, and what became of it.
func TestDrain(t *testing.T) {
	members := []membership.Member{{ID: "a", Address: "10.0.0.1:6379"}, {ID: "b", Address: "10.0.0.2:6379"}, {ID: "c", Address: "10.0.0.3:6379"}}
	with := func(state membership.State) []membership.Member {
		changed := append([]membership.Member(nil), members...)
		if state == "" {
			return changed[:1:1]
		}
		changed[1].State = state
		return changed
	}
	exporting, ended := importing("b"), importing("b")
	exporting.NodeState, ended.NodeState, ended.Ended, ended.State = membership.Exporting, membership.Left, clock, "idle"
	cut := ended // the time to leave was over
	ended.HandedOver = true
	for _, test := range []struct {
		name   string
		then   []membership.Member // after it was told
		says   agentapi.Rebalance
		code   int
		want   string
		noWait bool
	}{
		{"done", with(membership.Left), ended, 0, "b is LEFT after", false},
		{"unfinished", with(membership.Left), exporting, 1, "left before all its keys", false},
		{"cut off", with(membership.Left), cut, 1, "left before all its keys", false},
		{"evicted", with(""), exporting, 1, "knows the node no more", false},
		{"not waited for", with(membership.Leaving), exporting, 0, "b has been told to leave", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, url := newMovers(t, members, importing("b"), importing("a"))
			told := make(chan struct{})
			f.onLeave = told
			args := []string{"drain", "b", "--agent", url}
			if test.noWait {
				args = append(args, "--no-wait")
			}
			changed := make(chan struct{})
			go func() {
				defer close(changed)
				select {
				case <-told:
				case <-t.Context().Done():
					return
				}
				f.mu.Lock()
				f.says["b"] = withSchema(test.says)
				f.mu.Unlock()
				f.fleet.set(t, 10, test.then...)
			}()
			code, stdout, stderr := run(args...)
			<-changed
			if code != test.code || !strings.Contains(stdout+stderr, test.want) || !strings.Contains(stdout, "b owns ") || !strings.Contains(stdout, "to a") {
				t.Errorf("exit %d, %s%s", code, stdout, stderr)
			}
			if len(f.left) != 1 || f.left[0] != "b" {
				t.Errorf("told: %v", f.left)
			}
		})
	}
	f, url := newMovers(t, members, importing("a"))
	code, stdout, stderr := run("drain", "x", "--agent", url)
	checkUsageError(t, code, stdout, stderr)
	if code, _, stderr := run("drain", "b", "--agent", url); code != 1 || !strings.Contains(stderr, "was not reached") || len(f.left) != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func withSchema(r agentapi.Rebalance) agentapi.Rebalance {
	r.Schema, r.Kind = agentapi.RebalanceSchema, membership.Redis
	return r
}
