//go:build unix

package fleettest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// historian is a client that writes down what it does.
type historian struct {
	name, file string
	args       []string
	process    *process
}

// startHistorians starts three of them, one of which observes, and waits until
// they have written all their keys.
func (f *fleet) startHistorians(seed uint64) []*historian {
	f.t.Helper()
	names := []string{"historian-1", "historian-2", "observer"}
	dir := f.t.TempDir()
	var all []*historian
	for i, name := range names {
		h := &historian{name: name, file: filepath.Join(dir, name)}
		args := []string{"-name", name, "-peers", strings.Join(names, ","), "-file", h.file, "-cluster", cluster,
			"-seed", strconv.FormatUint(seed+uint64(i), 10)}
		if name != "observer" {
			f.guests = append(f.guests, name)
			args = append(args, "-seeds", f.seeds(""), "-label", label, "-key-file", f.keyFile, "-allow", "127.0.0.1/32")
		} else {
			args = append(args, "-agents", strings.Join([]string{f.node("redis-a").http, f.node("mc-a").http}, ","))
		}
		h.args = args
		all = append(all, h)
	}
	for _, h := range all {
		h.process = start(f.t, h.name, program(f.t, "historian"), h.args...)
	}
	for _, h := range all {
		h.atWork(f.t)
	}
	return all
}

func (h *historian) atWork(t *testing.T) {
	t.Helper()
	eventually(t, h.name+" has written its keys", func() (bool, string) {
		log := h.process.log.String()
		return strings.Contains(log, "writing history\n"), log
	})
}

// history ends a historian and returns what it wrote.
func (h *historian) history(t *testing.T) (events []Event) {
	t.Helper()
	h.process.stdin.Close()
	if code := h.process.exit(t); code != 0 {
		t.Fatalf("%s ended with exit code %d", h.name, code)
	}
	file, err := os.Open(h.file)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	type begun struct {
		key string
		at  int64
	}
	under := make(map[begun]int) // changes: where each is in events
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var e Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%s: %v", h.file, err)
		}
		if at, has := under[begun{e.Key, e.Begin}]; has && e.Op == events[at].Op {
			events[at] = e // what came of it
			continue
		}
		if e.Error == "under way" {
			under[begun{e.Key, e.Begin}] = len(events)
		}
		events = append(events, e)
	}
	return events
}

// newSmallFleet is 3 redis-servers and 2 memcacheds with an agent each, which has
// these further arguments.
func newSmallFleet(t *testing.T, more ...string) *fleet {
	t.Helper()
	program(t, "ringway")
	f := &fleet{t: t, evict: time.Hour, more: more, keyFile: keyFile(t, "right"), began: time.Now()}
	for _, id := range []string{"mc-a", "mc-b", "redis-a", "redis-b", "redis-c"} {
		f.nodes = append(f.nodes, f.newNode(id))
	}
	for _, n := range f.nodes {
		f.startAgent(n, n.id == "redis-a")
	}
	f.settled("all have joined")
	return f
}

func (f *fleet) newNode(id string) *node {
	n := &node{id: id, kind: membership.Redis, gossip: proctest.Address(f.t), http: "http://" + proctest.Address(f.t),
		order: filepath.Join(f.t.TempDir(), "failpoint")}
	if strings.HasPrefix(id, "mc-") {
		n.kind, n.server = membership.Memcached, servertest.Memcached(f.t)
	} else {
		n.server = servertest.Redis(f.t)
	}
	return n
}

// join starts nodes at the same time and waits until they own their keys.
func (f *fleet) join(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		n := f.newNode(id)
		f.nodes = append(f.nodes, n)
		f.startAgent(n, false)
	}
	f.settled(strings.Join(ids, " and ") + " joined")
}

// leave has nodes leave and waits until their agents have ended well.
func (f *fleet) leave(ids ...string) {
	f.t.Helper()
	for _, id := range ids {
		resp, err := fetch.Post(f.node(id).http+"/v1/leave", "", nil)
		if err != nil {
			f.t.Fatal(err)
		}
		resp.Body.Close()
	}
	for _, id := range ids {
		n := f.node(id)
		if code := n.agent.exit(f.t); code != 0 {
			f.t.Errorf("the agent of %s ended with exit code %d", id, code)
		}
		n.silent, n.left = true, true
	}
	f.settled(strings.Join(ids, " and ") + " left")
}

// TestHistoryOfResizes: while clients of both kinds of servers read and write,
// nodes join, leave and are replaced, several at a time; then the history of all
// clients is looked through. See Check for what it is held to.
func TestHistoryOfResizes(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t)
	all := f.startHistorians(seed)
	f.join("redis-d", "mc-c")
	f.leave("redis-b")
	f.join("redis-e", "redis-f")
	f.leave("mc-b", "redis-d")
	f.promisesKept(all, true, 4)
}

// promisesKept ends the historians and looks through what they have written. With
// smooth operations do not fail either. There were that many transitions.
func (f *fleet) promisesKept(all []*historian, smooth bool, transitions int) {
	f.t.Helper()
	var events []Event
	for _, h := range all {
		events = append(events, h.history(f.t)...)
	}
	broken, hits := Check(events, transitions)
	failed := 0
	for _, e := range events {
		if e.Error != "" {
			failed++
		}
	}
	f.t.Logf("%d operations, %d hits, %d failed, %d promises broken", len(events), hits, failed, len(broken))
	if len(broken) > 0 {
		f.t.Errorf("%d promises broken:\n%s", len(broken), Summary(broken))
	}
	if smooth && failed > len(events)/100 {
		f.t.Errorf("%d of %d operations failed: %s", failed, len(events), firstError(events))
	}
	if hits < 1000 {
		f.t.Errorf("%d hits in %d operations: this proves nothing", hits, len(events))
	}
}

func firstError(events []Event) string {
	for _, e := range events {
		if e.Error != "" {
			return fmt.Sprintf("%s of %s at %s: %s", e.Op, e.Key, at(e.Begin), e.Error)
		}
	}
	return ""
}

// TestThereAndBack: one node after another comes and goes, so that keys go away and
// back as fast as the protocol permits: what a transition has left behind for the
// safety of its keys is still there when the next but one brings them back.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64N(1 << 32)
	t.Log("seed", seed)
	f := newSmallFleet(t)
	all := f.startHistorians(seed)
	const rounds = 3
	for i := range rounds {
		newcomers := []string{fmt.Sprint("redis-x", i), fmt.Sprint("mc-x", i)}
		f.join(newcomers...)
		f.leave(newcomers...)
	}
	f.promisesKept(all, true, 2*rounds)
}
