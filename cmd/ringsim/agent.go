package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
)

// answerTime is how long an agent may take.
const answerTime = 10 * time.Second

const wantAgent = "http://HOST:PORT, https://HOST:PORT or unix:///PATH"

// askAgent returns the fleet's ring as an agent has it, checked.
func askAgent(ctx context.Context, text string) (r agentapi.Ring, v membership.View, err error) {
	client, base, err := agentClient(text)
	if err != nil {
		return r, v, err
	}
	defer client.CloseIdleConnections()
	within, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	request, err := http.NewRequestWithContext(within, http.MethodGet, base+agentapi.RingPath, nil)
	if err != nil {
		return r, v, badAgent(text)
	}
	response, err := client.Do(request)
	if err == nil {
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			err = fmt.Errorf("the answer is %s", response.Status)
		} else if r, err = agentapi.ReadRing(response.Body); err == nil {
			v, err = r.View()
		}
	}
	switch {
	case ctx.Err() != nil:
		return r, v, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("no answer within %v", answerTime)
	}
	if err != nil {
		return r, v, &cli.FailedError{Lines: []string{fmt.Sprintf("agent %s: %v", cli.Quote(text), err)}}
	}
	return r, v, nil
}

func badAgent(text string) error {
	if u, err := url.Parse(text); err == nil {
		text = u.Redacted()
	}
	return &cli.UsageError{Where: "--agent", Found: cli.Quote(text), Want: wantAgent}
}

// agentClient returns a client that uses no proxy and follows no redirection, and
// the beginning of the agent's URLs.
func agentClient(text string) (*http.Client, string, error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, "", badAgent(text)
	}
	dialer := new(net.Dialer)
	transport := &http.Transport{DialContext: dialer.DialContext, MaxResponseHeaderBytes: 64 << 10}
	base := strings.TrimRight(text, "/")
	switch {
	case strings.HasPrefix(text, "unix:///") && len(u.Path) > 1:
		base = "http://localhost"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", u.Path)
		}
	case (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "":
	default:
		return nil, "", badAgent(text)
	}
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, base, nil
}

// A liveFleet is the nodes of one kind that own keys now, and how they are placed.
type liveFleet struct {
	agent   string
	kind    membership.Kind
	epoch   uint64
	moving  bool // a transition is under way
	nodes   []ring.Node
	options simulations.Options
	ring    *ring.Ring
}

// newLiveFleet reads the fleet out of a view. The kind may be empty where there is
// only one; the seed is the fleet's secret one, or 0.
func newLiveFleet(agent, kind string, seed uint64, r agentapi.Ring, v membership.View) (*liveFleet, error) {
	f := &liveFleet{agent: agent, epoch: r.Epoch}
	var kinds []string
	for _, k := range []membership.Kind{membership.Memcached, membership.Redis} {
		if nodes := v.Current(k); len(nodes) > 0 && (kind == "" || kind == string(k)) {
			f.kind, f.nodes, kinds = k, nodes, append(kinds, string(k))
		}
	}
	switch {
	case len(kinds) > 1:
		return nil, &cli.UsageError{Where: "--kind", Found: "nothing, and nodes of two kinds", Want: strings.Join(kinds, " or ")}
	case len(kinds) == 0:
		return nil, &cli.UsageError{Where: "--agent", Found: "a fleet without " + strings.TrimSpace(kind+" nodes") + " that own keys", Want: "some"}
	}
	_, phase := v.Transition(f.kind)
	f.moving = phase != membership.Stable
	function, err := ring.ParseHashFunction(r.Placement.Hash)
	if err != nil || r.Placement.Algorithm != "ring" {
		return nil, &cli.FailedError{Lines: []string{fmt.Sprintf("the fleet places by %s over %s, which this version does not know", cli.Quote(r.Placement.Algorithm), cli.Quote(r.Placement.Hash))}}
	}
	f.options = simulations.Options{VirtualNodes: r.Placement.VirtualNodes, Hasher: ring.Hasher{Function: function, Seed: seed, HashTags: r.Placement.HashTags}}
	if f.ring, err = ring.New(f.nodes, ring.Config{VirtualNodes: f.options.VirtualNodes, Hasher: f.options.Hasher}); err != nil {
		return nil, &cli.FailedError{Lines: []string{"the fleet's ring: " + err.Error()}}
	}
	// The same ring as the fleet's, or the answer would be about another one.
	if want, known := v.Fingerprints[f.kind]; known && f.ring.Fingerprint() != want {
		if r.Placement.SeedFingerprint != "" {
			return nil, &cli.UsageError{Where: "--hash-seed", Found: "none or another", Want: "the fleet's secret seed, since the agent does not tell it"}
		}
		return nil, &cli.FailedError{Lines: []string{"the ring made of the agent's answer has another fingerprint than the fleet's"}}
	}
	return f, nil
}
