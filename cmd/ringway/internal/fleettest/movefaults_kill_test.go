//go:build unix

package fleettest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

var (
	killRounds = flag.Int("kill.rounds", 1, "how often an agent is killed at each place of the protocol, joining and leaving")
	killPlaces = flag.String("kill.places", "mover.stored,agent.handedover", "places, a list; all: every place")
)

// who is the agent that comes to a place.
type who int

const (
	gives    who = iota // a source: in a join a node that stays, in a leave the one that leaves
	receives            // the newcomer; in a leave, one that stays
)

// place is where an agent can be killed while keys move: see failpoint.At.
type place struct {
	name  string
	who   who
	times int  // it comes there at least
	big   bool // with a big key, on Redis only
}

// places are all of them, in the order of the protocol.
var places = []place{
	{"mover.pass", gives, 2, false},       // a pass over the source's keys begins
	{"mover.looked", gives, 3, false},     // a batch was looked at, at the new owner
	{"mover.took", gives, 3, false},       // values were read at the source
	{"mover.stored", gives, 3, false},     // they are at the new owner, and still at the source
	{"mover.removed", gives, 3, false},    // they are removed at the source
	{"mover.between", gives, 1, false},    // a pass has ended, and another one is to follow
	{"mover.clean", gives, 1, false},      // a pass has found nothing
	{"mover.part", gives, 10, true},       // a part of a big key has arrived
	{"mover.allparts", gives, 1, true},    // all of its parts have
	{"mover.placed", gives, 1, true},      // they have the key's name, and it is still at the source
	{"agent.handedover", gives, 1, false}, // all is handed over; nobody was told
	{"agent.swept", receives, 1, false},   // the receiver was swept; nobody was told
	{"fence.set", receives, 3, false},     // movers are let in, for the first time or again
	{"fence.dropped", receives, 1, false}, // the transition is over for the receiver
}

// TestKilledAgents: an agent is killed at each step of the protocol, while a node
// joins and while it leaves, and started again. What was under way goes on, and
// nothing is lost.
func TestKilledAgents(t *testing.T) {
	t.Parallel()
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	chosen := strings.Split(*killPlaces, ",")
	if *killPlaces == "all" {
		chosen = names
	}
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			t.Fatalf("-kill.places: got %q, want some of %v", name, names)
		}
	}
	// A fleet is used for some places: what left it stays on its lists.
	const perFleet = 3
	for first := 0; first < len(chosen); first += perFleet {
		some := chosen[first:min(first+perFleet, len(chosen))]
		for round := range *killRounds {
			t.Run(fmt.Sprint(strings.Join(some, "+"), "/", round), func(t *testing.T) {
				t.Parallel()
				killAt(t, some)
			})
		}
	}
}

func killAt(t *testing.T, names []string) {
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	f := newSmallFleet(t, "--move-keys", "200")
	s := f.fill()
	historians := f.startHistorians(seed)
	for i, name := range names {
		p := places[slices.IndexFunc(places, func(p place) bool { return p.name == name })]
		newcomers := []string{fmt.Sprint("redis-x", i)}
		stay := []string{"redis-b"}
		if p.big {
			f.putBig(s, "redis-b", newcomers[0])
		} else {
			newcomers, stay = append(newcomers, fmt.Sprint("mc-x", i)), append(stay, "mc-b")
		}
		victims := stay
		if p.who == receives {
			victims = newcomers
		}
		what := fmt.Sprintf("%v killed at %s, joining", victims, name)
		var added []*node
		for _, id := range newcomers {
			n := f.newNode(id)
			f.nodes, added = append(f.nodes, n), append(added, n)
		}
		nth := 1 + r.IntN(p.times)
		f.arm(victims, name, nth)
		for _, n := range added {
			f.startAgent(n, false)
		}
		f.killedAndStarted(victims, what)
		f.settled(what)
		f.intact(what, s)

		victims = newcomers
		if p.who == receives {
			victims = stay
		}
		what = fmt.Sprintf("%v killed at %s, leaving", victims, name)
		f.arm(victims, name, nth)
		f.askToLeave(newcomers...)
		f.killedAndStarted(victims, what)
		f.awaitLeft(newcomers...)
		f.settled(what)
		f.intact(what, s)
	}
	f.promisesKept(historians, true, 2*len(names))
	f.tidy("at the end")
}

// arm has the agents of nodes be killed when they come to a place for the nth time.
func (f *fleet) arm(ids []string, place string, nth int) {
	f.t.Helper()
	for _, id := range ids {
		file := f.node(id).order
		if err := os.WriteFile(file+".new", fmt.Appendf(nil, "%s %d\n", place, nth), 0o600); err != nil {
			f.t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			f.t.Fatal(err)
		}
	}
}

// killedAndStarted waits until agents were killed, and starts each again.
func (f *fleet) killedAndStarted(ids []string, what string) {
	f.t.Helper()
	waiting := slices.Clone(ids)
	eventually(f.t, what, func() (bool, string) {
		waiting = slices.DeleteFunc(waiting, func(id string) bool {
			n := f.node(id)
			select {
			case <-n.agent.exited:
			default:
				return false
			}
			status, _ := n.agent.cmd.ProcessState.Sys().(syscall.WaitStatus)
			if !status.Signaled() || status.Signal() != syscall.SIGKILL {
				f.t.Fatalf("%s: the agent of %s has ended by itself: %v", what, id, n.agent.cmd.ProcessState)
			}
			f.startAgent(n, false)
			return true
		})
		return len(waiting) == 0, fmt.Sprintf("%v have not come to that place", waiting)
	})
}

func (f *fleet) askToLeave(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		resp, err := fetch.Post(f.node(id).http+"/v1/leave", "", nil)
		if err != nil {
			f.t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode >= http.StatusBadRequest {
			f.t.Fatalf("%s: /v1/leave: %s", id, resp.Status)
		}
	}
}

// awaitLeft waits until the agents of nodes that leave have ended well.
func (f *fleet) awaitLeft(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		n := f.node(id)
		if code := n.agent.exit(f.t); code != 0 {
			f.t.Errorf("the agent of %s ended with exit code %d", id, code)
		}
		n.silent, n.left = true, true
	}
}
