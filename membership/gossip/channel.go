package gossip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
)

// MaxChannelMessage is the most that a message of a channel may have, in bytes: with
// all that goes around it, it still fits into one packet.
const MaxChannelMessage = 1024

// ErrNoContact: the member has not met another one yet.
var ErrNoContact = errors.New("gossip: no other member was met yet")

// ChannelConfig bounds what a channel sends and keeps. The zero value is the default.
type ChannelConfig struct {
	Rate  int // messages sent in a second, one at a time and evenly; 0 means 200, 10,000 at most
	Queue int // messages that wait to be received; beyond it the newest are dropped; 0 means 1,024, 65,536 at most
}

// Channel carries small messages of a program between the members of a fleet, beside
// what the members tell each other. Each goes to every member in one packet, at most
// once: it may be lost, come late, or come out of order. Members that do not receive
// on a channel of that name drop it and count it (Stats.Ignored, "channel"), and so do
// members of an earlier release, by which it is one of an unknown version ("version").
//
// A Channel is safe for concurrent use, and ends with its member.
type Channel struct {
	g    *Gossip
	name string
	cfg  ChannelConfig

	mu   sync.Mutex // guards next
	next time.Time  // when the next message may go
}

// Received is what a channel has received.
type Received struct {
	Data []byte
	Lost uint64 // messages before this one that were dropped because too many waited
}

var channelName = regexp.MustCompile(`^[A-Za-z0-9:._-]{1,64}$`)

// Channel returns the channel of that name: 1 to 64 letters, digits, ':', '.', '_'
// and '-'.
func (g *Gossip) Channel(name string, cfg ChannelConfig) (*Channel, error) {
	switch {
	case !channelName.MatchString(name):
		return nil, fmt.Errorf("gossip: channel: name: got %.80q, want 1 to 64 letters, digits, ':', '.', '_' or '-'", name)
	case cfg.Rate < 0 || cfg.Rate > 10_000:
		return nil, fmt.Errorf("gossip: channel %s: rate: got %d, want 0 to 10,000", name, cfg.Rate)
	case cfg.Queue < 0 || cfg.Queue > 1<<16:
		return nil, fmt.Errorf("gossip: channel %s: queue: got %d, want 0 to 65,536", name, cfg.Queue)
	}
	cfg.Rate, cfg.Queue = cmp.Or(cfg.Rate, 200), cmp.Or(cfg.Queue, 1024)
	return &Channel{g: g, name: name, cfg: cfg}, nil
}

// Send sends a message to all members, and to who receives in this one. It waits for
// its turn (ChannelConfig.Rate), not for an answer. An error says that it was sent to
// nobody: ErrNoContact, membership.ErrClosed, the context's, or the network's.
func (c *Channel) Send(ctx context.Context, data []byte) error {
	if len(data) > MaxChannelMessage {
		return fmt.Errorf("gossip: channel %s: message: got %d bytes, want at most %d", c.name, len(data), MaxChannelMessage)
	}
	if err := c.turn(ctx); err != nil {
		return err
	}
	if c.g.ctx.Err() != nil {
		return membership.ErrClosed
	}
	to, met := c.g.channels.targets(time.Now())
	if !met {
		return ErrNoContact
	}
	message := encodeChannelMessage(c.g.cfg.Cluster, c.name, data)
	var failed error
	sent := 0
	for _, a := range to {
		if err := c.g.list.SendToAddress(a, message); err != nil {
			failed = err
		} else {
			sent++
		}
	}
	if failed != nil && sent == 0 {
		return fmt.Errorf("gossip: channel %s: to none of %d members: %w", c.name, len(to), failed)
	}
	c.g.channels.deliver(c.name, data)
	return nil
}

// turn waits until the next message may go.
func (c *Channel) turn(ctx context.Context) error {
	c.mu.Lock()
	now := time.Now()
	at := c.next
	if at.Before(now) {
		at = now
	}
	c.next = at.Add(time.Second / time.Duration(c.cfg.Rate))
	c.mu.Unlock()
	if at.After(now) {
		timer := time.NewTimer(at.Sub(now))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		case <-c.g.ctx.Done():
		}
	}
	return ctx.Err()
}

// Receive hands on what members send on the channel, this one among them, one message
// after the other until ctx ends or the member closes. Several may receive: each gets
// all.
func (c *Channel) Receive(ctx context.Context, to func(Received)) error {
	in := &channelInbox{messages: make(chan []byte, c.cfg.Queue)}
	defer c.g.channels.open(c.name, in)()
	for {
		select {
		case data := <-in.messages:
			to(Received{Data: data, Lost: in.lost.Swap(0)})
		case <-ctx.Done():
			return ctx.Err()
		case <-c.g.ctx.Done():
			return membership.ErrClosed
		}
	}
}

// channelInbox is where messages wait for one who receives. What memberlist calls
// back never waits for it.
type channelInbox struct {
	messages chan []byte
	lost     atomic.Uint64
}

// channelLinger is how long a member that is gone is still sent to: it may be that only
// the way to it is cut, and then the first packet after that arrives. (Whether it has
// said goodbye memberlist does not tell.)
const channelLinger = 5 * time.Minute

// channels are those of one member. Its mutex is held for moments only: memberlist
// calls back under its own.
type channels struct {
	mu        sync.Mutex // guards what follows
	receivers map[string]map[*channelInbox]struct{}
	peers     map[string]channelPeer // by name
	met       bool                   // there was one
}

type channelPeer struct {
	address string
	gone    time.Time // zero: it is there
}

func (c *channels) open(name string, in *channelInbox) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.receivers == nil {
		c.receivers = make(map[string]map[*channelInbox]struct{})
	}
	if c.receivers[name] == nil {
		c.receivers[name] = make(map[*channelInbox]struct{})
	}
	c.receivers[name][in] = struct{}{}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.receivers[name], in)
		if len(c.receivers[name]) == 0 {
			delete(c.receivers, name)
		}
	}
}

// deliver hands a message to all who receive, and reports whether there is anybody.
func (c *channels) deliver(name string, data []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for in := range c.receivers[name] {
		select {
		case in.messages <- append([]byte(nil), data...):
		default:
			in.lost.Add(1)
		}
	}
	return len(c.receivers[name]) > 0
}

// meet notes a member that is there.
func (c *channels) meet(n *memberlist.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.peers == nil {
		c.peers = make(map[string]channelPeer)
	}
	c.peers[n.Name], c.met = channelPeer{address: n.Address()}, true
}

// part notes that a member is gone.
func (c *channels) part(n *memberlist.Node) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, known := c.peers[n.Name]; known {
		p.gone = time.Now()
		c.peers[n.Name] = p
	}
	c.forget(time.Now())
}

// forget forgets who has been gone for long. mu is held.
func (c *channels) forget(now time.Time) {
	for name, p := range c.peers {
		if !p.gone.IsZero() && now.Sub(p.gone) > channelLinger {
			delete(c.peers, name)
		}
	}
}

// targets are the addresses of the other members, those that are gone for a short
// time among them. met: there was ever one.
func (c *channels) targets(now time.Time) (to []memberlist.Address, met bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	for name, p := range c.peers {
		to = append(to, memberlist.Address{Addr: p.address, Name: name})
	}
	return to, c.met
}
