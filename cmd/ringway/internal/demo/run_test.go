//go:build unix

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servers"
)

// bound is how long the tests wait for what takes seconds.
const bound = 2 * time.Minute

// small are the settings of a demo that is over soon.
var small = []string{"demo", "--keys", "1500", "--rate", "500", "--calm", "500ms"}

// run is a demo in a process of its own, whose files are in a folder of its own.
type run struct {
	t      *testing.T
	cmd    *exec.Cmd
	temp   string
	out    proctest.Buffer
	errs   proctest.Buffer
	exited chan struct{}
}

func startRun(t *testing.T, args ...string) *run {
	t.Helper()
	r := &run{t: t, temp: t.TempDir(), exited: make(chan struct{})}
	r.cmd = exec.Command(ringway(t), append(slices.Clone(small), args...)...)
	r.cmd.Env = append(os.Environ(), "TMPDIR="+r.temp)
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.errs
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(r.exited)
		_ = r.cmd.Wait() // how it ended is in ProcessState
	}()
	t.Cleanup(func() {
		_ = r.cmd.Process.Kill()
		<-r.exited
	})
	return r
}

// end waits until the demo has ended, and returns its exit code.
func (r *run) end() int {
	r.t.Helper()
	select {
	case <-r.exited:
		return r.cmd.ProcessState.ExitCode()
	case <-time.After(bound):
		r.t.Fatalf("the demo did not end within %v:\n%s%s", bound, r.out.String(), r.errs.String())
		return 0
	}
}

// says waits until the demo has printed a text.
func (r *run) says(text string) {
	r.t.Helper()
	eventually(r.t, "the demo says "+text, func() (bool, string) {
		return strings.Contains(r.out.String(), text), r.out.String() + r.errs.String()
	})
}

func eventually(t *testing.T, what string, holds func() (ok bool, state string)) {
	t.Helper()
	for deadline := time.Now().Add(bound); ; time.Sleep(20 * time.Millisecond) {
		ok, state := holds()
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %s", bound, what, state)
		}
	}
}

// nothingLeft fails if a process that the demo has started runs, or one of its
// files is there beside those that are named.
func (r *run) nothingLeft(but ...string) {
	r.t.Helper()
	entries, err := os.ReadDir(r.temp)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains(but, e.Name()) {
			r.t.Errorf("%s was left", e.Name())
		}
	}
	if left := r.children(); len(left) > 0 {
		r.t.Errorf("processes were left: %q", left)
	}
}

// children are the command lines of processes that were given this demo's folder
// for temporary files. Only Linux tells.
func (r *run) children() (found []string) {
	entries, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range entries {
		environ, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(environ, []byte("TMPDIR="+r.temp+"\x00")) {
			continue
		}
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		if len(line) > 0 { // a process that has ended has none
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// The whole demo, as a script runs it.
func TestDemo(t *testing.T) {
	for _, backend := range Backends {
		t.Run(string(backend), func(t *testing.T) {
			t.Parallel()
			if err := backend.Check(); errors.Is(err, servers.ErrNotInstalled) {
				if os.Getenv("RINGWAY_REQUIRE_SERVERS") == "1" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			r := startRun(t, "--backend", string(backend), "--format", "json")
			code := r.end()
			if code != 0 || r.errs.String() != "" {
				t.Fatalf("exit code %d: %s\n%s", code, r.errs.String(), r.out.String())
			}
			var report Report
			if err := json.Unmarshal([]byte(r.out.String()), &report); err != nil {
				t.Fatalf("%v:\n%s", err, r.out.String())
			}
			checkReport(t, &report, backend)
			r.nothingLeft("ringway-demo.html")
			page, err := os.ReadFile(filepath.Join(r.temp, "ringway-demo.html"))
			if err != nil {
				t.Fatal(err)
			}
			checkPage(t, page)
		})
	}
}

func checkReport(t *testing.T, r *Report, backend Backend) {
	t.Helper()
	if r.Schema != "ringway.demo/1" || r.Backend != backend || r.Nodes != DefaultNodes || r.Keys != 1500 {
		t.Errorf("schema %q, backend %q, %d nodes, %d keys", r.Schema, r.Backend, r.Nodes, r.Keys)
	}
	if len(r.Promises) != 12 || len(r.Broken()) != 0 {
		t.Errorf("%d promises, broken: %q", len(r.Promises), r.Broken())
	}
	var names []string
	for _, s := range r.Steps {
		names = append(names, s.Name)
		if s.Verified.Checked < 900 || s.Reads == 0 || s.P99 < s.P50 || s.P50 <= 0 {
			t.Errorf("step %s: %+v", s.Name, *s)
		}
		if m := s.Moved; m != nil && (m.Keys < 1000 || m.Modulo < 0.6 || m.Share > 0.4) {
			t.Errorf("step %s moved %+v", s.Name, *m)
		}
	}
	if want := []string{"fill", "add", "drain", "kill"}; !slices.Equal(names, want) {
		t.Fatalf("steps %q, want %q", names, want)
	}
	if kill := r.Steps[3]; kill.Finding.Errors == 0 || kill.Loads == 0 {
		t.Errorf("nobody noticed the kill: %+v", *kill)
	}
	if float64(len(r.Series)) != r.Seconds || r.Requests < 1500+int(r.Seconds)*100 || len(r.Agents) != 3 || len(r.Events) < 5 {
		t.Errorf("%d seconds of %g, %d requests, %d agents, events %+v", len(r.Series), r.Seconds, r.Requests, len(r.Agents), r.Events)
	}
}

// What is lost, changed or kept for too long behind the client's back is found, and
// named with exit code 1: cmd/ringway makes that of what is broken.
func TestBrokenPromises(t *testing.T) {
	t.Parallel()
	var out proctest.Buffer
	cfg := Config{Keys: 1500, Rate: 500, Calm: 500 * time.Millisecond, Backend: Embedded, Out: &out, program: ringway(t)}
	cfg.sabotage = func(l *load) {
		ctx, client := context.Background(), l.cache.(redisCache).client
		for key := range 300 {
			name := l.work.keys[key]
			var err error
			switch key % 3 {
			case 0:
				err = client.Del(ctx, name).Err()
			case 1:
				err = client.Set(ctx, name, "another value", redis.KeepTTL).Err()
			case 2:
				err = client.Persist(ctx, name).Err()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	report, err := Run(context.Background(), cfg, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	broken := strings.Join(report.Broken(), "\n")
	for _, want := range []string{"while a node joins no key is lost", "every value is what was stored last", "every key keeps its time to live"} {
		if !strings.Contains(broken, want) {
			t.Errorf("not found out: %s\nbroken:\n%s\n%s", want, broken, out.String())
		}
	}
	for _, not := range []string{"every change of the fleet", "no request fails", "the errors end", "in the end all agents"} {
		if strings.Contains(broken, not) {
			t.Errorf("broken without a reason:\n%s", broken)
		}
	}
	for line := range strings.SplitSeq(out.String(), "\n") {
		if len([]rune(line)) > 100 {
			t.Errorf("a line of %d: %q", len([]rune(line)), line)
		}
	}
}

// Ctrl-C at any time leaves nothing.
func TestInterrupt(t *testing.T) {
	for _, when := range []string{"4 nodes", "fill:", "keys move"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			r := startRun(t, "--backend", "embedded")
			r.says(when)
			if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			if code := r.end(); code != 130 {
				t.Errorf("exit code %d: %s", code, r.errs.String())
			}
			r.nothingLeft()
		})
	}
}

// With --keep the fleet runs until Ctrl-C, which is how it is meant to end. This one
// is the smallest that there may be. A node can join it by the line that it prints.
func TestKeep(t *testing.T) {
	t.Parallel()
	r := startRun(t, "--backend", "embedded", "--keep", "--html", "none",
		"--nodes", strconv.Itoa(MinNodes), "--keys", strconv.Itoa(MinKeys), "--rate", strconv.Itoa(MinRate))
	r.says("ringway members --agent http://127.0.0.1:")
	var members []string
	for line := range strings.SplitSeq(r.out.String(), "\n") {
		if _, args, found := strings.Cut(line, "ringway members "); found {
			members = strings.Fields(args)
		}
	}
	out, err := exec.Command(ringway(t), append([]string{"members", "--assert-agree"}, members...)...).CombinedOutput()
	if err != nil || bytes.Count(out, []byte("  ACTIVE  ")) != 3 {
		t.Errorf("%v:\n%s", err, out)
	}
	r.joinByHand(members)
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if code := r.end(); code != 0 {
		t.Errorf("exit code %d: %s", code, r.errs.String())
	}
	r.nothingLeft()
}

// joinByHand runs the line by which a further node joins, and looks whether that is
// well and the demo survives it.
func (r *run) joinByHand(members []string) {
	r.t.Helper()
	var words []string
	for line := range strings.SplitSeq(r.out.String(), "\n") {
		if line, _, _ := strings.Cut(line, "#"); strings.Contains(line, "ringway agent ") {
			words = strings.Fields(line)
		}
	}
	if len(words) == 0 {
		r.t.Fatalf("no line for a further node:\n%s", r.out.String())
	}
	var log proctest.Buffer
	agent := exec.Command(words[0], words[1:]...)
	agent.Stdout, agent.Stderr = &log, &log
	if err := agent.Start(); err != nil {
		r.t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = agent.Wait()
	}()
	defer func() {
		_ = agent.Process.Kill()
		<-ended
	}()
	eventually(r.t, "four nodes are ACTIVE", func() (bool, string) {
		select {
		case <-ended:
			r.t.Fatalf("the further node's agent has ended:\n%s", log.String())
		default:
		}
		out, _ := exec.Command(ringway(r.t), append([]string{"members"}, members...)...).CombinedOutput()
		return bytes.Count(out, []byte("  ACTIVE  ")) == 4, string(out) + log.String() + r.errs.String()
	})
	select {
	case <-r.exited:
		r.t.Fatalf("the demo has ended:\n%s", r.errs.String())
	case <-time.After(500 * time.Millisecond): // some requests go to the node
	}
}

// A demo that is killed takes its processes with it.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can do that")
	}
	t.Parallel()
	r := startRun(t, "--backend", "embedded")
	r.says("fill:")
	if n := len(r.children()); n != 9 { // itself, 4 servers, 4 agents
		t.Errorf("%d processes: %q", n, r.children())
	}
	if err := r.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	r.end()
	eventually(t, "all processes have ended", func() (bool, string) {
		left := r.children()
		return len(left) == 0, fmt.Sprint(left)
	})
}
