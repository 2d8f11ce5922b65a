//go:build unix

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/ring"
)

// defaultPlacement is that of an agent without flags.
var defaultPlacement = ring.Config{Hasher: ring.Hasher{HashTags: true}}

func redisURL(s *servertest.Server) string { return "redis://" + s.Addr() }

func redisClient(t *testing.T, s *servertest.Server) *redis.Client {
	t.Helper()
	c := redis.NewClient(&redis.Options{Addr: s.Addr()})
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func set(t *testing.T, s *servertest.Server, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if err := redisClient(t, s).Set(context.Background(), key, "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// size is how many keys there are, the agent's own mark not counted.
func size(t *testing.T, s *servertest.Server) (n int) {
	t.Helper()
	keys, err := redisClient(t, s).Keys(context.Background(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if !transit.IsMarker(key) {
			n++
		}
	}
	return n
}

// owners asks `ringway locate` for the owner of each key.
func owners(t *testing.T, agent *agentProcess, keys []string) map[string]string {
	t.Helper()
	code, stdout, stderr := runWith(strings.Join(keys, "\n"), "locate", "--format", "json", "--agent", agent.http, "-")
	if code != 0 {
		t.Fatalf("locate: exit %d, %s", code, stderr)
	}
	var answer struct {
		Keys []struct{ Key, Owner string }
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	found := make(map[string]string)
	for _, k := range answer.Keys {
		found[k.Key] = k.Owner
	}
	return found
}

// checkOwners compares them with the ring of these nodes.
func checkOwners(t *testing.T, agent *agentProcess, nodes ...ring.Node) {
	t.Helper()
	want, err := ring.New(nodes, defaultPlacement)
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for i := range 300 {
		keys = append(keys, fmt.Sprintf("{key:%d}:%d", i/3, i))
	}
	for key, owner := range owners(t, agent, keys) {
		if owner != want.Owner(key).ID {
			t.Fatalf("%s: owner %q, want %q", key, owner, want.Owner(key).ID)
		}
	}
}

// Three servers, three agents: they agree; one agent crashes and is evicted; it
// comes back empty; one leaves.
func TestFleetOfProcesses(t *testing.T) {
	clearVariables(t)
	var servers []*servertest.Server
	for range 3 {
		servers = append(servers, servertest.Redis(t))
	}
	set(t, servers[0], "kept-1", "kept-2")
	a := begin(t, "a", redisURL(servers[0]), "--bootstrap")
	b := begin(t, "b", redisURL(servers[1]), "--join", a.gossip, "--weight", "2")
	c := begin(t, "c", redisURL(servers[2]), "--join", a.gossip, "--zone", "z")
	m := allSay(t, "a ACTIVE, b ACTIVE, c ACTIVE", a, b, c)
	nodes := []ring.Node{{ID: "a", Weight: 1}, {ID: "b", Weight: 2}, {ID: "c", Weight: 1, Zone: "z"}}
	want, err := ring.FingerprintOf(nodes, defaultPlacement)
	if err != nil || m.Fingerprint != want.String() {
		t.Errorf("fingerprint %s, want %s, %v", m.Fingerprint, want, err)
	}
	for i, member := range m.Members {
		if member.Address != servers[i].Addr() || member.Kind != "redis" || member.Weight != nodes[i].Weight || member.Zone != nodes[i].Zone {
			t.Errorf("%+v", member)
		}
	}
	checkOwners(t, a, nodes...)
	checkReady(t, c, http.StatusOK, "ACTIVE")
	if code, stdout, stderr := run("ring", "--assert-agree", "--agent", b.http); code != 0 || !strings.Contains(stdout, "all agree") {
		t.Errorf("ring: exit %d, %s%s", code, stdout, stderr)
	}

	// A crash: seen, then evicted by the other two. The first agent of the list
	// does not answer any more, the next one does.
	set(t, servers[2], "old-1", "old-2", "old-3")
	generation := m.Members[2].Generation
	c.kill(t)
	eventually(t, "c is DEAD", func() (bool, any) { s := members(t, c, a).states(); return s == "a ACTIVE, b ACTIVE, c DEAD", s })
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	checkOwners(t, b, nodes[:2]...)

	// The return: whatever the server holds is old.
	c = begin(t, "c", redisURL(servers[2]), "--join", b.gossip, "--zone", "z")
	m = allSay(t, "a ACTIVE, b ACTIVE, c ACTIVE", a, b, c)
	if n := size(t, servers[2]); n != 0 {
		t.Errorf("the server that came back holds %d keys", n)
	}
	if purged, has := c.line("server purged"); !has || purged["removed"] != 3.0 {
		t.Errorf("log of the purge: %v", purged)
	}
	if m.Members[2].Generation <= generation {
		t.Errorf("generation %d after %d", m.Members[2].Generation, generation)
	}
	checkOwners(t, c, nodes...)

	// A leave: on its word, and at once.
	b.signal(t, syscall.SIGTERM)
	if code, why := b.exit(t); code != 0 || why != "" {
		t.Errorf("b: exit %d, %s", code, why)
	}
	m = allSay(t, "a ACTIVE, b LEFT, c ACTIVE", a, c)
	if m.Members[1].Share != 0 || m.Members[0].Share+m.Members[2].Share < 0.9999 {
		t.Errorf("shares %v, %v, %v", m.Members[0].Share, m.Members[1].Share, m.Members[2].Share)
	}
	checkOwners(t, a, nodes[0], nodes[2])
}

// An agent that is back soon goes on with its node: nothing moves, and the server
// keeps its keys.
func TestAgentIsReplaced(t *testing.T) {
	clearVariables(t)
	server := servertest.Redis(t)
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	b := begin(t, "b", redisURL(server), "--join", a.gossip, "--evict-after", "1h")
	before := allSay(t, "a ACTIVE, b ACTIVE", a, b)
	mine := ""
	for key, owner := range owners(t, a, []string{"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10"}) {
		if owner == "b" {
			mine = key
		}
	}
	if mine == "" {
		t.Fatal("b owns no key")
	}
	set(t, server, mine)
	b.kill(t)
	b = begin(t, "b", redisURL(server), "--join", a.gossip, "--bind", b.gossip)
	eventually(t, "b is ready", func() (bool, any) { code, body := get(t, b, "/readyz"); return code == http.StatusOK, body })
	eventually(t, "a knows of the new agent", func() (bool, any) {
		m := members(t, a)
		return len(m.Members) == 2 && m.Members[1].Generation > before.Members[1].Generation, m
	})
	after := allSay(t, "a ACTIVE, b ACTIVE", a, b)
	if size(t, server) != 1 || after.Fingerprint != before.Fingerprint {
		t.Errorf("%d keys, ring %s, before %s", size(t, server), after.Fingerprint, before.Fingerprint)
	}
}

func checkReady(t *testing.T, p *agentProcess, code int, start string) {
	t.Helper()
	got, body := get(t, p, "/readyz")
	if got != code || !strings.HasPrefix(body, start) {
		t.Errorf("readyz: %d %s, want %d %s", got, body, code, start)
	}
}

func get(t *testing.T, p *agentProcess, path string) (int, string) {
	t.Helper()
	defer http.DefaultClient.CloseIdleConnections()
	resp, err := http.Get(p.http + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// A first-time server that holds keys is refused, with their number on one line.
func TestServerWithKeysIsRefused(t *testing.T) {
	clearVariables(t)
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	server := servertest.Redis(t)
	set(t, server, "1", "2", "3", "4")
	b := launch(t, "b", redisURL(server), "--join", a.gossip)
	code, why := b.exit(t)
	if code != cli.ExitFailed || !strings.Contains(why, "4 keys") || strings.Contains(why, "\n") || size(t, server) != 4 {
		t.Errorf("exit %d, %s; %d keys are left", code, why, size(t, server))
	}
	allSay(t, "a ACTIVE", a)
}

// The password comes from the URL, the environment or a file, and goes nowhere
// else. What has not answered with it is not announced.
func TestCredentials(t *testing.T) {
	clearVariables(t)
	const password = "correct-horse/battery"
	server := func() *servertest.Server { return servertest.Redis(t, "--requirepass", password) }
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	wrong := begin(t, "wrong", "redis://:not-the-password@"+server().Addr(), "--join", a.gossip)
	file := writeFile(t, "password", password+"\n")
	agents := []*agentProcess{
		begin(t, "by-url", "redis://:correct-horse%2Fbattery@"+server().Addr()+"/1", "--join", a.gossip),
		begin(t, "by-file", redisURL(server())+"/2", "--join", a.gossip, "--server-password-file", file),
	}
	t.Setenv("RINGWAY_SERVER_PASSWORD", password)
	agents = append(agents, begin(t, "by-variable", redisURL(server())+"/3", "--join", a.gossip))
	allSay(t, "a ACTIVE, by-file ACTIVE, by-url ACTIVE, by-variable ACTIVE, wrong JOINING", append(agents, a, wrong)...)
	eventually(t, "the reason is told", func() (bool, any) { // while others join it may wait for more than that
		code, body := get(t, wrong, "/readyz")
		return code == http.StatusServiceUnavailable && strings.HasPrefix(body, "JOINING: waits for the server to answer; ") && strings.Contains(body, "WRONGPASS"), body
	})
	for _, p := range append(agents, wrong) {
		_, metrics := get(t, p, "/metrics")
		for _, secret := range []string{"correct-horse", "battery", "not-the-password"} {
			if strings.Contains(p.log.String()+metrics, secret) {
				t.Errorf("%s is shown", secret)
			}
		}
	}
}

// A purge leaves alone what is not the node's: other databases, other prefixes.
func TestPurgeStaysWithinItsBounds(t *testing.T) {
	clearVariables(t)
	server := servertest.Redis(t)
	other := redis.NewClient(&redis.Options{Addr: server.Addr(), DB: 5})
	defer other.Close()
	if err := other.Set(context.Background(), "p:5", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	set(t, server, "p:1", "p:2", "q:1")
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	b := begin(t, "b", redisURL(server), "--join", a.gossip, "--prefix", "p:", "--purge")
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	if n := other.DBSize(context.Background()).Val(); n != 1 || size(t, server) != 1 {
		t.Errorf("%d keys in the other database, %d under the other prefix", n, size(t, server))
	}
}

// Of two agents with one ID the second gives up; the first does not notice much.
func TestTwoAgentsWithOneID(t *testing.T) {
	clearVariables(t)
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	b := begin(t, "b", redisURL(servertest.Redis(t)), "--join", a.gossip)
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	second := begin(t, "b", redisURL(servertest.Redis(t)), "--join", a.gossip)
	if code, why := second.exit(t); code != cli.ExitFailed || !strings.Contains(why, `"b" is taken`) || strings.Contains(why, "\n") {
		t.Errorf("exit %d, %s", code, why)
	}
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	checkReady(t, b, http.StatusOK, "ACTIVE")
}

// Who has another key, label or cluster does not get in, and says so; a word to
// leave ends it at once all the same.
func TestStrangers(t *testing.T) {
	clearVariables(t)
	key := func(letter string) string {
		return writeFile(t, "keys", base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32))))
	}
	secured := []string{"--encrypt-key-file", key("k"), "--label", "inside"}
	a := begin(t, "a", redisURL(servertest.Redis(t)), append(secured, "--bootstrap")...)
	server := redisURL(servertest.Redis(t))
	strangers := map[string]*agentProcess{
		"wrong key":     begin(t, "b", server, "--join", a.gossip, "--encrypt-key-file", key("x"), "--label", "inside"),
		"no key":        begin(t, "c", server, "--join", a.gossip, "--label", "inside"),
		"wrong label":   begin(t, "d", server, "--join", a.gossip, "--encrypt-key-file", secured[1], "--label", "outside"),
		"wrong cluster": begin(t, "e", server, "--join", a.gossip, "--encrypt-key-file", secured[1], "--label", "inside", "--cluster", "other"),
	}
	for name, p := range strangers {
		eventually(t, name+" is not let in", func() (bool, any) {
			code, body := get(t, p, "/readyz")
			return code == http.StatusServiceUnavailable && strings.HasPrefix(body, "JOINING: no member was reached: "), body
		})
	}
	// One that may come in does.
	f := begin(t, "f", server, append(secured, "--join", a.gossip)...)
	allSay(t, "a ACTIVE, f ACTIVE", a, f)
	for name, p := range strangers {
		p.signal(t, syscall.SIGTERM)
		if code, why := p.exit(t); code != 0 {
			t.Errorf("%s: exit %d, %s", name, code, why)
		}
	}
	allSay(t, "a ACTIVE, f ACTIVE", a, f)
}

// A member that announces a server outside of the networks that are allowed leads
// nobody there.
func TestServerOutsideOfAllowedNetworks(t *testing.T) {
	clearVariables(t)
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap", "--allow-servers", "127.0.0.0/8")
	begin(t, "rogue", redisURL(servertest.Redis(t)), "--server-address", "203.0.113.7:6379", "--join", a.gossip)
	eventually(t, "a ignores the rogue", func() (bool, any) {
		_, body := get(t, a, "/metrics")
		for line := range strings.Lines(body) {
			if count, found := strings.CutPrefix(line, `ringway_agent_ignored_messages_total{reason="server"} `); found {
				return count != "0\n", line
			}
		}
		return false, body
	})
	// What a does not hear of holds up nobody: another node joins.
	c := begin(t, "c", redisURL(servertest.Redis(t)), "--join", a.gossip, "--allow-servers", "127.0.0.1")
	eventually(t, "c has joined", func() (bool, any) {
		s := members(t, a).states()
		return s == "a ACTIVE, c ACTIVE", s
	})
	for _, p := range []*agentProcess{a, c} {
		checkOwners(t, p, ring.Node{ID: "a", Weight: 1}, ring.Node{ID: "c", Weight: 1})
		if s := members(t, p).states(); s != "a ACTIVE, c ACTIVE" {
			t.Errorf("the members are %s", s)
		}
	}
}

// A second signal ends the agent at once.
func TestSecondSignal(t *testing.T) {
	clearVariables(t)
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap")
	b := begin(t, "b", redisURL(servertest.Redis(t)), "--join", a.gossip)
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	b.signal(t, syscall.SIGINT, syscall.SIGTERM) // two of one kind may become one
	if code, why := b.exit(t); code != cli.ExitFailed || !strings.Contains(why, "ended before the node had left") {
		t.Errorf("exit %d, %s", code, why)
	}
}

// SIGHUP reads secrets again; a file that cannot be used changes nothing.
func TestReload(t *testing.T) {
	clearVariables(t)
	const first, second = "the-first-token-of-all", "the-second-token-of-all"
	token := writeFile(t, "token", first)
	keys := writeFile(t, "keys", base64.StdEncoding.EncodeToString([]byte("0123456789abcdef")))
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap", "--token-file", token, "--encrypt-key-file", keys)
	allSay(t, "a ACTIVE", a)
	weight := func(token string) int {
		r, err := http.NewRequest(http.MethodPost, a.http+"/v1/weight", strings.NewReader(`{"weight": 3}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		defer http.DefaultClient.CloseIdleConnections()
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if weight(first) != http.StatusAccepted || weight(second) != http.StatusUnauthorized {
		t.Error("the first token does not hold")
	}
	replace := func(file, content, message string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		a.reload(t, message)
	}
	const refused = "the settings were read again and cannot be used: all stays as it is"
	replace(token, "short", refused)
	if weight(first) != http.StatusAccepted {
		t.Error("the token is gone")
	}
	replace(token, second, "the token was read again")
	if weight(second) != http.StatusAccepted || weight(first) != http.StatusUnauthorized {
		t.Error("the second token does not hold")
	}
	replace(keys, "no key", refused)
	replace(keys, base64.StdEncoding.EncodeToString([]byte("fedcba9876543210")), "the keys of the gossip were read again")
	b := begin(t, "b", redisURL(servertest.Redis(t)), "--join", a.gossip, "--encrypt-key-file", keys)
	allSay(t, "a ACTIVE, b ACTIVE", a, b)
	for _, secret := range []string{first, second, "MDEyMzQ1Njc4OWFiY2RlZg", "0123456789abcdef"} {
		if strings.Contains(a.log.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
}

// A memcached has an agent as well; settings come from a file and the environment;
// the service manager is told; HTTP answers on a socket.
func TestMemcachedFromFile(t *testing.T) {
	clearVariables(t)
	dir, err := os.MkdirTemp("", "rw") // the path of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	told := make(chan string, 10)
	go func() {
		for b := make([]byte, 200); ; {
			n, err := notify.Read(b)
			if err != nil {
				close(told)
				return
			}
			told <- string(b[:n])
		}
	}()
	server, socket := servertest.Memcached(t), filepath.Join(dir, "agent.sock")
	config := writeFile(t, "agent.yaml", "server: memcached://"+server.Addr()+"\nid: overridden\nbootstrap: true\nzone: from-file\nhttp: overridden:1\n")
	t.Setenv("RINGWAY_CONFIG", config)
	t.Setenv("NOTIFY_SOCKET", filepath.Join(dir, "notify"))
	p := begin(t, "mc", "memcached://"+server.Addr(), "--http", "unix://"+socket)
	p.http = "unix://" + socket
	m := allSay(t, "mc ACTIVE", p)
	if m.Members[0].Kind != "memcached" || m.Members[0].Zone != "from-file" || m.Members[0].Address != server.Addr() {
		t.Errorf("%+v", m.Members[0])
	}
	p.signal(t, syscall.SIGINT)
	if code, why := p.exit(t); code != 0 {
		t.Errorf("exit %d, %s", code, why)
	}
	for _, want := range []string{"READY=1\nSTATUS=gossip on 127.0.0.1:", "STOPPING=1"} {
		select {
		case got := <-told:
			if !strings.HasPrefix(got, want) {
				t.Errorf("told %q, want %q", got, want)
			}
		case <-time.After(bound):
			t.Fatalf("not told %q", want)
		}
	}
}
