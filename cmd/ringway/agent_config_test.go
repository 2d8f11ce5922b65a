package main

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ringway/ringway/cmd/ringway/internal/settings"
	"github.com/ringway/ringway/internal/agent"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/ring"
)

// loadAgent returns what a command line of the agent comes to.
func loadAgent(t *testing.T, args ...string) (agent.Config, error) {
	t.Helper()
	var f agentFlags
	cmd := &cobra.Command{Use: "agent"}
	f.flags(cmd)
	(&cobra.Command{Use: "ringway", Version: "test"}).AddCommand(cmd)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	_, cfg, err := f.load(cmd)
	return cfg, err
}

func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Every setting reaches the place that it is for.
func TestAgentConfig(t *testing.T) {
	clearVariables(t)
	key := strings.Repeat("k", 32)
	keys := writeFile(t, "keys", "# new\n"+base64.StdEncoding.EncodeToString([]byte(key))+"\r\n\n"+base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))+"\n")
	token := writeFile(t, "token", "0123456789abcdef\n")
	seed := writeFile(t, "seed", "0x10\n")
	t.Setenv("RINGWAY_SERVER_PASSWORD", "from the environment")
	cfg, err := loadAgent(t, "--server", "redis://127.0.0.1:7000/3", "--server-address", "10.0.0.1:7000", "--server-user", "app", "--prefix", "p:",
		"--purge-rate", "9", "--id", "a", "--zone", "z", "--weight", "2.5", "--purge", "--copies", "2",
		"--cluster", "c", "--label", "l", "--network", "wan", "--bind", "10.0.0.1:1", "--advertise", "10.0.0.2", "--join", "h1,h2:2", "--join", "[::1]:3",
		"--encrypt-key-file", keys, "--allow-gossip", "10.0.0.0/8,::1", "--allow-servers", "10.0.0.0/8,.internal,cache-a,unix:///run/r.sock",
		"--leave-timeout", "90s", "--evict-after", "1m", "--http", "unix:///run/a.sock", "--token-file", token,
		"--virtual-nodes", "100", "--hash", "murmur3", "--hash-tags=false", "--hash-seed-file", seed)
	if err != nil {
		t.Fatal(err)
	}
	s, g := cfg.Server, cfg.Gossip
	if s.URL != "redis://127.0.0.1:7000/3" || s.Username != "app" || s.PasswordEnv != "RINGWAY_SERVER_PASSWORD" || s.Prefix != "p:" || s.Rate != 9 {
		t.Errorf("server %+v", s)
	}
	if g.Name != "a" || g.Cluster != "c" || g.Label != "l" || g.Network != gossip.WAN || g.Bind != "10.0.0.1:1" || g.Advertise != "10.0.0.2" ||
		strings.Join(g.Seeds, " ") != "h1 h2:2 [::1]:3" || g.Timing.LeaveTimeout != 90*time.Second || g.Timing.EvictAfter != time.Minute {
		t.Errorf("gossip %+v", g)
	}
	if len(g.Keys) != 2 || string(g.Keys[0]) != key || len(g.AllowGossip) != 2 || g.AllowGossip[1].String() != "::1/128" ||
		len(g.AllowServers) != 1 || strings.Join(g.AllowServerNames, " ") != ".internal cache-a unix:///run/r.sock" {
		t.Errorf("%d keys, gossip from %v, servers at %v and %q", len(g.Keys), g.AllowGossip, g.AllowServers, g.AllowServerNames)
	}
	want := ring.Config{VirtualNodes: 100, Hasher: ring.Hasher{Function: ring.Murmur3, Seed: 16}}
	if g.Placement.VirtualNodes != 100 || !g.Placement.Hasher.Equal(want.Hasher) {
		t.Errorf("placement %+v", g.Placement)
	}
	if n := g.Node; n.Address != "10.0.0.1:7000" || n.Zone != "z" || n.Weight != 2.5 || n.Bootstrap || !n.Purge || n.Copies != 2 {
		t.Errorf("node %+v", n)
	}
	if h := cfg.HTTP; h.Address != "unix:///run/a.sock" || h.Token != "0123456789abcdef" || cfg.Version != "test" {
		t.Errorf("HTTP %+v", h)
	}
}

// The least that is needed gives the defaults, the time to leave that of the network.
func TestAgentDefaults(t *testing.T) {
	clearVariables(t)
	for network, leave := range map[string]time.Duration{"local": time.Minute, "lan": 5 * time.Minute, "wan": 15 * time.Minute} {
		cfg, err := loadAgent(t, "--server", "memcached://h", "--id", "a", "--bootstrap", "--network", network, "--http", "none")
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Gossip.Timing.LeaveTimeout != leave || cfg.Gossip.Timing.EvictAfter != 0 || cfg.HTTP.Address != "" || cfg.Gossip.Cluster != "ringway" ||
			cfg.Gossip.Placement.VirtualNodes != ring.DefaultVirtualNodes || !cfg.Gossip.Placement.Hasher.HashTags || cfg.Gossip.Keys != nil || cfg.Server.PasswordEnv != "" {
			t.Errorf("%s: %+v", network, cfg)
		}
	}
}

// The settings are printed with their sources, and without the password.
func TestPrintConfig(t *testing.T) {
	clearVariables(t)
	t.Setenv("RINGWAY_WEIGHT", "2")
	t.Setenv("RINGWAY_CONFIG", "testdata/agent.yaml")
	args := []string{"agent", "--id", "cache-a", "--print-config"}
	code, stdout, stderr := run(args...)
	if strings.Contains(stdout+stderr, "secret") {
		t.Error("a password is shown")
	}
	compareGolden(t, "print-config", goldenText(args, code, stdout, stderr))

	// What is printed is a file of settings.
	again := writeFile(t, "agent.yaml", stdout)
	t.Setenv("RINGWAY_WEIGHT", "")
	t.Setenv("RINGWAY_CONFIG", again)
	if code, _, stderr := run("agent", "--print-config"); code != 0 {
		t.Errorf("read back: exit %d, %s", code, stderr)
	}
	// One that cannot be used is not printed.
	code, stdout, stderr = run("agent", "--print-config", "--network", "none")
	checkUsageError(t, code, stdout, stderr)
}

func TestWithoutPassword(t *testing.T) {
	for url, want := range map[string]string{
		"": "", "redis://h:1/2": "redis://h:1/2", "redis://:pw@h": "redis://:hidden@h", "redis://user:p%40w@h/1": "redis://user:hidden@h/1",
		"redis://user@h": "redis://user@h", "redis://:pw@h:port": "hidden", "pw": "pw", "redis+unix:///run/r.sock?db=1": "redis+unix:///run/r.sock?db=1",
	} {
		if got := withoutPassword(url); got != want && !(url == "pw" && got == "hidden") {
			t.Errorf("%q: got %q, want %q", url, got, want)
		}
	}
}

func TestKeyFile(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	for content, want := range map[string]string{
		key + "\n" + key + "\n":    ":2: found a key that is there already, expected each key once",
		"not base64!\n":            ":1: found what is no base64, expected a key in base64, such as head -c 32 /dev/urandom | base64 makes",
		"\n# c\nc2hvcnQ=":          ":3: found a key of 5 bytes, expected 16, 24 or 32",
		"":                         "expected at least one",
		"# only a comment\n":       "expected at least one",
		strings.Repeat("x", 1<<17): "it holds more than 65536 bytes, expected a file",
	} {
		keys, err := readKeyFile(writeFile(t, "keys", content), "--encrypt-key-file")
		if err == nil || keys != nil || !strings.HasSuffix(err.Error(), want) || !strings.HasPrefix(err.Error(), "--encrypt-key-file: ") || strings.Contains(err.Error(), key) {
			t.Errorf("%.20q: %v", content, err)
		}
	}
}

func TestPlausibleName(t *testing.T) {
	for text, want := range map[string]bool{
		"cache-a": true, ".internal": true, "redis_1": true, "r1.eu-1": true, "unix:///run/r.sock": true, "1a": true,
		"": false, ".": false, "10.0.0.0/33": false, "10.0.0": false, "10.0.0.256": false, "a b": false, "http://x": false, "ü": false, strings.Repeat("a", 254): false,
	} {
		if got := plausibleName(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// The service manager is told, also by an abstract socket; nobody is without one.
func TestNotify(t *testing.T) {
	dir, err := os.MkdirTemp("", "rw") // the path of a socket has a limit
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	for _, address := range []string{filepath.Join(dir, "notify"), "@ringway-test-" + filepath.Base(dir)} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
		if err != nil {
			t.Skip("no such sockets here: ", err)
		}
		t.Setenv("NOTIFY_SOCKET", address)
		n := newNotifier(logger)
		n.ready("gossip on 10.0.0.1:7946")
		n.stopping()
		for _, want := range []string{"READY=1\nSTATUS=gossip on 10.0.0.1:7946", "STOPPING=1"} {
			b := make([]byte, 100)
			_ = l.SetReadDeadline(time.Now().Add(time.Minute))
			size, err := l.Read(b)
			if err != nil || string(b[:size]) != want {
				t.Errorf("%s: got %q, %v, want %q", address, b[:size], err, want)
			}
		}
		l.Close()
	}
	if log.Len() > 0 {
		t.Errorf("log: %s", &log)
	}
	newNotifier(logger).stopping() // the socket is gone: nothing but a line of the log
	if !strings.Contains(log.String(), "level=DEBUG") {
		t.Errorf("log: %s", &log)
	}
	log.Reset()
	t.Setenv("NOTIFY_SOCKET", "")
	newNotifier(logger).ready("x")
	if log.Len() > 0 {
		t.Errorf("log: %s", &log)
	}
}

// Every flag of every command has a variable, which is in no other's way.
func TestVariables(t *testing.T) {
	known := make(map[string]string)
	for _, cmd := range newRoot("test").Commands() {
		cmd.Flags().VisitAll(func(f *pflag.Flag) {
			variable := settings.Variable(f.Name)
			if other, has := known[variable]; has && other != f.Name {
				t.Errorf("%s is that of --%s and of --%s", variable, other, f.Name)
			}
			known[variable] = f.Name
			if f.Usage == "" {
				t.Errorf("%s --%s: nothing is said of it", cmd.Name(), f.Name)
			}
		})
	}
	if known["RINGWAY_ENCRYPT_KEY_FILE"] == "" || known["RINGWAY_AGENT"] == "" {
		t.Errorf("%v", known)
	}
}

// A weight that no fleet has room for is refused, wherever it comes from.
func TestWeightThatNoFleetHasRoomFor(t *testing.T) {
	clearVariables(t)
	file := writeFile(t, "agent.yaml", "weight: 1639\n")
	for _, c := range []struct {
		want, variable string
		args           []string
	}{
		{"--weight: found 1639, expected 0, or 0.00313 to 1638 with 160 virtual nodes", "", []string{"--weight", "1639"}},
		{"--weight: found 0.003, expected 0, or", "", []string{"--weight", "0.003"}},
		{"RINGWAY_WEIGHT: found 1639, expected 0, or", "1639", nil},
		{file + ":1:1: weight: found 1639, expected 0, or", "", []string{"--config", file}},
		{"", "", []string{"--weight", "1638"}},
		{"", "", []string{"--weight", "1639", "--virtual-nodes", "100"}},
		{"--weight: found 65536, expected 0, or 0.00313 to 1638", "", []string{"--weight", "65536"}},
		{"", "", []string{"--weight", "65536", "--virtual-nodes", "4"}},
		{"--virtual-nodes: found 262145, expected 1 to 262144", "", []string{"--virtual-nodes", "262145"}},
	} {
		t.Setenv("RINGWAY_WEIGHT", c.variable)
		code, stdout, stderr := run(append([]string{"agent", "--server", "redis://h", "--id", "a", "--bootstrap", "--print-config"}, c.args...)...)
		if c.want == "" && code != 0 || c.want != "" && (code != 2 || stdout != "" || !strings.Contains(stderr, c.want)) {
			t.Errorf("%s%q: exit %d, %s", c.variable, c.args, code, stderr)
		}
	}
}
