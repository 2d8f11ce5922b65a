package rebalance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// Mover brings the keys of one node that change owner to their new owners. It is
// safe for concurrent use.
type Mover struct {
	cfg  Config
	kind membership.Kind
	log  *slog.Logger

	pacer *pacer
	gate  gate
	rec   *record

	ctx    context.Context // ends with Close
	cancel context.CancelCauseFunc

	mu   sync.Mutex
	now  *handover // under way; nil: none
	done sync.WaitGroup
}

// New returns a Mover that does nothing yet. The error wraps ErrInvalidConfig.
func New(cfg Config) (*Mover, error) {
	kind, err := cfg.Source.Kind()
	if err != nil {
		return nil, fmt.Errorf("%w: Source: %w", ErrInvalidConfig, err)
	}
	if err := ring.ValidateNodes(ring.Nodes(cfg.Self)); err != nil {
		return nil, fmt.Errorf("%w: Self: %w", ErrInvalidConfig, err)
	}
	if cfg.Copies < 0 {
		return nil, fmt.Errorf("%w: Copies: got %d, want 0 or more", ErrInvalidConfig, cfg.Copies)
	}
	if err := cfg.Placement.Hasher.Validate(); err != nil {
		return nil, fmt.Errorf("%w: Placement: %w", ErrInvalidConfig, err)
	}
	limits, err := cfg.Limits.check()
	if err != nil {
		return nil, err
	}
	probe, err := dataserver.Open(cfg.Source) // finds what else is wrong, and dials nothing
	if err != nil {
		return nil, fmt.Errorf("%w: Source: %w", ErrInvalidConfig, err)
	}
	if err := probe.Close(); err != nil {
		return nil, err
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	if cfg.Receiver == nil {
		cfg.Receiver = func(m membership.Member) (Server, error) { return cfg.Source.At(m.Address) }
	}
	m := &Mover{cfg: cfg, kind: kind, log: cfg.Logger, pacer: newPacer(limits), rec: newRecord()}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m, nil
}

// HandOver moves the keys of the node that have another owner in the next ring of
// the view, until a whole pass over the server finds none to move, and returns nil
// then. It waits for as long as it takes for servers that do not answer, receivers
// that do not let it in yet, and those that have no room, and says so in Progress
// and in the log: no key is dropped. It ends with the context, at once. Whatever
// was moved by then is moved; another HandOver, of this Mover or another one, goes
// on from there.
//
// The error wraps ErrNoTransition if the view is not in that transition, ErrBusy
// if a HandOver is under way, and ErrClosed.
func (m *Mover) HandOver(ctx context.Context, view membership.View, transition uint64) (err error) {
	to, err := newRoutes(m.cfg, m.kind, view, transition)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(m.ctx, func() { cancel(ErrClosed) })()
	h, err := m.take(ctx, view, to, transition)
	if err != nil {
		return err
	}
	defer func() {
		h.close()
		m.release(err == nil)
	}()
	m.log.Info("handing keys over", "transition", transition, "to", h.ids())
	err = h.run(ctx)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if p := m.Progress(); err == nil {
		m.log.Info("keys handed over", "transition", transition, "keys", p.KeysMoved, "bytes", p.BytesMoved,
			"passes", p.Pass, "took", time.Since(p.Began).Round(time.Millisecond))
	}
	return err
}

// take makes the hand-over be the one under way.
func (m *Mover) take(ctx context.Context, view membership.View, to *routes, transition uint64) (*handover, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.ctx.Err() != nil:
		return nil, ErrClosed
	case m.now != nil:
		return nil, ErrBusy
	}
	h, err := newHandover(ctx, m, view, to, transition)
	if err != nil {
		return nil, err
	}
	m.now = h
	m.done.Add(1)
	m.rec.begin(transition, h.ids())
	return h, nil
}

func (m *Mover) release(done bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = nil
	m.rec.end(done)
	m.done.Done()
}

// Pause makes the Mover stop after the keys that are under way, until Resume. It
// holds for later hand-overs too.
func (m *Mover) Pause() { m.gate.close() }

// Resume ends a Pause.
func (m *Mover) Resume() { m.gate.release() }

// Paused reports whether the Mover is paused.
func (m *Mover) Paused() bool { return m.gate.closed() }

// SetLimits takes effect at once. The error wraps ErrInvalidConfig; then nothing
// has changed.
func (m *Mover) SetLimits(l Limits) error {
	l, err := l.check()
	if err == nil {
		m.pacer.set(l)
	}
	return err
}

// Limits returns those that hold, with defaults filled in.
func (m *Mover) Limits() Limits { return m.pacer.get() }

// Progress returns how far the Mover is. It costs little.
func (m *Mover) Progress() Progress {
	m.mu.Lock()
	pace := 1.0
	if m.now != nil {
		pace = m.now.pace()
	}
	m.mu.Unlock()
	return m.rec.snapshot(m.gate.closed(), pace)
}

// Close ends a hand-over that is under way, and returns when it has. It may be
// called again.
func (m *Mover) Close() error {
	m.mu.Lock() // no hand-over begins after this
	m.cancel(ErrClosed)
	m.mu.Unlock()
	m.done.Wait()
	return nil
}

// A receiver is a node that keys go to.
type receiver struct {
	id      string
	pulse   *pulse
	witness *witness
	aside   chan struct{} // has one for each parcel that waits or moves beside the lanes
	turn    chan struct{} // holds one while such a parcel moves

	mu       sync.Mutex
	failures int       // in a row
	retryAt  time.Time // nothing goes to it before
	why      string
}

func newReceiver(id string) *receiver {
	return &receiver{id: id, pulse: newPulse(), aside: make(chan struct{}, asideParcels), turn: make(chan struct{}, 1)}
}

const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

func waitFor(failures int) time.Duration {
	return min(firstWait<<min(max(failures-1, 0), 10), longestWait)
}

// ready reports whether something may go to the receiver, or when to try again.
func (r *receiver) ready(now time.Time) (bool, time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return !now.Before(r.retryAt), r.retryAt
}

// hold keeps keys from the receiver for a while. It reports whether the reason is
// a new one. What was under way when the reason came does not count again.
func (r *receiver) hold(now time.Time, why string) (news bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !now.Before(r.retryAt) {
		r.failures++
		r.retryAt = now.Add(waitFor(r.failures))
	}
	news, r.why = r.why != why, why
	return news
}

func (r *receiver) serves() (again bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	again = r.why != ""
	r.failures, r.retryAt, r.why = 0, time.Time{}, ""
	return again
}

func sortedIDs(all map[string]*receiver) []string {
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

var errSource = errors.New("the node's own server")
