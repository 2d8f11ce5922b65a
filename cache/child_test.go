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

	"github.com/ringway/ringway/internal/proofs"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
)

func memcachedItemOf(key string, value []byte) router.Item {
	return router.Item{Key: key, Value: value}
}

// child is what the test binary does when it is another process of the fleet: it
// waits for a line, has many goroutines get one key, and prints what came of it.
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
	childCallers = 10_000
	childLease   = childVariable + "_LEASE" // how long a lease of the child lasts
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
	cfg := router.Config{Source: source}
	store, err := childStore(ctx, kind, cfg)
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
	<-lines
	var all sync.WaitGroup
	var failed atomic.Int64
	for range childCallers {
		all.Go(func() {
			if v, _, err := s.Get(ctx, ada); err != nil || v.Name != "Ada" {
				failed.Add(1)
			}
		})
	}
	all.Wait()
	fmt.Printf("done %d %d\n", loads.Load(), failed.Load())
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

// Three processes, each with ten thousand callers, want one key that is not there:
// one load. With its process killed during it: two.
func TestStampede(t *testing.T) {
	for _, b := range backends[1:] {
		for _, kill := range []bool{false, true} {
			t.Run(fmt.Sprint(b.name, " killed ", kill), func(t *testing.T) {
				addresses := b.start(t, 2)
				lease := time.Minute
				if kill {
					lease = 5 * time.Second // to be waited for
				}
				var all []*process
				for range 3 {
					p := startChild(t, b.name, addresses, lease)
					all = append(all, p)
				}
				for _, p := range all {
					if line := p.next(); line != "ready" {
						t.Fatalf("a process said %q", line)
					}
				}
				for _, p := range all {
					p.say(t, "go")
				}
				stampede(t, all, kill)
			})
		}
	}
}

// stampede follows the processes to their end. The first that loads is killed, if
// so wanted, in the middle of it.
func stampede(t *testing.T, all []*process, kill bool) {
	t.Helper()
	type said struct {
		p    *process
		line string
	}
	out := make(chan said)
	var readers sync.WaitGroup
	defer readers.Wait()
	for _, p := range all {
		readers.Go(func() {
			for line := p.next(); ; line = p.next() {
				if out <- (said{p, line}); line == "" {
					return
				}
			}
		})
	}
	loads, failed, want := 0, 0, 1
	var killed time.Time
	next := "" // load, when one was killed
	if kill {
		want = 2
	}
	for ended := 0; ended < len(all); {
		s := <-out
		var n, f int
		switch {
		case s.line == "":
			ended++
		case s.line == "loading":
			if loads++; kill && loads == 1 {
				_ = s.p.cmd.Process.Kill()
				killed = time.Now()
			} else {
				if kill && next == "" {
					next = fmt.Sprintf("; the second began %.1f s after the kill, of a lease of 5 s", time.Since(killed).Seconds())
				}
				s.p.say(t, "proceed")
			}
		default:
			if _, err := fmt.Sscanf(s.line, "done %d %d", &n, &f); err != nil {
				t.Errorf("a process said %q", s.line)
			}
			failed += f
		}
	}
	proofs.Record(t, proofs.Row{Proof: "stampede", Got: fmt.Sprintf("%d processes × %d callers; loads: %d, callers that failed: %d%s", len(all), childCallers, loads, failed, next)})
	if loads != want || failed > 0 {
		t.Errorf("%d loads, want %d; %d callers failed", loads, want, failed)
	}
}
