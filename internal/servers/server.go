package servers

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// startDeadline bounds how long a server may take until it is ready, when the
// caller's context does not end sooner. Both servers need milliseconds; a
// machine that is busy compiling needs patience.
const startDeadline = 30 * time.Second

// portAttempts is how often Start takes another port after the one it chose was
// taken between its choice and the server's bind.
const portAttempts = 8

// Kind names a server program.
type Kind string

const (
	Redis     Kind = "redis-server"
	Memcached Kind = "memcached"
)

// ErrNotInstalled is wrapped by the error of Start and Find when the program is
// not on the PATH.
var ErrNotInstalled = errors.New("not installed")

// Config says what to start.
type Config struct {
	// Kind is the program. Required.
	Kind Kind

	// Dir is an existing folder for the server's data, log and certificates,
	// its own as long as it runs. Required; nothing in it is removed.
	Dir string

	// Args are appended to the arguments that make the server listen, and so
	// win over the defaults: no persistence, one loopback address, and for
	// memcached 64 MB. Port, address and log settings must be left alone.
	Args []string

	// TLS makes the server speak TLS only, with a certificate made for it.
	// Server.TLS returns what a client needs.
	TLS bool

	// Unix makes memcached listen on a socket in Dir in place of a port:
	// Server.Addr is then its path. Redis is given --unixsocket in Args.
	Unix bool

	// Users are the ACL users of a Redis server, a rule each without the
	// leading "user": "alice on >secret ~* &* +@all". Naming "default" changes
	// the user of connections that do not authenticate.
	Users []string
}

// Server is a process that was started. Its methods may be called by several
// goroutines.
type Server struct {
	config Config
	bin    string
	addr   string
	port   int
	lock   *net.UDPConn // holds port, see doc.go; nil with a Unix socket
	tls    *tls.Config  // of a client; nil without TLS

	mu      sync.Mutex // guards the following, and one change at a time
	process *process   // nil after Close
}

// Find returns the path of a server program, or an error that wraps
// ErrNotInstalled.
func Find(kind Kind) (string, error) {
	bin, err := exec.LookPath(string(kind))
	if err != nil {
		return "", fmt.Errorf("servers: %s: %w", kind, ErrNotInstalled)
	}
	return bin, nil
}

// Start starts a server and waits until it is ready. The context bounds the
// wait alone: a server outlives it. The caller closes the server.
func Start(ctx context.Context, config Config) (*Server, error) {
	if config.Kind != Redis && config.Kind != Memcached {
		return nil, fmt.Errorf("servers: kind: got %q, want %q or %q", config.Kind, Redis, Memcached)
	}
	if config.Kind == Redis && config.Unix || config.Kind == Memcached && config.Users != nil {
		return nil, fmt.Errorf("servers: %s: Unix is for memcached, Users is for redis-server", config.Kind)
	}
	if info, err := os.Stat(config.Dir); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("servers: %s: dir: got %q, want an existing folder", config.Kind, config.Dir)
	}
	bin, err := Find(config.Kind)
	if err != nil {
		return nil, err
	}
	s := &Server{config: config, bin: bin}
	if config.TLS {
		if s.tls, err = writeCertificate(config.Dir); err != nil {
			return nil, err
		}
	}
	if err := s.writeUsers(); err != nil {
		return nil, err
	}
	if config.Unix {
		s.addr = filepath.Join(config.Dir, "memcached.sock")
		err = s.launch(ctx)
	} else {
		err = s.launchOnPort(ctx, reservePort)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// launchOnPort launches the server on a port that reserve returns, and on
// another one if somebody took that port in the meantime.
func (s *Server) launchOnPort(ctx context.Context, reserve func() (int, *net.UDPConn, error)) (err error) {
	for range portAttempts {
		if s.port, s.lock, err = reserve(); err != nil {
			return err
		}
		s.addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if err = s.launch(ctx); err == nil {
			return nil
		}
		s.release()
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	return err
}

func (s *Server) release() {
	if s.lock != nil {
		s.lock.Close()
		s.lock = nil
	}
}

// launch starts the process and waits until it is ready; the caller holds mu or
// is alone.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startDeadline)
	defer cancel()
	p, err := startProcess(s.bin, s.args(), s.config.Dir)
	if err != nil {
		return fmt.Errorf("servers: %s: %w", s.config.Kind, err)
	}
	if err := s.waitReady(ctx, p); err != nil {
		p.end()
		return fmt.Errorf("servers: %s on %s: %w\n%s", s.config.Kind, s.addr, err, p.log())
	}
	s.process = p
	return nil
}

// Addr returns where the server listens, "127.0.0.1:PORT" or the path of its
// Unix socket. It stays the same when the server is restarted.
func (s *Server) Addr() string { return s.addr }

// Dir returns the server's folder.
func (s *Server) Dir() string { return s.config.Dir }

// Kind returns the server's program.
func (s *Server) Kind() Kind { return s.config.Kind }

// TLS returns a client's configuration, a copy each time, that trusts this
// server and presents a certificate to it; nil if the server does not speak TLS.
func (s *Server) TLS() *tls.Config { return s.tls.Clone() }

// Pid returns the number of the process, of the last one if it has ended, 0
// after Close.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.pid()
}

// Kill ends the process with SIGKILL, as a crash would, and returns when it is
// gone. Killing a server that is down does nothing.
func (s *Server) Kill() error {
	return s.with(func(p *process) error { p.end(); return nil })
}

// Stop freezes the process with SIGSTOP: connections stay open and the system
// goes on accepting them, but nothing answers. It returns when the process
// stands still. Cont undoes it; Kill, Restart and Close work on a frozen
// process.
func (s *Server) Stop() error { return s.with((*process).stop) }

// Cont lets a frozen process go on, with SIGCONT.
func (s *Server) Cont() error { return s.with((*process).cont) }

// Restart starts the server again on the same port with the same data folder
// and arguments, and waits until it is ready. One that still runs is killed
// first. What it had in memory is gone, unless Args make it persistent.
func (s *Server) Restart(ctx context.Context) error {
	return s.with(func(p *process) error {
		p.end()
		return s.launch(ctx)
	})
}

// Close kills the process, waits until it is gone, and frees the port. Later
// calls do nothing.
func (s *Server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.end()
		s.process = nil
		s.release()
	}
	return nil
}

// Log returns the end of what the server wrote, through all its restarts.
func (s *Server) Log() string { return readTail(filepath.Join(s.config.Dir, logName)) }

func (s *Server) with(f func(*process) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return fmt.Errorf("servers: %s on %s is closed", s.config.Kind, s.addr)
	}
	if err := f(s.process); err != nil {
		return fmt.Errorf("servers: %s on %s: %w", s.config.Kind, s.addr, err)
	}
	return nil
}
