//go:build unix

package fleettest

import (
	"testing"
	"time"
)

// TestFaultsThatEvict: what lasts longer takes the node out of the ring of all,
// by one record. It is back once it has removed all that its server held, under
// a new generation; what it held had grown old meanwhile, and nobody is served
// it. Each round has two faults that have nothing to do with each other.
func TestFaultsThatEvict(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3*time.Second)
	f.killed()
	f.killedBoth()
	f.frozen()
}

// killed: the agent of one node, the server of another.
func (f *fleet) killed() {
	b, c := f.node("redis-b"), f.node("redis-c")
	markB, markC := f.mark(b, false), f.mark(c, true)
	before := f.settled("before")
	b.killAgent()
	c.killServer()
	// The agent of c is still there, and waits for its server.
	f.settled("an agent and a server were killed", "redis-b gone", "redis-c JOINING")
	f.rewritten(b)
	f.rewritten(c)
	f.working("an agent and a server were killed")
	f.onlyFailed("an agent and a server were killed", "redis-b", "redis-c")

	c.restartServer()
	f.startAgent(b, false)
	after := f.settled("they are back")
	f.returned(b, markB, before, after)
	f.returned(c, markC, before, after)
	f.swept("they are back")
	f.working("they are back")
}

// killedBoth: server and agent of two nodes, one of each kind. The Redis server
// comes back with the data that it had.
func (f *fleet) killedBoth() {
	d, m := f.node("redis-d"), f.node("mc-b")
	mark := f.mark(d, true)
	before := f.settled("before")
	for _, n := range []*node{d, m} {
		n.killAgent()
		n.killServer()
	}
	f.settled("agents and servers were killed", "redis-d gone", "mc-b gone")
	f.rewritten(d)
	f.working("agents and servers were killed")
	f.onlyFailed("agents and servers were killed", "redis-b", "redis-c", "redis-d", "mc-b")

	for _, n := range []*node{d, m} {
		n.restartServer()
	}
	if held := len(keysOf(f.t, d)); held == 0 || !d.has(f.t, mark) {
		f.t.Fatalf("the server came back with %d keys: nothing is tested", held)
	}
	for _, n := range []*node{d, m} {
		f.startAgent(n, false)
	}
	after := f.settled("they are back")
	f.returned(d, mark, before, after)
	f.returned(m, "", before, after)
	f.swept("they are back")
	f.working("they are back")
}

// frozen: the agent of one node, which finds out afterwards that it was evicted,
// and the server of another. One of each kind.
func (f *fleet) frozen() {
	a, e := f.node("mc-a"), f.node("redis-e")
	mark := f.mark(e, false)
	before := f.settled("before")
	a.freezeAgent(f.t)
	e.freezeServer()
	f.settled("an agent and a server are frozen", "mc-a gone", "redis-e JOINING")
	f.rewritten(e)
	f.working("an agent and a server are frozen")
	a.thawAgent(f.t)
	e.thawServer()
	after := f.settled("they go on")
	f.returned(a, "", before, after)
	f.returned(e, mark, before, after)
	f.swept("they go on")
	f.working("they go on")
	f.onlyFailed("they go on", "redis-b", "redis-c", "redis-d", "redis-e", "mc-a", "mc-b")
}

// returned fails the test if a node is back with anything of what it held, or
// under the generation that was evicted.
func (f *fleet) returned(n *node, mark string, before, after membersAnswer) {
	f.t.Helper()
	if a, b := after.member(n.id).Generation, before.member(n.id).Generation; a <= b {
		f.t.Errorf("%s: generation %d after %d", n.id, a, b)
	}
	times, removed := n.agent.purges()
	if times == 0 || removed == 0 && mark != "" {
		f.t.Errorf("%s: %d purges, which removed %d keys", n.id, times, removed)
	}
	if mark != "" && n.has(f.t, mark) {
		f.t.Errorf("%s is back with what it held", n.id)
	}
	f.t.Logf("%s was purged of %d keys", n.id, removed)
}
