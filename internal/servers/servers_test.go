package servers

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) != "" {
		helper()
	}
	goleak.VerifyTestMain(m)
}

// helperVariable tells this test binary to be a program that starts a server
// and comes to a bad end.
const helperVariable = "RINGWAY_SERVERS_HELPER"

func helper() {
	s, err := Start(context.Background(), Config{Kind: Redis, Dir: os.Getenv(helperVariable)})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(s.Pid())
	go panic("nobody closes the server")
	select {}
}

// start starts a server for a test. Package servertest, which does that for all
// others, imports this one.
func start(t *testing.T, config Config) *Server {
	t.Helper()
	if _, err := Find(config.Kind); errors.Is(err, ErrNotInstalled) {
		if os.Getenv("RINGWAY_REQUIRE_SERVERS") == "1" {
			t.Fatal(err)
		}
		t.Skip("SKIPPED, NOTHING WAS TESTED:", err)
	}
	if config.Dir == "" {
		config.Dir = t.TempDir()
	}
	s, err := Start(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// say returns the first line of the server's answer.
func say(t *testing.T, s *Server, line string) string {
	t.Helper()
	reply, err := s.ask(context.Background(), line+"\r\n")
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return reply
}

func TestBadConfig(t *testing.T) {
	dir := t.TempDir()
	for _, tt := range []struct {
		name   string
		config Config
		want   string
	}{
		{"no kind", Config{Dir: dir}, `kind: got ""`},
		{"another kind", Config{Dir: dir, Kind: "sh"}, `kind: got "sh"`},
		{"no dir", Config{Kind: Redis}, "want an existing folder"},
		{"dir is missing", Config{Kind: Redis, Dir: dir + "/x"}, "want an existing folder"},
		{"users of memcached", Config{Kind: Memcached, Dir: dir, Users: []string{"a"}}, "Users is for redis-server"},
		{"unix of redis", Config{Kind: Redis, Dir: dir, Unix: true}, "Unix is for memcached"},
		{"two lines", Config{Kind: Redis, Dir: dir, Users: []string{"a\nuser b on"}}, "more than one line"},
		{"unknown argument", Config{Kind: Redis, Dir: dir, Args: []string{"--nonsense", "1"}}, "ended before it was ready"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Start(context.Background(), tt.config)
			if errors.Is(err, ErrNotInstalled) {
				t.Skip("SKIPPED, NOTHING WAS TESTED:", err)
			}
			if s != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want no server and %q", s, err, tt.want)
			}
		})
	}
}

// A server that cannot start says why: its own words are in the error.
func TestErrorShowsTheLog(t *testing.T) {
	if _, err := Find(Redis); err != nil {
		t.Skip("SKIPPED, NOTHING WAS TESTED:", err)
	}
	_, err := Start(context.Background(), Config{Kind: Redis, Dir: t.TempDir(), Args: []string{"--nonsense", "1"}})
	if err == nil || !strings.Contains(err.Error(), "Bad directive") {
		t.Errorf("got %v, want the log of redis-server", err)
	}
}

func TestContextEndsTheWait(t *testing.T) {
	dir := t.TempDir()
	s := start(t, Config{Kind: Redis})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Start(ctx, Config{Kind: Redis, Dir: dir}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if got := say(t, s, "PING"); got != "+PONG" {
		t.Errorf("another server: %q", got)
	}
}

func TestKillAndRestart(t *testing.T) {
	for _, tt := range []struct {
		name, set, get, ok, kept, lost string
		config                         Config
	}{
		{name: "redis keeps what it is told to keep",
			config: Config{Kind: Redis, Args: []string{"--appendonly", "yes", "--appendfsync", "always"}},
			set:    "SET k 1", ok: "+OK", get: "EXISTS k", kept: ":1"},
		{name: "redis keeps nothing by default", config: Config{Kind: Redis},
			set: "SET k 1", ok: "+OK", get: "EXISTS k", lost: ":0"},
		{name: "memcached", config: Config{Kind: Memcached},
			set: "set k 0 0 1\r\n1", ok: "STORED", get: "get k", lost: "END"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := start(t, tt.config)
			if got := say(t, s, tt.set); got != tt.ok {
				t.Fatalf("%s: %q", tt.set, got)
			}
			addr, pid := s.Addr(), s.Pid()
			for range 2 { // the second finds it dead
				if err := s.Kill(); err != nil {
					t.Fatal(err)
				}
			}
			if conn, err := net.Dial("tcp", addr); err == nil {
				conn.Close()
				t.Error("somebody listens where the server was killed")
			}
			if err := s.Restart(context.Background()); err != nil {
				t.Fatal(err)
			}
			if s.Addr() != addr || s.Pid() == pid {
				t.Errorf("now %s, pid %d; before %s, pid %d", s.Addr(), s.Pid(), addr, pid)
			}
			if got := say(t, s, tt.get); got != tt.kept+tt.lost {
				t.Errorf("%s after the restart: %q, want %q", tt.get, got, tt.kept+tt.lost)
			}
			if err := s.Restart(context.Background()); err != nil { // of a running one
				t.Fatal(err)
			}
		})
	}
}

func TestClose(t *testing.T) {
	s := start(t, Config{Kind: Redis})
	port := s.port
	if lock, free := lockPort(port); free {
		lock.Close()
		t.Errorf("port %d of a running server is free", port)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if lock, free := lockPort(port); free {
		lock.Close()
		t.Errorf("port %d of a killed server is free: it could not come back", port)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if lock, free := lockPort(port); !free {
		t.Errorf("port %d of a closed server is taken", port)
	} else {
		lock.Close()
	}
	if s.Pid() != 0 {
		t.Errorf("pid %d after Close", s.Pid())
	}
	for name, f := range map[string]func() error{
		"Kill": s.Kill, "Stop": s.Stop, "Cont": s.Cont,
		"Restart": func() error { return s.Restart(context.Background()) },
	} {
		if err := f(); err == nil || !strings.Contains(err.Error(), "is closed") {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}

// A port that is taken between its choice and the bind costs another attempt,
// and never a test that talks to a stranger.
func TestPortConflict(t *testing.T) {
	for _, kind := range []Kind{Redis, Memcached} {
		t.Run(string(kind), func(t *testing.T) {
			taken := start(t, Config{Kind: kind})
			bin, err := Find(kind)
			if err != nil {
				t.Fatal(err)
			}
			s := &Server{config: Config{Kind: kind, Dir: t.TempDir()}, bin: bin}
			attempts := 0
			err = s.launchOnPort(context.Background(), func() (int, *net.UDPConn, error) {
				if attempts++; attempts == 1 {
					return taken.port, nil, nil
				}
				return reservePort()
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if attempts != 2 || s.port == taken.port {
				t.Errorf("%d attempts, port %d, taken %d", attempts, s.port, taken.port)
			}
		})
	}
}

func TestTLS(t *testing.T) {
	for _, tt := range []struct {
		kind             Kind
		command, want    string
		withoutTLS, also string
	}{
		{kind: Redis, command: "PING", want: "+PONG"},
		{kind: Memcached, command: "version", want: "VERSION"},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			s := start(t, Config{Kind: tt.kind, TLS: true})
			if got := say(t, s, tt.command); !strings.HasPrefix(got, tt.want) {
				t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
			}
			plain := &Server{config: s.config, addr: s.addr}
			if got, err := plain.ask(context.Background(), tt.command+"\r\n"); strings.HasPrefix(got, tt.want) {
				t.Errorf("without TLS: %q, %v", got, err)
			}
			if first, second := s.TLS(), s.TLS(); first == second {
				t.Error("callers share one configuration")
			}
		})
	}
	if s := start(t, Config{Kind: Redis}); s.TLS() != nil {
		t.Error("a plain server has a TLS configuration")
	}
}

func TestUsers(t *testing.T) {
	s := start(t, Config{Kind: Redis, Users: []string{"default off", "alice on >secret ~* &* +@all"}})
	if got := say(t, s, "GET k"); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("without a password: %q", got)
	}
	if got := say(t, s, "AUTH alice wrong"); !strings.HasPrefix(got, "-WRONGPASS") {
		t.Errorf("a wrong password: %q", got)
	}
	if got := say(t, s, "AUTH alice secret"); got != "+OK" {
		t.Errorf("the right password: %q", got)
	}
}

func TestUnixSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "rw") // the path must be short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	s := start(t, Config{Kind: Memcached, Unix: true, Dir: dir})
	defer s.Close()
	if got := say(t, s, "version"); !strings.HasPrefix(got, "VERSION") {
		t.Errorf("version: %q", got)
	}
	if err := s.Restart(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := Start(context.Background(), Config{Kind: Redis, Dir: t.TempDir()})
	if !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
}

func TestLogTail(t *testing.T) {
	s := start(t, Config{Kind: Redis})
	if log := s.Log(); !strings.Contains(log, "eady to accept") {
		t.Errorf("log: %q", log)
	}
	long := t.TempDir() + "/log"
	if err := os.WriteFile(long, fmt.Appendf(nil, "%sEND", strings.Repeat("x", 3*shownLog)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := readTail(long); len(got) != shownLog || !strings.HasSuffix(got, "END") {
		t.Errorf("%d bytes of a long log, ending in %q", len(got), got[max(0, len(got)-5):])
	}
	if got := readTail(long + "x"); !strings.HasPrefix(got, "(no log") {
		t.Errorf("no log: %q", got)
	}
}
