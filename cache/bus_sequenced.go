package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// Wire carries the messages of a Bus between processes, over one or more channels.
// It may lose messages.
type Wire interface {
	// Channels is how many there are: the same number in all processes.
	Channels() int

	// Send sends a message to all processes, this one among them. It returns
	// when the transport has taken it; on a channel there is one at a time.
	Send(ctx context.Context, channel int, message []byte) error

	// Receive hands on what all processes send, until the context ends.
	Receive(ctx context.Context, r Receiver)
}

// DirectWire is a Wire without a server between the processes: each sends to each, and
// a process hears itself whether it is cut off or not.
type DirectWire interface {
	Wire
	Direct() Direct
}

// Direct is what there is to know of a DirectWire.
type Direct struct {
	// MaxMessage is the longest message in bytes; 256 at least.
	MaxMessage int

	// Missing is how long a process that has fallen silent, and has not said that
	// it ends, is missed, so that the bus is deaf. It may have died, or be cut off
	// and go on changing what others have in their first level.
	Missing time.Duration
}

// Receiver is given what a Wire receives.
type Receiver interface {
	Message(channel int, data []byte)

	// Broken: the transport knows that it may have lost something.
	Broken()
}

// BusConfig is how a bus goes about it. The zero value is the default.
type BusConfig struct {
	// Digest is how often each process says, on each channel, how far it has
	// come; 0 means 2 s. What was lost is noticed with the next message or
	// digest, and silence after three of them.
	Digest time.Duration

	// Queue is how many changes may wait on a channel; 0 means 10,000. With more
	// than that all of them are dropped, and others forget everything.
	Queue int

	// OnError is told of messages that could not be sent. nil: nobody is.
	OnError func(error)
}

// SequencedBus is a Bus over a Wire that may lose messages: each process numbers
// what it sends, and who hears a gap, or too long nothing, forgets everything.
//
// What could not be sent is not sent again: the next message has a higher number.
type SequencedBus struct {
	wire   Wire
	direct Direct
	cfg    BusConfig
	self   [16]byte
	boxes  []*busOutbox
	runs   atomic.Bool
}

// NewBus returns a bus over the wire, or an error that matches ErrConfig.
func NewBus(wire Wire, cfg BusConfig) (*SequencedBus, error) {
	switch {
	case isNil(wire):
		return nil, configError("Wire", fmt.Sprintf("nil (%T)", wire), "one with channels")
	case wire.Channels() < 1:
		return nil, configError("Wire", "one without channels", "one with channels")
	case cfg.Digest < 0 || cfg.Digest > time.Hour:
		return nil, configError("Digest", cfg.Digest, "0 to 1 h")
	case cfg.Queue < 0:
		return nil, configError("Queue", cfg.Queue, "0 or more")
	}
	setDefault(&cfg.Digest, 2*time.Second)
	setDefault(&cfg.Queue, 10_000)
	direct := Direct{MaxMessage: math.MaxInt}
	if w, is := wire.(DirectWire); is {
		direct = w.Direct()
	}
	if direct.MaxMessage < 256 || direct.Missing < 0 {
		return nil, configError("Wire", direct, "messages of at least 256 bytes, and Missing of 0 or more")
	}
	b := &SequencedBus{wire: wire, direct: direct, cfg: cfg, self: newToken()}
	for range wire.Channels() {
		b.boxes = append(b.boxes, newBusOutbox(cfg.Queue))
	}
	return b, nil
}

// Tell is Bus.Tell.
func (b *SequencedBus) Tell(c Change) { b.boxes[int(c.Key[15])%len(b.boxes)].add(c) }

var errBusRuns = errors.New("cache: bus: it runs already: a Bus belongs to one Manager")

// Run is Bus.Run.
func (b *SequencedBus) Run(ctx context.Context, l Listener) error {
	if b.runs.Swap(true) {
		return errBusRuns
	}
	in := newBusInbox(b.self, len(b.boxes), 3*b.cfg.Digest, l)
	in.missing = b.direct.Missing
	var work sync.WaitGroup
	for channel := range b.boxes {
		work.Go(func() { b.send(ctx, channel, in) })
	}
	work.Go(func() { b.receive(ctx, in) })
	work.Wait()
	return nil
}

// receive listens, and looks out for silence. A wire over which nothing at all is
// heard is listened to anew: its connection may be half open.
func (b *SequencedBus) receive(ctx context.Context, in *busInbox) {
	for ctx.Err() == nil {
		listen, stop := context.WithCancel(ctx)
		var ended sync.WaitGroup
		ended.Go(func() { b.wire.Receive(listen, in) })
		b.watch(listen, in)
		stop()
		ended.Wait()
	}
}

// watch returns when the context ends, or after silence.
func (b *SequencedBus) watch(ctx context.Context, in *busInbox) {
	ticker := time.NewTicker(b.cfg.Digest / 2)
	defer ticker.Stop()
	begun := time.Now()
	for {
		select {
		case now := <-ticker.C:
			in.look(now)
			if in.silent() && now.Sub(begun) > 6*b.cfg.Digest {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// send sends what one channel has to tell, and its digests.
func (b *SequencedBus) send(ctx context.Context, channel int, in *busInbox) {
	box := b.boxes[channel]
	digest := time.NewTimer(0)
	defer digest.Stop()
	for failures := 0; ; {
		var err error
		select {
		case <-box.wake:
			err = b.sendNext(ctx, channel)
		case <-digest.C:
			err = b.sendMessage(ctx, channel, box.state(busDigest, b.self))
			digest.Reset(b.cfg.Digest)
			if !in.hears(channel) { // to hear at once when it can be heard again
				digest.Reset(min(b.cfg.Digest/10, 200*time.Millisecond))
			}
		case <-ctx.Done():
			b.leave(ctx, channel)
			return
		}
		if failures++; err == nil {
			failures = 0
		} else if ctx.Err() == nil {
			// Others notice with the next message, so that it had better be soon.
			digest.Reset(min(10*time.Millisecond<<min(failures, 10), b.cfg.Digest))
		}
	}
}

// sendNext sends the next changes, if there are any.
func (b *SequencedBus) sendNext(ctx context.Context, channel int) error {
	m, found := b.boxes[channel].take(b.self, b.direct.MaxMessage)
	if !found {
		return nil
	}
	return b.sendMessage(ctx, channel, m)
}

func (b *SequencedBus) sendMessage(ctx context.Context, channel int, m busMessage) error {
	// What is under way when the process ends is given a moment: it has its number.
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.cfg.Digest)
	defer cancel()
	defer context.AfterFunc(ctx, func() {
		select {
		case <-time.After(500 * time.Millisecond):
			cancel()
		case <-sending.Done():
		}
	})()
	err := b.wire.Send(sending, channel, m.encode())
	if err != nil && b.cfg.OnError != nil && ctx.Err() == nil {
		b.cfg.OnError(err)
	}
	return err
}

// leave tells what is still queued, and that this process ends. If that cannot be
// told in a second others will miss it, and forget everything.
func (b *SequencedBus) leave(ctx context.Context, channel int) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	for {
		m, found := b.boxes[channel].take(b.self, b.direct.MaxMessage)
		if !found {
			break
		}
		if b.sendMessage(ctx, channel, m) != nil {
			return
		}
	}
	farewells := 1
	if b.direct.Missing > 0 { // who does not hear it would miss this process
		farewells = 3
	}
	for range farewells {
		_ = b.sendMessage(ctx, channel, b.boxes[channel].state(busFarewell, b.self))
	}
}
