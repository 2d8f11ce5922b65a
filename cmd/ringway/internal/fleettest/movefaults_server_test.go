//go:build unix

package fleettest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/membership"
)

// slowly is a rate at which a transition takes some seconds, and verySlowly one at
// which it does not end while something is done to it.
var (
	slowly     = []string{"--move-keys", "60"}
	verySlowly = []string{"--move-keys", "3"}
)

// TestCutBetweenServers: while keys move, the network to the receivers is cut, for
// movers and clients alike. The transition waits, says why, and goes on when it
// heals.
func TestCutBetweenServers(t *testing.T) {
	if os.Getenv("RINGWAY_SOAK") == "" {
		t.Skip("it takes two minutes: make soak (package rebalance cuts a mover off in its own tests)")
	}
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t, "--move-keys", "8") // so that both kinds are still moving when the cut comes
	s := f.fill()
	historians := f.startHistorians(seed)
	var cuts []*faultproxy.Proxy
	for _, id := range []string{"redis-x", "mc-x"} {
		n := f.newNode(id)
		cut := faultproxy.New(t, n.server.Addr())
		n.announced, cuts = cut.Addr(), append(cuts, cut)
		f.nodes = append(f.nodes, n)
		f.startAgent(n, false)
	}
	f.moving("redis-b", "mc-b")
	for _, cut := range cuts {
		cut.Hang()
		cut.Reset()
	}
	for source, receiver := range map[string]string{"redis-b": "redis-x", "mc-b": "mc-x"} {
		f.waits(source, "node "+receiver+": ", "a node takes no keys at present", receiver)
	}
	for _, id := range []string{"redis-x", "mc-x"} {
		if m := f.members(f.node("redis-a")).member(id); m.State != string(membership.Importing) {
			t.Errorf("%s is %s while nothing comes to it", id, m.State)
		}
	}
	for _, cut := range cuts {
		cut.Heal()
	}
	f.settled("the network is whole again")
	f.intact("the network is whole again", s)
	f.promisesKept(historians, false, 1)
	f.tidy("at the end")
}

// TestKilledRouter: a client is killed while keys move, and started again, some
// times while nodes join and as often while nodes leave.
func TestKilledRouter(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t, verySlowly...)
	s := f.fill()
	historians := f.startHistorians(seed)
	const kills = 3
	victim := historians[1]
	for _, id := range []string{"redis-x", "mc-x"} {
		n := f.newNode(id)
		f.nodes = append(f.nodes, n)
		f.startAgent(n, false)
	}
	f.moving("redis-b", "mc-b")
	for range kills {
		f.restart(victim)
	}
	f.moveAtMost(60)
	what := "a client killed while nodes join"
	f.settled(what)
	f.intact(what, s)
	f.moveAtMost(3)
	f.askToLeave("redis-b", "mc-b")
	f.moving("redis-b", "mc-b")
	for range kills {
		f.restart(victim)
	}
	f.moveAtMost(60)
	f.awaitLeft("redis-b", "mc-b")
	what = "a client killed while nodes leave"
	f.settled(what)
	f.intact(what, s)
	f.promisesKept(historians, true, 2)
	f.tidy("at the end")
}

// moveAtMost sets how many keys a second each mover moves.
func (f *fleet) moveAtMost(keys int) {
	f.t.Helper()
	if out, err := f.ringway("rebalance", "--keys-per-second", strconv.Itoa(keys), "--agent", f.node("redis-a").http); err != nil {
		f.t.Fatalf("%v: %s", err, out)
	}
}

// restart kills a historian and starts it again.
func (f *fleet) restart(h *historian) {
	f.t.Helper()
	h.process.end()
	h.process = start(f.t, h.name, program(f.t, "historian"), h.args...)
	h.atWork(f.t)
}

// moverAnswer is what the contract says of `ringway rebalance --format json`.
type moverAnswer struct {
	ID, Phase, State, Error string
	Moved                   int64 `json:"keys_moved"`
	Waiting                 int64 `json:"keys_waiting"`
}

// mover runs `ringway rebalance` and returns what it says of one node.
func (f *fleet) mover(id string) (m moverAnswer) {
	f.t.Helper()
	out, err := f.ringway("rebalance", "--format", "json", "--agent", f.node("redis-a").http)
	var answer struct {
		Schema string
		Movers []moverAnswer
	}
	if err == nil {
		err = json.Unmarshal(out, &answer)
	}
	if err != nil {
		return m // an agent may not answer at present
	}
	for _, one := range answer.Movers {
		if one.ID == id {
			return one
		}
	}
	return m
}

// moving waits until the movers of nodes have moved some keys of the transition
// under way.
func (f *fleet) moving(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		eventually(f.t, "keys of "+id+" move", func() (bool, string) {
			m := f.mover(id)
			return m.Phase == "importing" && m.Moved > 0, fmt.Sprintf("%+v", m)
		})
	}
}

// waits waits until `ringway rebalance` says that a mover waits, and why, and the
// log of its agent too.
func (f *fleet) waits(id, why, logged, receiver string) {
	f.t.Helper()
	eventually(f.t, "the mover of "+id+" waits and says "+why, func() (bool, string) {
		m := f.mover(id)
		return m.State == "waiting" && strings.Contains(m.Error, why), fmt.Sprintf("%+v", m)
	})
	found := false
	for line := range strings.Lines(f.node(id).agent.log.String()) {
		found = found || strings.Contains(line, logged) && strings.Contains(line, receiver)
	}
	if !found {
		f.t.Errorf("the log of %s does not say %q of %s", id, logged, receiver)
	}
	f.t.Logf("%s waits: %+v", id, f.mover(id))
}
