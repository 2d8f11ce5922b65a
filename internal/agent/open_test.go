package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/dataserver/dataservertest"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// A key is replaced in three steps without anybody being lost.
func TestKeyRotation(t *testing.T) {
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 16)
	cfg := config("a")
	cfg.Gossip.Keys = [][]byte{one}
	a := start(t, cfg)
	a.active(t)
	cfg = config("b", a.GossipAddr())
	cfg.Gossip.Keys = [][]byte{one}
	b := start(t, cfg)
	b.active(t)
	for _, keys := range [][][]byte{{one, two}, {two, one}, {two}} {
		for _, r := range []*running{a, b} {
			if err := r.SetKeys(keys); err != nil {
				t.Fatal(err)
			}
		}
	}
	// Who has the new key alone gets in, who has the old one does not.
	cfg = config("c", a.GossipAddr())
	cfg.Gossip.Keys = [][]byte{two}
	start(t, cfg).active(t)
	cfg = config("d", a.GossipAddr())
	cfg.Gossip.Keys = [][]byte{one}
	d := start(t, cfg)
	eventually(t, "the old key is refused", func() bool { return d.Status().Seeds != nil })
	if d.Status().Contact || seen(a, "d") {
		t.Error("d is in contact")
	}
	if err := a.SetKeys(nil); err == nil {
		t.Error("encryption was turned off while running")
	}
	if err := a.SetKeys([][]byte{{1, 2, 3}}); err == nil {
		t.Error("a key of three bytes was taken")
	}
}

// What cannot be opened is said at once, and leaves nothing open.
func TestNewFails(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, change := range map[string]func(*Config){
		"HTTP port":   func(c *Config) { c.HTTP.Address = taken.Addr().String() },
		"socket":      func(c *Config) { c.HTTP.Address = "unix:///no/such/folder/agent.sock" },
		"certificate": func(c *Config) { c.HTTP.CertFile, c.HTTP.KeyFile = "no/such/file", "no/such/file" },
		"gossip port": func(c *Config) { c.Gossip.Bind = taken.Addr().String() },
		"gossip":      func(c *Config) { c.Gossip.Name = "" },
		"placement":   func(c *Config) { c.Gossip.Placement.VirtualNodes = -1 },
		"no node":     func(c *Config) { c.Gossip.Node = nil },
	} {
		cfg := config("a")
		change(&cfg)
		data := dataservertest.New(membership.Redis, "127.0.0.1:6379", "")
		if _, err := newAgent(context.Background(), cfg, data, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
		if err := data.Probe(context.Background()); !errors.Is(err, dataserver.ErrClosed) {
			t.Errorf("%s: the server was left open", name)
		}
	}
	if _, err := New(context.Background(), Config{Server: dataserver.Config{URL: "x"}}); !errors.Is(err, dataserver.ErrInvalidConfig) {
		t.Errorf("a bad URL: %v", err)
	}
}

// Who gossips with other machines and announces a server on loopback is warned.
func TestLoopbackWarning(t *testing.T) {
	for name, test := range map[string]struct {
		address, advertise string
		warned             bool
	}{
		"all on loopback":  {"127.0.0.1:6379", "", false},
		"server elsewhere": {"10.0.0.1:6379", "10.0.0.1", false},
		"name":             {"cache-a:6379", "10.0.0.1", false},
		"socket":           {"unix:///run/redis.sock", "10.0.0.1", false},
		"server here":      {"127.0.0.1:6379", "10.0.0.1", true},
		"server here, v6":  {"[::1]:6379", "10.0.0.1", true},
		"localhost":        {"localhost:6379", "10.0.0.1", true},
	} {
		var log proctest.Buffer
		cfg := config("a")
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Gossip.Advertise, cfg.Gossip.Node.Address = test.advertise, test.address
		start(t, cfg)
		if got := strings.Contains(log.String(), "to themselves"); got != test.warned {
			t.Errorf("%s: warned %t\n%s", name, got, log.String())
		}
	}
}

// The socket is for the agent's user and group; one that is left over is replaced,
// one that somebody listens on is not.
func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "rw") // the path of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "agent.sock")
	old, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	cfg := config("a")
	cfg.HTTP.Address = unixScheme + path
	if _, err := newAgent(context.Background(), cfg, dataservertest.New(membership.Redis, "127.0.0.1:6379", ""), nil); err == nil || !strings.Contains(err.Error(), "somebody answers there") {
		t.Errorf("a socket in use: %v", err)
	}
	old.SetUnlinkOnClose(false)
	old.Close()
	a := start(t, cfg)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 || a.HTTPAddr() != cfg.HTTP.Address {
		t.Errorf("%v, %v at %s", info.Mode(), err, a.HTTPAddr())
	}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", path)
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Post("http://localhost/v1/weight", "application/json", strings.NewReader(`{"weight": 2}`))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusAccepted || answer["id"] != "a" {
		t.Errorf("%d %v, %v", resp.StatusCode, answer, err)
	}
}

// causes are why the server does not answer, by the log. Each is told once; that a probe
// is late, as on a busy machine, is one of its own.
func causes(log string) (found []string) {
	for line := range strings.Lines(log) {
		if _, cause, is := strings.Cut(line, "the server does not answer"); is {
			found = append(found, cause)
		}
	}
	return found
}

// What is wrong with a server from the beginning is said: once in the log, and to
// who asks whether the node is ready. The password is not.
func TestWrongPasswordIsTold(t *testing.T) {
	const secret = "not-the-right-one"
	for name, c := range map[string]struct {
		url  func() string
		want string
	}{
		"password": {func() string {
			return "redis://:" + secret + "@" + servertest.Redis(t, "--requirepass", "right").Addr()
		}, "WRONGPASS"},
		"nobody there": {func() string {
			return "redis://:" + secret + "@" + proctest.Address(t)
		}, "connection refused"},
	} {
		var log proctest.Buffer
		cfg := config("a")
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		cfg.Server.URL = c.url()
		a := startReal(t, cfg)
		eventually(t, name+": /readyz says it", func() bool {
			code, body := a.get(t, "/readyz")
			return code == http.StatusServiceUnavailable && strings.Contains(body, c.want) && !strings.Contains(body, secret)
		})
		before := a.counters.probes.Load()
		eventually(t, "some more probes", func() bool { return a.counters.probes.Load() > before+5 })
		text := log.String()
		if told := causes(text); len(slices.Compact(slices.Sorted(slices.Values(told)))) != len(told) || !strings.Contains(text, c.want) || strings.Contains(text, secret) {
			t.Errorf("%s: the log:\n%s", name, text)
		}
	}
}
