package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// shownLog is how much of the end of a log is shown.
const shownLog = 16 << 10

// pollEvery is the pause between two looks at something that another process
// does.
const pollEvery = 2 * time.Millisecond

// process is one run of a server program.
type process struct {
	cmd    *exec.Cmd
	dir    string
	offset int64         // in the log, where this run began
	exited chan struct{} // closed when the process is gone
}

// startProcess runs a program whose output goes to the end of the log in dir.
// One goroutine belongs to the process and ends with it.
func startProcess(bin string, args []string, dir string) (*process, error) {
	log, err := os.OpenFile(filepath.Join(dir, logName), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the process has its own copy
	offset, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(bin, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	dieWithParent(cmd)

	p := &process{cmd: cmd, dir: dir, offset: offset, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		// Linux kills the process when the thread that started it ends, not
		// the program: this goroutine keeps its thread until the process is
		// gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in the log, if it matters
			close(p.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end kills the process, frozen or not, and waits until it is gone.
func (p *process) end() {
	_ = p.cmd.Process.Kill() // fails only if it is gone already
	<-p.exited
}

func (p *process) gone() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// log returns what this run has written, the end of it if it is long.
func (p *process) log() string {
	all := readTailFrom(filepath.Join(p.dir, logName), p.offset)
	return strings.TrimRight(all, "\n")
}

func readTail(path string) string { return readTailFrom(path, 0) }

// readTailFrom returns the last shownLog bytes of a file, nothing before from.
// A log that cannot be read is shown as the reason: it serves messages.
func readTailFrom(path string, from int64) string {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	from = max(from, info.Size()-shownLog)
	text, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return fmt.Sprintf("(no log: %v)", err)
	}
	return string(text)
}
