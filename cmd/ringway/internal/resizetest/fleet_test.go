package resizetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/rebalance"
	"github.com/ringway/ringway/ring"
)

const cluster = "resize"

// nodes is how many there are before the change, and after the way back.
const nodes = 8

func nodeName(i int) string { return fmt.Sprintf("cache-%d", i+1) }

// placement is the one that agents and clients have by default.
var placement = ring.Config{Hasher: ring.Hasher{HashTags: true}}

func nodeList(n int) []ring.Node {
	var names []string
	for i := range n {
		names = append(names, nodeName(i))
	}
	return ring.Nodes(names...)
}

func ringOf(t testing.TB, n int) *ring.Ring {
	t.Helper()
	r, err := ring.New(nodeList(n), placement)
	must(t, err)
	return r
}

func startServers(t testing.TB, n int) []*servertest.Server {
	t.Helper()
	var list []*servertest.Server
	for range n {
		list = append(list, servertest.Redis(t))
	}
	return list
}

// fleet is servers with an agent each, and a client that gossips.
type fleet struct {
	t       testing.TB
	limits  rebalance.Limits // of the movers
	servers []*servertest.Server
	agents  []*running
	client  *gossip.Gossip
}

// running is an agent in this process.
type running struct {
	*agent.Agent
	ended chan struct{}
	err   error // of Run, once ended is closed
}

// newFleet returns a fleet of the first n servers that has settled.
func newFleet(t testing.TB, servers []*servertest.Server, n int, limits rebalance.Limits) *fleet {
	t.Helper()
	f := &fleet{t: t, limits: limits, servers: servers}
	for i := range n {
		f.join(i)
	}
	client, err := gossip.Join(t.Context(), gossip.Config{Cluster: cluster, Name: "client", Network: gossip.Local,
		Bind: "127.0.0.1:0", Seeds: []string{f.agents[0].GossipAddr()}, Logger: quiet})
	must(t, err)
	t.Cleanup(func() { client.Close() })
	f.client = client
	eventually(t, "all nodes are ACTIVE", func() bool { return f.settled(n) })
	return f
}

// join starts the agent of a server.
func (f *fleet) join(i int) {
	f.t.Helper()
	cfg := agent.Config{
		Server: dataserver.Config{URL: "redis://" + f.servers[i].Addr()}, Logger: quiet, Version: "test",
		Gossip: gossip.Config{Cluster: cluster, Name: nodeName(i), Network: gossip.Local, Bind: "127.0.0.1:0",
			// A machine that is busy must not look like a server that has failed.
			Timing: gossip.Timing{EvictAfter: bound, ProbeTimeout: time.Minute, LeaveTimeout: bound},
			Node:   &gossip.NodeConfig{Bootstrap: i == 0}},
		Move: agent.MoveConfig{Limits: f.limits},
	}
	if i > 0 {
		cfg.Gossip.Seeds = []string{f.agents[0].GossipAddr()}
	}
	a, err := agent.New(f.t.Context(), cfg)
	must(f.t, err)
	r := &running{Agent: a, ended: make(chan struct{})}
	ctx, cut := context.WithCancel(context.Background())
	go func() {
		defer close(r.ended)
		r.err = a.Run(ctx)
	}()
	f.t.Cleanup(func() { cut(); <-r.ended })
	f.agents = append(f.agents, r)
}

// view returns what the client knows.
func (f *fleet) view() membership.View {
	f.t.Helper()
	v, err := f.client.Next(f.t.Context(), 0)
	must(f.t, err)
	return v
}

// settled reports whether the client sees so many nodes and no transition.
func (f *fleet) settled(n int) bool {
	v := f.view()
	_, phase := v.Transition(membership.Redis)
	return phase == membership.Stable && len(v.Current(membership.Redis)) == n
}

// leave tells the last node to leave.
func (f *fleet) leave() { f.agents[len(f.agents)-1].Leave() }

// moved returns how many keys the movers have brought elsewhere in the last
// transition of each.
func (f *fleet) moved(agents ...*running) (keys int64) {
	for _, a := range agents {
		keys += a.Rebalance().KeysMoved
	}
	return keys
}
