//go:build unix

package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/servertest"
)

// reload sends SIGHUP, waits for one more line of the log than there is, and returns its
// fields.
func (p *agentProcess) reload(t *testing.T, message string) map[string]any {
	t.Helper()
	before := len(p.lines(message))
	p.signal(t, syscall.SIGHUP)
	eventually(t, message, func() (bool, any) { return len(p.lines(message)) > before, p.log.String() })
	return p.lines(message)[before]
}

// lines returns the fields of all lines of the log with that message.
func (p *agentProcess) lines(message string) (found []map[string]any) {
	for line := range strings.Lines(p.log.String()) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

const (
	readAgain = "the settings were read again"
	unusable  = "the settings were read again and cannot be used: all stays as it is"
	mustWait  = "these settings need a restart of the agent, and stay as they are"
)

// An agent reads its settings again at SIGHUP, and goes on with what it has if they
// cannot be used.
func TestReloadSettings(t *testing.T) {
	clearVariables(t)
	file := writeFile(t, "agent.yaml", "weight: 1\nzone: eu-1\n")
	a := begin(t, "a", redisURL(servertest.Redis(t)), "--bootstrap", "--config", file)
	allSay(t, "a ACTIVE", a)
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	has := func(weight float64, keys int, bytes int64) {
		t.Helper()
		eventually(t, fmt.Sprint("weight ", weight), func() (bool, any) {
			m := members(t, a)
			return len(m.Members) == 1 && m.Members[0].Weight == weight && m.Members[0].Zone == "eu-1", m
		})
		if l := limitsOf(t, a); l.KeysPerSecond != keys || l.BytesPerSecond != bytes {
			t.Errorf("limits %+v, want %d keys and %d bytes", l, keys, bytes)
		}
	}

	write("weight: 2.5\nzone: eu-1\nmove-keys: 700\nmove-bytes: 2MB\nlog-level: debug\nleave-timeout: 90s\n")
	if got := a.reload(t, readAgain)["changed"]; got != "leave-timeout, log-level, move-bytes, move-keys, weight" {
		t.Errorf("changed %q", got)
	}
	has(2.5, 700, 2_000_000)

	for text, want := range map[string]string{
		"weight: 3\nmove-keys: many\n":       file + `:2:1: move-keys: found "many", expected a whole number`,
		"weight: 3\nwieght: 4\n":             file + `:2:1: found the unknown key "wieght", expected weight`,
		"weight: 3\nmove-keys: 5\nzone: [\n": file + ":3:",
		"weight: 65536\nmove-keys: 5\n":      file + ":1:1: weight: found 65536, expected 0, or 0.00313 to 1638 with 160 virtual nodes",
		"weight: 3\nlog-level: loud\n":       file + `:2:1: log-level: found "loud", expected debug, info, warn or error`,
	} {
		write(text)
		if why := fmt.Sprint(a.reload(t, unusable)["error"]); !strings.HasPrefix(why, want) || strings.Contains(why, "\n") {
			t.Errorf("%q: said %q, want %q", text, why, want)
		}
		has(2.5, 700, 2_000_000)
	}
	if len(a.lines(mustWait)) != 0 {
		t.Errorf("%v", a.lines(mustWait))
	}

	write("weight: 2\nzone: us-1\nmove-keys: 700\nhttp: none\nvirtual-nodes: 10\n")
	waits := a.reload(t, mustWait)["settings"]
	if want := file + ":5:1: virtual-nodes, " + file + ":2:1: zone"; waits != want { // --http is on the command line, which goes before
		t.Errorf("a restart is needed for %q, want %q", waits, want)
	}
	if all := a.lines(readAgain); all[len(all)-1]["changed"] != "leave-timeout, log-level, move-bytes, weight" {
		t.Errorf("changed %q", all[len(all)-1]["changed"])
	}
	has(2, 700, 0)
	before := len(a.lines(readAgain))
	write("weight: 2\nzone: us-1\nmove-keys: 700\nlog-level: warn\n")
	a.reload(t, mustWait)
	if len(a.lines(readAgain)) != before {
		t.Error("what is no warning is logged still")
	}
	write("weight: 2\nzone: eu-1\nmove-keys: 700\n")
	a.reload(t, readAgain)
	a.signal(t, syscall.SIGTERM)
	if code, why := a.exit(t); code != 0 {
		t.Errorf("exit %d, %s", code, why)
	}
	if l, has := a.line("leaving the fleet; a second signal ends at once"); !has || l["leave_timeout"] != float64(time.Minute) {
		t.Errorf("leaving: %v, want the time of the network again", l)
	}
}

// limitsOf asks an agent how fast its mover may be.
func limitsOf(t *testing.T, p *agentProcess) agentapi.MoveLimits {
	t.Helper()
	code, stdout, stderr := run("rebalance", "--format", "json", "--agent", p.http)
	var answer struct {
		Movers []struct {
			LimitKeys  int   `json:"limit_keys_per_second"`
			LimitBytes int64 `json:"limit_bytes_per_second"`
		}
	}
	if err := json.Unmarshal([]byte(stdout), &answer); code != 0 || err != nil || len(answer.Movers) != 1 {
		t.Fatalf("rebalance: exit %d, %v, %s%s", code, err, stdout, stderr)
	}
	return agentapi.MoveLimits{KeysPerSecond: answer.Movers[0].LimitKeys, BytesPerSecond: answer.Movers[0].LimitBytes}
}

// toldAgent writes down what it is told.
type toldAgent struct {
	told   []string
	refuse error // of a weight; errOrder: of an order
}

var errOrder = errors.New("it closes")

func (a *toldAgent) tell(what string, is any) { a.told = append(a.told, fmt.Sprint(what, " ", is)) }

func (a *toldAgent) SetWeight(weight float64) error {
	if a.refuse != nil && a.refuse != errOrder {
		return a.refuse
	}
	a.tell("weight", weight)
	return nil
}
func (a *toldAgent) SetLeaveTimeout(d time.Duration) error { a.tell("leave", d); return nil }
func (a *toldAgent) SetToken(token string)                 { a.tell("token", len(token)) }
func (a *toldAgent) SetKeys(keys [][]byte) error           { a.tell("keys", len(keys)); return nil }
func (a *toldAgent) Order(o agentapi.RebalanceOrder) error {
	if a.refuse == errOrder {
		return errOrder
	}
	text, err := json.Marshal(o)
	a.tell("order", string(text))
	return err
}

// What an agent is told, reload by reload: only what is new in the settings, so that
// orders of operators stay.
func TestReloadTells(t *testing.T) {
	clearVariables(t)
	token, key := writeFile(t, "token", "0123456789abcdef"), writeFile(t, "key", "MDEyMzQ1Njc4OWFiY2RlZg==")
	seed := writeFile(t, "seed", "7")
	file := writeFile(t, "agent.yaml", "")
	const whole = "server: redis://h\nid: a\nbootstrap: true\n"
	var book bytes.Buffer
	f := new(agentFlags)
	cmd := f.command()
	root := newRoot("test")
	root.AddCommand(cmd)
	if err := cmd.Flags().Parse([]string{"--config", file, "--allow-servers", "h,10.0.0.0/8", "--hash-seed-file", seed}); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(file, whole)
	s, cfg, err := f.load(cmd)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logger = slog.New(slog.NewTextHandler(&book, nil))
	r := newReload(cmd, f, s, cfg)
	a := new(toldAgent)
	for _, step := range []struct {
		name, text string
		refuse     error
		want       string // told
		log        string // part of what is logged
	}{
		{"nothing is new", "", nil, "token 0", `msg="the settings were read again" changed=""`},
		{"one limit", "move-keys: 5\n", nil, `order {"keys_per_second":5}; token 0`, "changed=move-keys"},
		{"the same again is no news: an operator may have ordered another one", "move-keys: 5\n", nil, "token 0", `changed=""`},
		{"the other limit", "move-keys: 5\nmove-bytes: 1KB\n", nil, `order {"bytes_per_second":1000}; token 0`, "changed=move-bytes"},
		{"no limits", "", nil, `order {"keys_per_second":0,"bytes_per_second":0}; token 0`, `changed="move-bytes, move-keys"`},
		{"a weight that the fleet has no room for: nothing is changed", "weight: 9\nmove-keys: 6\nlog-level: debug\n", errors.New("no room"), "", file + ":4:1: weight: no room"},
		{"the same, and there is room: it is news still", "weight: 9\nmove-keys: 6\n", nil, `weight 9; order {"keys_per_second":6}; token 0`, `changed="move-keys, weight"`},
		{"refused half-way: what was taken over is told", "weight: 8\nmove-keys: 7\nlog-level: debug\n", errOrder, "weight 8", `in part" changed=weight error="` + file + ":5:1: move-keys: it closes"},
		{"and is news still", "weight: 8\nmove-keys: 7\n", nil, `weight 8; order {"keys_per_second":7}; token 0`, `changed="move-keys, weight"`},
		{"no weight any more: it stays", "", nil, `order {"keys_per_second":0}; token 0`, `changed="move-keys, weight"`},
		{"a token", "token-file: " + token + "\n", nil, "token 16", "changed=token-file"},
		{"encryption cannot be turned on", "encrypt-key-file: " + key + "\n", nil, "token 0", "settings=" + file + ":4:1: encrypt-key-file"},
		{"what waits is told each time", "encrypt-key-file: " + key + "\nevict-after: 20s\n", nil, "token 0", "settings=" + `"` + file + ":4:1: encrypt-key-file, " + file + ":5:1: evict-after"},
		{"until it is as it was", "", nil, "token 0", ""},
	} {
		book.Reset()
		write(file, whole+step.text)
		a.told, a.refuse = nil, step.refuse
		r.read(a)
		if got := strings.Join(a.told, "; "); got != step.want {
			t.Errorf("%s: told %q, want %q", step.name, got, step.want)
		}
		if !strings.Contains(strings.ReplaceAll(book.String(), `settings="`, "settings="), strings.ReplaceAll(step.log, `settings="`, "settings=")) {
			t.Errorf("%s: logged\n%swant %s", step.name, book.String(), step.log)
		}
		if f.level.Level() != slog.LevelInfo {
			t.Errorf("%s: level %v", step.name, f.level.Level())
		}
	}
	if strings.Contains(book.String(), mustWait) {
		t.Errorf("nothing waits, and it is said\n%s", book.String())
	}
	write(seed, "8")
	if r.read(a); !strings.Contains(book.String(), mustWait) || !strings.Contains(book.String(), "settings=--hash-seed-file") {
		t.Errorf("another seed in the same file:\n%s", book.String())
	}
}
