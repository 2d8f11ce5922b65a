package servertest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/internal/servers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asChild makes TestChild run, in a process of its own.
const asChild = "RINGWAY_SERVERTEST_CHILD"

// TestChild is what the other tests watch from outside.
func TestChild(t *testing.T) {
	switch os.Getenv(asChild) {
	case "":
		t.Skip("run by other tests")
	case "fails":
		s := Redis(t, "--enable-debug-command", "local")
		fmt.Println("pid", s.Pid())
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "DEBUG LOG hello\r\n")
		if _, err := conn.Read(make([]byte, 5)); err != nil {
			t.Error(err)
		}
		t.Fail()
	case "passes":
		fmt.Println("pid", Redis(t).Pid())
	case "panics":
		fmt.Println("pid", Redis(t).Pid())
		panic("in the test")
	case "kills a dead server":
		s := Redis(t)
		s.Kill()
		s.Stop()
	}
}

func runChild(t *testing.T, what string, env ...string) (output string, failed bool) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^TestChild$", "-test.v")
	cmd.Env = append(append(os.Environ(), asChild+"="+what), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err != nil
}

func TestLogOfAFailedTest(t *testing.T) {
	Require(t, servers.Redis)
	const logged = "DEBUG LOG: hello"
	if out, failed := runChild(t, "fails"); !failed || !strings.Contains(out, logged) {
		t.Errorf("failed: %t, output without the server's log:\n%s", failed, out)
	}
	if out, failed := runChild(t, "passes"); failed || strings.Contains(out, logged) {
		t.Errorf("failed: %t, output with the server's log:\n%s", failed, out)
	}
}

func TestServerEndsWithTheTest(t *testing.T) {
	Require(t, servers.Redis)
	for _, what := range []string{"passes", "fails", "panics"} {
		out, _ := runChild(t, what)
		var pid int
		_, after, _ := strings.Cut(out, "pid ")
		if _, err := fmt.Sscan(after, &pid); err != nil {
			t.Fatalf("%s: no pid in\n%s", what, out)
		}
		if _, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
			t.Errorf("redis-server %d outlives a test that %s", pid, what)
		}
	}
}

func TestMissingProgram(t *testing.T) {
	nowhere := "PATH=" + t.TempDir()
	out, failed := runChild(t, "passes", nowhere, RequireVariable+"=")
	if failed || !strings.Contains(out, "SKIPPED, NOTHING WAS TESTED: redis-server is not installed") {
		t.Errorf("not required: failed: %t\n%s", failed, out)
	}
	out, failed = runChild(t, "passes", nowhere, RequireVariable+"=1")
	if !failed || !strings.Contains(out, "internal/tools/servers.sh") {
		t.Errorf("required: failed: %t\n%s", failed, out)
	}
}

func TestErrorsFailTheTest(t *testing.T) {
	Require(t, servers.Redis)
	out, failed := runChild(t, "kills a dead server")
	if !failed || !strings.Contains(out, "has ended") {
		t.Errorf("failed: %t\n%s", failed, out)
	}
}

func TestKinds(t *testing.T) {
	if s := Redis(t, "--maxmemory", "10mb"); s.TLS() != nil {
		t.Error("TLS without being asked for")
	}
	if s := RedisTLS(t); s.TLS() == nil {
		t.Error("no TLS")
	}
	RedisUsers(t, "alice on >secret ~* &* +@all")
	Memcached(t, "-m", "8")
	s := Start(t, servers.Config{Kind: servers.Memcached, Unix: true})
	s.Stop()
	s.Cont()
	s.Kill()
	s.Restart()
}

func TestSinceReady(t *testing.T) {
	for log, want := range map[string]string{
		"":                                     "nothing",
		"start\nReady to accept connections\n": "nothing",
		"start\nReady to accept connections\nBad\n":                               "\nBad\n",
		"a\nReady to accept connections\nb\nReady to accept connections tcp\nc\n": "\nc\n",
		"Bad directive\n": "\nBad directive\n",
	} {
		if got := sinceReady(log); got != want {
			t.Errorf("%q: %q, want %q", log, got, want)
		}
	}
}
