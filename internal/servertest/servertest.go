package servertest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/servers"
)

// RequireVariable names the environment variable that, set to 1, turns a
// missing server program from a reason to skip into a failure.
const RequireVariable = "RINGWAY_REQUIRE_SERVERS"

// Server is a server that belongs to a test. Its methods fail the test in place
// of returning an error, so they are for the test's own goroutine; the methods
// of the embedded server serve others.
type Server struct {
	*servers.Server
	t testing.TB
}

// Redis starts a redis-server with more arguments, such as
// "--maxmemory", "10mb".
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	return Start(t, servers.Config{Kind: servers.Redis, Args: args})
}

// RedisTLS starts a redis-server that speaks TLS only: Server.TLS is what a
// client needs.
func RedisTLS(t testing.TB, args ...string) *Server {
	t.Helper()
	return Start(t, servers.Config{Kind: servers.Redis, TLS: true, Args: args})
}

// RedisUsers starts a redis-server with these ACL users, each a rule such as
// "alice on >secret ~* &* +@all".
func RedisUsers(t testing.TB, users ...string) *Server {
	t.Helper()
	return Start(t, servers.Config{Kind: servers.Redis, Users: users})
}

// Memcached starts a memcached with more arguments, such as "-m", "8".
func Memcached(t testing.TB, args ...string) *Server {
	t.Helper()
	return Start(t, servers.Config{Kind: servers.Memcached, Args: args})
}

// Start starts any server. An empty Config.Dir is replaced by a temporary
// folder.
func Start(t testing.TB, config servers.Config) *Server {
	t.Helper()
	Require(t, config.Kind)
	if config.Dir == "" {
		config.Dir = tempDir(t, config.Unix)
	}
	s, err := servers.Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	// The folder's removal was registered before: it comes after this.
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("%s on %s wrote: %s", s.Kind(), s.Addr(), sinceReady(s.Log()))
		}
	})
	return &Server{s, t}
}

// ready is the end of the line with which a redis-server has started.
const ready = "Ready to accept connections"

// sinceReady leaves out how a server started, of which there may be a page for each
// server of a fleet: what failed must not be lost among it.
func sinceReady(log string) string {
	if i := strings.LastIndex(log, ready); i >= 0 {
		_, log, _ = strings.Cut(log[i:], "\n")
	}
	if strings.TrimSpace(log) == "" {
		return "nothing"
	}
	return "\n" + log
}

// Require skips or fails the test if a server program is not installed.
func Require(t testing.TB, kind servers.Kind) {
	t.Helper()
	_, err := servers.Find(kind)
	if !errors.Is(err, servers.ErrNotInstalled) {
		return
	}
	const remedy = "internal/tools/servers.sh installs it, and `make test` runs that"
	if os.Getenv(RequireVariable) == "1" {
		t.Fatalf("%s is not installed and %s=1: %s", kind, RequireVariable, remedy)
	}
	t.Skipf("SKIPPED, NOTHING WAS TESTED: %s is not installed: %s", kind, remedy)
}

// tempDir returns a folder that goes when the test ends. The path of a Unix
// socket has a limit of some hundred bytes, which the folders that are named
// after tests exceed.
func tempDir(t testing.TB, short bool) string {
	t.Helper()
	if !short {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp("", "rw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Kill ends the process as a crash would: see servers.Server.Kill.
func (s *Server) Kill() { s.check(s.Server.Kill()) }

// Stop freezes the process: see servers.Server.Stop.
func (s *Server) Stop() { s.check(s.Server.Stop()) }

// Cont lets a frozen process go on: see servers.Server.Cont.
func (s *Server) Cont() { s.check(s.Server.Cont()) }

// Restart starts the server again at the same address with the same folder: see
// servers.Server.Restart.
func (s *Server) Restart() { s.check(s.Server.Restart(context.Background())) }

func (s *Server) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}
