package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// stable is a fleet of three nodes in which nothing happens.
func stable() []membership.Member {
	return []membership.Member{node("cache-a"), node("cache-b", func(m *membership.Member) { m.Zone = "eu-1" }), node("cache-c", func(m *membership.Member) { m.Weight = 2 })}
}

// moving is a fleet in the middle of a transition, with trouble in it.
func moving() []membership.Member {
	in := func(s membership.State) func(*membership.Member) {
		return func(m *membership.Member) { m.State, m.Transition = s, 41 }
	}
	return []membership.Member{
		node("cache-a"),
		node("cache-b", func(m *membership.Member) { m.Health = membership.Unhealthy }),
		node("cache-c", in(membership.Announced)),
		node("cache-d", in(membership.Exporting)),
		node("cache-e", func(m *membership.Member) { m.Step, m.NextWeight, m.Transition = membership.Announced, 3, 41 }),
		node("cache-f", func(m *membership.Member) { m.Health = membership.Dead }),
		node("cache-g", func(m *membership.Member) { m.State = membership.Left }),
		node("mem-h", func(m *membership.Member) { m.Kind, m.Address = membership.Memcached, "[2001:db8::1]:11211" }),
	}
}

func disagreeing(a *fakeAgent) {
	a.view.Disagree = []string{"cache-b", "router-1"}
	a.more = func(m *agentapi.Members) {
		m.Members[1].Fingerprint = "0000000000000000"
		m.Members = append(m.Members, agentapi.MemberStatus{ID: "router-1", Kind: membership.Router, State: membership.Active, Weight: 1})
	}
}

func TestShowStable(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	golden(t, "members", url, "members")
	golden(t, "members-json", url, "members", "--format", "json", "--assert-agree")
	golden(t, "members-csv", url, "members", "--format", "csv")
	golden(t, "ring", url, "ring")
	golden(t, "ring-json", url, "ring", "--format", "json", "--assert-agree")
	golden(t, "ring-csv", url, "ring", "--format", "csv")
	golden(t, "locate", url, "locate", "user:1", "user:2", "{tag}x", "bad\x1b[31m\u202e")
	golden(t, "locate-json", url, "locate", "user:1", "--successors", "3", "--format", "json")
	golden(t, "locate-csv", url, "locate", "user:1", "user,2", "--format", "csv")
	golden(t, "locate-empty-key", url, "locate", "", "user:1")
	golden(t, "locate-no-kind", url, "locate", "user:1", "--kind", "memcached")
}

func TestShowTransition(t *testing.T) {
	a, url := newAgentOf(t, ring.Config{VirtualNodes: 100, Hasher: ring.Hasher{HashTags: true}}, 42, moving()...)
	disagreeing(a)
	golden(t, "members-transition", url, "members", "--assert-agree")
	golden(t, "members-transition-csv", url, "members", "--format", "csv") // since when is that of the status
	golden(t, "ring-transition", url, "ring", "--assert-agree")
	golden(t, "ring-transition-json", url, "ring", "--format", "json")
	golden(t, "locate-transition", url, "locate", "--kind", "redis", "user:1", "user:2", "user:3", "user:4", "user:5")
	golden(t, "bad-locate-both-kinds", url, "locate", "user:1")
}

// What stands beside the table of members.
func TestShowTrouble(t *testing.T) {
	a, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	a.more = func(m *agentapi.Members) {
		m.Frozen, m.RingSeen, m.RingNodes = true, 1, 3
		m.Held = `membership: tokens of all 3 nodes: got 4194400, want at most 4194304; most, 262080, has node "heavy"`
		m.Later = []string{"cache-new", "router-\x1b[31m"}
		m.Evicted = []agentapi.Evicted{
			{ID: "cache-gone", Since: now().Add(-3 * time.Minute)}, {ID: "cache-\x1b[31m", Since: now().Add(-time.Hour)}, {ID: "cache-old", Since: now().Add(-25 * time.Hour)},
		}
	}
	golden(t, "members-trouble", url, "members")
	golden(t, "members-trouble-json", url, "members", "--format", "json")
}

// Of a next ring that cannot be made no shares are told.
func TestShowImpossible(t *testing.T) {
	members := append(moving()[:3], node("heavy", func(m *membership.Member) {
		m.State, m.Transition, m.Weight = membership.Announced, 41, ring.MaxWeight
	}))
	_, url := newAgentOf(t, ring.Config{}, 42, members...)
	golden(t, "ring-impossible", url, "ring")
}

// Redis has an empty key, Memcached has none.
func TestLocateEmptyKey(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, node("m", func(m *membership.Member) { m.Kind = membership.Memcached }))
	golden(t, "bad-locate-empty-key", url, "locate", "")
}

func TestShowNobody(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 0)
	golden(t, "members-nobody", url, "members")
	golden(t, "ring-nobody", url, "ring")
	golden(t, "locate-nobody", url, "locate", "user:1")
}

// A secret seed is not told: without it the shares to come and the places of keys
// are not known, and a wrong one is found out.
func TestShowSeed(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{Hasher: ring.Hasher{Seed: 0xfeed}}, 42, moving()[:5]...)
	golden(t, "ring-seed", url, "ring")
	golden(t, "ring-seed-known", url, "ring", "--hash-seed-file", "testdata/right.seed")
	golden(t, "bad-ring-seed", url, "ring", "--hash-seed-file", "testdata/wrong.seed")
	golden(t, "bad-locate-seed", url, "locate", "user:1")
	golden(t, "bad-locate-seed-wrong", url, "locate", "user:1", "--hash-seed-file", "testdata/wrong.seed")
	golden(t, "locate-seed", url, "locate", "user:1", "--hash-seed-file", "testdata/right.seed")
}

// Where this program makes another ring of the members than the agent, it says so
// and not where keys live.
func TestAnotherRing(t *testing.T) {
	a, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	a.view.Fingerprints[membership.Redis] = ring.Fingerprint{1}
	code, stdout, stderr := run("locate", "k", "--agent", url)
	if code != cli.ExitFailed || stdout != "" || !strings.Contains(stderr, "the agent 0100000000000000") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
}

// The JSON has what the contract says, under its names, and the owner is that of
// package ring.
func TestContract(t *testing.T) {
	cfg := ring.Config{VirtualNodes: 50}
	_, url := newAgentOf(t, cfg, 7, stable()...)
	var members struct {
		Schema      string
		Epoch       uint64
		Fingerprint string
		Agree       bool
		Members     []struct {
			ID, Kind, Address, State, Zone, Fingerprint string
			Weight, Share                               float64
			Generation                                  uint64
		}
	}
	_, stdout, _ := run("members", "--format", "json", "--agent", url)
	if err := json.Unmarshal([]byte(stdout), &members); err != nil {
		t.Fatal(err)
	}
	want, err := ring.New([]ring.Node{{ID: "cache-a", Weight: 1}, {ID: "cache-b", Weight: 1, Zone: "eu-1"}, {ID: "cache-c", Weight: 2}}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if members.Schema != "ringway.members/1" || members.Epoch != 7 || !members.Agree || members.Fingerprint != want.Fingerprint().String() || len(members.Members) != 3 {
		t.Errorf("%+v", members)
	}
	for i, m := range members.Members {
		n := want.Nodes()[i]
		if m.ID != n.ID || m.Kind != "redis" || m.State != "ACTIVE" || m.Weight != n.Weight || m.Zone != n.Zone || m.Share != want.Share(n.ID) ||
			m.Address == "" || m.Generation == 0 || !strings.HasPrefix(members.Fingerprint, m.Fingerprint) {
			t.Errorf("%+v", m)
		}
	}
	var keys []string
	for i := range 200 {
		keys = append(keys, fmt.Sprint("key:", i))
	}
	var located struct {
		Schema string
		Epoch  uint64
		Keys   []struct {
			Key, Hash, Owner, Address string
			Successors                []string
		}
	}
	_, stdout, _ = runWith(strings.Join(keys[1:], "\n"), "locate", "--format", "json", "--agent", url, keys[0], "-")
	if err := json.Unmarshal([]byte(stdout), &located); err != nil {
		t.Fatal(err)
	}
	if located.Schema != "ringway.locate/1" || located.Epoch != 7 || len(located.Keys) != len(keys) {
		t.Fatalf("%s, epoch %d, %d keys", located.Schema, located.Epoch, len(located.Keys))
	}
	for i, k := range located.Keys {
		var successors []string
		for _, n := range want.Successors(nil, keys[i], 2) {
			successors = append(successors, n.ID)
		}
		owner := want.Owner(keys[i]).ID
		if k.Key != keys[i] || k.Owner != owner || k.Address != node(owner).Address || k.Hash != fmt.Sprintf("%016x", want.Hash(keys[i])) || !slices.Equal(k.Successors, successors) {
			t.Errorf("%+v, want owner %s", k, owner)
		}
	}
}

// JSON has no bytes: a key that is no text is there in base64 too.
func TestLocateBytes(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, membership.Member{ID: "a", Kind: membership.Redis, Address: "127.0.0.1:1", State: membership.Active, Weight: 1})
	_, stdout, stderr := run("locate", "--format", "json", "--agent", url, "k\xff", "k")
	var answer struct {
		Keys []struct {
			Base64 []byte `json:"key_base64"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil || len(answer.Keys) != 2 {
		t.Fatalf("%v: %s%s", err, stdout, stderr)
	}
	if string(answer.Keys[0].Base64) != "k\xff" || len(answer.Keys[1].Base64) != 0 {
		t.Errorf("%s", stdout)
	}
}

// Tables stay within their width, and hold nothing that a terminal must not see,
// whatever the names.
func TestTablesAreNeverTooWide(t *testing.T) {
	long, wide, nasty := strings.Repeat("x", 200), strings.Repeat("日", 60), "k\x1b[31m\u202e\u009b"
	var members []membership.Member
	for i, id := range []string{long, wide, nasty, "short"} {
		members = append(members, membership.Member{
			ID: id, Kind: membership.Memcached, Address: strings.Repeat("h", 200) + ":65535", Zone: id[:min(len(id), 60)], State: membership.Active,
			Weight: 12345.678, Step: membership.Importing, NextWeight: 98765.4321 + float64(i), Transition: 9, Generation: math.MaxUint64,
		})
	}
	a, url := newAgentOf(t, ring.Config{VirtualNodes: 1}, agentapi.MaxEpoch, members...)
	a.view.Disagree = []string{long, nasty}
	for _, args := range [][]string{{"members"}, {"ring"}, {"locate", long, wide, nasty}} {
		code, stdout, stderr := run(append(args, "--agent", url)...)
		if code != 0 || stdout == "" {
			t.Errorf("%s: exit %d, %s", args[0], code, stderr)
		}
		checkWidth(t, stdout)
		if !strings.Contains(stdout, "…") {
			t.Errorf("%s: nothing was cut:\n%s", args[0], stdout)
		}
		_, stdout, _ = run(append(args, "--agent", url, "--format", "json")...)
		if !json.Valid([]byte(stdout)) {
			t.Errorf("%s: %s", args[0], stdout)
		}
	}
}

// Nobody answers, or all are out of order: one line each, exit 1.
func TestNoAgent(t *testing.T) {
	a, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	a.broken = true
	for _, command := range []string{"members", "ring", "locate"} {
		args := []string{command, "--agent", url + ",unix:///no/such/socket"}
		if command == "locate" {
			args = append(args, "k")
		}
		code, stdout, stderr := run(args...)
		if code != cli.ExitFailed || stdout != "" || strings.Count(stderr, "\n") != 2 || !strings.Contains(stderr, "out of order") || !strings.Contains(stderr, "unix:///no/such/socket") {
			t.Errorf("%s: exit %d, %q, %q", command, code, stdout, stderr)
		}
	}
}

// The environment and the file say whom to ask, where the command line does not.
func TestAgentFromElsewhere(t *testing.T) {
	_, url := newAgentOf(t, ring.Config{}, 7, stable()...)
	t.Setenv("RINGWAY_AGENT", url)
	t.Setenv("RINGWAY_FORMAT", "csv")
	if code, stdout, stderr := run("members"); code != 0 || !strings.HasPrefix(stdout, "id,kind,") {
		t.Errorf("exit %d, %s%s", code, stdout, stderr)
	}
	if code, _, stderr := run("members", "--agent", "unix:///no/such/socket"); code != cli.ExitFailed || !strings.Contains(stderr, "no/such/socket") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Hour: "now", 0: "now", 999 * time.Millisecond: "now", time.Second: "1s", 59 * time.Second: "59s", time.Minute: "1m",
		59 * time.Minute: "59m", time.Hour: "1h", 23 * time.Hour: "23h", 24 * time.Hour: "1d", 400 * 24 * time.Hour: "400d",
	} {
		if got := age(clock.Add(-d), clock); got != want {
			t.Errorf("%v: got %q, want %q", d, got, want)
		}
	}
	if got := age(time.Time{}, clock); got != missing {
		t.Errorf("unknown: %q", got)
	}
}

func TestShareBar(t *testing.T) {
	for _, test := range []struct {
		share, next, full float64
		want              string
	}{
		{0.5, 0.5, 1, "████"}, {1, 1, 1, "████████"}, {0, 0, 1, ""}, {0, 0.5, 1, "░░░░"}, {0.5, 0, 1, "▒▒▒▒"},
		{0.5, 0.25, 1, "██▒▒"}, {0.25, 0.5, 1, "██░░"}, {1e-9, 1e-9, 1, "█"}, {0, 0, 0, ""}, {0.2, 0.2, 0.2, "████████"},
	} {
		if got := shareBar(test.share, test.next, test.full, 8); got != test.want {
			t.Errorf("%v, %v of %v: got %q, want %q", test.share, test.next, test.full, got, test.want)
		}
	}
}

func TestSmallTexts(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{percent(0), "0.00%"}, {percent(0.12345), "12.35%"}, {percent(0.9994), "99.94%"}, {percent(0.99951), "100%"}, {percent(1), "100%"},
		{weightText(1), "1"}, {weightText(2.5), "2.5"}, {weightText(999.96), "1000"}, {weightText(65536), "65536"}, {weightText(1048575.9), "1048576"},
		{generationText(3), "3"}, {generationText(1234567), "1234567"}, {generationText(12345678), "…345678"},
		{short(""), missing}, {short("0123456789abcdef01"), "0123456789abcdef"},
		{counted(1, "node"), "1 node"}, {counted(2, "node"), "2 nodes"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// A table that no cutting makes narrow enough keeps its columns.
func TestWriteTableKeepsLeast(t *testing.T) {
	var b bytes.Buffer
	writeTable(&b, cli.Style{}, []column{name("a", 8), words("b")}, [][]string{{strings.Repeat("x", 50), strings.Repeat("y", 95)}})
	if !strings.Contains(b.String(), "xxxxxxx…  yyy") {
		t.Errorf("%s", b.String())
	}
}

// Long names are cut before addresses are: what cannot be dialled is of no use.
func TestAddressesAreCutLast(t *testing.T) {
	var members []membership.Member
	for i, kind := range nodeKinds {
		members = append(members, membership.Member{ID: strings.Repeat("x", 100) + fmt.Sprint(i), Kind: kind, Address: fmt.Sprint("192.168.100.2", i, ":16379"),
			State: membership.Active, Health: membership.Unhealthy, Zone: strings.Repeat("z", 60), Generation: math.MaxUint64})
	}
	_, url := newAgentOf(t, ring.Config{}, 7, members...)
	for _, args := range [][]string{{"members"}, {"locate", "--kind", "redis", "key"}} {
		_, stdout, stderr := run(append(args, "--agent", url)...)
		if !strings.Contains(stdout, " 192.168.100.20:16379 ") || !strings.Contains(stdout, "x…") {
			t.Errorf("%s:\n%s%s", args[0], stdout, stderr)
		}
		checkWidth(t, stdout)
	}
}
