package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/ring"
)

// withLocal says at which address a request came in.
func withLocal(ctx context.Context, address string) context.Context {
	local := net.Addr(&net.UnixAddr{Name: address, Net: "unix"})
	if a, err := netip.ParseAddrPort(address); err == nil {
		local = net.TCPAddrFromAddrPort(a)
	}
	return context.WithValue(ctx, http.LocalAddrContextKey, local)
}

// Before there is a view there is none to show: an empty fleet would be another
// answer.
func TestNoView(t *testing.T) {
	f, _ := newTestFront(t)
	for _, path := range []string{"/v1/ring", "/v1/members"} {
		if w := ask(f, "GET", path, ""); w.Code != http.StatusServiceUnavailable || text(w) != "no view of the fleet yet" {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestRing(t *testing.T) {
	f, _ := newTestFront(t)
	want := view(t, 7, membership.Member{ID: "a"}, membership.Member{ID: "b", Weight: 2})
	post(t, f, want)
	w := ask(f, "GET", "/v1/ring", "")
	r, err := agentapi.ReadRing(w.Body)
	if err != nil || w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d, %v", w.Code, err)
	}
	got, err := r.View()
	if err != nil || got.Epoch != 7 || len(got.Members) != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	etag := w.Header().Get("ETag")
	if w := ask(f, "GET", "/v1/ring", "", "If-None-Match", etag); w.Code != http.StatusNotModified || w.Body.Len() != 0 {
		t.Errorf("the same again: %d, %d bytes", w.Code, w.Body.Len())
	}
	_, before := f.board.read()
	post(t, f, want) // nothing new
	if _, after := f.board.read(); after != before {
		t.Error("who waits was woken for nothing")
	}
	if w := ask(f, "GET", "/v1/ring", "", "If-None-Match", `"another"`); w.Code != http.StatusOK || w.Header().Get("ETag") != etag {
		t.Errorf("%d, ETag %s, want %s", w.Code, w.Header().Get("ETag"), etag)
	}
	for _, after := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		if w := ask(f, "GET", "/v1/ring?after="+after, ""); w.Code != http.StatusBadRequest || !strings.Contains(text(w), "want an epoch") {
			t.Errorf("after %s: %d", after, w.Code)
		}
	}
}

// A question that waits is answered by a newer epoch, by another answer than the
// one that is known, after 30 s, or when the agent ends; and by nothing else.
func TestLongPoll(t *testing.T) {
	sick := membership.Member{ID: "a", Health: membership.Unhealthy}
	for _, test := range []struct {
		name   string
		after  string
		known  bool // the ETag is sent
		then   func(t *testing.T, f *front, stop func())
		status int
		epoch  uint64
		took   time.Duration
	}{
		{"behind", "6", false, nil, 200, 7, 0},
		{"nothing new", "7", false, nil, 200, 7, 30 * time.Second},
		{"nothing new, known", "7", true, nil, 304, 0, 30 * time.Second},
		{"from the future", "9", false, nil, 200, 7, 30 * time.Second},
		{"newer epoch", "7", false, func(t *testing.T, f *front, _ func()) { post(t, f, view(t, 8, membership.Member{ID: "a"})) }, 200, 8, time.Second},
		{"newer epoch, known", "7", true, func(t *testing.T, f *front, _ func()) { post(t, f, view(t, 8, membership.Member{ID: "a"})) }, 200, 8, time.Second},
		{"other health", "7", false, func(t *testing.T, f *front, _ func()) { post(t, f, view(t, 7, sick)) }, 200, 7, 30 * time.Second},
		{"other health, known", "7", true, func(t *testing.T, f *front, _ func()) { post(t, f, view(t, 7, sick)) }, 200, 7, time.Second},
		{"the end", "7", true, func(_ *testing.T, _ *front, stop func()) { stop() }, 304, 0, time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f, _ := newTestFront(t)
				var stop context.CancelFunc
				f.closing, stop = context.WithCancel(context.Background())
				defer stop()
				post(t, f, view(t, 7, membership.Member{ID: "a"}))
				header := []string{}
				if test.known {
					header = []string{"If-None-Match", ask(f, "GET", "/v1/ring", "").Header().Get("ETag")}
				}
				began := time.Now()
				if test.then != nil {
					go func() {
						time.Sleep(time.Second)
						test.then(t, f, stop)
					}()
				}
				w := ask(f, "GET", "/v1/ring?after="+test.after, "", header...)
				if w.Code != test.status || time.Since(began) != test.took {
					t.Errorf("%d after %v, want %d after %v", w.Code, time.Since(began), test.status, test.took)
				}
				if w.Code == http.StatusOK {
					if r, err := agentapi.ReadRing(w.Body); err != nil || r.Epoch != test.epoch {
						t.Errorf("epoch %d, %v", r.Epoch, err)
					}
				}
				if f.polls.Load() != 0 {
					t.Errorf("%d requests are counted as waiting", f.polls.Load())
				}
			})
		})
	}
}

// A first view is waited for too, and one who goes away stops waiting.
func TestLongPollBeforeFirstView(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, _ := newTestFront(t)
		go func() {
			time.Sleep(time.Second)
			post(t, f, view(t, 1, membership.Member{ID: "a"}))
		}()
		if w := ask(f, "GET", "/v1/ring?after=0", ""); w.Code != http.StatusOK {
			t.Errorf("%d", w.Code)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		if _, err := f.await(ctx, true, 1, ""); err != nil || time.Since(began) != time.Second {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

func TestTooManyPolls(t *testing.T) {
	f, _ := newTestFront(t)
	post(t, f, view(t, 7, membership.Member{ID: "a"}))
	f.polls.Store(maxPolls)
	if w := ask(f, "GET", "/v1/ring?after=7", ""); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
	if w := ask(f, "GET", "/v1/ring", ""); w.Code != http.StatusOK || f.polls.Load() != maxPolls {
		t.Errorf("one that does not wait: %d; %d are counted", w.Code, f.polls.Load())
	}
}

// Members say what the ring does not: shares, whose ring is which, since when, and
// who is there without being in the view.
func TestMembers(t *testing.T) {
	f, n := newTestFront(t)
	v := view(t, 7, membership.Member{ID: "b", Weight: 3}, membership.Member{ID: "c", State: membership.Left},
		membership.Member{ID: "m", Kind: membership.Memcached}, membership.Member{ID: "d", Health: membership.Dead})
	v.Disagree = []string{"router-1"}
	post(t, f, v)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.FixedZone("", 3600))
	dead := since.Add(time.Hour)
	n.members = []gossip.Member{
		{Member: membership.Member{ID: "a", Kind: membership.Redis, Address: "10.0.0.9:1", State: membership.Joining, Weight: 1}, Alive: true},
		{Member: membership.Member{ID: "b", Kind: membership.Redis}, Alive: true, Since: since, Fingerprint: "0011223344556677"},
		{Member: membership.Member{ID: "d", Kind: membership.Redis, Health: membership.Dead}, Since: since, HealthSince: dead},
		{Member: membership.Member{ID: "evicted", Kind: membership.Redis, Address: "10.0.0.8:1", State: membership.Active, Weight: 1}, Evicted: true, Out: dead},
		{Member: membership.Member{ID: "later"}, Alive: true, Later: true},
		{Member: membership.Member{ID: "returns", Kind: membership.Redis, Address: "10.0.0.7:1", State: membership.Active, Weight: 1, Generation: 7}, Evicted: true, Alive: true, Since: since},
		{Member: membership.Member{ID: "rogue", Kind: membership.Redis, Address: "203.0.113.7:1", State: membership.Announced, Weight: 1}, Alive: true},
		{Member: membership.Member{ID: "router-1", Kind: membership.Router}, Alive: true, Fingerprint: "ffffffffffffffff"},
	}
	n.status.Freeze = gossip.Freeze{On: true, Here: 2, Stay: 5}
	w := ask(f, "GET", "/v1/members", "")
	m, err := agentapi.ReadMembers(w.Body)
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d, %v", w.Code, err)
	}
	var ids []string
	by := make(map[string]agentapi.MemberStatus)
	for _, s := range m.Members {
		ids = append(ids, s.ID)
		by[s.ID] = s
	}
	if got := strings.Join(ids, " "); got != "a b c d m returns router-1" {
		t.Errorf("members %s", got)
	}
	if !m.Frozen || m.RingSeen != 2 || m.RingNodes != 5 || len(m.Later) != 1 || m.Later[0] != "later" {
		t.Errorf("frozen %v, sees %d of %d, of another version %q", m.Frozen, m.RingSeen, m.RingNodes, m.Later)
	}
	if want := (agentapi.Evicted{ID: "evicted", Since: dead.UTC()}); len(m.Evicted) != 1 || m.Evicted[0] != want {
		t.Errorf("evicted %v, want %v alone: one is on its way back", m.Evicted, want)
	}
	whole, err := ring.New([]ring.Node{{ID: "b", Weight: 3}, {ID: "d", Weight: 1}}, ring.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if by["b"].Share != whole.Share("b") || by["d"].Share != whole.Share("d") || by["m"].Share != 1 || by["c"].Share != 0 || by["a"].Share != 0 {
		t.Errorf("shares: b %v, d %v, m %v, c %v, a %v", by["b"].Share, by["d"].Share, by["m"].Share, by["c"].Share, by["a"].Share)
	}
	if r := by["returns"]; r.State != membership.Joining || r.Share != 0 || !r.Since.IsZero() || r.Generation != 7 {
		t.Errorf("evicted, on its way back: %+v", r)
	}
	if d := by["d"]; !d.Since.Equal(since) || !d.HealthSince.Equal(dead) || d.HealthSince.Location() != time.UTC || !by["b"].HealthSince.IsZero() {
		t.Errorf("since when d is dead: %+v; b: %+v", d, by["b"])
	}
	if !by["b"].Since.Equal(since) || by["b"].Fingerprint != "0011223344556677" || by["a"].State != membership.Joining || m.Agree || by["d"].Health != membership.Dead {
		t.Errorf("%+v", m)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	f, n := newTestFront(t)
	active := membership.Member{State: membership.Active}
	for _, test := range []struct {
		name   string
		status gossip.Status
		want   string // empty: ready
	}{
		{"active", gossip.Status{Contact: true, Healthy: true, Node: active}, ""},
		{"unhealthy", gossip.Status{Contact: true, Probe: errors.New("refused"), Node: active}, "UNHEALTHY: refused"},
		{"not probed", gossip.Status{Contact: true, Node: active}, "UNHEALTHY"},
		{"no seed", gossip.Status{Seeds: errors.New("10.0.0.1:7946: refused"), Node: membership.Member{State: membership.Joining}}, "JOINING: no member was reached: 10.0.0.1:7946: refused"},
		{"no password", gossip.Status{Contact: true, Waits: "the server to answer", Probe: errors.New("WRONGPASS"), Node: membership.Member{State: membership.Joining}}, "JOINING: waits for the server to answer; the server does not answer: WRONGPASS"},
		{"neither", gossip.Status{Seeds: errors.New("h:1: refused"), Probe: errors.New("h:2: refused"), Node: membership.Member{State: membership.Joining}}, "JOINING: no member was reached: h:1: refused; the server does not answer: h:2: refused"},
		{"one probe", gossip.Status{Contact: true, Healthy: true, Probe: errors.New("slow"), Node: membership.Member{State: membership.Leaving}}, "LEAVING"},
		{"waits", gossip.Status{Contact: true, Healthy: true, Waits: "keys", Node: membership.Member{State: membership.Importing}}, "IMPORTING: waits for keys"},
		{"fails", gossip.Status{Contact: true, Healthy: true, Waits: "its server to be emptied", TaskError: errors.New("NOPERM"), Node: membership.Member{State: membership.Joining}}, "JOINING: waits for its server to be emptied (NOPERM)"},
		{"leaving", gossip.Status{Contact: true, Healthy: true, Node: membership.Member{State: membership.Leaving}}, "LEAVING"},
	} {
		n.status = test.status
		w := ask(f, "GET", "/readyz", "")
		code, want := http.StatusServiceUnavailable, test.want
		if want == "" {
			code, want = http.StatusOK, "ACTIVE"
		}
		if got := text(w); w.Code != code || got != want {
			t.Errorf("%s: %d %q, want %d %q", test.name, w.Code, got, code, want)
		}
		if w := ask(f, "GET", "/healthz", ""); w.Code != http.StatusOK {
			t.Errorf("%s: healthz %d", test.name, w.Code)
		}
	}
}

func TestWeight(t *testing.T) {
	f, n := newTestFront(t)
	for _, body := range []string{"", "2", "[]", "{}", `{"weight": 0}`, `{"weight": -1}`, `{"weight": 1e9}`, `{"weight": "2"}`, `{"wieght": 2}`, `{"weight": 2, "more": 1}`, `{"weight": 2} {"weight": 3}`, `{"weight": 2, "more": "` + strings.Repeat("x", maxBody) + `"}`} {
		if w := ask(f, "POST", "/v1/weight", body); w.Code != http.StatusBadRequest || strings.Contains(text(w), "\n") {
			t.Errorf("%.40s: %d", body, w.Code)
		}
	}
	if len(n.weights) > 0 {
		t.Errorf("weights were set: %v", n.weights)
	}
	if w := ask(f, "POST", "/v1/weight", `{"weight": 2.5}`); w.Code != http.StatusAccepted || len(n.weights) != 1 || n.weights[0] != 2.5 || text(w) != `{"id":"a","state":"ACTIVE","waits":""}` {
		t.Errorf("%d, weights %v", w.Code, n.weights)
	}
	if w := ask(f, "POST", "/v1/weight", `{"id": "a", "weight": 3}`); w.Code != http.StatusAccepted || len(n.weights) != 2 || n.weights[1] != 3 {
		t.Errorf("with its ID: %d, weights %v", w.Code, n.weights)
	}
	n.refuse = errors.New("no")
	if w := ask(f, "POST", "/v1/weight", `{"weight": 2.5}`); w.Code != http.StatusBadRequest {
		t.Errorf("refused: %d", w.Code)
	}
}

// An order for another node is refused, with the way to its agent.
func TestOrderForAnother(t *testing.T) {
	f, n := newTestFront(t)
	n.members = []gossip.Member{
		{Member: membership.Member{ID: "a", Kind: membership.Redis}, HTTP: "http://10.0.0.1:8946"},
		{Member: membership.Member{ID: "b", Kind: membership.Redis}, HTTP: "http://10.0.0.2:8946"},
		{Member: membership.Member{ID: "c", Kind: membership.Redis}},
		{Member: membership.Member{ID: "r", Kind: membership.Router}},
	}
	for id, where := range map[string]string{
		"b": "its agent answers at http://10.0.0.2:8946", "c": "its agent does not tell where it answers",
		"r": "that is a router, which has no agent", "x": "this agent knows no such node",
	} {
		want := fmt.Sprintf("this is the agent of node %q, the order is for %q: %s", "a", id, where)
		for path, body := range map[string]string{
			"/v1/weight": `{"id": %q, "weight": 2}`, "/v1/leave": `{"id": %q}`, "/v1/rebalance": `{"id": %q, "pause": true}`,
		} {
			w := ask(f, "POST", path, fmt.Sprintf(body, id))
			if w.Code != http.StatusMisdirectedRequest || text(w) != want {
				t.Errorf("%s for %s: %d %q, want %q", path, id, w.Code, text(w), want)
			}
		}
	}
	if n.left != 0 || len(n.weights) != 0 {
		t.Errorf("left %d times, weights %v", n.left, n.weights)
	}
}

func TestPathsAndMethods(t *testing.T) {
	f, n := newTestFront(t)
	post(t, f, view(t, 7, membership.Member{ID: "a"}))
	for target, want := range map[string]int{
		"GET /": 404, "GET /v1": 404, "GET /v1/leave": 405, "POST /v1/ring": 405, "PUT /v1/weight": 405, "GET /debug/pprof/": 404, "POST /v1/leave": 202, "HEAD /v1/ring": 200,
	} {
		method, path, _ := strings.Cut(target, " ")
		if w := ask(f, method, path, ""); w.Code != want || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
	if n.left != 1 {
		t.Errorf("told to leave %d times", n.left)
	}
}

// Over a real connection: limits hold there too.
func TestServerLimits(t *testing.T) {
	f, _ := newTestFront(t)
	post(t, f, view(t, 7, membership.Member{ID: "a"}))
	s := httptest.NewServer(f.handler())
	defer s.Close()
	resp, err := s.Client().Post(s.URL+"/v1/weight", "application/json", strings.NewReader(`{"weight": `+strings.Repeat(" ", maxBody)+"2}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("a large body: %d", resp.StatusCode)
	}
}
