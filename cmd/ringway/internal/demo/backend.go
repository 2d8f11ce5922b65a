package demo

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/membership"
)

// Backend says what the data servers are.
type Backend string

const (
	Redis     Backend = "redis"     // redis-server processes
	Memcached Backend = "memcached" // memcached processes
	Embedded  Backend = "embedded"  // servers of this program, a process each
)

// Backends are all of them, in the order in which they are shown.
var Backends = []Backend{Redis, Memcached, Embedded}

// Choose returns redis-server where it is installed, else embedded servers.
func Choose() Backend {
	if _, err := servers.Find(servers.Redis); err == nil {
		return Redis
	}
	return Embedded
}

// Check fails if the program of the backend is not installed.
func (b Backend) Check() error {
	var err error
	switch b {
	case Redis:
		_, err = servers.Find(servers.Redis)
	case Memcached:
		_, err = servers.Find(servers.Memcached)
	}
	return err
}

func (b Backend) kind() membership.Kind {
	if b == Memcached {
		return membership.Memcached
	}
	return membership.Redis
}

// program is what people call a server of it.
func (b Backend) program() string {
	switch b {
	case Redis:
		return string(servers.Redis)
	case Memcached:
		return string(servers.Memcached)
	}
	return "embedded server"
}

// version asks the installed program; empty if it does not say.
func (b Backend) version(ctx context.Context) string {
	path, err := servers.Find(servers.Kind(b.program()))
	if b == Embedded || err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	flag := "--version"
	if b == Memcached {
		flag = "-V"
	}
	out, err := exec.CommandContext(ctx, path, flag).Output()
	if err != nil {
		return ""
	}
	for word := range strings.FieldsSeq(string(out)) { // "Redis server v=7.0.15 …", "memcached 1.6.18"
		word = strings.TrimPrefix(word, "v=")
		if strings.Count(word, ".") >= 2 && word[0] >= '0' && word[0] <= '9' {
			return word
		}
	}
	return ""
}

// tolerance is by how much a time to live may differ from what it should be.
// Redis counts milliseconds: what is left is the way to the server and back on a
// busy machine, and for embedded servers the step of their clock. Memcached counts
// whole seconds, rounds them up, and is told them once more when an item moves.
func (b Backend) tolerance() time.Duration {
	if b == Memcached {
		return 3 * time.Second
	}
	return 100 * time.Millisecond
}

// A dataServer is one process that holds keys.
type dataServer interface {
	Addr() string
	Kill() error // as a crash would, and waits until it is gone
	Close() error
}

// start starts a server in a folder of its own below dir.
func (b Backend) start(ctx context.Context, program, dir, id string) (dataServer, error) {
	if b == Embedded {
		p, err := startProcess(dir, id+".server", program, ServeCommand)
		if err != nil {
			return nil, err
		}
		address, err := p.says(ctx, func(line string) string {
			at, found := strings.CutPrefix(line, listening)
			if !found {
				return ""
			}
			return at
		})
		if err != nil {
			p.kill()
			return nil, err
		}
		return &embeddedServer{p, address}, nil
	}
	own := filepath.Join(dir, id)
	if err := os.Mkdir(own, 0o700); err != nil {
		return nil, err
	}
	var args []string
	if b == Memcached {
		args = []string{"-m", "256"} // MB: enough that it evicts nothing
	}
	s, err := servers.Start(ctx, servers.Config{Kind: servers.Kind(b.program()), Dir: own, Args: args})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	return s, nil
}

// ServeCommand is the subcommand that serves as an embedded server: it calls
// ServeEmbedded.
const ServeCommand = "demo-server"

type embeddedServer struct {
	*process
	address string
}

func (s *embeddedServer) Addr() string { return s.address }
func (s *embeddedServer) Kill() error  { s.kill(); return nil }
func (s *embeddedServer) Close() error { return s.Kill() }
