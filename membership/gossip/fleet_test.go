package gossip

import (
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/memnet"
	"github.com/ringway/ringway/membership"
)

// fleet is a fleet on a network in memory. All of it runs in virtual time.
type fleet struct {
	t       *testing.T
	network *memnet.Network
	log     *slog.Logger
	members map[string]*Gossip // those that the fleet consists of
	all     []*Gossip
	servers map[string]*fakeServer
	ports   uint16
	joined  func(name string, g *Gossip) // called for each member that starts; nil: nothing
}

func newFleet(t *testing.T, seed uint64) *fleet {
	t.Helper()
	return newFleetOn(t, memnet.Config{Seed: seed, Delay: time.Millisecond, Jitter: time.Millisecond})
}

func newFleetOn(t *testing.T, network memnet.Config) *fleet {
	t.Helper()
	n, err := memnet.New(network)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := newLog(t, slog.LevelInfo)
	return &fleet{t: t, network: n, log: log, members: make(map[string]*Gossip), servers: make(map[string]*fakeServer)}
}

func (f *fleet) end() {
	for _, g := range f.all {
		_ = g.Close()
	}
	time.Sleep(memnet.Linger)
}

// config is that of a member at an address of its own. Seeds are the first two.
func (f *fleet) config(name string) Config {
	f.t.Helper()
	f.ports++
	return f.configAt(name, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), f.ports))
}

func (f *fleet) configAt(name string, at netip.AddrPort) Config {
	f.t.Helper()
	tr, err := f.network.Listen(at)
	if err != nil {
		f.t.Fatal(err)
	}
	return Config{Name: name, Seeds: []string{"10.0.0.1:1", "10.0.0.1:2"}, Transport: tr, Logger: f.log}
}

func (f *fleet) join(cfg Config) *Gossip {
	f.t.Helper()
	g, err := Join(f.t.Context(), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.members[cfg.Name] = g
	f.all = append(f.all, g)
	if f.joined != nil {
		f.joined(cfg.Name, g)
	}
	return g
}

// node makes a node join. Its server outlives the agent.
func (f *fleet) node(name string, changes ...func(*Config)) *Gossip {
	f.t.Helper()
	return f.nodeWith(f.config(name), changes...)
}

func (f *fleet) nodeWith(cfg Config, changes ...func(*Config)) *Gossip {
	f.t.Helper()
	if f.servers[cfg.Name] == nil {
		f.servers[cfg.Name] = newServer()
	}
	cfg.Node = &NodeConfig{Address: cfg.Name + ":6379", Server: f.servers[cfg.Name]}
	for _, change := range changes {
		change(&cfg)
	}
	return f.join(cfg)
}

func bootstrap(c *Config) { c.Node.Bootstrap = true }

// start makes a fleet of these nodes, the first one of which begins it, and of a
// client.
func (f *fleet) start(names ...string) {
	f.t.Helper()
	for i, name := range names {
		if i == 0 {
			f.node(name, bootstrap)
		} else {
			f.node(name)
		}
	}
	f.join(f.config("client"))
	f.agree(2*time.Minute, names...)
}

// view returns the newest view of a member.
func (f *fleet) view(g *Gossip) membership.View {
	f.t.Helper()
	v, err := g.Next(f.t.Context(), 0)
	if err != nil {
		f.t.Fatal(err)
	}
	return v
}

func owners(v membership.View) (ids []string) {
	for _, n := range v.Current(membership.Redis) {
		ids = append(ids, n.ID)
	}
	return ids
}

// agree waits until all members have the same stable view with these owners, and
// returns how long that took.
func (f *fleet) agree(within time.Duration, want ...string) time.Duration {
	f.t.Helper()
	began := time.Now()
	for {
		why := f.difference(want)
		if why == "" {
			return time.Since(began)
		}
		if time.Since(began) > within {
			f.t.Fatalf("after %v: %s", within, why)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func (f *fleet) difference(want []string) string {
	var first membership.View
	for name, g := range f.members {
		v := f.view(g)
		if _, phase := v.Transition(membership.Redis); phase != membership.Stable || !slices.Equal(owners(v), want) {
			return fmt.Sprintf("%s sees owners %v in phase %v, want %v", name, owners(v), phase, want)
		}
		if first.Members == nil {
			first = v
		}
		if v.Epoch != first.Epoch || v.Fingerprints[membership.Redis] != first.Fingerprints[membership.Redis] {
			return fmt.Sprintf("%s has epoch %d, another member %d", name, v.Epoch, first.Epoch)
		}
	}
	return ""
}

// agreeAmong is agree for some of the members.
func (f *fleet) agreeAmong(members []string, within time.Duration, want ...string) {
	f.t.Helper()
	all := f.members
	f.members = make(map[string]*Gossip)
	for _, name := range members {
		f.members[name] = all[name]
	}
	f.agree(within, want...)
	f.members = all
}

// crash ends a member without a word, with its machine.
func (f *fleet) crash(name string) (at netip.AddrPort) {
	g := f.members[name]
	delete(f.members, name)
	at = g.Status().Gossip
	f.network.Crash(at)
	_ = g.Close()
	return at
}

// virtually runs a test in virtual time, with a fleet that has no members yet.
func virtually(t *testing.T, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		defer f.end()
		test(t, f)
	})
}
