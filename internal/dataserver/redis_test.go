package dataserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/servertest"
)

// everyError makes each call of a Server that can fail.
func everyError(ctx context.Context, s Server) map[string]error {
	_, identity := s.Identity(ctx)
	_, count := s.Count(ctx)
	_, purge := s.Purge(ctx, nil)
	_, sweep := s.Sweep(ctx, func(string) bool { return false }, nil)
	_, _, memory := s.Memory(ctx)
	return map[string]error{
		"probe": s.Probe(ctx), "identity": identity, "count": count, "purge": purge, "sweep": sweep, "memory": memory,
	}
}

// A server says what is wrong with it in an error reply, or in its INFO.
func TestProbeRefuses(t *testing.T) {
	const info = "redis_mode:standalone\r\nrole:master\r\n"
	for _, tt := range []struct {
		ping, info string
		want       error
		text       string
	}{
		{"-NOAUTH Authentication required.", info, ErrCredentials, "NOAUTH"},
		{"-NOPERM this user has no permissions", info, ErrCredentials, "NOPERM"},
		{"-LOADING Redis is loading the dataset in memory", info, ErrLoading, "LOADING"},
		{"-MASTERDOWN Link with MASTER is down", info, ErrReplica, "MASTERDOWN"},
		{"-READONLY You can't write", info, ErrReplica, "READONLY"},
		{"-CLUSTERDOWN The cluster is down", info, ErrMode, "CLUSTERDOWN"},
		{"-MISCONF Redis is configured to save", info, nil, "MISCONF"},
		{"-BUSY Redis is busy running a script", info, nil, "BUSY"},
		{"-ERR " + strings.Repeat("x", 1000), info, nil, strings.Repeat("x", 100) + "…"},
		{"+NOPE", info, nil, `it answers PING with "NOPE", want PONG`},
		{"+PONG", "redis_mode:cluster\r\nrole:master\r\n", ErrMode, `"cluster"`},
		{"+PONG", "redis_mode:sentinel\r\nrole:master\r\n", ErrMode, `"sentinel"`},
		{"+PONG", "server_mode:cluster\r\nrole:master\r\n", ErrMode, `"cluster"`},
		{"+PONG", "role:slave\r\nmaster_host:h\r\nmaster_port:7\r\n", ErrReplica, "it follows h:7"},
		{"+PONG", "redis_mode:standalone\r\n", nil, `role: got "", want master`},
		{"+PONG", "my_role:master\r\n", nil, `role: got "", want master`},
		{"what?", info, nil, ""},
		{"$99999999999999999999", info, nil, ""},
	} {
		server := startResp(t, func(_ int, command []string) string {
			switch command[0] {
			case "PING":
				return tt.ping + "\r\n"
			case "INFO":
				return bulk(tt.info)
			}
			return healthy(command)
		})
		err := open(t, Config{URL: server.url()}).Probe(background(t))
		if err == nil || !strings.Contains(err.Error(), tt.text) || tt.want != nil && !errors.Is(err, tt.want) {
			t.Errorf("PING %.40q, INFO %q: got %.400v, want %v, %q", tt.ping, tt.info, err, tt.want, tt.text)
			continue
		}
		for _, other := range []error{ErrCredentials, ErrLoading, ErrReplica, ErrMode, ErrNoAnswer} {
			if other != tt.want && errors.Is(err, other) {
				t.Errorf("PING %.40q, INFO %q: %v is %v too", tt.ping, tt.info, err, other)
			}
		}
	}
}

// What else is read from a server is not believed blindly.
func TestBadAnswers(t *testing.T) {
	for _, tt := range []struct{ info, identity, memory string }{
		{"", "run_id: got none", `got ""`},
		{"used_memory:-1\r\nmaxmemory:1\r\n", "run_id: got none", `used_memory: got "-1"`},
		{"used_memory:1\r\nmaxmemory:x\r\n", "run_id: got none", `maxmemory: got "x"`},
	} {
		server := startResp(t, func(_ int, command []string) string {
			if command[0] == "INFO" {
				return bulk(tt.info)
			}
			return healthy(command)
		})
		s := open(t, Config{URL: server.url()})
		if _, err := s.Identity(background(t)); err == nil || !strings.Contains(err.Error(), tt.identity) {
			t.Errorf("INFO %q: identity: %v", tt.info, err)
		}
		if _, _, err := s.Memory(background(t)); err == nil || !strings.Contains(err.Error(), tt.memory) {
			t.Errorf("INFO %q: memory: %v", tt.info, err)
		}
	}
}

// The connection of the probes stays open; only one that broke is replaced, and
// a call that finds it broken does not fail for that.
func TestProbesShareAConnection(t *testing.T) {
	server := startResp(t, func(_ int, command []string) string { return healthy(command) })
	s := open(t, Config{URL: server.url()})
	for range 5 {
		must(t, s.Probe(background(t)))
		_, err := s.Identity(background(t))
		must(t, err)
	}
	if dials := server.dropAll(); dials != 1 {
		t.Errorf("%d connections, want 1", dials)
	}
	must(t, s.Probe(background(t)))
	if dials := server.dropAll(); dials != 2 {
		t.Errorf("%d connections, want 2", dials)
	}
}

// A fresh connection that breaks is an error at once: the server does it.
func TestServerThatHangsUp(t *testing.T) {
	server := startResp(t, func(_ int, command []string) string {
		if command[0] == "PING" {
			return hangUp
		}
		return healthy(command)
	})
	s := open(t, Config{URL: server.url()})
	if err := s.Probe(background(t)); err == nil || errors.Is(err, ErrNoAnswer) {
		t.Errorf("got %v", err)
	}
	if dials := server.dropAll(); dials != 1 {
		t.Errorf("%d connections, want 1", dials)
	}
}

func TestUsersAndPasswords(t *testing.T) {
	server := servertest.RedisUsers(t, "alice on >"+secret+" ~* &* +@all", "bob on >"+secret+" ~* &* +@all -info", "default off")
	host := "@" + server.Addr()
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte(secret+"\r\n"), 0o600))
	t.Setenv("RINGWAY_TEST_PASSWORD", secret)
	for _, config := range []Config{
		{URL: "redis://alice:" + secret + host},
		{URL: "redis://" + server.Addr(), Username: "alice", Password: secret},
		{URL: "redis://alice" + host, PasswordFile: file},
		{URL: "redis://" + server.Addr(), Username: "alice", PasswordEnv: "RINGWAY_TEST_PASSWORD"},
		{URL: "redis://alice:" + secret + host, Prefix: "p"},
	} {
		for what, err := range everyError(background(t), open(t, config)) {
			if err != nil {
				t.Errorf("%v: %s: %v", config, what, err)
			}
		}
	}
	for _, tt := range []struct{ url, want string }{
		{"redis://alice:Wr0ng" + host, "WRONGPASS"},
		{"redis://:Wr0ng" + host, "WRONGPASS"},
		{"redis://nobody:Wr0ng" + host, "WRONGPASS"},
		{"redis://" + server.Addr(), "NOAUTH"},
	} {
		for what, err := range everyError(background(t), open(t, Config{URL: tt.url})) {
			if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "Wr0ng") {
				t.Errorf("%s: %s: got %v, want %s", tt.url, what, err, tt.want)
			}
		}
	}
	err := open(t, Config{URL: "redis://bob:" + secret + host}).Probe(background(t))
	if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "'info'") {
		t.Errorf("a user who may not INFO: %v", err)
	}
	err = open(t, Config{URL: "redis://alice:" + secret + host + "/99"}).Probe(background(t))
	if err == nil || errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "database 99: ERR DB index is out of range") {
		t.Errorf("a database that is not there: %v", err)
	}
	if strings.Contains(logged.String(), secret) || strings.Contains(logged.String(), "Wr0ng") {
		t.Errorf("a password was logged: %s", logged.String())
	}
}

// A server without a user's password takes any from him, and says of AUTH with a
// password alone that it has none.
func TestPasswordThatNobodyWants(t *testing.T) {
	server := servertest.Redis(t)
	err := open(t, Config{URL: "redis://:" + secret + "@" + server.Addr()}).Probe(background(t))
	if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "without any password configured") {
		t.Errorf("got %v", err)
	}
}

// A server that does not know AUTH quotes what it was sent.
func TestServerThatQuotesThePassword(t *testing.T) {
	server := servertest.Redis(t, "--rename-command", "AUTH", "")
	for _, password := range []string{secret, strings.Repeat(secret, 30)} {
		err := open(t, Config{URL: "redis://alice:" + password + "@" + server.Addr()}).Probe(background(t))
		if !errors.Is(err, ErrCredentials) || !strings.Contains(err.Error(), "unknown command 'AUTH'") || strings.Contains(err.Error(), secret[:5]) {
			t.Errorf("got %v", err)
		}
	}
	quoting := startResp(t, func(_ int, command []string) string { return "-ERR what is " + strings.Join(command, " ") + "?\r\n" })
	err := open(t, Config{URL: "redis://alice:" + secret + "@" + strings.TrimPrefix(quoting.url(), "redis://")}).Probe(background(t))
	if !errors.Is(err, ErrCredentials) || strings.Contains(err.Error(), secret) {
		t.Errorf("got %v", err)
	}
}

// A password that changes takes effect with the next connection.
func TestPasswordFileIsReadAgain(t *testing.T) {
	server := servertest.RedisUsers(t, "alice on >first ~* &* +@all", "root on >root ~* &* +@all", "default off")
	admin := redis.NewClient(&redis.Options{Addr: server.Addr(), Username: "root", Password: "root", Protocol: 2})
	defer admin.Close()
	ctx := background(t)
	file := filepath.Join(t.TempDir(), "password")
	must(t, os.WriteFile(file, []byte("first"), 0o600))
	s := open(t, Config{URL: "redis://alice@" + server.Addr(), PasswordFile: file})
	must(t, s.Probe(ctx))
	must(t, admin.Do(ctx, "ACL", "SETUSER", "alice", "resetpass", ">second").Err())
	must(t, admin.Do(ctx, "CLIENT", "KILL", "USER", "alice").Err())
	wantError(t, s.Probe(ctx), ErrCredentials)
	must(t, os.WriteFile(file, []byte("second\n"), 0o600))
	must(t, s.Probe(ctx))
	must(t, os.Remove(file))
	must(t, s.Probe(ctx)) // the connection is good
	if _, err := s.Purge(ctx, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the file: %v", err)
	}
}

func TestReplica(t *testing.T) {
	master := servertest.Redis(t, "--repl-diskless-sync-delay", "0")
	host, port, _ := strings.Cut(master.Addr(), ":")
	for _, arg := range []string{"yes", "no"} { // replica-read-only: a replica that takes writes is none the better
		replica := servertest.Redis(t, "--replicaof", host+" "+port, "--replica-read-only", arg)
		s := open(t, Config{URL: "redis://" + replica.Addr()})
		wantError(t, s.Probe(background(t)), ErrReplica)
		if arg == "yes" {
			// The walk, too: FLUSHDB is refused, and so is UNLINK. There must be
			// something to remove.
			must(t, direct(t, master, 0).Set(background(t), "k", 1, 0).Err())
			eventually(t, "the key is copied", func() bool { n, err := s.Count(background(t)); return err == nil && n == 1 })
			_, err := s.Purge(background(t), nil)
			wantError(t, err, ErrReplica)
		}
	}
	stale := servertest.Redis(t, "--replicaof", host+" "+port, "--replica-serve-stale-data", "no")
	s := open(t, Config{URL: "redis://" + stale.Addr()})
	master.Kill()
	eventually(t, "MASTERDOWN", func() bool {
		err := s.Probe(background(t))
		wantError(t, err, ErrReplica)
		return strings.Contains(err.Error(), "MASTERDOWN")
	})
}

func TestCluster(t *testing.T) {
	server := servertest.Redis(t, "--cluster-enabled", "yes")
	wantError(t, open(t, Config{URL: "redis://" + server.Addr()}).Probe(background(t)), ErrMode)
}

func TestTooManyClients(t *testing.T) {
	server := servertest.Redis(t)
	client := direct(t, server, 0)
	must(t, client.Ping(background(t)).Err())
	must(t, client.ConfigSet(background(t), "maxclients", "1").Err())
	err := open(t, Config{URL: "redis://" + server.Addr()}).Probe(background(t))
	if err == nil || !strings.Contains(err.Error(), "max number of clients") {
		t.Errorf("got %v", err)
	}
}

// A server that restarts with much data answers before it is ready.
func TestLoading(t *testing.T) {
	server := servertest.Redis(t, "--key-load-delay", "500", "--loading-process-events-interval-bytes", "1024")
	client := direct(t, server, 0)
	ctx := background(t)
	pipe := client.Pipeline()
	for i := range 2000 { // a second of loading: long enough to be seen, short enough to wait for
		pipe.Set(ctx, fmt.Sprintf("key:%d", i), strings.Repeat("x", 100), 0)
	}
	_, err := pipe.Exec(ctx)
	must(t, err)
	must(t, client.Save(ctx).Err())
	s := open(t, Config{URL: "redis://" + server.Addr() + "/1"})
	var ready atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer ready.Store(true)
		if err := server.Server.Restart(ctx); err != nil {
			t.Error(err)
		}
	}()
	seen := 0
	for !ready.Load() {
		if errors.Is(s.Probe(ctx), ErrLoading) {
			seen++
		}
	}
	<-done
	if seen == 0 {
		t.Error("no probe came while the server was loading")
	}
	must(t, s.Probe(ctx))
}

// A server that is frozen accepts connections and says nothing.
func TestHung(t *testing.T) {
	server := servertest.Redis(t)
	for _, prefix := range []string{"", "p"} {
		s := open(t, Config{URL: "redis://" + server.Addr(), Prefix: prefix, Timeout: 10 * time.Millisecond})
		eventually(t, "a first answer", func() bool { return s.Probe(background(t)) == nil })
		server.Stop()
		for what, err := range everyError(background(t), s) { // all but the first have to dial
			limit := "within 10ms"
			if what == "sweep" || what == "purge" || what == "count" && prefix != "" {
				limit = "within 100ms"
			}
			if !errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) || !strings.HasSuffix(err.Error(), limit) {
				t.Errorf("prefix %q: %s of a frozen server: %v, want it %s", prefix, what, err, limit)
			}
		}
		server.Cont()
		eventually(t, "an answer after it goes on", func() bool { return s.Probe(background(t)) == nil })
	}
}

// What waits for a frozen server ends with its context, with Close, and whatever
// the timeout: nothing of it is left (goleak).
func TestHungEndsWithContextAndClose(t *testing.T) {
	server := servertest.Redis(t)
	for _, warm := range []bool{true, false} {
		s := open(t, Config{URL: "redis://" + server.Addr(), Timeout: time.Hour})
		if warm {
			must(t, s.Probe(background(t)))
		}
		server.Stop()
		ctx, cancel := context.WithCancel(background(t))
		done := make(chan map[string]error)
		go func() { done <- everyError(ctx, s) }()
		time.AfterFunc(20*time.Millisecond, cancel)
		for what, err := range <-done {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: %v", what, err)
			}
		}
		go func() { done <- everyError(background(t), s) }()
		time.AfterFunc(20*time.Millisecond, func() { s.Close() })
		for what, err := range <-done {
			if !errors.Is(err, ErrClosed) {
				t.Errorf("%s: %v", what, err)
			}
		}
		server.Cont()
	}
}

// A deadline of the caller's own is told apart from the timeout.
func TestDeadline(t *testing.T) {
	for kind, server := range map[string]*servertest.Server{"redis": servertest.Redis(t), "memcached": servertest.Memcached(t)} {
		for range 20 { // the network's deadline and the context's race
			// Each time another connection: one whose replies are long overdue is given up.
			s := open(t, Config{URL: kind + "://" + server.Addr(), Timeout: time.Hour})
			must(t, s.Probe(background(t)))
			server.Stop()
			ctx, cancel := context.WithTimeout(background(t), 2*time.Millisecond)
			for what, err := range everyError(ctx, s) {
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
					t.Errorf("%s: %s: %v", kind, what, err)
				}
			}
			cancel()
			server.Cont()
		}
	}
}

// An unnoticed deadline is over, and the context's timer has not said so yet: on a
// busy machine the network's is the quicker one.
type unnoticed struct {
	context.Context
	deadline time.Time
}

func (c unnoticed) Deadline() (time.Time, bool) { return c.deadline, true }

func TestDeadlineUnnoticed(t *testing.T) {
	for kind, server := range map[string]*servertest.Server{"redis": servertest.Redis(t), "memcached": servertest.Memcached(t)} {
		for _, warm := range []bool{true, false} {
			s := open(t, Config{URL: kind + "://" + server.Addr(), Timeout: time.Hour})
			if warm {
				must(t, s.Probe(background(t)))
			}
			server.Stop()
			ctx, cancel := context.WithTimeout(background(t), 100*time.Millisecond)
			for what, err := range everyError(unnoticed{ctx, time.Now()}, s) {
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrNoAnswer) {
					t.Errorf("%s, warm %v: %s: %v", kind, warm, what, err)
				}
			}
			cancel()
			server.Cont()
		}
	}
}

// Close and the context are looked at before anything is sent: what they start
// may come too late to stop it.
func TestNothingIsSentTooLate(t *testing.T) {
	server := startResp(t, func(_ int, command []string) string { return healthy(command) })
	s := openRedis(t, Config{URL: server.url()})
	session, err := s.newSession()
	must(t, err)
	defer session.close()
	ctx, cancel := context.WithCancel(background(t))
	cancel()
	wantError(t, session.run(ctx, func(context.Context, *redis.Client) error {
		t.Error("called with a context that has ended")
		return nil
	}), context.Canceled)
	must(t, s.Close())
	for range 1000 {
		e := s.begin(background(t), "test", 0)
		if e.ctx.Err() == nil {
			t.Fatal("an exchange begins after Close")
		}
		e.end()
	}
}

func TestNobodyThere(t *testing.T) {
	server := servertest.Redis(t)
	s := open(t, Config{URL: "redis://" + server.Addr()})
	must(t, s.Probe(background(t)))
	server.Kill()
	for range 10 { // more than go-redis dials before it begins to dial on its own
		for what, err := range everyError(background(t), s) {
			if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), server.Addr()) {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	server.Restart()
	must(t, s.Probe(background(t))) // at once
}

func TestTLSFailures(t *testing.T) {
	server := servertest.RedisTLS(t)
	strict := servertest.RedisTLS(t, "--tls-auth-clients", "yes")
	ca := filepath.Join(server.Dir(), "ca.pem")
	for _, tt := range []struct {
		name, url string
		files     TLSFiles
		want      string
	}{
		{"an unknown authority", "rediss://" + server.Addr(), TLSFiles{}, "certificate"},
		{"another authority", "rediss://" + server.Addr(), TLSFiles{CAFile: filepath.Join(strict.Dir(), "ca.pem")}, "certificate"},
		{"another name", "rediss://" + server.Addr(), TLSFiles{CAFile: ca, ServerName: "example.org"}, "example.org"},
		{"no certificate of its own", "rediss://" + strict.Addr(), TLSFiles{CAFile: filepath.Join(strict.Dir(), "ca.pem")}, ""},
		{"no TLS", "redis://" + server.Addr(), TLSFiles{}, ""},
	} {
		if err := open(t, Config{URL: tt.url, TLS: tt.files}).Probe(background(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	// A certificate that is replaced takes effect with the next connection.
	copied := filepath.Join(t.TempDir(), "ca.pem")
	replace := func(from string) {
		pem, err := os.ReadFile(from)
		must(t, err)
		must(t, os.WriteFile(copied, pem, 0o600))
	}
	replace(filepath.Join(strict.Dir(), "ca.pem"))
	s := open(t, Config{URL: "rediss://" + server.Addr(), TLS: TLSFiles{CAFile: copied}})
	if err := s.Probe(background(t)); err == nil {
		t.Error("another authority was accepted")
	}
	replace(ca)
	must(t, s.Probe(background(t)))
}
