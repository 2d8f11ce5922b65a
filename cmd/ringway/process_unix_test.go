//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/proctest"
)

// bound is how long the tests wait for what takes seconds at most.
const bound = 2 * time.Minute

// eventually waits until it holds; state tells how far it is.
func eventually(t *testing.T, what string, holds func() (ok bool, state any)) {
	t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(50 * time.Millisecond) {
		ok, state := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %v", bound, what, state)
		}
	}
}

// init ends a process that stands in for ringway when the tests end, in whatever
// way they do.
func init() {
	parent, err := strconv.Atoi(os.Getenv("RINGWAY_TEST_PARENT"))
	if err != nil {
		return
	}
	os.Unsetenv("RINGWAY_TEST_PARENT")
	go func() {
		for os.Getppid() == parent {
			time.Sleep(200 * time.Millisecond)
		}
		os.Exit(cli.ExitFailed)
	}()
}

// agentProcess is `ringway agent` as a process of its own.
type agentProcess struct {
	cmd    *exec.Cmd
	log    proctest.Buffer
	ended  chan struct{} // closed when the process is gone
	gossip string        // where others reach it
	http   string        // its URL
}

// launch starts an agent with ports of the system's choice. It does not wait.
func launch(t *testing.T, id, server string, args ...string) *agentProcess {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := &agentProcess{ended: make(chan struct{})}
	p.cmd = exec.Command(exe, append([]string{"agent", "--id", id, "--server", server, "--network", "local",
		"--bind", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-format", "json"}, args...)...)
	p.cmd.Env = append(os.Environ(), "RINGWAY_TEST_MAIN=1", fmt.Sprint("RINGWAY_TEST_PARENT=", os.Getpid()))
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // fails if it is gone already
		<-p.ended
		if t.Failed() {
			t.Logf("agent %s wrote:\n%s", id, p.log.String())
		}
	})
	return p
}

// begin starts an agent and waits until it says where it is.
func begin(t *testing.T, id, server string, args ...string) *agentProcess {
	t.Helper()
	p := launch(t, id, server, args...)
	eventually(t, "agent "+id+" has started", func() (bool, any) {
		started, has := p.line("agent started")
		if has {
			p.gossip, p.http = started["gossip"].(string), "http://"+started["http"].(string)
		}
		return has, p.log.String()
	})
	return p
}

// line returns the fields of a line of the log, and whether there is one.
func (p *agentProcess) line(message string) (fields map[string]any, has bool) {
	for line := range strings.Lines(p.log.String()) {
		if json.Unmarshal([]byte(line), &fields) == nil && fields["msg"] == message {
			return fields, true
		}
	}
	return nil, false
}

func (p *agentProcess) signal(t *testing.T, signals ...os.Signal) {
	t.Helper()
	for _, s := range signals {
		if err := p.cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
}

// kill ends the agent as a crash would.
func (p *agentProcess) kill(t *testing.T) {
	t.Helper()
	p.signal(t, syscall.SIGKILL)
	<-p.ended
}

// exit waits for the agent's end, and returns its exit code and the line that it
// says why, without the program's name.
func (p *agentProcess) exit(t *testing.T) (code int, why string) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(bound):
		t.Fatalf("the agent did not end within %v:\n%s", bound, p.log.String())
	}
	for line := range strings.Lines(p.log.String()) {
		if text, found := strings.CutPrefix(line, "ringway: "); found {
			why += text
		}
	}
	return p.cmd.ProcessState.ExitCode(), strings.TrimSuffix(why, "\n")
}

// membersAnswer is what the contract says of `ringway members --format json`.
type membersAnswer struct {
	Epoch       uint64
	Fingerprint string
	Agree       bool
	Members     []struct {
		ID, Kind, Address, State, Zone, Fingerprint string
		Weight, Share                               float64
		Generation                                  uint64
	}
}

func (m membersAnswer) states() string {
	var out []string
	for _, member := range m.Members {
		out = append(out, member.ID+" "+member.State)
	}
	return strings.Join(out, ", ")
}

// members runs the command; what it says is empty as long as an agent knows no
// fleet.
func members(t *testing.T, agents ...*agentProcess) (answer membersAnswer) {
	t.Helper()
	var urls []string
	for _, p := range agents {
		urls = append(urls, p.http)
	}
	code, stdout, _ := run("members", "--format", "json", "--agent", strings.Join(urls, ","))
	if code != 0 {
		return answer
	}
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// allSay waits until every agent gives these states, and all agree.
func allSay(t *testing.T, states string, agents ...*agentProcess) membersAnswer {
	t.Helper()
	var first membersAnswer
	eventually(t, "all agents say "+states, func() (bool, any) {
		var said []string
		same := true
		for i, p := range agents {
			m := members(t, p)
			if i == 0 {
				first = m
			}
			said = append(said, fmt.Sprintf("epoch %d, ring %.8s, agree %t: %s", m.Epoch, m.Fingerprint, m.Agree, m.states()))
			same = same && m.states() == states && m.Agree && m.Epoch == first.Epoch && m.Fingerprint == first.Fingerprint
		}
		return same, strings.Join(said, "\n")
	})
	return first
}
