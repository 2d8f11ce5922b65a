package agent

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

// fakeMover moves nothing.
type fakeMover struct {
	run func(ctx context.Context, v membership.View, transition uint64) error

	mu       sync.Mutex // guards the following
	limits   rebalance.Limits
	paused   bool
	progress rebalance.Progress
	closed   int
}

func (m *fakeMover) HandOver(ctx context.Context, v membership.View, transition uint64) error {
	if m.run == nil {
		return nil
	}
	return m.run(ctx, v, transition)
}

func (m *fakeMover) do(what func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what()
}

func (m *fakeMover) Progress() (p rebalance.Progress) { m.do(func() { p = m.progress }); return p }
func (m *fakeMover) Pause()                           { m.do(func() { m.paused = true }) }
func (m *fakeMover) Resume()                          { m.do(func() { m.paused = false }) }
func (m *fakeMover) Paused() (is bool)                { m.do(func() { is = m.paused }); return is }
func (m *fakeMover) Limits() (l rebalance.Limits)     { m.do(func() { l = m.limits }); return l }
func (m *fakeMover) Close() error                     { m.do(func() { m.closed++ }); return nil }
func (m *fakeMover) SetLimits(l rebalance.Limits) error {
	if l.Keys == 13 {
		return errors.New("no")
	}
	m.do(func() { m.limits = l })
	return nil
}

// blocked is a mover whose hand-overs wait for a word.
func blocked() (*fakeMover, chan struct{}) {
	may := make(chan struct{})
	return &fakeMover{run: func(ctx context.Context, _ membership.View, _ uint64) error {
		select {
		case <-may:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}}, may
}

// post puts a body to an agent's own socket.
func (r *running) post(t *testing.T, path, body string) (int, string) {
	t.Helper()
	resp, err := http.Post("http://"+r.HTTPAddr()+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// An abort while a node joins: its agent ends well. An abort while one leaves: its
// agent goes on, and may be told to leave again.
func TestAbort(t *testing.T) {
	a := start(t, config("a"))
	a.active(t)
	if code, body := a.post(t, agentapi.RebalancePath, `{"abort":true}`); code != http.StatusConflict || !strings.Contains(body, "no transition") {
		t.Errorf("nothing to abort: %d %s", code, body)
	}
	hold, may := blocked()
	cfg := config("b", a.GossipAddr())
	cfg.Mover = hold
	b := start(t, cfg)
	b.active(t)
	c := start(t, config("c", a.GossipAddr()))
	eventually(t, "c imports", func() bool {
		return c.Status().Node.State == membership.Importing && a.Rebalance().Phase == "importing"
	})
	if code, body := a.post(t, agentapi.RebalancePath, `{"abort":true,"id":"a"}`); code != http.StatusAccepted {
		t.Fatalf("abort: %d %s", code, body)
	}
	if err := c.wait(t); err != nil {
		t.Errorf("c ended with %v, want nil", err)
	}
	eventually(t, "all is as before", func() bool { return a.Rebalance().Phase == "stable" && b.Rebalance().Phase == "stable" })

	b.Leave()
	eventually(t, "b exports", func() bool {
		return b.Status().Node.State == membership.Exporting && a.Rebalance().Phase == "importing"
	})
	if !b.Leaving() {
		t.Error("b is not leaving")
	}
	if code, body := a.post(t, agentapi.RebalancePath, `{"abort":true}`); code != http.StatusAccepted {
		t.Fatalf("abort: %d %s", code, body)
	}
	eventually(t, "b is ACTIVE again", func() bool { return b.Status().Node.State == membership.Active && !b.Leaving() })
	select {
	case <-b.ended:
		t.Fatal("b has ended with", b.err)
	default:
	}
	close(may)
	b.Leave()
	if err := b.wait(t); err != nil {
		t.Error("b:", err)
	}
	if hold.closed == 0 {
		t.Error("b's mover was not closed")
	}
}

// What the HTTP interface takes and refuses.
func TestRebalanceOrders(t *testing.T) {
	f, n := newTestFront(t)
	n.mover = &fakeMover{progress: rebalance.Progress{State: rebalance.Moving, Pass: 2, KeysMoved: 5, KeysLeft: -1, TimeLeft: -1,
		BigKeys: []rebalance.BigKey{{Key: "k", Type: "hash", Bytes: 9}}, Receivers: []rebalance.ReceiverProgress{{ID: "b", Keys: 5}}, Error: "full"}}
	w := ask(f, "GET", agentapi.RebalancePath, "")
	got, err := agentapi.ReadRebalance(w.Body)
	if err != nil || got.State != "moving" || got.Pass != 2 || got.KeysMoved != 5 || got.KeysLeft != -1 || got.SecondsLeft != -1 ||
		len(got.BigKeys) != 1 || got.BigKeys[0].Key != "k" || len(got.Receivers) != 1 || got.Error != "full" {
		t.Errorf("%+v, %v", got, err)
	}
	for _, test := range []struct {
		body string
		code int
		want string
	}{
		{`{"pause":true}`, 202, `"paused":true`},
		{`{"pause":false}`, 202, `"paused":false`},
		{`{"keys_per_second":100,"bytes_per_second":7}`, 202, `"limits":{"keys_per_second":100,"bytes_per_second":7}`},
		{`{"keys_per_second":0}`, 202, `"limits":{"keys_per_second":0,"bytes_per_second":7}`},
		{`{"id":"a","pause":true}`, 202, `"paused":true`},
		{`{"id":"other","pause":false}`, 421, `agent of node "a"`},
		{`{}`, 400, "nothing to do"},
		{`{"pause":1}`, 400, "body"},
		{`{"pauze":true}`, 400, "body"},
		{`{"pause":true}{}`, 400, "more than one"},
		{`{"keys_per_second":-1}`, 400, "keys_per_second: got -1"},
		{`{"bytes_per_second":-1}`, 400, "bytes_per_second: got -1"},
		{`{"keys_per_second":13}`, 400, "no"},
		{`{"abort":true}`, 409, "no transition"},
	} {
		if w := ask(f, "POST", agentapi.RebalancePath, test.body); w.Code != test.code || !strings.Contains(w.Body.String(), test.want) {
			t.Errorf("%s: %d %s, want %d with %s", test.body, w.Code, text(w), test.code, test.want)
		}
	}
	n.mover = nil
	if w := ask(f, "POST", agentapi.RebalancePath, `{"pause":true}`); w.Code != http.StatusConflict {
		t.Errorf("without a mover: %d", w.Code)
	}
	f.guard.setToken("0123456789abcdef")
	if w := ask(f, "POST", agentapi.RebalancePath, `{"pause":true}`); w.Code != http.StatusUnauthorized {
		t.Errorf("without the token: %d", w.Code)
	}
}

// fakeFence notes what it is told.
type fakeFence struct {
	mu    sync.Mutex
	calls []uint64 // transitions; 0: dropped
	fails error
	shut  bool
}

func (f *fakeFence) note(n uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, n)
	return f.fails
}
func (f *fakeFence) Set(_ context.Context, n uint64) error { return f.note(n) }
func (f *fakeFence) Drop(context.Context) error            { return f.note(0) }
func (f *fakeFence) Close() error                          { f.shut = true; return nil }
func (f *fakeFence) take() []uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	calls := f.calls
	f.calls = nil
	return calls
}

// The fence stands from the announcement on, is set again every 3 s, turns with the
// transition, and goes with it; nodes that receive nothing have none.
func TestFence(t *testing.T) {
	joins := func(state membership.State, number uint64) []membership.Member {
		return []membership.Member{{ID: "a"}, {ID: "b", State: state, Transition: number}}
	}
	for _, test := range []struct {
		name  string
		self  string
		views [][]membership.Member // one after the other, 4 s each
		want  [][]uint64
	}{
		{"a newcomer", "b", [][]membership.Member{joins(membership.Joining, 0), joins(membership.Announced, 7), joins(membership.Importing, 7), joins(membership.Active, 7)},
			[][]uint64{nil, {7, 7}, {7, 7}, {0}}},
		{"one that hands over to it", "a", [][]membership.Member{joins(membership.Announced, 7), joins(membership.Importing, 7)}, [][]uint64{nil, nil}},
		{"a newcomer that is rolled back", "b", [][]membership.Member{joins(membership.Importing, 7), joins(membership.Exporting, membership.RollbackOf(7))},
			[][]uint64{{7, 7}, {0}}},
		{"one that has its keys back", "a", [][]membership.Member{joins(membership.Importing, 7), joins(membership.Exporting, membership.RollbackOf(7)), joins(membership.Left, membership.RollbackOf(7))},
			[][]uint64{nil, {membership.RollbackOf(7), membership.RollbackOf(7)}, {0}}},
		{"the end", "b", [][]membership.Member{joins(membership.Importing, 7)}, [][]uint64{{7, 7}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, err := newBoard(placementOf(config("x").Gossip.Placement))
				if err != nil {
					t.Fatal(err)
				}
				f := &fakeFence{}
				cfg := config(test.self)
				cfg.Gossip.Placement = placementOf(cfg.Gossip.Placement)
				a := &Agent{cfg: cfg, log: quiet, board: b, fence: f, data: &server{data: dataservertest.New(membership.Redis, "h:1", "")}}
				done, ended := make(chan struct{}), make(chan struct{})
				go func() { a.keepFence(done); close(ended) }()
				for i, members := range test.views {
					if err := b.post(view(t, uint64(i+1), members...)); err != nil {
						t.Fatal(err)
					}
					time.Sleep(4 * time.Second)
					synctest.Wait()
					if got := f.take(); !slices.Equal(got, test.want[i]) {
						t.Errorf("view %d: %v, want %v", i, got, test.want[i])
					}
				}
				last := test.want[len(test.want)-1]
				close(done)
				<-ended
				dropped := f.take()
				if held := len(last) > 0 && last[0] != 0; held != (len(dropped) == 1) || !f.shut {
					t.Errorf("at the end %v, closed %v", dropped, f.shut)
				}
			})
		})
	}
}

// A server that does not answer is asked again each second, for the fence that was
// set may stand.
func TestFenceIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBoard(placementOf(config("x").Gossip.Placement))
		f := &fakeFence{fails: errors.New("down")}
		cfg := config("b")
		a := &Agent{cfg: cfg, log: quiet, board: b, fence: f, data: &server{data: dataservertest.New(membership.Redis, "h:1", "")}}
		done, ended := make(chan struct{}), make(chan struct{})
		go func() { a.keepFence(done); close(ended) }()
		_ = b.post(view(t, 1, membership.Member{ID: "a"}, membership.Member{ID: "b", State: membership.Importing, Transition: 7}))
		time.Sleep(2500 * time.Millisecond)
		synctest.Wait()
		if got := f.take(); !slices.Equal(got, []uint64{7, 7, 7}) {
			t.Errorf("%v", got)
		}
		_ = b.post(view(t, 2, membership.Member{ID: "a"}, membership.Member{ID: "b", Transition: 7}))
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if got := f.take(); !slices.Equal(got, []uint64{0, 0}) {
			t.Errorf("%v", got)
		}
		close(done)
		<-ended
	})
}

// The servers of others are reached as the own one, or with credentials of their
// own.
func TestReceiver(t *testing.T) {
	t.Setenv("RINGWAY_TEST_MOVE", "other")
	cfg := Config{Server: dataserver.Config{URL: "redis://alice:secret@h:1/2", Prefix: "p:"}}
	m := membership.Member{ID: "b", Address: "10.0.0.2:6379"}
	c, err := cfg.Receiver(m)
	if err != nil || c.URL != "redis://alice:secret@10.0.0.2:6379/2" || c.Prefix != "p:" {
		t.Errorf("%v, %v", c, err)
	}
	cfg.Move = MoveConfig{Username: "mover", PasswordEnv: "RINGWAY_TEST_MOVE"}
	c, err = cfg.Receiver(m)
	if err != nil || c.URL != "redis://10.0.0.2:6379/2" || c.Username != "mover" || c.PasswordEnv != "RINGWAY_TEST_MOVE" || c.Password != "" {
		t.Errorf("%v, %v", c, err)
	}
	s, err := dataserver.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// What hand-overs have moved adds up, though a mover tells of the last one only.
func TestMoveCounters(t *testing.T) {
	var c moveCounters
	m := &fakeMover{progress: rebalance.Progress{KeysMoved: 5, BytesMoved: 50}}
	for range 2 {
		c.begin()
		c.end(m.Progress(), true)
	}
	if _, keys, bytes, failed := c.totals(m); keys != 10 || bytes != 100 || failed != 2 {
		t.Errorf("%d keys, %d bytes, %d failed", keys, bytes, failed)
	}
	c.begin()
	if _, keys, _, _ := c.totals(m); keys != 15 {
		t.Errorf("%d keys while the third goes on", keys)
	}
}

// Others find the agent where it listens, unless that is nothing to them.
func TestShownAddress(t *testing.T) {
	for _, test := range []struct{ address, advertise, want string }{
		{"127.0.0.1:0", "", "http://127.0.0.1:"},
		{"0.0.0.0:0", "", "http://:"},
		{"[::]:0", "", "http://:"},
		{"127.0.0.1:0", "agents.example:8946", "http://agents.example:8946"},
		{"unix://" + t.TempDir() + "/s", "", ""},
	} {
		cfg := HTTPConfig{Address: test.address, Advertise: test.advertise}
		l, err := listen(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := cfg.shown(l)
		l.Close()
		if !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q…", test.address, got, test.want)
		}
	}
	if got := (HTTPConfig{}).shown(nil); got != "" {
		t.Errorf("nowhere: %q", got)
	}
}

// A hand-over that has moved everything ends when no copy of a client can be under way
// any more; one that failed, or is cut off, at once.
func TestHandOverSettles(t *testing.T) {
	failed := errors.New("no")
	for name, test := range map[string]struct {
		result error
		cut    time.Duration // 0: it is not
		want   error
		took   time.Duration
	}{
		"done":    {nil, 0, nil, settling},
		"failed":  {failed, 0, failed, 0},
		"cut off": {nil, time.Second, context.DeadlineExceeded, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config("a")
				cfg.Mover = &fakeMover{run: func(context.Context, membership.View, uint64) error { return test.result }}
				a := &Agent{cfg: cfg, log: quiet}
				ctx := t.Context()
				if test.cut > 0 {
					limited, cancel := context.WithTimeout(ctx, test.cut)
					defer cancel()
					ctx = limited
				}
				began := time.Now()
				v := view(t, 1, membership.Member{ID: "a", Kind: membership.Redis, Address: "h:1", State: membership.Leaving, Transition: 7})
				err := a.handOver(ctx, v, 7)
				if took := time.Since(began); !errors.Is(err, test.want) || took != test.took || a.exported.Load() != (err == nil) {
					t.Errorf("%v after %v, handed over: %v; want %v after %v", err, took, a.exported.Load(), test.want, test.took)
				}
			})
		})
	}
	if settling <= transit.CopyLimit {
		t.Errorf("it waits for %v, and a copy may take %v", settling, transit.CopyLimit)
	}
}
