//go:build unix

package fleettest

import (
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/internal/servertest"
)

// strangers: agents that must not get in, all at once. No ring changes for them,
// and nobody dials the server that one of them announces although it is outside
// of the networks in which servers may be. (The epoch may grow: the rogue counts
// on for itself, and who is let in tells its count with the rest of what it knows.)
func (f *fleet) strangers() {
	trap := newTrap(f.t)
	defer trap.check(f.t)
	second := f.stranger("redis-b")
	wrongKey := f.stranger("wrong-key", "--encrypt-key-file", keyFile(f.t, "wrong"))
	wrongLabel := f.stranger("wrong-label", "--label", "outside")
	f.stranger("rogue", "--allow-servers", "127.0.0.0/8,::1", "--server-address", trap.address)

	// The rogue has the key and the label, so that it is a member; its server is not.
	for _, r := range f.routers {
		if r.gossips {
			eventually(f.t, r.name+" ignores the rogue", func() (bool, string) {
				s := r.status(f.t)
				return s.Ignored["server"] > 0, ""
			})
		}
	}
	for _, p := range []*process{wrongKey, wrongLabel} {
		eventually(f.t, p.name+" is not let in", func() (bool, string) {
			log := p.log.String()
			return strings.Contains(log, "no seed was joined"), log
		})
	}
	if code := second.exit(f.t); code != cli.ExitFailed || !strings.Contains(second.log.String(), `"redis-b" is taken`) {
		f.t.Errorf("a second agent for redis-b: exit %d: %s", code, second.log.Tail())
	}
	f.settled("strangers are at the door")
	f.working("strangers are at the door")
	for _, p := range []*process{wrongKey, wrongLabel} {
		if strings.Contains(p.log.String(), "in contact with the fleet") {
			f.t.Errorf("%s is in contact with the fleet", p.name)
		}
	}
	f.onlyFailed("strangers are at the door", "redis-c")
}

// stranger starts an agent of a server of its own, with arguments that go before
// those of the fleet.
func (f *fleet) stranger(id string, args ...string) *process {
	f.t.Helper()
	server := servertest.Redis(f.t)
	all := append(f.agentArgs(id, "redis://"+server.Addr()), "--bind", proctest.Address(f.t), "--http", "none", "--join", f.seeds(""))
	for i := 0; i < len(args); i += 2 {
		if at := slices.Index(all, args[i]); at >= 0 { // lists would be added up
			all = slices.Delete(all, at, at+2)
		}
	}
	return start(f.t, id, program(f.t, "ringway"), append(all, args...)...)
}

// trap is a port that counts who dials it.
type trap struct {
	address string
	dialled atomic.Int64
}

// newTrap listens on loopback outside of what the fleet allows: on an address
// that only some systems have without further ado, or on IPv6.
func newTrap(t *testing.T) *trap {
	t.Helper()
	var l net.Listener
	var err error
	for _, at := range []string{"127.0.0.66:0", "[::1]:0"} {
		if l, err = net.Listen("tcp", at); err == nil {
			break
		}
	}
	if err != nil {
		t.Fatalf("no loopback address beside 127.0.0.1: %v", err)
	}
	tr := &trap{address: l.Addr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			tr.dialled.Add(1)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-ended })
	return tr
}

// check fails the test if anybody has dialled, and makes sure that the trap would
// have noticed.
func (tr *trap) check(t *testing.T) {
	t.Helper()
	before := tr.dialled.Load()
	if before != 0 {
		t.Errorf("the rogue's server was dialled %d times", before)
	}
	c, err := net.Dial("tcp", tr.address)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	eventually(t, "the trap has noticed", func() (bool, string) { return tr.dialled.Load() == before+1, "" })
}
