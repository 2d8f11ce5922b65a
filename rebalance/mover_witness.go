package rebalance

import (
	"context"
	"errors"
	"sync"
)

// A witness knows whether a receiver's server is the process that it was. A server
// that is restarted has forgotten what was copied to it; a batch that was on its way
// then, however long the mover was stopped in the middle of it, must not be removed
// at the source. The fence does not tell: the receiver's agent sets it again. Safe
// for concurrent use.
type witness struct {
	ask func(context.Context) (string, error) // which process the server is now

	mu    sync.Mutex
	known string // "": nobody has asked yet
}

var errRestarted = errors.New("its server was restarted while keys were under way")

// before returns which process the server is, for all that is known: it is asked
// when a batch begins, and the server itself at the end.
func (w *witness) before(ctx context.Context) (string, error) {
	w.mu.Lock()
	known := w.known
	w.mu.Unlock()
	if known != "" {
		return known, nil
	}
	return w.look(ctx)
}

func (w *witness) look(ctx context.Context) (string, error) {
	now, err := w.ask(ctx)
	if err == nil {
		w.mu.Lock()
		w.known = now
		w.mu.Unlock()
	}
	return now, err
}

// same asks the server, and returns errRestarted if it is not the process before.
func (w *witness) same(ctx context.Context, before string) error {
	now, err := w.look(ctx)
	if err == nil && now != before {
		err = errRestarted
	}
	return err
}

// witnesses returns which processes the receivers of a parcel are.
func witnesses(ctx context.Context, p *parcel) ([]string, error) {
	before := make([]string, len(p.to))
	for i, r := range p.to {
		var err error
		if before[i], err = r.witness.before(ctx); err != nil {
			return nil, &holdup{to: r, err: err}
		}
	}
	return before, nil
}

// stillThere returns why keys that were copied to the receivers must stay at the
// source, nil if nothing speaks against their removal.
func stillThere(ctx context.Context, p *parcel, before []string) error {
	for i, r := range p.to {
		if err := r.witness.same(ctx, before[i]); err != nil {
			return &holdup{to: r, err: err}
		}
	}
	return nil
}
