package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/cmd/ringsim/internal/swim"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/memnet"
)

func init() {
	for name, args := range map[string][]string{
		"help-gossip":        {"gossip", "--help"},
		"bad-gossip-nodes":   {"gossip", "--nodes", "4"},
		"bad-gossip-many":    {"gossip", "--nodes", "1000000"},
		"bad-gossip-loss":    {"gossip", "--loss", "0.9"},
		"bad-gossip-nan":     {"gossip", "--loss", "nan"},
		"bad-gossip-changes": {"gossip", "--changes", "crash,burn"},
		"bad-gossip-left":    {"gossip", "--nodes", "5", "--changes", "crash,crash,leave"},
	} {
		golden = append(golden, struct {
			name string
			args []string
		}{name, args})
	}
}

// virtually runs a command in virtual time, and once more if it fails: members draw
// at random, and memberlist now and then loses a good-bye (see swim's TestRun).
func virtually(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	for range 2 {
		synctest.Test(t, func(t *testing.T) {
			code, stdout, stderr = run(args...)
			time.Sleep(memnet.Linger) // what members leave behind runs into its timeouts
		})
		if code == 0 {
			break
		}
		t.Logf("ringsim %s: exit %d, %s", strings.Join(args, " "), code, stderr)
	}
	return code, stdout, stderr
}

func TestGossip(t *testing.T) {
	code, table, stderr := virtually(t, "gossip", "--nodes", "12")
	for _, want := range []string{"12 members", "5.00% of the packets lost", "crash", "heal", "12 of 12", "5 of 5 steps within"} {
		if code != 0 || stderr != "" || !strings.Contains(table, want) {
			t.Errorf("exit %d, %s, the table lacks %q:\n%s", code, stderr, want, table)
		}
	}
	for line := range strings.Lines(table) {
		if width := cli.Width(strings.TrimSuffix(line, "\n")); width > cli.MaxWidth {
			t.Errorf("%d wide: %s", width, line)
		}
	}
	code, out, _ := virtually(t, "gossip", "--nodes", "6", "--changes", "leave", "--loss", "0", "--format", "json")
	var got struct {
		Schema  string
		Nodes   int
		Partial bool
		Results []swim.Step
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Schema != "ringsim.gossip/1" || got.Nodes != 6 || got.Partial || len(got.Results) != 2 {
		t.Errorf("exit %d, %v: %s", code, err, out)
	}
}

func TestGossipVerdict(t *testing.T) {
	for want, report := range map[string]*swim.Report{
		"1 of 1 step within what SWIM and Lifeguard let expect; nobody was declared dead who was not.": {Steps: []swim.Step{{Within: true}}},
		"1 of 1 step within what SWIM and Lifeguard let expect, though not all by the fast way (2 of 9 at heal were later than half had to be); nobody was declared dead who was not.": {
			Steps: []swim.Step{{Change: "heal", Within: true, Late: 2, Observers: 9}}},
		"1 of 2 steps within what SWIM and Lifeguard let expect; declared dead and was not: 1 member.": {Steps: []swim.Step{{Within: true}, {}}, FalseDeaths: 1},
		"0 of 1 step within what SWIM and Lifeguard let expect; declared dead and was not: 3 members.": {Steps: []swim.Step{{}}, FalseDeaths: 3},
	} {
		if got := gossipVerdict(report); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
