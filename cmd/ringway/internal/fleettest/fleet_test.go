//go:build unix

package fleettest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

const (
	cluster = "proof"
	label   = "inside"
)

// fleet is 5 redis-servers and 2 memcacheds with an agent each, and 3 routers.
type fleet struct {
	t       *testing.T
	keyFile string
	evict   time.Duration // EvictAfter
	more    []string      // arguments of agents
	nodes   []*node       // in the order of their IDs
	routers []*routerProcess
	guests  []string // further clients that gossip
	epoch   uint64   // of all, when all agreed last
	copies  int      // how often a key was copied, at most
	began   time.Time
}

// node is a server and its agent.
type node struct {
	id     string
	kind   membership.Kind
	server *servertest.Server
	gossip string // where the agent gossips
	http   string // its URL

	weight    float64 // 0: 1
	announced string  // where the server is said to be; empty: where it is
	order     string  // file by which the agent is killed at a place of its code; empty: none

	agent     *process
	redis     *redis.Client    // of the test
	memcached *memcache.Client // the same

	silent bool // the agent is down or frozen
	down   bool // the server is
	left   bool // the node has left the fleet
}

// routerProcess is a router and where it answers.
type routerProcess struct {
	name    string
	gossips bool // a member of the fleet; otherwise an observer
	process *process
	url     string
}

// newFleet starts a fleet, and waits until all agree and every node holds keys.
func newFleet(t *testing.T, evictAfter time.Duration) *fleet {
	t.Helper()
	program(t, "ringway")
	f := &fleet{t: t, evict: evictAfter, keyFile: keyFile(t, "right"), began: time.Now()}
	for _, id := range []string{"mc-a", "mc-b", "redis-a", "redis-b", "redis-c", "redis-d", "redis-e"} {
		n := &node{id: id, kind: membership.Redis, gossip: proctest.Address(t), http: "http://" + proctest.Address(t)}
		if strings.HasPrefix(id, "mc-") {
			n.kind, n.server = membership.Memcached, servertest.Memcached(t)
		} else {
			n.server = servertest.Redis(t)
		}
		f.nodes = append(f.nodes, n)
	}
	for _, n := range f.nodes {
		f.startAgent(n, n.id == "redis-a")
	}
	f.settled("all have joined")
	for _, name := range []string{"router-1", "router-2", "observer"} {
		f.startRouter(name)
	}
	f.settled("routers have come")
	f.everyNodeHoldsKeys()
	return f
}

// keyFile writes a key for the gossip.
func keyFile(t *testing.T, word string) string {
	t.Helper()
	key := []byte(strings.Repeat(word, 32)[:32])
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(base64.StdEncoding.EncodeToString(key)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// node returns one by its ID.
func (f *fleet) node(id string) *node {
	for _, n := range f.nodes {
		if n.id == id {
			return n
		}
	}
	f.t.Fatalf("no node %q", id)
	return nil
}

// seeds are the gossip addresses of all agents but that one's.
func (f *fleet) seeds(except string) string {
	var all []string
	for _, n := range f.nodes {
		if n.id != except {
			all = append(all, n.gossip)
		}
	}
	return strings.Join(all, ",")
}

// agentArgs are the arguments that all agents of a fleet have in common; later
// ones win.
func (f *fleet) agentArgs(id, server string) []string {
	return []string{"agent", "--id", id, "--server", server, "--network", "local", "--cluster", cluster, "--label", label,
		"--encrypt-key-file", f.keyFile, "--allow-gossip", "127.0.0.0/8", "--allow-servers", "127.0.0.1",
		"--evict-after", f.evict.String(), "--log-format", "json"}
}

// startAgent starts the agent of a node, at the same address each time. The first
// one begins the fleet; all others, and that one later, join it.
func (f *fleet) startAgent(n *node, first bool) {
	f.t.Helper()
	args := append(f.agentArgs(n.id, n.url()), "--bind", n.gossip, "--http", strings.TrimPrefix(n.http, "http://"))
	if first {
		args = append(args, "--bootstrap")
	} else {
		args = append(args, "--join", f.seeds(n.id))
	}
	if n.announced != "" {
		args = append(args, "--server-address", n.announced)
	}
	args = append(args, f.more...)
	n.agent, n.silent = startWith(f.t, []string{"FAILPOINT_FILE=" + n.order}, n.id, program(f.t, "ringway"), args...), false
}

func (n *node) url() string { return string(n.kind) + "://" + n.server.Addr() }

// killAgent ends the agent as a crash would, and freezeAgent stops it; the server
// goes on.
func (n *node) killAgent() { n.agent.end(); n.silent = true }

func (n *node) killServer()    { n.server.Kill(); n.down = true }
func (n *node) restartServer() { n.server.Restart(); n.down = false }
func (n *node) freezeServer()  { n.server.Stop(); n.down = true }
func (n *node) thawServer()    { n.server.Cont(); n.down = false }

func (n *node) freezeAgent(t *testing.T) { n.agent.signal(t, syscall.SIGSTOP); n.silent = true }
func (n *node) thawAgent(t *testing.T)   { n.agent.signal(t, syscall.SIGCONT); n.silent = false }

// startRouter starts a router and waits until it says where it answers. One that
// is called an observer follows three agents over HTTP.
func (f *fleet) startRouter(name string) {
	f.t.Helper()
	r := &routerProcess{name: name, gossips: name != "observer"}
	args := []string{"-name", name, "-cluster", cluster}
	if r.gossips {
		args = append(args, "-seeds", f.seeds(""), "-label", label, "-key-file", f.keyFile, "-allow", "127.0.0.1/32")
	} else {
		args = append(args, "-agents", strings.Join([]string{f.node("redis-a").http, f.node("redis-b").http, f.node("mc-b").http}, ","))
	}
	r.process = start(f.t, name, program(f.t, "router"), args...)
	eventually(f.t, name+" answers", func() (bool, string) {
		_, after, found := strings.Cut(r.process.log.String(), "listening on ")
		at, _, whole := strings.Cut(after, "\n")
		r.url = "http://" + at + StatusPath
		return found && whole, r.process.log.String()
	})
	f.routers = append(f.routers, r)
}

// fetch asks without keeping the connection.
var fetch = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}

// status asks a router how it does.
func (r *routerProcess) status(t *testing.T) Status {
	t.Helper()
	var s Status
	resp, err := fetch.Get(r.url)
	if err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&s); err != nil {
		t.Fatalf("%s: %v", r.name, err)
	}
	return s
}

// redisOf returns a client of a node's server.
func redisOf(t *testing.T, n *node) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: n.server.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// keysOf returns the keys of the routers that a Redis server holds.
func keysOf(t *testing.T, n *node) []string {
	t.Helper()
	c := redisOf(t, n)
	defer c.Close()
	var keys []string
	for _, r := range []string{"router-1", "router-2", "observer"} {
		found, err := c.Keys(context.Background(), r+":[0-9]*:[0-9]*").Result()
		if err != nil {
			t.Fatalf("%s: %v", n.id, err)
		}
		keys = append(keys, found...)
	}
	return keys
}

// everyNodeHoldsKeys waits until routers have written to every Redis server.
func (f *fleet) everyNodeHoldsKeys() {
	f.t.Helper()
	for _, n := range f.nodes {
		if n.kind == membership.Redis {
			eventually(f.t, n.id+" holds keys", func() (bool, string) {
				count := len(keysOf(f.t, n))
				return count >= 10, fmt.Sprint(count)
			})
		}
	}
}
