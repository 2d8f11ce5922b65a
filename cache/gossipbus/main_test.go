package gossipbus

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/memnet"
	"github.com/ringway/ringway/membership/gossip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type number int64

func (n number) AppendKey(b *cache.KeyBuilder) { b.Int(int64(n)) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// fleet is a number of members on a network in memory, which all begin with the first.
type fleet struct {
	t       *testing.T
	network *memnet.Network
	members []*gossip.Gossip
}

func newFleet(t *testing.T, seed uint64, loss float64) *fleet {
	t.Helper()
	n, err := memnet.New(memnet.Config{Seed: seed, Delay: time.Millisecond, Jitter: time.Millisecond, Loss: loss})
	if err != nil {
		t.Fatal(err)
	}
	return &fleet{t: t, network: n}
}

func (f *fleet) end() {
	for _, g := range f.members {
		_ = g.Close()
	}
	time.Sleep(memnet.Linger)
}

// join adds a member; the first one is an agent, which begins the fleet.
func (f *fleet) join() *gossip.Gossip {
	f.t.Helper()
	at := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(len(f.members)+1))
	transport, err := f.network.Listen(at)
	if err != nil {
		f.t.Fatal(err)
	}
	cfg := gossip.Config{Name: fmt.Sprint("m", len(f.members)), Seeds: []string{"10.0.0.1:1"}, Transport: transport, Logger: quiet}
	if len(f.members) == 0 {
		cfg.Node = &gossip.NodeConfig{Address: "m0:6379", Server: server{}, Bootstrap: true}
	}
	return f.add(cfg)
}

func (f *fleet) add(cfg gossip.Config) *gossip.Gossip {
	f.t.Helper()
	g, err := gossip.Join(f.t.Context(), cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	f.members = append(f.members, g)
	return g
}

// server is one that serves and has no keys.
type server struct{}

func (server) Probe(context.Context) error                             { return nil }
func (server) Count(context.Context) (int64, error)                    { return 0, nil }
func (server) Purge(context.Context) (int64, error)                    { return 0, nil }
func (server) Sweep(context.Context, func(string) bool) (int64, error) { return 0, nil }

// process is a manager with a bus over the member, and a first level that would keep
// values for an hour.
func process(t *testing.T, g *gossip.Gossip, store cache.Store, needsBus bool, load cache.Loader[number, int64]) (*cache.Space[number, int64], *cache.Manager) {
	t.Helper()
	bus, err := New(g, "test", Config{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := cache.NewManager(cache.ManagerConfig{Store: store, Bus: bus})
	if err != nil {
		t.Fatal(err)
	}
	s, err := cache.NewSpace(m, cache.SpaceConfig[number, int64]{Name: "n", Load: load, Life: cache.LifeConfig{TTL: 10 * time.Hour},
		L1: cache.L1Config{MaxBytes: 1 << 20, TTL: time.Hour, NeedsBus: needsBus}})
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func mustGet(t *testing.T, s *cache.Space[number, int64], key number) (int64, cache.Meta) {
	t.Helper()
	v, meta, err := s.Get(context.Background(), key)
	if err != nil {
		t.Fatal(err)
	}
	return v, meta
}
