package cache

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

func memcachedItemOf(key string, value []byte) router.Item {
	return router.Item{Key: key, Value: value}
}

// child is what the test binary does when it is another process of the fleet: it
// waits for a line that says how many, has so many goroutines get one key, and prints
// what came of it.
// Its loader prints "loading" and waits for a line.
func child() int {
	kind, addresses, _ := strings.Cut(os.Getenv(childVariable), " ")
	run := childRun
	if kind == "coherence" {
		run = coherenceRun
	}
	if kind == "behind" {
		run = behindRun
	}
	if kind == "later" {
		run = laterRun
	}
	if err := run(kind, strings.Fields(addresses)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

const (
	childLease = childVariable + "_LEASE" // how long a lease of the child lasts
	oldAda     = "Ada of before"          // what an entry past its end has
)

func childRun(kind string, addresses []string) error {
	ctx := context.Background()
	var members []membership.Member
	for i, a := range addresses {
		m := membership.Member{ID: string(rune('a' + i)), Address: a}
		if kind == "memcached" {
			m.Kind = membership.Memcached
		}
		members = append(members, m)
	}
	source, err := membership.Static(members...)
	if err != nil {
		return err
	}
	store, err := childStore(ctx, kind, patient(source))
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			lines <- in.Text()
		}
	}()
	m, err := NewManager(ManagerConfig{Store: store})
	if err != nil {
		return err
	}
	life, err := time.ParseDuration(os.Getenv(childLease))
	if err != nil {
		return err
	}
	var loads atomic.Int64
	s, err := NewSpace(m, SpaceConfig[userKey, user]{Name: "user", Schema: 3,
		Loads: LoadsConfig{Timeout: life, Lease: life},
		Load: func(context.Context, userKey) (Loaded[user], error) {
			loads.Add(1)
			fmt.Println("loading")
			<-lines
			return Loaded[user]{Value: user{Name: "Ada"}}, nil
		}})
	if err != nil {
		return err
	}
	fmt.Println("ready")
	callers := 0
	if _, err := fmt.Sscanf(<-lines, "go %d", &callers); err != nil {
		return err
	}
	var all sync.WaitGroup
	var failed, stale atomic.Int64
	for range callers {
		all.Go(func() {
			switch v, meta, err := s.Get(ctx, ada); {
			case err == nil && v.Name == "Ada":
			case err == nil && v.Name == oldAda && meta.Source == FromStale:
				stale.Add(1)
			default:
				failed.Add(1)
			}
		})
	}
	all.Wait()
	// Who got the old value has left a load behind, which ends with the process.
	for source := FromStale; source == FromStale; {
		_, meta, err := s.Get(ctx, ada)
		if source = meta.Source; err != nil {
			return err
		}
	}
	fmt.Printf("done %d %d %d\n", loads.Load(), failed.Load(), stale.Load())
	if st := s.Stats(); st.StoreErrors > 0 {
		fmt.Fprintf(os.Stderr, "a process of the stampede: %+v\n", st)
	}
	return m.Close()
}

func childStore(ctx context.Context, kind string, cfg router.Config) (Store, error) {
	if kind == "redis" {
		client, err := router.NewRedis(ctx, cfg)
		return OnRedis(client), err
	}
	client, err := router.NewMemcached(ctx, cfg)
	return OnMemcached(client), err
}

type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
}

func startChild(t *testing.T, kind string, addresses []string, lease time.Duration) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	p := &process{cmd: exec.CommandContext(ctx, os.Args[0])}
	p.cmd.Env = append(os.Environ(), childVariable+"="+kind+" "+strings.Join(addresses, " "), childLease+"="+lease.String())
	p.cmd.Stderr = os.Stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.lines = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		cancel()
	})
	return p
}

func (p *process) next() string {
	if p.lines.Scan() {
		return p.lines.Text()
	}
	return "" // it has ended
}

func (p *process) say(t *testing.T, line string) {
	t.Helper()
	if _, err := fmt.Fprintln(p.stdin, line); err != nil {
		t.Fatal(err)
	}
}
