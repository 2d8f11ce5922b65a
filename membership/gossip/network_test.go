package gossip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// The tests of this file use the real network, on loopback addresses.

// quickly is for tests that wait for it in real time.
var quickly = Timing{
	MinReady: 100 * time.Millisecond, BatchWindow: 50 * time.Millisecond, Dwell: 300 * time.Millisecond,
	ProbeInterval: 50 * time.Millisecond, ConflictAfter: 2 * time.Second,
}

// local is the configuration of a member on a free port of this machine.
func local(t *testing.T, name string, seeds ...*Gossip) Config {
	t.Helper()
	log, _ := newLog(t, slog.LevelDebug)
	cfg := Config{Name: name, Network: Local, Bind: "127.0.0.1:0", Timing: quickly, Logger: log}
	for _, s := range seeds {
		cfg.Seeds = append(cfg.Seeds, s.transport.self().String())
	}
	return cfg
}

func localNode(t *testing.T, name string, seeds ...*Gossip) Config {
	t.Helper()
	cfg := local(t, name, seeds...)
	cfg.Node = &NodeConfig{Address: name + ":6379", Server: newServer(), Bootstrap: len(seeds) == 0}
	return cfg
}

func mustJoin(t *testing.T, cfg Config) *Gossip {
	t.Helper()
	g, err := Join(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close of %s: %v", cfg.Name, err)
		}
	})
	return g
}

// sees waits until the views of all members have these owners.
func sees(t *testing.T, want string, members ...*Gossip) {
	t.Helper()
	for _, g := range members {
		eventually(t, g.cfg.Name+" sees the owners "+want, func() bool {
			v, err := g.Next(t.Context(), 0)
			return err == nil && fmt.Sprint(owners(v)) == want
		})
	}
}

// staysOut fails the test if a member gets in touch with its seeds. How long it
// is watched decides only how sure a wrong "ok" is ruled out: first it must have
// tried.
func staysOut(t *testing.T, g *Gossip, why string) {
	t.Helper()
	eventually(t, "an attempt to join fails with "+why, func() bool {
		err := g.Status().Seeds
		return err != nil && strings.Contains(err.Error(), why)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := g.Next(ctx, 0)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no member of cluster") {
		t.Errorf("a view, or an error that does not say why: %v", err)
	}
	if g.Status().Contact {
		t.Error("it is in contact")
	}
}

func TestThreeNodes(t *testing.T) {
	a := mustJoin(t, localNode(t, "a"))
	b := mustJoin(t, localNode(t, "b", a))
	c := mustJoin(t, localNode(t, "c", a))
	client := mustJoin(t, local(t, "", b))
	sees(t, "[a b c]", a, b, c, client)

	for _, m := range client.Members() {
		if wantKind := m.ID == client.cfg.Name; wantKind != (m.Kind == membership.Router) || !m.Alive || !m.Gossip.IsValid() {
			t.Errorf("member %+v", m)
		}
	}
	if s := b.Status(); !s.Contact || s.Node.State != membership.Active || !s.Healthy || s.Epoch == 0 || s.Seeds != nil {
		t.Errorf("status of b: %+v", s)
	}

	if err := b.SetWeight(3); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the weight of b is 3", func() bool {
		v, err := client.Next(t.Context(), 0)
		m, _ := v.Member("b")
		return err == nil && m.Weight == 3 && m.Step == ""
	})
	if err := b.SetWeight(-3); err == nil {
		t.Error("a weight below 0 was taken")
	}
	if err := client.SetWeight(3); err == nil {
		t.Error("a client was given a weight")
	}

	if err := b.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	sees(t, "[a c]", a, c, client)
	select {
	case <-b.Done():
	default:
		t.Error("b has left, and is not done")
	}
	if _, err := b.Next(t.Context(), 0); !errors.Is(err, membership.ErrClosed) || b.Err() != nil {
		t.Errorf("after it has left: %v, %v", err, b.Err())
	}
	if err := b.Leave(t.Context()); !errors.Is(err, membership.ErrClosed) {
		t.Errorf("a second leave: %v", err)
	}
	if err := client.Leave(t.Context()); err != nil {
		t.Errorf("leave of a client: %v", err)
	}
	eventually(t, "the client is gone", func() bool { return len(a.Members()) == 3 })
}

func TestWrongKeyLabelCluster(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	seed := localNode(t, "a")
	seed.Keys, seed.Label = [][]byte{key}, "blue"
	a := mustJoin(t, seed)
	tests := []struct {
		name   string
		change func(*Config)
		why    string
	}{
		{"key", func(c *Config) { c.Keys = [][]byte{bytes.Repeat([]byte{2}, 32)} }, "decrypt"},
		{"no key", func(c *Config) { c.Keys = nil }, "encrypt"},
		{"label", func(c *Config) { c.Label = "green" }, "has another label"},
		{"cluster", func(c *Config) { c.Cluster = "other" }, `member "a" is of cluster "ringway", this one of "other"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := local(t, "client", a)
			cfg.Keys, cfg.Label = seed.Keys, seed.Label
			tt.change(&cfg)
			staysOut(t, mustJoin(t, cfg), tt.why)
			if members := a.Members(); len(members) != 1 {
				t.Errorf("a sees %v", members)
			}
		})
	}
	cfg := local(t, "client", a)
	cfg.Keys, cfg.Label = seed.Keys, seed.Label
	sees(t, "[a]", mustJoin(t, cfg))
}

func TestKeyRotation(t *testing.T) {
	keys := make([][]byte, 4)
	for i := range keys {
		keys[i] = bytes.Repeat([]byte{byte(i + 1)}, 16+8*(i%3))
	}
	first := localNode(t, "a")
	first.Keys = keys[:3]
	a := mustJoin(t, first)
	second := localNode(t, "b", a)
	second.Keys = keys[:3]
	b := mustJoin(t, second)
	sees(t, "[a b]", a, b)

	var inUse, before [][]byte
	for _, step := range []func(*Gossip) error{
		func(g *Gossip) error { return g.AddKey(keys[3]) },
		func(g *Gossip) error { return g.UseKey(keys[3]) },
		func(g *Gossip) error {
			inUse = g.keyring.GetKeys() // as receivers of packets hold them
			before = slices.Clone(inUse)
			return g.RemoveKey(keys[0])
		},
	} {
		for _, g := range []*Gossip{a, b} {
			if err := step(g); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !slices.EqualFunc(inUse, before, bytes.Equal) {
		t.Error("the keys changed under the hands of who was using them")
	}
	if err := a.RemoveKey(keys[3]); err == nil {
		t.Error("the key in use was removed")
	}
	if err := a.UseKey(keys[0]); err == nil {
		t.Error("a key that was removed is used")
	}
	if err := a.RemoveKey(keys[0]); err == nil {
		t.Error("a key was removed twice")
	}
	if err := a.AddKey([]byte("short")); err == nil {
		t.Error("a short key was added")
	}
	if got := a.keyring.GetKeys(); len(got) != 3 || !bytes.Equal(got[0], keys[3]) {
		t.Errorf("a has the keys %v", got)
	}

	third := local(t, "new", b)
	third.Keys = keys[3:]
	sees(t, "[a b]", mustJoin(t, third))
	old := local(t, "old", b)
	old.Keys = keys[:1]
	staysOut(t, mustJoin(t, old), "decrypt")

	plain := mustJoin(t, localNode(t, "plain"))
	if err := plain.AddKey(keys[0]); !errors.Is(err, ErrNotEncrypted) {
		t.Errorf("a key for a member without encryption: %v", err)
	}
}

func TestNameTaken(t *testing.T) {
	a := mustJoin(t, localNode(t, "a"))
	b := mustJoin(t, localNode(t, "b", a))
	sees(t, "[a b]", a, b)
	cfg := localNode(t, "b", a)
	cfg.Node.Address = "elsewhere:6379"
	impostor := mustJoin(t, cfg)
	<-impostor.Done()
	var taken *NameTakenError
	if !errors.As(impostor.Err(), &taken) || taken.Name != "b" || taken.There != b.transport.self() || taken.Here != impostor.transport.self() {
		t.Fatalf("the impostor ended with %v", impostor.Err())
	}
	sees(t, "[a b]", a, b)
	for _, g := range []*Gossip{a, b} {
		v, _ := g.Next(t.Context(), 0)
		if m, _ := v.Member("b"); m.Address != "b:6379" {
			t.Errorf("%s has b at %s", g.cfg.Name, m.Address)
		}
	}
	if a.Stats().Conflicts == 0 || b.Err() != nil {
		t.Errorf("a counts %d conflicts, b ended with %v", a.Stats().Conflicts, b.Err())
	}
	if err := impostor.Leave(t.Context()); err != nil {
		t.Errorf("leave of the impostor: %v", err)
	}
}

func TestAllowGossip(t *testing.T) {
	cfg := localNode(t, "a")
	cfg.AllowGossip = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	a := mustJoin(t, cfg)
	sees(t, "[a]", mustJoin(t, local(t, "client", a)))

	// A member from elsewhere gets nothing in: no record by a stream, none by a
	// packet, although it says that it is where it may be.
	stranger := localNode(t, "stranger", a)
	stranger.Bind = "127.0.0.2:0"
	g := mustJoin(t, stranger)
	staysOut(t, g, "another label, or allows no members from here")
	eventually(t, "the refusal is counted", func() bool { return a.Stats().Ignored["network"] > 0 })
	record := ledger.Message{Cluster: "ringway", Records: []ledger.Record{someRecord("stranger")}}
	const userMessage = 8 // memberlist's number for what NotifyMsg gets
	packet := append([]byte{userMessage}, record.Encode()...)
	conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)}, net.UDPAddrFromAddrPort(a.transport.self()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	refused := a.Stats().Ignored["network"]
	if _, err := conn.Write(packet); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the packet is refused", func() bool { return a.Stats().Ignored["network"] > refused })
	for _, m := range a.Members() {
		if m.ID == "stranger" {
			t.Errorf("a has %+v", m)
		}
	}
}

// TestOwnSeedByAnotherName: a member that reaches itself by an address that it
// does not know to be its own is in contact with nobody.
func TestOwnSeedByAnotherName(t *testing.T) {
	cfg := localNode(t, "a")
	cfg.Advertise, cfg.Node.Bootstrap = "127.0.0.9", false
	cfg.Bind = proctest.Address(t)
	cfg.Seeds = []string{cfg.Bind}
	a := mustJoin(t, cfg)
	var rounds int
	eventually(t, "it has asked itself some times", func() bool {
		inLoop(a, func(l *loop) {
			if l.contact.understood && !l.contact.asking {
				rounds++
			}
		})
		return rounds > 3
	})
	if s := a.Status(); s.Contact || s.Node.State != membership.Joining {
		t.Errorf("status: %+v", s)
	}
}

func TestIPv6(t *testing.T) {
	if c, err := net.ListenPacket("udp6", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 on this machine: %v", err)
	} else {
		c.Close()
	}
	cfg := localNode(t, "a")
	cfg.Bind = "[::1]:0"
	a := mustJoin(t, cfg)
	client := local(t, "client", a)
	client.Bind = "[::]:0"
	client.Advertise = "::1"
	sees(t, "[a]", mustJoin(t, client))
}

// TestCloseDoesNotWait for a seed that accepts and says nothing: memberlist would
// for 10 s.
func TestCloseDoesNotWait(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	cfg := local(t, "client")
	cfg.Network, cfg.Timing, cfg.Seeds = LAN, Timing{}, []string{silent.Addr().String()}
	g := mustJoin(t, cfg)
	conn, err := silent.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	_ = g.Close()
	if lasted := time.Since(began); lasted > 8*time.Second {
		t.Errorf("it took %v", lasted)
	}
}

// TestAddressInUse: Join fails, and nothing is left behind.
func TestAddressInUse(t *testing.T) {
	a := mustJoin(t, localNode(t, "a"))
	cfg := localNode(t, "b", a)
	cfg.Bind = a.transport.self().String()
	if _, err := Join(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Join(ctx, localNode(t, "c", a)); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}
