package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/router/memcache"
)

// plannedJSON is what the tests read of a plan.
type plannedJSON struct {
	Keys      *int64 `json:"keys_estimated"`
	Error     *int64 `json:"keys_standard_error"`
	Bytes     *int64 `json:"bytes_estimated"`
	Seconds   *float64
	Refused   []string
	Notes     []string
	Forced    bool
	Movements []struct {
		From, To string
		Keys     *int64 `json:"keys_estimated"`
	}
	Receivers []struct {
		ID     string
		Needs  *int64 `json:"bytes_needed"`
		Fits   *bool
		Limit  *int64  `json:"memory_limit"`
		Used   *int64  `json:"memory_used"`
		Policy *string `json:"memory_policy"`
		Reason string
	}
	Samples []struct {
		ID      string
		Seen    *int64 `json:"keys_seen"`
		Problem *string
	}
}

func planJSON(t *testing.T, wantCode int, args ...string) (p plannedJSON, stderr string) {
	t.Helper()
	code, stdout, stderr := run(append([]string{"plan", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(stdout), &p); err != nil || code != wantCode {
		t.Fatalf("%v: exit %d, %v\n%s%s", args, code, err, stdout, stderr)
	}
	return p, stderr
}

// ownedKeys returns keys by their owner, and how many of them the new ring gives
// to the node new.
func ownedKeys(t *testing.T, ids []string, new string) (owned map[string][]string, moving int64) {
	t.Helper()
	from, errFrom := ring.New(ring.Nodes(ids...), ring.Config{})
	to, errTo := ring.New(ring.Nodes(append(ids, new)...), ring.Config{})
	if errFrom != nil || errTo != nil {
		t.Fatal(errFrom, errTo)
	}
	owned = make(map[string][]string)
	for i := range 4000 {
		key := fmt.Sprint("app:", i)
		owned[from.Owner(key).ID] = append(owned[from.Owner(key).ID], key)
		if to.Owner(key).ID == new {
			moving++
		}
	}
	return owned, moving
}

func withServers(servers map[string]*servertest.Server, kind membership.Kind) (members []membership.Member) {
	for _, id := range []string{"cache-a", "cache-b"} {
		members = append(members, membership.Member{ID: id, Kind: kind, Address: servers[id].Addr()})
	}
	return members
}

// A plan over real servers, which have a password, a database and keys of others:
// keys are counted, and a receiver that is too small is refused.
func TestPlanRedis(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	const password = "top-secret-1"
	owned, moving := ownedKeys(t, []string{"cache-a", "cache-b"}, "cache-c")
	servers := make(map[string]*servertest.Server)
	for _, id := range []string{"cache-a", "cache-b"} {
		servers[id] = servertest.Redis(t, "--requirepass", password)
		client := redis.NewClient(&redis.Options{Addr: servers[id].Addr(), DB: 2, Password: password})
		defer client.Close()
		pipe := client.Pipeline()
		for _, key := range append(owned[id], "other:1") {
			pipe.Set(ctx, key, strings.Repeat("x", 1000), time.Hour)
		}
		if _, err := pipe.Exec(ctx); err != nil {
			t.Fatal(err)
		}
	}
	small := servertest.Redis(t, "--requirepass", password, "--maxmemory", "2mb", "--maxmemory-policy", "allkeys-lfu")
	large := servertest.Redis(t, "--requirepass", password, "--maxmemory", "100mb")
	_, url := newAgentOf(t, ring.Config{}, 7, withServers(servers, membership.Redis)...)
	t.Setenv("RINGWAY_SERVER_PASSWORD", password)
	access := []string{"--agent", url, "--server", "redis://any/2", "--prefix", "app:", "--sample-time", "1m"}

	p, _ := planJSON(t, 0, append(access, "--add", "cache-c@"+large.Addr(), "--keys-per-second", "1000", "--bytes-per-second", "1GB")...)
	if p.Keys == nil || *p.Keys != moving || *p.Error != 0 || p.Bytes == nil || *p.Bytes < 1000*moving || len(p.Refused) != 0 || len(p.Notes) != 0 {
		t.Errorf("got %+v, want %d keys", p, moving)
	}
	slowest := 0.0
	for _, m := range p.Movements {
		slowest = max(slowest, float64(*m.Keys)/1000)
	}
	if p.Seconds == nil || math.Abs(*p.Seconds-slowest) > 1e-6 {
		t.Errorf("seconds %v, want %v", p.Seconds, slowest)
	}
	if r := p.Receivers[0]; r.Fits == nil || !*r.Fits || *r.Needs != *p.Bytes+64*moving || *r.Limit != 100<<20 || *r.Used == 0 || *r.Policy != "noeviction" {
		t.Errorf("receiver %+v", r)
	}

	tooSmall := append(access, "--add", "cache-c@"+small.Addr())
	p, stderr := planJSON(t, cli.ExitFailed, tooSmall...)
	if len(p.Refused) != 1 || !strings.HasPrefix(p.Refused[0], "cache-c: it needs ") || !strings.Contains(p.Refused[0], "evicts keys (allkeys-lfu)") ||
		*p.Receivers[0].Fits || stderr != "ringway: refused: "+p.Refused[0]+"\n" {
		t.Errorf("refused %q, stderr %q", p.Refused, stderr)
	}
	p, stderr = planJSON(t, 0, append(tooSmall, "--force")...)
	if len(p.Refused) != 1 || !p.Forced || stderr != "ringway: warning: "+p.Refused[0]+"\n" {
		t.Errorf("forced: refused %q, stderr %q", p.Refused, stderr)
	}

	// A new node whose server is not known.
	p, _ = planJSON(t, cli.ExitFailed, append(access, "--add", "cache-c", "--memory", "cache-c=1MB")...)
	if len(p.Refused) != 1 || !strings.Contains(p.Refused[0], "of 1.00 MB") || p.Receivers[0].Used != nil {
		t.Errorf("told: %+v", p)
	}
	p, _ = planJSON(t, 0, append(access, "--add", "cache-c")...)
	if len(p.Refused) != 0 || p.Receivers[0].Fits != nil || len(p.Notes) != 1 || !strings.Contains(p.Notes[0], "--memory cache-c=SIZE") {
		t.Errorf("unknown: %+v", p)
	}
	testPlanSecrets(t, url, password, servers["cache-a"])
}

// The password may be in a file, is in nothing that is printed, and where it is
// wrong or a server hangs, the rest is told all the same.
func testPlanSecrets(t *testing.T, url, password string, hangs *servertest.Server) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("RINGWAY_SERVER_PASSWORD", "")
	args := []string{"--agent", url, "--server", "redis://any/2", "--add", "cache-c"}
	if p, _ := planJSON(t, 0, append(args, "--server-password-file", file)...); p.Keys == nil {
		t.Errorf("password in a file: %+v", p)
	}
	t.Setenv("RINGWAY_SERVER_PASSWORD", "wrong-secret-2")
	p, stderr := planJSON(t, 0, args...)
	text := fmt.Sprint(p.Notes, *p.Samples[0].Problem, stderr)
	if p.Keys != nil || !strings.Contains(text, "credentials refused") || strings.Contains(text, "secret-2") || p.Samples[0].Seen != nil {
		t.Errorf("wrong password: %+v\n%s", p, text)
	}
	t.Setenv("RINGWAY_SERVER_PASSWORD", password)
	hangs.Stop()
	defer hangs.Cont()
	p, _ = planJSON(t, 0, append(args, "--sample-time", "100ms")...)
	if p.Keys != nil || p.Movements[0].Keys != nil || p.Movements[1].Keys == nil || !strings.HasPrefix(fmt.Sprint(p.Notes), "[cache-a: ") {
		t.Errorf("one of two hangs: %+v", p)
	}
}

func TestPlanMemcached(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	owned, moving := ownedKeys(t, []string{"cache-a", "cache-b"}, "cache-c")
	servers := make(map[string]*servertest.Server)
	for _, id := range []string{"cache-a", "cache-b"} {
		servers[id] = servertest.Memcached(t)
		client, err := memcache.New(memcache.Config{Address: servers[id].Addr()})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		var items []memcache.Item
		for _, key := range owned[id] {
			items = append(items, memcache.Item{Key: key, Value: make([]byte, 2000)})
		}
		if err := client.SetMulti(ctx, items); err != nil {
			t.Fatal(err)
		}
	}
	small, large := servertest.Memcached(t, "-m", "2"), servertest.Memcached(t, "-m", "64")
	_, url := newAgentOf(t, ring.Config{}, 7, withServers(servers, membership.Memcached)...)
	access := []string{"--agent", url, "--sample-time", "1m"}
	p, _ := planJSON(t, 0, append(access, "--add", "cache-c@"+large.Addr())...)
	if p.Keys == nil || *p.Keys != moving || *p.Error != 0 || *p.Bytes < 2000*moving || *p.Receivers[0].Needs != *p.Bytes || p.Seconds != nil {
		t.Errorf("got %+v, want %d keys", p, moving)
	}
	p, _ = planJSON(t, cli.ExitFailed, append(access, "--add", "cache-c@"+small.Addr())...)
	if len(p.Refused) != 1 || !strings.Contains(p.Refused[0], "evicts keys (lru)") {
		t.Errorf("refused %q", p.Refused)
	}
}

// Without a sample nobody is asked.
func TestPlanAsksNobody(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections := 0
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			connections++
			conn.Close()
		}
	}()
	_, url := newAgentOf(t, ring.Config{}, 7, membership.Member{ID: "cache-a", Address: listener.Addr().String()})
	planJSON(t, 0, "--add", "cache-b@"+listener.Addr().String(), "--no-sample", "--agent", url)
	listener.Close()
	<-done
	if connections != 0 {
		t.Errorf("%d connections", connections)
	}
}

// Ctrl-C ends a plan whose servers hang.
func TestPlanInterrupted(t *testing.T) {
	server := servertest.Redis(t)
	_, url := newAgentOf(t, ring.Config{}, 7, membership.Member{ID: "cache-a", Address: server.Addr()})
	server.Stop()
	defer server.Cont()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	began := time.Now()
	code, stdout, stderr := runContext(ctx, strings.NewReader(""), "plan", "--add", "cache-b", "--agent", url, "--sample-time", "10m")
	if code != cli.ExitInterrupted || stdout != "" || time.Since(began) > 8*time.Second { // an exchange may take 10
		t.Errorf("exit %d after %v, %q, %q", code, time.Since(began), stdout, stderr)
	}
}
