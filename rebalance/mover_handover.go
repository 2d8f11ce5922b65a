package rebalance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/internal/failpoint"
	"github.com/ringway/ringway/internal/pause"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// lanes is how many batches are under way at a time: while one is read at the
// source another is written at its receiver, and others are on the network. With
// four of them both servers wait for the mover now and then.
const lanes = 8

// A carrier moves keys between servers of one kind. Its methods may run at the
// same time.
type carrier interface {
	// carry moves the keys of a parcel. It returns the fate of each, and how many
	// bytes were sent; with an error those without a fate are to be tried again.
	carry(ctx context.Context, p *parcel) (fates []fate, bytes int64, err error)

	// single moves one big key.
	single(ctx context.Context, p *parcel) (f fate, bytes int64, err error)

	// size returns how many keys the source has, -1 if that takes long to find out.
	size(ctx context.Context) int64

	close()
}

// A parcel is keys that go the same way.
type parcel struct {
	keys  []dataserver.Found
	to    []*receiver
	leave bool                // they do not stay here
	bytes int64               // of memory, as far as the walk has told
	has   map[string]struct{} // the keys: SCAN may give one twice in a row
	again bool                // some were carried already, and have to be looked at closely

	process string   // of the source: no other one's keys go; "" for any
	list    []string // room for names
}

// add reports false for a key that is there already.
func (p *parcel) add(f dataserver.Found) bool {
	if _, twice := p.has[f.Key]; twice {
		return false
	}
	if p.has == nil {
		p.has = make(map[string]struct{}, minBatch)
	}
	p.has[f.Key] = struct{}{}
	p.keys, p.bytes = append(p.keys, f), p.bytes+f.Size
	return true
}

// names returns the keys, until it is called again.
func (p *parcel) names() []string {
	p.list = p.list[:0]
	for _, k := range p.keys {
		p.list = append(p.list, k.Key)
	}
	return p.list
}

// reuse keeps the room that a parcel took for another one.
func (h *handover) reuse(p *parcel) {
	clear(p.has)
	h.parcels.Put(&parcel{keys: p.keys[:0], to: p.to[:0], has: p.has, list: p.list[:0]})
}

// A fate is what became of a key in a pass.
type fate uint8

const (
	again   fate = iota // it is not done with: the next pass finds it
	settled             // there is nothing to do with it, or no more
	moved               // it is where it belongs now
	large               // it is to be moved singly
	unread              // it was not looked at, since the batch was full, or not closely enough
)

// A holdup is why a receiver takes nothing at present, or only part of it.
type holdup struct {
	to     *receiver
	err    error
	partly bool // it takes other keys
}

func (h *holdup) Error() string { return "node " + h.to.id + ": " + h.err.Error() }
func (h *holdup) Unwrap() error { return h.err }

// A handover is one call of HandOver.
type handover struct {
	m          *Mover
	routes     *routes
	transition uint64
	log        interface {
		Info(string, ...any)
		Warn(string, ...any)
	}
	server    dataserver.Server // the source, for walks
	carrier   carrier
	receivers map[string]*receiver
	pulse     *pulse // of the source
	turn      chan struct{}
	parcels   sync.Pool // of *parcel, empty

	stop   context.CancelFunc // of the pulses
	pulses sync.WaitGroup
}

func newHandover(ctx context.Context, m *Mover, view membership.View, to *routes, transition uint64) (*handover, error) {
	h := &handover{m: m, routes: to, transition: transition, log: m.log, receivers: make(map[string]*receiver),
		pulse: newPulse(), turn: make(chan struct{}, 1), parcels: sync.Pool{New: func() any { return new(parcel) }}}
	servers := make(map[string]Server)
	if to.next != nil {
		for _, n := range to.next.Nodes() {
			member, known := view.Member(n.ID)
			if !known || !to.receivers[n.ID] {
				continue
			}
			server, err := m.cfg.Receiver(member)
			if err != nil {
				return nil, fmt.Errorf("rebalance: node %q: %w", n.ID, err)
			}
			servers[n.ID], h.receivers[n.ID] = server, newReceiver(n.ID)
		}
	}
	var err error
	if h.server, err = dataserver.Open(m.cfg.Source); err != nil {
		return nil, err
	}
	fence := transit.Fence{Prefix: m.cfg.Source.Prefix, Transition: transition}
	watched, stop := context.WithCancel(ctx)
	watch := func(p *pulse, ping func(context.Context) error) {
		h.pulses.Go(func() { p.watch(watched, ping, func() time.Duration { return m.pacer.get().Latency }) })
	}
	h.stop = stop
	if m.kind == membership.Redis {
		h.carrier, err = newRedisCarrier(h, fence, servers, watch)
	} else {
		h.carrier, err = newMemcachedCarrier(h, fence, servers, watch)
	}
	if err != nil {
		stop()
		h.pulses.Wait()
		_ = h.server.Close()
		return nil, err
	}
	return h, nil
}

func (h *handover) close() {
	h.stop()
	h.carrier.close()
	_ = h.server.Close()
	h.pulses.Wait()
}

func (h *handover) ids() []string { return sortedIDs(h.receivers) }

// paceTo is that of the slowest of the servers that a parcel concerns.
func (h *handover) paceTo(to []*receiver) float64 {
	pace := h.pulse.now()
	for _, r := range to {
		pace = min(pace, r.pulse.now())
	}
	return pace
}

// pace is that of the slowest server of all, for people to see.
func (h *handover) pace() float64 {
	pace := h.pulse.now()
	for _, r := range h.receivers {
		pace = min(pace, r.pulse.now())
	}
	return pace
}

// run makes passes until one finds nothing to move.
func (h *handover) run(ctx context.Context) error {
	if h.routes.next == nil {
		h.log.Warn("no node is left to take the keys over: they stay", "transition", h.transition)
		return nil
	}
	// go-redis does not look at a context while it waits for the network.
	defer context.AfterFunc(ctx, h.carrier.close)()
	idle, failures := 0, 0
	for number := 1; ; number++ {
		if err := h.m.gate.pass(ctx); err != nil {
			return err
		}
		h.m.rec.beginPass(number)
		failpoint.At("mover.pass")
		p := newPass(h, number)
		err := p.run(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch failures++; {
		case err == nil && p.clean():
			failpoint.At("mover.clean")
			return nil
		case err == nil || errors.Is(err, errCutShort):
			failures = 0
		default:
			h.failed(errSource.Error(), err)
		}
		if idle++; p.moved.Load() > 0 {
			idle = 0
		}
		failpoint.At("mover.between")
		if err := h.between(ctx, p, max(idle, failures)); err != nil {
			return err
		}
	}
}

// between waits before the next pass, if there is a reason to.
func (h *handover) between(ctx context.Context, p *pass, failures int) error {
	var wait time.Duration
	if failures > 0 {
		wait = waitFor(failures)
	}
	held := false
	for _, r := range h.receivers {
		if ready, at := r.ready(time.Now()); !ready {
			held, wait = true, max(wait, min(time.Until(at), longestWait))
		}
	}
	if p.yielded.Load() > 0 {
		wait = max(wait, stepInAfter)
	}
	if wait == 0 {
		return ctx.Err()
	}
	h.m.rec.wait(held || failures > 1)
	return pause.For(ctx, wait)
}

// stepInAfter is how long a node that is not the first holder of a key leaves it to
// that one. After it, whoever has the key sends it.
const stepInAfter = 2 * time.Second

// failed notes an error in Progress, and in the log if it is a new one.
func (h *handover) failed(where string, err error) {
	text := where + ": " + strings.ToValidUTF8(err.Error(), "?")
	h.m.rec.mu.Lock()
	news := h.m.rec.p.Error != text
	h.m.rec.mu.Unlock()
	h.m.rec.failed(text)
	if news {
		h.log.Warn("keys cannot be moved at present; they stay, and are tried again", "transition", h.transition, "error", text)
	}
}

// hold notes why nothing goes to a receiver.
func (h *handover) hold(u *holdup) {
	if u.partly {
		h.failed("node "+u.to.id, u.err)
		return
	}
	why := strings.ToValidUTF8(u.err.Error(), "?")
	news := u.to.hold(time.Now(), why)
	h.m.rec.receiver(u.to.id, why)
	h.m.rec.failed("node " + u.to.id + ": " + why)
	if news {
		h.log.Warn("a node takes no keys at present; they stay, and are tried again", "transition", h.transition, "node", u.to.id, "error", why)
	}
}

func (h *handover) serves(r *receiver) {
	if r.serves() {
		h.m.rec.receiver(r.id, "")
		h.log.Info("the node takes keys again", "transition", h.transition, "node", r.id)
	}
}

var (
	errUnfenced = errors.New("it does not let keys of this transition in (yet, or any more)")
	errCutShort = errors.New("pass cut short")
)
