package gossip

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/latest"
)

// Gossip is a member of a fleet, and a membership.Source. It is safe for
// concurrent use. Make one with Join, and end it with Leave or Close.
type Gossip struct {
	cfg       settings
	log       *slog.Logger
	transport *transport
	list      *memberlist.Memberlist
	inbox     inbox
	loop      *loop
	views     latest.Box[membership.View]
	queue     queue // records, evictions and aborts to pass on
	counters  counters
	warned    once
	channels  channels

	members atomic.Int64           // seen, this one included
	clock   atomic.Uint64          // the ledger's epoch; 0: not in contact yet
	meta    atomic.Pointer[[]byte] // what memberlist is to show
	trouble atomic.Pointer[error]  // why no seed could be joined; nil: none was tried, or one answered

	keysMu  sync.Mutex          // held while keys change
	keyring *memberlist.Keyring // nil: not encrypted

	ctx  context.Context // ends when the member closes
	end  context.CancelFunc
	work sync.WaitGroup // every goroutine of this package

	ended chan struct{} // closed when the loop has returned

	left        sync.Once
	leftAlready chan struct{} // closed when the node is LEFT

	// shutting holds one while memberlist must not be shut down, or is. (A channel:
	// what is done meanwhile waits for a timer, and in virtual time no timer
	// fires while somebody waits for a lock.)
	shutting chan struct{}
	shut     bool // guarded by shutting

	failed struct {
		once sync.Once
		done chan struct{}
		err  error // written before done is closed
	}
}

// Join makes the process a member of a fleet. It fails if the configuration is
// wrong or the address cannot be bound, and does not wait for a seed: that they
// are tried goes on until one answers. ctx bounds Join alone. The first view is
// there once a seed has answered; see Status for what the member waits for.
func Join(ctx context.Context, cfg Config) (*Gossip, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	s, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	g := &Gossip{cfg: s, log: s.Logger.With("member", s.Name, "cluster", s.Cluster)}
	g.ctx, g.end = context.WithCancel(context.Background())
	g.failed.done = make(chan struct{})
	g.leftAlready = make(chan struct{})
	g.ended, g.shutting = make(chan struct{}), make(chan struct{}, 1)
	g.inbox.wake = make(chan struct{}, 1)
	g.members.Store(1)
	g.loop = newLoop(g)
	if err := g.open(); err != nil {
		g.end()
		return nil, fmt.Errorf("gossip: %w", err)
	}
	g.work.Go(g.loop.run)
	return g, nil
}

// open listens and starts memberlist.
func (g *Gossip) open() error {
	c := g.cfg.Network.gossip()
	c.Name, c.Label = g.cfg.Name, g.cfg.Label
	c.Logger = newMemberlistLog(g.ctx, g.log)
	for _, p := range g.cfg.AllowGossip {
		c.CIDRsAllowed = append(c.CIDRsAllowed, ipNet(p))
	}
	d := delegate{g}
	c.Delegate, c.Events, c.Alive, c.Merge, c.Conflict = d, d, d, d, d
	if len(g.cfg.Keys) > 0 {
		keyring, err := memberlist.NewKeyring(g.cfg.Keys, g.cfg.Keys[0])
		if err != nil {
			return err
		}
		g.keyring, c.Keyring = keyring, keyring
	}
	// The number of times that each member sends a message is RetransmitMult for
	// each digit of the number of members. For fewer than 10 that is 4, and one
	// receiver in 50 hears nothing (with 8, one in 3,000).
	g.queue.limit = func() int { return timesToSend(c.RetransmitMult, max(10, int(g.members.Load()))) }

	transport, port, err := openTransport(g.ctx, g.cfg, c.Logger, func(from net.Addr) {
		host, _, _ := net.SplitHostPort(fmt.Sprint(from))
		g.ignore(badNetwork, host, "its network is not in AllowGossip")
	})
	if err != nil {
		return err
	}
	g.transport, c.Transport = transport, transport
	// Compression saves a third of the bytes and costs more time than all else.
	// It is of no use to a transport that is not a network.
	c.EnableCompression = g.cfg.Transport == nil
	c.BindAddr, c.BindPort = g.cfg.bind.Addr().String(), port
	if a := g.cfg.advertise; a.IsValid() {
		c.AdvertiseAddr, c.AdvertisePort = a.Addr().String(), int(a.Port())
		if a.Port() == 0 {
			c.AdvertisePort = port
		}
	}
	if g.list, err = memberlist.Create(c); err != nil {
		_ = transport.Shutdown()
		return err
	}
	return nil
}

// Next implements membership.Source. As long as no seed has answered there is no
// view, and the error of a ctx that ends says what the seeds' was.
func (g *Gossip) Next(ctx context.Context, after uint64) (membership.View, error) {
	v, err := g.views.Next(ctx, after)
	if err != nil && after == 0 && ctx.Err() != nil {
		if held := g.Status().Held; held != nil {
			return v, fmt.Errorf("gossip: %w: %w", held, err)
		}
	}
	if trouble := g.trouble.Load(); err != nil && after == 0 && ctx.Err() != nil && trouble != nil {
		return v, fmt.Errorf("gossip: no member of cluster %q was reached (%w): %w", g.cfg.Cluster, *trouble, err)
	}
	return v, err
}

// Done is closed once the member has ended: with an error if it must not join
// (see Err), or because it has left or was closed.
func (g *Gossip) Done() <-chan struct{} { return g.failed.done }

// Err says why the member has ended: a *HoldsKeysError or *NameTakenError; nil
// while it goes on, and after Leave and Close. A member that has ended with an
// error shows the fleet a node that is JOINING, and must be closed.
func (g *Gossip) Err() error {
	select {
	case <-g.failed.done:
		return g.failed.err
	default:
		return nil
	}
}

func (g *Gossip) finish(err error) {
	g.failed.once.Do(func() {
		g.failed.err = err
		close(g.failed.done)
	})
}

// Close ends the member without a word: the others find out that it is gone, as
// after a crash. A node goes on owning its keys until it is evicted. All Next
// calls fail with membership.ErrClosed. Close waits for what the member runs, so
// it must not be called by a Server or a HandOver. It may be called again.
func (g *Gossip) Close() error {
	g.shutting <- struct{}{}
	g.shut = true
	<-g.shutting
	g.end()
	err := g.list.Shutdown()
	g.work.Wait()
	g.views.Close(membership.ErrClosed)
	g.finish(nil)
	return err
}
