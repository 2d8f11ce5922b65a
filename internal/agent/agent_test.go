package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

// bound is how long the tests wait for what takes a second or two.
const bound = time.Minute

// eventually waits until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(bound); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", bound, what)
		}
	}
}

// running is an agent that runs beside a server in memory.
type running struct {
	*Agent
	data  *dataservertest.Fake
	cut   context.CancelFunc
	ended chan struct{}
	err   error // of Run; written before ended is closed
}

// config is that of a node which begins a fleet, or joins others.
func config(id string, join ...string) Config {
	return Config{
		Gossip: gossip.Config{
			Name: id, Network: gossip.Local, Bind: "127.0.0.1:0", Seeds: join,
			Node:   &gossip.NodeConfig{Bootstrap: len(join) == 0},
			Timing: gossip.Timing{EvictAfter: bound}, // a busy machine is no dead node
		},
		HTTP: HTTPConfig{Address: "127.0.0.1:0"}, Logger: quiet, Version: "test",
	}
}

// addressOf gives each node's server an address of its own.
func addressOf(id string) string {
	port := 6379
	for _, letter := range strings.TrimPrefix(id, "a") {
		port += int(letter)
	}
	return fmt.Sprint("127.0.0.1:", port)
}

func start(t *testing.T, cfg Config, keys ...string) *running {
	t.Helper()
	r := &running{data: dataservertest.New(membership.Redis, addressOf(cfg.Gossip.Name), ""), ended: make(chan struct{})}
	r.data.Set(keys...)
	a, err := newAgent(context.Background(), cfg, r.data, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.run(t, a)
	return r
}

// startReal is start beside the server of cfg.Server.
func startReal(t *testing.T, cfg Config) *running {
	t.Helper()
	a, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r := &running{ended: make(chan struct{})}
	r.run(t, a)
	return r
}

func (r *running) run(t *testing.T, a *Agent) {
	r.Agent = a
	ctx, cut := context.WithCancel(context.Background())
	r.cut = cut
	go func() {
		defer close(r.ended)
		r.err = a.Run(ctx)
	}()
	t.Cleanup(func() {
		cut()
		<-r.ended
		http.DefaultClient.CloseIdleConnections()
	})
}

func (r *running) active(t *testing.T) {
	t.Helper()
	eventually(t, "the node is ACTIVE: "+r.cfg.Gossip.Name, func() bool { return r.Status().Node.State == membership.Active })
}

// wait waits for the end of Run, and returns its error.
func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-r.ended:
		return r.err
	case <-time.After(bound):
		t.Fatalf("%s has not ended within %v", r.cfg.Gossip.Name, bound)
		return nil
	}
}

// get asks over the agent's own socket.
func (r *running) get(t *testing.T, path string) (int, string) {
	t.Helper()
	resp, err := http.Get("http://" + r.HTTPAddr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// The first node keeps its keys, a second one joins it, one leaves when it is told
// to, and a long poll hears of each.
func TestFleet(t *testing.T) {
	a := start(t, config("a"), "kept")
	eventually(t, "a is ready", func() bool { code, _ := a.get(t, "/readyz"); return code == http.StatusOK })
	b := start(t, config("b", a.GossipAddr()))
	b.active(t)
	eventually(t, "a knows both nodes", func() bool {
		_, body := a.get(t, agentapi.RingPath)
		r, err := agentapi.ReadRing(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		v, err := r.View()
		if err != nil {
			t.Fatal(err)
		}
		_, phase := v.Transition(membership.Redis)
		return len(v.Current(membership.Redis)) == 2 && phase == membership.Stable
	})
	_, body := a.get(t, agentapi.RingPath)
	shown, err := agentapi.ReadRing(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	want, err := ring.FingerprintOf(ring.Nodes("a", "b"), ring.Config{VirtualNodes: shown.Placement.VirtualNodes, Hasher: ring.Hasher{HashTags: shown.Placement.HashTags}})
	if err != nil || shown.Fingerprints[membership.Redis] != want.String() {
		t.Errorf("the placement that is shown is not that of the ring: %+v, %s, %v", shown.Placement, want, err)
	}
	// What a does not own any more is removed after the transition, and nothing else.
	eventually(t, "a has swept", func() bool { return a.data.Counters().Sweeps >= 2 })

	resp, err := http.Post("http://"+b.HTTPAddr()+"/v1/leave", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("leave: %d", resp.StatusCode)
	}
	if err := b.wait(t); err != nil {
		t.Errorf("b: %v", err)
	}
	eventually(t, "a knows that b has left", func() bool {
		_, body := a.get(t, agentapi.MembersPath)
		m, err := agentapi.ReadMembers(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		return len(m.Members) == 2 && m.Members[1].State == membership.Left && m.Members[0].Share == 1
	})
	if a.data.Counters().Purges != 0 {
		t.Error("the first node was purged")
	}
}

// A server that holds keys is refused, and named with their number; told to purge,
// the agent removes them and counts that.
func TestHoldsKeys(t *testing.T) {
	a := start(t, config("a"))
	a.active(t)
	b := start(t, config("b", a.GossipAddr()), "old-1", "old-2")
	holds := (*gossip.HoldsKeysError)(nil)
	if err := b.wait(t); !errors.As(err, &holds) || holds.Keys != 2 || len(b.data.Keys()) != 2 {
		t.Fatalf("error %v, keys %q", err, b.data.Keys())
	}
	cfg := config("b", a.GossipAddr())
	cfg.Gossip.Node.Purge = true
	b = start(t, cfg, "old-1", "old-2")
	b.active(t)
	if n := b.counters.purged.Load(); n != 2 || len(b.data.Keys()) != 0 {
		t.Errorf("%d keys are counted as purged, %q are left", n, b.data.Keys())
	}
}

// halfDone is a server that fails in the middle of a purge or sweep.
type halfDone struct{ *dataservertest.Fake }

func (h halfDone) Purge(_ context.Context, progress func(int64)) (int64, error) {
	progress(2)
	return 5, errors.New("lost")
}

func (h halfDone) Sweep(_ context.Context, _ func(string) bool, progress func(int64)) (int64, error) {
	progress(1)
	progress(2)
	return 4, errors.New("lost")
}

// Keys that went before something failed are counted too, each once.
func TestRemovedKeysAreCounted(t *testing.T) {
	var c counters
	s := server{data: halfDone{dataservertest.New(membership.Redis, "127.0.0.1:6379", "")}, log: quiet, counters: &c}
	for range 2 {
		if n, err := s.empty(context.Background()); n != 5 || err == nil {
			t.Errorf("purge: %d, %v", n, err)
		}
		if n, err := s.Sweep(context.Background(), func(string) bool { return false }); n != 4 || err == nil {
			t.Errorf("sweep: %d, %v", n, err)
		}
	}
	if c.purged.Load() != 10 || c.swept.Load() != 8 {
		t.Errorf("%d purged, %d swept", c.purged.Load(), c.swept.Load())
	}
}

func TestMetrics(t *testing.T) {
	cfg := config("a")
	cfg.Mover = &fakeMover{progress: rebalance.Progress{State: rebalance.Paused, Pass: 3, KeysLeft: -1, TimeLeft: -1}}
	a := start(t, cfg)
	eventually(t, "there is a view with the node", func() bool {
		_, body := a.get(t, agentapi.RingPath)
		return strings.Contains(body, `"state":"ACTIVE"`) && a.Status().Freeze.Stay == 1
	})
	code, body := a.get(t, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	for _, want := range []string{
		`ringway_agent_build_info{go_version="go`, `version="test"} 1`,
		`ringway_agent_frozen 0`,
		`ringway_agent_held 0`,
		`ringway_agent_freezes_total 0`,
		`ringway_agent_ring_nodes 1`,
		`ringway_agent_ring_nodes_seen 1`,
		`ringway_agent_node_info{address="127.0.0.1:6379",id="a",kind="redis",zone=""} 1`,
		`ringway_agent_state{state="ACTIVE"} 1`, `ringway_agent_state{state="LEAVING"} 0`,
		`ringway_agent_members{kind="redis",state="ACTIVE"} 1`,
		"ringway_agent_healthy 1", "ringway_agent_ready 1", "ringway_agent_share 1", "ringway_agent_agreement 1", "ringway_agent_epoch ",
		`ringway_agent_probes_total{result="failed"} 0`, `ringway_agent_ignored_messages_total{reason="version"} 0`,
		"ringway_agent_purged_keys_total 0", "ringway_agent_swept_keys_total 0", "ringway_agent_evictions_total 0", "ringway_agent_conflicts_total 0",
		"ringway_agent_move_keys_total 0", "ringway_agent_move_errors_total 0", `ringway_agent_move_state{state="paused"} 1`, "ringway_agent_move_pass 3",
		`ringway_agent_transitions_total{kind="redis"} 0`, `ringway_agent_transition{kind="memcached"} 0`, "go_goroutines ", "process_open_fds ",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("%s is not in the metrics", want)
		}
	}
	if t.Failed() {
		t.Log(body)
	}
}

// An unhealthy server is said to be so, and its probes are counted.
func TestUnhealthy(t *testing.T) {
	a := start(t, config("a"))
	a.active(t)
	a.data.SetHealth(errors.New("broken"))
	eventually(t, "the agent is not ready", func() bool {
		code, body := a.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.HasPrefix(body, "UNHEALTHY: ") && strings.Contains(body, "broken")
	})
	if code, _ := a.get(t, "/healthz"); code != http.StatusOK || a.counters.probesFailed.Load() == 0 {
		t.Errorf("healthz %d, %d failed probes", code, a.counters.probesFailed.Load())
	}
}

// Run says how it ended: cut off while keys are handed over, and left before all
// were.
func TestHandOver(t *testing.T) {
	for name, test := range map[string]struct {
		result  error // of the hand-over, which otherwise waits for its context
		timeout time.Duration
		later   time.Duration // what it is changed to once keys are handed over; 0: it is not
		cut     bool
		want    error
	}{
		"done":                {nil, time.Hour, 0, false, nil},
		"unfinished":          {errors.New("no"), 4 * time.Second, 0, false, ErrUnfinished},
		"unfinished, changed": {errors.New("no"), time.Hour, 4 * time.Second, false, ErrUnfinished},
		"cut off":             {errors.New("no"), time.Hour, 0, true, ErrCut},
		"cut, silent":         {context.Canceled, time.Hour, 0, true, ErrCut},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, config("a"))
			a.active(t)
			var called atomic.Int64
			cfg := config("b", a.GossipAddr())
			cfg.Gossip.Timing.LeaveTimeout = test.timeout
			cfg.Mover = &fakeMover{run: func(ctx context.Context, v membership.View, transition uint64) error {
				called.Add(1)
				if number, _ := v.Transition(membership.Redis); number != transition {
					t.Errorf("transition %d of a view with %d", transition, number)
				}
				if errors.Is(test.result, context.Canceled) {
					<-ctx.Done()
				}
				return test.result
			}}
			b := start(t, cfg)
			b.active(t)
			if err := b.SetLeaveTimeout(0); err == nil {
				t.Error("no time to leave is taken for some")
			}
			b.Leave()
			b.Leave()                      // once is enough
			if test.timeout == time.Hour { // else it may be over before there is a transition
				eventually(t, "keys are handed over", func() bool { return called.Load() > 0 })
			}
			if test.later != 0 {
				if err := b.SetLeaveTimeout(test.later); err != nil {
					t.Error(err)
				}
			}
			if test.cut {
				b.cut()
			}
			if err := b.wait(t); !errors.Is(err, test.want) || test.want == nil && err != nil {
				t.Errorf("error %v, want %v", err, test.want)
			}
		})
	}
}

// A node that gave up before a key could move left unfinished, too; one that is
// alone has nobody to hand over to.
func TestHandOverNotBegun(t *testing.T) {
	cfg := config("a")
	cfg.Mover = &fakeMover{}
	a := start(t, cfg)
	a.active(t)
	cfg = config("b", a.GossipAddr())
	cfg.Mover, cfg.Gossip.Timing.LeaveTimeout = &fakeMover{}, time.Nanosecond
	b := start(t, cfg)
	b.active(t)
	b.Leave()
	if err := b.wait(t); !errors.Is(err, ErrUnfinished) {
		t.Errorf("b: %v", err)
	}
	eventually(t, "a knows that b has left", func() bool { return a.alone() })
	a.Leave()
	if err := a.wait(t); err != nil {
		t.Errorf("a: %v", err)
	}
}

// A node that has not been heard of ends at once: there is nothing to leave.
func TestLeaveWithoutFleet(t *testing.T) {
	seed := proctest.Address(t)
	a := start(t, config("a", seed))
	eventually(t, "the seed is found missing", func() bool { code, body := a.get(t, "/readyz"); return code == 503 && strings.Contains(body, seed) })
	a.Leave()
	if err := a.wait(t); err != nil {
		t.Error(err)
	}
}

// An agent whose name belongs to another one ends without harm to the other.
func TestLeaveUnderAnothersName(t *testing.T) {
	// With Local a member that gets no processor for two seconds is dead.
	slowly := func(id string, join ...string) Config {
		cfg := config(id, join...)
		cfg.Gossip.Network = gossip.LAN
		cfg.Gossip.Timing = gossip.Timing{
			MinReady: 100 * time.Millisecond, BatchWindow: 100 * time.Millisecond,
			Dwell: 200 * time.Millisecond, MaxDwell: time.Second,
			ProbeInterval: 100 * time.Millisecond, EvictAfter: bound,
		}
		return cfg
	}
	a := start(t, slowly("a"))
	a.active(t)
	b := start(t, slowly("b", a.GossipAddr()))
	b.active(t)
	eventually(t, "a sees b", func() bool { return seen(a, "b") })
	var lost atomic.Bool
	ctx, cancel := context.WithCancel(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for after := uint64(0); ; {
			v, err := a.gossip.Next(ctx, after)
			if err != nil {
				return
			}
			after = v.Version
			if m, known := v.Member("b"); known && m.Health == membership.Dead {
				lost.Store(true)
			}
		}
	}()
	for range 5 {
		second := start(t, slowly("b", a.GossipAddr()))
		eventually(t, "the name is found taken", func() bool { return second.Status().Taken.IsValid() })
		second.Leave()
		if err := second.wait(t); err != nil {
			t.Error(err)
		}
	}
	start(t, slowly("c", a.GossipAddr())).active(t) // what was said has been heard by now
	cancel()
	<-watched
	if lost.Load() {
		t.Error("b was taken for dead")
	}
}

// seen reports whether a member sees another one.
func seen(r *running, name string) bool {
	for _, m := range r.Members() {
		if m.ID == name {
			return m.Alive
		}
	}
	return false
}

// Requests that wait do not hold up the end, and are answered.
func TestEndAnswersLongPolls(t *testing.T) {
	a := start(t, config("a"))
	a.active(t)
	eventually(t, "there is a view", func() bool { code, _ := a.get(t, agentapi.RingPath); return code == http.StatusOK })
	answered := make(chan error, 1)
	go func() {
		resp, err := http.Get(fmt.Sprintf("http://%s%s?after=%d", a.HTTPAddr(), agentapi.RingPath, 1<<40))
		if err == nil {
			_, err = agentapi.ReadRing(resp.Body)
			resp.Body.Close()
		}
		answered <- err
	}()
	eventually(t, "the request waits", func() bool { return a.front.polls.Load() == 1 })
	a.cut()
	errRun := a.wait(t)
	if err := <-answered; err != nil || !errors.Is(errRun, ErrCut) {
		t.Errorf("answer: %v; run: %v", err, errRun)
	}
}
