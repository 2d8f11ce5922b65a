package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/pause"
)

// pollEvery is the pause between two looks at what another process does.
const pollEvery = 10 * time.Millisecond

// process is a program that the demo has started: this one, as an agent or as an
// embedded server.
type process struct {
	name   string
	cmd    *exec.Cmd
	stdin  io.Closer // an embedded server ends when it is closed
	log    string    // the file that it writes to
	exited chan struct{}
}

// startProcess starts a program without the settings of whoever runs the demo. What
// it writes goes to a file in dir.
func startProcess(dir, name, path string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.Command(path, args...), log: filepath.Join(dir, name+".log"), exited: make(chan struct{})}
	log, err := os.Create(p.log)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "RINGWAY_") && !strings.HasPrefix(entry, "NOTIFY_SOCKET=") {
			p.cmd.Env = append(p.cmd.Env, entry)
		}
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	ownGroup(p.cmd)
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
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return p, nil
}

// kill ends the process as a crash would, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.exited
	_ = p.stdin.Close()
}

// says waits until the process has written a line that begins with a word, and
// returns the rest of that line.
func (p *process) says(ctx context.Context, find func(line string) (found string)) (string, error) {
	for {
		gone := p.gone() // before the look, so that last words are heard
		text, err := os.ReadFile(p.log)
		if err != nil {
			return "", err
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			if found := find(line); found != "" {
				return found, nil
			}
		}
		if gone {
			return "", fmt.Errorf("%s ended before it was ready: %s", p.name, lastLine(string(text)))
		}
		if err := pause.For(ctx, pollEvery); err != nil {
			return "", fmt.Errorf("%s is not ready: %w", p.name, err)
		}
	}
}

// exits waits until the process has ended by itself.
func (p *process) exits(ctx context.Context) error {
	select {
	case <-p.exited:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("%s ended with exit code %d: %s", p.name, code, p.lastWords())
		}
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%s does not end: %w", p.name, ctx.Err())
	}
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

func (p *process) lastWords() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return lastLine(string(text))
}

func lastLine(text string) string {
	text = strings.TrimRight(text, "\n")
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if line == "" {
		return "it wrote nothing"
	}
	return line
}

// errTooLong is why a step is given up.
var errTooLong = errors.New("it took too long")
