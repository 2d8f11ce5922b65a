// Package gossipbus carries the changes that processes tell each other's first levels
// over the gossip of the fleet: without a server in the middle, and so also where the
// entries are on Memcached. It stands on a channel of membership/gossip; package cache
// does not know it.
//
//	member, err := gossip.Join(ctx, gossip.Config{Cluster: "shop", Seeds: seeds})
//	bus, err := gossipbus.New(member, "svc", gossipbus.Config{})
//	m, err := cache.NewManager(cache.ManagerConfig{Store: store, Bus: bus})
//
// Every change goes from the process that made it to each member in a packet of its
// own, together with what else was changed at the moment: about 60 keys a packet. A
// packet may be lost; by the numbers of the packets, and by a digest every
// cache.BusConfig.Digest, whoever misses one notices and forgets its first level.
// Members that have no such bus (agents, other services) drop the packets.
//
// A fleet of n processes receives n digests of 30 bytes in each of them every Digest.
package gossipbus

import (
	"context"
	"fmt"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/membership/gossip"
)

// Config is how a bus goes about it. The zero value is the default.
type Config struct {
	Bus cache.BusConfig

	// Channel bounds what is sent and what waits to be heard.
	Channel gossip.ChannelConfig

	// Missing is how long a process that has fallen silent without a farewell is
	// taken for one that is cut off and goes on changing values, so that first
	// levels that need the bus (cache.L1Config.NeedsBus) are left out; 0 means
	// 2 min, 5 min at most. A process that crashed costs as long.
	Missing time.Duration
}

// New returns a bus over the gossip, for all processes whose members are of one
// cluster and give the same name: 1 to 60 letters, digits, ':', '.', '_' and '-'. The
// member stays the caller's, and must stay open until the manager is closed.
func New(member *gossip.Gossip, name string, cfg Config) (*cache.SequencedBus, error) {
	if member == nil {
		return nil, fmt.Errorf("%w: member: nil, want one of a fleet", cache.ErrConfig)
	}
	if cfg.Missing == 0 {
		cfg.Missing = 2 * time.Minute
	}
	if cfg.Missing < time.Second || cfg.Missing > 5*time.Minute {
		return nil, fmt.Errorf("%w: Missing: %v, want 1 s to 5 min", cache.ErrConfig, cfg.Missing)
	}
	channel, err := member.Channel("bus:"+name, cfg.Channel)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cache.ErrConfig, err)
	}
	return cache.NewBus(&wire{channel: channel, missing: cfg.Missing}, cfg.Bus)
}

// wire is a cache.DirectWire.
type wire struct {
	channel *gossip.Channel
	missing time.Duration
}

func (w *wire) Channels() int { return 1 }

func (w *wire) Direct() cache.Direct {
	return cache.Direct{MaxMessage: gossip.MaxChannelMessage, Missing: w.missing}
}

func (w *wire) Send(ctx context.Context, _ int, message []byte) error {
	if err := w.channel.Send(ctx, message); err != nil {
		return fmt.Errorf("cache: bus: %w", err)
	}
	return nil
}

func (w *wire) Receive(ctx context.Context, r cache.Receiver) {
	err := w.channel.Receive(ctx, func(m gossip.Received) {
		if m.Lost > 0 {
			r.Broken()
		}
		r.Message(0, m.Data)
	})
	if ctx.Err() == nil && err != nil {
		r.Broken()
		<-ctx.Done() // the member has closed: nothing will be heard any more
	}
}
