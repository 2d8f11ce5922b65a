package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// clock is the time at which the fakes are asked.
var clock = time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)

// fakeAgent answers for a fleet that a test makes up.
type fakeAgent struct {
	mu     sync.Mutex
	view   membership.View
	cfg    ring.Config
	more   func(m *agentapi.Members) // changes the answer about members
	broken bool
	asked  func() // called with each question; nil: nothing is
}

// ringConfig is the default placement.
func ringConfig() ring.Config { return ring.Config{} }

// newAgentOf returns the fake and its URL. Time stands still for the commands.
func newAgentOf(t *testing.T, cfg ring.Config, epoch uint64, members ...membership.Member) (*fakeAgent, string) {
	t.Helper()
	clearVariables(t)
	now = func() time.Time { return clock }
	t.Cleanup(func() { now = time.Now })
	a := &fakeAgent{cfg: cfg}
	a.set(t, epoch, members...)
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	return a, s.URL
}

// set replaces the fleet.
func (a *fakeAgent) set(t *testing.T, epoch uint64, members ...membership.Member) {
	t.Helper()
	v, err := membership.NewView(epoch, members...)
	if err != nil {
		t.Fatal(err)
	}
	v.Fingerprints = make(map[membership.Kind]ring.Fingerprint)
	for _, kind := range nodeKinds {
		if f, err := ring.FingerprintOf(v.Current(kind), a.cfg); err == nil {
			v.Fingerprints[kind] = f
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.view = v
}

func (a *fakeAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked != nil {
		a.asked()
	}
	placement, err := agentapi.PlacementOf(a.cfg)
	if err != nil || a.broken {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	answer, err := agentapi.RingOf(a.view, placement)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	var body any = answer
	if r.URL.Path == agentapi.MembersPath {
		body = a.members(answer)
	}
	_ = json.NewEncoder(w).Encode(body)
}

func (a *fakeAgent) members(r agentapi.Ring) agentapi.Members {
	m := agentapi.MembersOf(r)
	for i := range m.Members {
		s := &m.Members[i]
		current, err := ring.New(a.view.Current(s.Kind), a.cfg)
		if err == nil {
			s.Share = current.Share(s.ID)
		}
		s.Since = clock.Add(-time.Duration(i*i*i*100) * time.Second)
		if s.Health != membership.Healthy {
			s.HealthSince = clock.Add(-time.Duration(i) * 7 * time.Second)
		}
		if f, err := ringsFingerprint(r); err == nil && f != "" {
			s.Fingerprint = f[:16]
		}
	}
	if a.more != nil {
		a.more(&m)
	}
	return m
}

// node is a Redis node with an address of its own.
func node(id string, change ...func(*membership.Member)) membership.Member {
	m := membership.Member{ID: id, Address: "10.0.0." + string('1'+id[len(id)-1]-'a') + ":6379", Generation: 1795265362240205453}
	for _, c := range change {
		c(&m)
	}
	return m
}

// golden compares what a command prints, with the address of the fake taken out.
func golden(t *testing.T, name, url string, args ...string) {
	t.Helper()
	args = append(args, "--agent", url)
	code, stdout, stderr := run(args...)
	if strings.Contains(stdout, "─") {
		checkWidth(t, stdout)
	}
	got := goldenText(args, code, stdout, stderr)
	compareGolden(t, name, strings.ReplaceAll(got, url, "URL"))
}
