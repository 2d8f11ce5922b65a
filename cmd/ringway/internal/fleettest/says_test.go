//go:build unix

package fleettest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// membersAnswer is what the contract says of `ringway members --format json`.
type membersAnswer struct {
	Schema      string
	Epoch       uint64
	Fingerprint string
	Agree       bool
	Members     []memberAnswer
}

type memberAnswer struct {
	ID, Kind, Address, State, Fingerprint string
	Share                                 float64
	Generation                            uint64
}

func (m membersAnswer) String() string {
	var all []string
	for _, member := range m.Members {
		all = append(all, member.ID+" "+member.State)
	}
	return fmt.Sprintf("epoch %d, ring %.16s, agree %t: %s", m.Epoch, m.Fingerprint, m.Agree, strings.Join(all, ", "))
}

// member returns one by its ID; the zero value if it is not listed.
func (m membersAnswer) member(id string) memberAnswer {
	for _, member := range m.Members {
		if member.ID == id {
			return member
		}
	}
	return memberAnswer{}
}

// ringway runs a command of ringway, and returns what it prints.
func (f *fleet) ringway(args ...string) ([]byte, error) {
	cmd := exec.Command(program(f.t, "ringway"), args...)
	// With the race detector a program would wait for a second when it ends.
	cmd.Env = append(environment(), "GORACE=atexit_sleep_ms=0")
	return cmd.Output()
}

// members runs `ringway members` against the agent of a node. What it says is
// empty as long as the agent knows no fleet.
func (f *fleet) members(n *node) (answer membersAnswer) {
	f.t.Helper()
	out, err := f.ringway("members", "--format", "json", "--agent", n.http)
	if err != nil {
		return answer
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Schema != "ringway.members/1" {
		f.t.Fatalf("ringway members: %v: %s", err, out)
	}
	return answer
}

// rings are what nodes and keys there should be.
type rings struct {
	redis, memcached *ring.Ring
	fingerprint      string // what `ringway members` shows of the two
}

// placement is that of agents and routers without a word about it.
var placement = ring.Config{Hasher: ring.Hasher{HashTags: true}}

// ringsWithout are the rings of all nodes but these.
func (f *fleet) ringsWithout(out ...string) (r rings) {
	f.t.Helper()
	make := func(kind membership.Kind) *ring.Ring {
		var nodes []ring.Node
		for _, n := range f.nodes {
			if n.kind == kind && !slices.Contains(out, n.id) {
				nodes = append(nodes, ring.Node{ID: n.id, Weight: cmp.Or(n.weight, 1)})
			}
		}
		made, err := ring.New(nodes, placement)
		if err != nil {
			f.t.Fatal(err)
		}
		return made
	}
	r.redis, r.memcached = make(membership.Redis), make(membership.Memcached)
	m, n := r.memcached.Fingerprint(), r.redis.Fingerprint()
	both := sha256.Sum256(append(m[:], n[:]...))
	r.fingerprint = hex.EncodeToString(both[:])
	return r
}

func routesOf(r *ring.Ring) string {
	return RoutesOf(func(key string) string { return r.Owner(key).ID })
}

// settled waits until everybody says the same: each agent that is not silent by
// `ringway members`, and each router by what it does. Members are ACTIVE but for
// those that are listed, such as "redis-a DEAD" and "redis-b JOINING"; a state
// "gone" says that it is not listed. Who is gone or JOINING owns no key, all
// other nodes do. It returns what the first agent says.
func (f *fleet) settled(when string, others ...string) (first membersAnswer) {
	f.t.Helper()
	states, out := make(map[string]string), []string(nil)
	for _, word := range others {
		id, state, _ := strings.Cut(word, " ")
		if states[id] = state; state == "gone" || state == "JOINING" {
			out = append(out, id)
		}
	}
	for _, n := range f.nodes {
		if n.left {
			states[n.id], out = "LEFT", append(out, n.id)
		}
	}
	want := f.ringsWithout(out...)
	eventually(f.t, when+": all agree", func() (bool, string) {
		first = membersAnswer{}
		for _, n := range f.nodes {
			if n.silent {
				continue
			}
			m := f.members(n)
			if first.Members == nil {
				first = m
			}
			if trouble := f.compare(m, first, states, want); trouble != "" {
				return false, fmt.Sprintf("%s says %v: %s", n.id, m, trouble)
			}
		}
		for _, r := range f.routers {
			if trouble := r.compare(r.status(f.t), first.Epoch, want); trouble != "" {
				return false, r.name + ": " + trouble
			}
		}
		return true, ""
	})
	if first.Epoch < f.epoch {
		f.t.Errorf("%s: epoch %d after %d", when, first.Epoch, f.epoch)
	}
	f.epoch = first.Epoch
	f.t.Logf("after %v, %s: %v", time.Since(f.began).Round(100*time.Millisecond), when, first)
	f.nothingStale(when)
	return first
}

// compare says what is not as it should be in what an agent says.
func (f *fleet) compare(m, first membersAnswer, states map[string]string, want rings) string {
	var ids []string
	for _, n := range f.nodes {
		ids = append(ids, n.id)
	}
	for _, r := range f.routers {
		if r.gossips {
			ids = append(ids, r.name)
		}
	}
	ids = append(ids, f.guests...)
	listed := 0
	for _, id := range ids {
		state, member := states[id], m.member(id)
		switch {
		case state == "gone" && member.ID == "":
			continue
		case state == "":
			state = "ACTIVE"
		}
		if listed++; member.State != state {
			return fmt.Sprintf("%s is %q, want %s", id, member.State, state)
		}
		if state == "ACTIVE" && member.Fingerprint != want.fingerprint[:16] {
			return fmt.Sprintf("%s shows ring %s", id, member.Fingerprint)
		}
		if member.Generation >= 1<<53 {
			return fmt.Sprintf("%s has generation %d, which JSON readers round", id, member.Generation)
		}
	}
	switch {
	case listed != len(m.Members):
		return fmt.Sprintf("%d members, want %d", len(m.Members), listed)
	case !m.Agree || m.Fingerprint != want.fingerprint:
		return fmt.Sprintf("want all to have ring %.16s", want.fingerprint)
	case m.Epoch != first.Epoch:
		return fmt.Sprintf("another has epoch %d", first.Epoch)
	}
	return ""
}

// compare says what is not as it should be in a router.
func (r *routerProcess) compare(s Status, epoch uint64, want rings) string {
	redis, memcached := want.redis.Fingerprint(), want.memcached.Fingerprint()
	switch {
	case s.Fingerprints["redis"] != redis.String() || s.Fingerprints["memcached"] != memcached.String():
		return fmt.Sprintf("rings %.16s and %.16s, want %s and %s", s.Fingerprints["redis"], s.Fingerprints["memcached"], redis.Short(), memcached.Short())
	case s.Redis.Routes != routesOf(want.redis) || s.Memcached.Routes != routesOf(want.memcached):
		return "it sends keys elsewhere than its ring says"
	case s.Epoch != epoch || s.Redis.Epoch != epoch || s.Memcached.Epoch != epoch:
		return fmt.Sprintf("epochs %d, %d and %d, want %d", s.Epoch, s.Redis.Epoch, s.Memcached.Epoch, epoch)
	case len(s.Disagree) > 0:
		return fmt.Sprintf("it says that %v disagree", s.Disagree)
	}
	return ""
}

// nothingStale fails the test if a router was served what had been replaced, or
// anything else that no fault explains.
func (f *fleet) nothingStale(when string) {
	f.t.Helper()
	for _, r := range f.routers {
		s := r.status(f.t)
		for kind, l := range map[string]Load{"redis": s.Redis, "memcached": s.Memcached} {
			if l.Stale > 0 || len(l.Strange) > 0 {
				f.t.Errorf("%s: %s: %s: %d stale reads, the first: %s; strange: %q", when, r.name, kind, l.Stale, l.FirstStale, l.Strange)
			}
		}
	}
}
