//go:build unix

package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestServerDiesWithItsProgram(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux can do that")
	}
	start(t, Config{Kind: Redis}) // skips where there is none
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), helperVariable+"="+t.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the program said %q", line)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the program did not panic")
	}
	for deadline := time.Now().Add(startDeadline); alive(pid); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("redis-server %d outlives the program that started it", pid)
		}
	}
}

// alive reports whether a process runs. One that is dead and not yet collected
// by its new parent does not.
func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z")
}

func TestCloseEndsTheProcess(t *testing.T) {
	for _, frozen := range []bool{false, true} {
		s := start(t, Config{Kind: Redis})
		pid := s.Pid()
		if frozen {
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		if !errors.Is(syscall.Kill(pid, 0), nil) {
			t.Fatalf("process %d does not run", pid)
		}
		s.Close()
		if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
			t.Errorf("process %d after Close (frozen: %t): %v", pid, frozen, err)
		}
	}
}

func TestStopAndCont(t *testing.T) {
	for _, kind := range []Kind{Redis, Memcached} {
		t.Run(string(kind), func(t *testing.T) {
			s := start(t, Config{Kind: kind})
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			// The system accepts in the name of the frozen server.
			conn, err := net.Dial("tcp", s.Addr())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := conn.Write([]byte("PING\r\n")); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			if n, err := conn.Read(make([]byte, 8)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a frozen server answered: %d bytes, %v", n, err)
			}
			if err := s.Cont(); err != nil {
				t.Fatal(err)
			}
			if err := conn.SetReadDeadline(time.Now().Add(startDeadline)); err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Read(make([]byte, 8)); err != nil {
				t.Errorf("after Cont: %v", err)
			}
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := s.Restart(context.Background()); err != nil {
				t.Errorf("restart of a frozen server: %v", err)
			}
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := s.Stop(); err == nil {
				t.Error("a dead process was stopped")
			}
		})
	}
}
