package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

func init() {
	for name, args := range map[string][]string{
		"help-whatif":         {"whatif", "--help"},
		"bad-whatif-agent":    {"whatif", "--agent", "10.0.0.1:8946"},
		"bad-whatif-user":     {"whatif", "--agent", "http://me:secret@10.0.0.1"},
		"bad-whatif-kind":     {"whatif", "--kind", "mongo"},
		"bad-whatif-change":   {"whatif", "--change", "1"},
		"bad-whatif-capacity": {"whatif", "--trace", "testdata/keys.txt.gz"},
		"bad-whatif-assert":   {"whatif", "--assert", "ring.lookup_ns < 1"},
	} {
		golden = append(golden, struct {
			name string
			args []string
		}{name, args})
	}
}

// agentOf answers as an agent does whose fleet has these nodes and this placement.
func agentOf(t *testing.T, cfg ring.Config, members ...membership.Member) http.Handler {
	t.Helper()
	view, err := membership.NewView(7, members...)
	if err != nil {
		t.Fatal(err)
	}
	view.Fingerprints = make(map[membership.Kind]ring.Fingerprint)
	for _, kind := range []membership.Kind{membership.Redis, membership.Memcached} {
		if nodes := view.Current(kind); len(nodes) > 0 {
			r, err := ring.New(nodes, cfg)
			if err != nil {
				t.Fatal(err)
			}
			view.Fingerprints[kind] = r.Fingerprint()
		}
	}
	placement, err := agentapi.PlacementOf(cfg)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := agentapi.RingOf(view, placement)
	if err != nil {
		t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != agentapi.RingPath || r.Method != http.MethodGet {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		json.NewEncoder(w).Encode(answer)
	})
}

func redisNodes(ids ...string) (members []membership.Member) {
	for _, id := range ids {
		members = append(members, membership.Member{ID: id, Address: "10.0.0.1:6379"})
	}
	return members
}

func serve(t *testing.T, h http.Handler) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// The exact movements are those of the two rings, with IDs that no flag could take.
func TestWhatif(t *testing.T) {
	cfg := ring.Config{VirtualNodes: 40, Hasher: ring.Hasher{Seed: 99, HashTags: true}}
	url := serve(t, agentOf(t, cfg, redisNodes("10.0.0.1:6379", "10.0.0.2:6379", "3")...))
	code, out, stderr := run("whatif", "--agent", url, "--change", "+d:2", "--hash-seed", "99", "--format", "json", "--trace", "testdata/keys.txt.gz", "--capacity", "3",
		"--assert", "ring.moved_unnecessary == 0")
	var got struct {
		Epoch, NodesBefore, NodesAfter int
		Kind, Fingerprint              string
		Moved                          float64
		Movements                      []pairMovement
		Shares                         []shareOf
		Results                        []struct {
			Algorithm string
			Moved     *float64
		}
		Replay []struct{ Algorithm string }
	}
	if err := json.Unmarshal([]byte(out), &got); code != 0 || err != nil {
		t.Fatalf("exit %d, %s, %v", code, stderr, err)
	}
	before, _ := ring.New([]ring.Node{{ID: "10.0.0.1:6379", Weight: 1}, {ID: "10.0.0.2:6379", Weight: 1}, {ID: "3", Weight: 1}}, cfg)
	after, _ := before.With(ring.Node{ID: "d", Weight: 2})
	want := after.Share("d")
	sum := 0.0
	for _, m := range got.Movements {
		sum += m.Fraction
		if m.To != "d" || m.Fraction <= 0 {
			t.Errorf("%+v", m)
		}
	}
	if got.Epoch != 7 || got.Kind != "redis" || got.Fingerprint != before.Fingerprint().String() || len(got.Movements) != 3 ||
		math.Abs(got.Moved-want) > 1e-12 || math.Abs(sum-want) > 1e-12 || len(got.Shares) != 4 || got.Shares[3].Before != nil || *got.Shares[3].After != want {
		t.Errorf("%+v, want %v to move", got, want)
	}
	if len(got.Results) != 9 || len(got.Replay) != 2 {
		t.Errorf("%d placements, %d replayed", len(got.Results), len(got.Replay))
	}
	code, table, _ := run("whatif", "--agent", url, "--change", "-3", "--hash-seed", "99", "--trace", "testdata/keys.txt.gz", "--capacity", "3")
	if code != cli.ExitUsage { // "-3" is a number of nodes, and there are three
		t.Errorf("exit %d, %s", code, table)
	}
	code, table, _ = run("whatif", "--agent", url, "--change", "-1", "--hash-seed", "99", "--trace", "testdata/keys.txt.gz", "--capacity", "3")
	for line := range strings.Lines(table) {
		if cli.Width(strings.TrimSuffix(line, "\n")) > cli.MaxWidth {
			t.Errorf("too wide: %s", line)
		}
	}
	for _, part := range []string{"What would -1 do", "redis nodes at epoch 7", "of the hash space would change owner", "would own", "before it", "balanced"} {
		if code != 0 || !strings.Contains(table, part) {
			t.Errorf("exit %d, the table lacks %q", code, part)
		}
	}
}

func TestWhatifRefuses(t *testing.T) {
	plain := agentOf(t, ring.Config{}, redisNodes("a", "b")...)
	mixed := append(redisNodes("a", "b"), membership.Member{ID: "m", Kind: membership.Memcached, Address: "10.0.0.2:11211"})
	broken := func(status int, body string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); fmt.Fprint(w, body) })
	}
	for name, test := range map[string]struct {
		agent http.Handler
		args  []string
		code  int
		want  string
	}{
		"a change that cannot be": {plain, []string{"--change", "-x"}, cli.ExitUsage, "--change: found"},
		"another seed":            {agentOf(t, ring.Config{Hasher: ring.Hasher{Seed: 5}}, redisNodes("a", "b")...), nil, cli.ExitUsage, "--hash-seed: found"},
		"two kinds":               {agentOf(t, ring.Config{}, mixed...), nil, cli.ExitUsage, "--kind: found"},
		"no such kind":            {plain, []string{"--kind", "memcached"}, cli.ExitUsage, "a fleet without memcached nodes"},
		"an empty fleet":          {agentOf(t, ring.Config{}), nil, cli.ExitUsage, "a fleet without nodes"},
		"an error":                {broken(503, "later"), nil, cli.ExitFailed, "503"},
		"not JSON":                {broken(200, "<html>"), nil, cli.ExitFailed, "is not JSON"},
		"another schema":          {broken(200, `{"schema":"x/1"}`), nil, cli.ExitFailed, "schema"},
		"sent elsewhere":          {http.RedirectHandler("http://127.0.0.1:1/", http.StatusFound), nil, cli.ExitFailed, "302"},
		"an assertion":            {plain, []string{"--assert", "ring.moved < 0"}, cli.ExitFailed, "assertion failed"},
	} {
		code, stdout, stderr := run(append([]string{"whatif", "--agent", serve(t, test.agent)}, test.args...)...)
		if code != test.code || !strings.Contains(stderr, test.want) || name != "an assertion" && stdout != "" {
			t.Errorf("%s: exit %d, %q, %s", name, code, stdout, stderr)
		}
	}
	if code, _, stderr := run("whatif", "--agent", serve(t, agentOf(t, ring.Config{}, mixed...)), "--kind", "redis"); code != 0 {
		t.Errorf("a kind that is named: exit %d, %s", code, stderr)
	}
	// Nobody there, and over a socket.
	socket := filepath.Join(t.TempDir(), "agent")
	if code, _, stderr := run("whatif", "--agent", "unix://"+socket); code != cli.ExitFailed || !strings.Contains(stderr, "agent ") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Skip("no sockets: ", err)
	}
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: plain}}
	server.Start()
	defer server.Close()
	if code, _, stderr := run("whatif", "--agent", "unix://"+socket); code != 0 {
		t.Errorf("exit %d, %s", code, stderr)
	}
}
