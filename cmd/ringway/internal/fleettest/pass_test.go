//go:build unix

package fleettest

import (
	"testing"
	"time"
)

// TestFaultsThatPass: what is over before anybody is evicted changes no ring, and
// no server loses a key. Here eviction takes an hour; faults last until all have
// seen them.
func TestFaultsThatPass(t *testing.T) {
	t.Parallel()
	f := newFleet(t, time.Hour)
	f.frozenAgent()
	f.frozenServer()
	f.restartedAgent()
	f.strangers()
	f.restartedServer()
}

// frozenAgent: DEAD for the others, while the server goes on and routers use it.
func (f *fleet) frozenAgent() {
	n := f.node("redis-b")
	mark, epoch := f.mark(n, false), f.epoch
	n.freezeAgent(f.t)
	f.settled("an agent is frozen", "redis-b DEAD")
	f.working("an agent is frozen")
	n.thawAgent(f.t)
	f.settled("it goes on")
	if f.epoch != epoch {
		f.t.Errorf("the epoch went from %d to %d", epoch, f.epoch)
	}
	f.untouched(n, mark)
	f.onlyFailed("an agent was frozen")
}

// frozenServer: UNHEALTHY by its agent's word, so that routers fail fast on it.
func (f *fleet) frozenServer() {
	n := f.node("redis-c")
	mark := f.mark(n, false)
	n.freezeServer()
	f.settled("a server is frozen", "redis-c UNHEALTHY")
	n.thawServer()
	f.settled("it goes on")
	f.working("it goes on")
	f.untouched(n, mark)
	f.onlyFailed("a server was frozen", "redis-c")
}

// restartedAgent: the agent that began the fleet is killed, and another one that
// is started in its place goes on with the node.
func (f *fleet) restartedAgent() {
	n := f.node("redis-a")
	mark, before := f.mark(n, false), f.settled("before the crash")
	n.killAgent()
	f.settled("an agent was killed", "redis-a DEAD")
	f.working("an agent was killed")
	f.startAgent(n, false)
	after := f.settled("another one took its place")
	if a, b := after.member(n.id).Generation, before.member(n.id).Generation; a <= b {
		f.t.Errorf("generation %d after %d", a, b)
	}
	f.untouched(n, mark)
	f.onlyFailed("an agent was killed", "redis-c")
}

// restartedServer: it is back before anybody would evict its node, with what it had
// on disk, which has been overwritten since. Its agent empties it. (What clients
// read before it has noticed may be old: nobody looks at that here.)
func (f *fleet) restartedServer() {
	n := f.node("redis-d")
	mark := f.mark(n, true)
	n.killServer()
	n.restartServer()
	eventually(f.t, "redis-d is emptied", func() (bool, string) { return !n.has(f.t, mark), "" })
	eventually(f.t, "redis-d is used again", func() (bool, string) {
		m := f.members(f.node("redis-a"))
		return m.member(n.id).State == "ACTIVE" && len(keysOf(f.t, n)) > 0, m.String()
	})
}

// untouched fails the test if the node was purged.
func (f *fleet) untouched(n *node, mark string) {
	f.t.Helper()
	if times, _ := n.agent.purges(); times > 0 && n.id == "redis-a" || !n.has(f.t, mark) {
		f.t.Errorf("%s was purged", n.id)
	}
}
