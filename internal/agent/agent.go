package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/ring"
)

// Config says what the agent speaks for, and how.
type Config struct {
	Server dataserver.Config
	HTTP   HTTPConfig

	// Gossip is the member's configuration. Its Node must be set; Kind, Address
	// (if empty), HTTP, Server, HandOver and the Logger are filled in here.
	Gossip gossip.Config

	// Mover brings the keys that change owner in a transition from this node to
	// their new owners; nil: New makes one, as Move says. It is closed in the end.
	Mover Mover
	Move  MoveConfig

	// KeepAfterRestart leaves a server alone that was restarted and came back with
	// keys. By default it is emptied: they may be old.
	KeepAfterRestart bool

	Logger  *slog.Logger // nil means slog.Default()
	Version string       // of the program, for the metrics
}

// HTTPConfig says where questions are answered.
type HTTPConfig struct {
	Address string // host:port or unix:///path; empty: nowhere
	Token   string // that changes need; empty: a connection from this machine

	// Advertise is the host:port at which others reach Address, if that is not
	// what is listened on; its name must be short, see gossip.NodeConfig.HTTP.
	Advertise string

	// CertFile and KeyFile, PEM, make it HTTPS. They are read again for each
	// connection.
	CertFile, KeyFile string
}

// ErrUnfinished is returned by Run when the node left before all its keys were
// handed over.
var ErrUnfinished = errors.New("agent: the node left before all its keys were handed over")

// ErrCut is returned by Run when its context ended before the node had left.
var ErrCut = errors.New("agent: ended before the node had left: the fleet will find out as after a crash")

// Agent speaks for one data server. Make one with New; it is safe for concurrent
// use.
type Agent struct {
	cfg      Config
	log      *slog.Logger
	data     *server
	gossip   *gossip.Gossip
	board    *board
	front    *front
	counters counters

	listener net.Listener // nil: no HTTP
	stop     context.CancelFunc
	fence    fence // nil: none is needed

	leaving   chan struct{} // holds one while Leave has to be heeded
	joined    chan struct{} // closed when gossip is set
	departing atomic.Bool   // since Leave or Drain, unless that was aborted
	patient   atomic.Bool   // it was Drain
	exported  atomic.Bool   // all that the node had to hand over to leave

	leaveTimeout atomic.Int64 // of Config.Gossip.Timing, or what it was set to since; 0: that of the network

	keysMu sync.Mutex // held while keys change
	keys   [][]byte   // guarded by keysMu
}

// New opens the server, listens and begins to gossip. Run has to be called
// afterwards, and closes all of it. On an error everything is closed.
func New(ctx context.Context, cfg Config) (*Agent, error) {
	data, err := dataserver.Open(cfg.Server)
	if err != nil {
		return nil, err
	}
	door, err := newFence(cfg.Server)
	if err != nil {
		_ = data.Close()
		return nil, err
	}
	var watch atomic.Pointer[restarts] // of the agent that is to come
	if cfg.Mover == nil && cfg.Gossip.Node != nil {
		if cfg.Mover, err = newMover(cfg, &watch); err != nil {
			_, _ = data.Close(), door.Close()
			return nil, err
		}
	}
	a, err := newAgent(ctx, cfg, data, door)
	if err == nil {
		watch.Store(a.data.restarts)
	}
	return a, err
}

// newAgent puts the parts together. Without a fence no mover is let in.
func newAgent(ctx context.Context, cfg Config, data dataserver.Server, door fence) (a *Agent, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	a = &Agent{cfg: cfg, log: cfg.Logger, fence: door, leaving: make(chan struct{}, 1), joined: make(chan struct{}), keys: cfg.Gossip.Keys}
	a.leaveTimeout.Store(int64(cfg.Gossip.Timing.LeaveTimeout))
	a.data = &server{data: data, log: a.log, counters: &a.counters}
	a.data.restarts = newRestarts(a.data, claim{cluster: clusterOf(cfg.Gossip), id: cfg.Gossip.Name}, cfg.KeepAfterRestart, a.standing, a.others)
	defer func() {
		if err != nil {
			a.close()
			if door != nil {
				_ = door.Close()
			}
		}
	}()
	if cfg.Gossip.Node == nil {
		return a, errors.New("agent: Config.Gossip.Node: got nil, want the node to speak for")
	}
	a.cfg.Gossip.Placement = placementOf(cfg.Gossip.Placement)
	if a.board, err = newBoard(a.cfg.Gossip.Placement); err != nil {
		return a, err
	}
	a.board.cluster = clusterOf(cfg.Gossip)
	if a.listener, err = listen(ctx, cfg.HTTP); err != nil {
		return a, err
	}
	if a.gossip, err = gossip.Join(ctx, a.gossipConfig()); err != nil {
		return a, err
	}
	close(a.joined)
	a.front = a.newFront()
	a.warnOfLoopback()
	return a, nil
}

// warnOfLoopback says so if clients on other machines would be led to themselves.
func (a *Agent) warnOfLoopback() {
	s := a.gossip.Status()
	host, _, _ := net.SplitHostPort(s.Node.Address)
	ip, err := netip.ParseAddr(host)
	if (host == "localhost" || err == nil && ip.IsLoopback()) && !s.Gossip.Addr().IsLoopback() {
		a.log.Warn("the server is announced at an address that leads clients on other machines to themselves", "address", s.Node.Address)
	}
}

// placementOf writes out what gossip makes of the zero value, so that the placement
// that is shown is the one that members compare.
func placementOf(p ring.Config) ring.Config {
	if p.VirtualNodes == 0 {
		p.Hasher.HashTags = p.Hasher.HashTags || p.Hasher.Function == 0 && p.Hasher.Seed == 0
		p.VirtualNodes = ring.DefaultVirtualNodes
	}
	return p
}

func (a *Agent) gossipConfig() gossip.Config {
	cfg := a.cfg.Gossip
	n := *cfg.Node
	n.Kind, n.Server = a.data.data.Kind(), a.data
	if n.Address == "" {
		n.Address = a.data.data.Address()
	}
	if a.cfg.Mover != nil {
		n.HandOver = a.handOver
	}
	n.HTTP = a.cfg.HTTP.shown(a.listener)
	cfg.Node, cfg.Logger = &n, a.log
	return cfg
}

// newFront makes what answers HTTP.
func (a *Agent) newFront() *front {
	host, _ := os.Hostname()
	configured, _, _ := net.SplitHostPort(a.cfg.HTTP.Address)
	f := &front{board: a.board, node: a, guard: newGuard(host, configured), log: a.log, maxWait: maxWait}
	f.closing, a.stop = context.WithCancel(context.Background())
	f.metrics = a.newMetrics()
	f.guard.setToken(a.cfg.HTTP.Token)
	return f
}

// Run returns nil once the node has left because it was told to, with an error
// if it cannot join (a *gossip.HoldsKeysError or *gossip.NameTakenError), with
// ErrUnfinished, or with ErrCut if ctx ends first. Everything is closed then.
func (a *Agent) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(a.follow)
	if a.fence != nil {
		work.Go(func() { a.keepFence(a.front.closing.Done()) })
	}
	serving := a.serve(&work)
	err := a.wait(ctx, serving)
	if err == nil || errors.Is(err, ErrUnfinished) {
		a.data.restarts.forget(ctx)
	}
	a.stop() // requests that wait for news are answered now
	a.close()
	work.Wait()
	return err
}

// SetWeight changes the node's weight as soon as no other transition is under
// way.
func (a *Agent) SetWeight(weight float64) error { return a.gossip.SetWeight(weight) }

// SetLeaveTimeout changes how long the node tries to hand its keys over when it is told
// to end. It is for leaves that begin afterwards.
func (a *Agent) SetLeaveTimeout(d time.Duration) error {
	if err := a.gossip.SetLeaveTimeout(d); err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	a.leaveTimeout.Store(int64(d))
	return nil
}

// follow posts every view until the gossip ends.
func (a *Agent) follow() {
	after := uint64(0)
	for {
		view, err := a.gossip.Next(context.Background(), after)
		if err != nil {
			return // closed
		}
		after = view.Version
		a.counters.note(view)
		if err := a.board.post(view); err != nil {
			a.log.Error("a view of the fleet cannot be shown", "epoch", view.Epoch, "error", err)
		}
	}
}

// standing says what the fleet makes of the node.
func (a *Agent) standing() standing {
	select {
	case <-a.joined:
	default:
		return unmet
	}
	s := a.gossip.Status()
	switch {
	case ownsKeys(s.Node.State) && s.Resumed:
		return resumed
	case ownsKeys(s.Node.State):
		return begun
	case s.Met:
		return outside
	}
	return unmet
}

// close closes what is open.
func (a *Agent) close() {
	if a.gossip != nil {
		if err := a.gossip.Close(); err != nil {
			a.log.Debug("gossip did not close well", "error", err)
		}
	}
	a.data.restarts.close()
	if a.listener != nil {
		_ = a.listener.Close()
	}
	if a.cfg.Mover != nil {
		_ = a.cfg.Mover.Close()
	}
	_ = a.data.data.Close()
}

// Server names the data server, without credentials.
func (a *Agent) Server() string {
	return string(a.data.data.Kind()) + " " + a.data.data.Address()
}

// GossipAddr returns where other members reach this one.
func (a *Agent) GossipAddr() string { return a.gossip.Status().Gossip.String() }

// HTTPAddr returns where questions are answered; empty: nowhere.
func (a *Agent) HTTPAddr() string {
	if a.listener == nil {
		return ""
	}
	if a.listener.Addr().Network() == "unix" {
		return unixScheme + a.listener.Addr().String()
	}
	return a.listener.Addr().String()
}

func clusterOf(cfg gossip.Config) string { return cmp.Or(cfg.Cluster, gossip.DefaultCluster) }
