//go:build unix

package fleettest

import (
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proctest"
)

// bound is how long the tests wait for what takes seconds.
const bound = 90 * time.Second

// eventually waits until it holds; state tells how far it is.
func eventually(t *testing.T, what string, holds func() (ok bool, state string)) {
	t.Helper()
	for deadline, pause := time.Now().Add(bound), time.Duration(0); ; time.Sleep(pause) {
		asked := time.Now()
		ok, state := holds()
		pause = max(50*time.Millisecond, 2*time.Since(asked)) // asking must not keep busy what is asked
		if ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s: %s", bound, what, state)
		}
	}
}

// process is a program that a test has started. It ends with the test, and is
// never looked for by its name.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer
	log    proctest.Buffer
	exited chan struct{} // closed when it is gone
}

// start starts a program.
func start(t *testing.T, name, path string, args ...string) *process {
	t.Helper()
	return startWith(t, nil, name, path, args...)
}

// startWith starts a program with more in its environment: NAME=value.
func startWith(t *testing.T, env []string, name, path string, args ...string) *process {
	t.Helper()
	p := &process{name: name, cmd: exec.Command(path, args...), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = append(environment(), env...), &p.log, &p.log
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.stdin = stdin
	dieWithParent(p.cmd)
	started := make(chan error, 1)
	go func() {
		// Linux kills the process when the thread that started it ends, not the
		// program: this goroutine keeps its thread until the process is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // how it ended is in ProcessState
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.end()
		if t.Failed() {
			t.Logf("%s wrote:\n%s", p.name, p.log.Tail())
		}
	})
	return p
}

// environment is that of the tests without settings of ringway.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(entry string) bool { return strings.HasPrefix(entry, "RINGWAY_") })
}

// end kills the process as a crash would, frozen or not, and waits until it is
// gone.
func (p *process) end() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.exited
	p.stdin.Close()
}

func (p *process) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
}

// exit waits until the process has ended by itself, and returns its exit code.
func (p *process) exit(t *testing.T) int {
	t.Helper()
	select {
	case <-p.exited:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(bound):
		t.Fatalf("%s did not end within %v", p.name, bound)
		return 0
	}
}
