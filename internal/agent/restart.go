package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// restarts notices that the data server was restarted although its node was not
// evicted, and empties it: what it has read from its disk is as old as the last
// time it was written there, and deletes and overwrites have happened since. As long
// as that takes the server counts as one that does not answer.
//
// What a node holds that is not announced yet is a matter of how it joins: its keys
// are counted at the last moment.
type restarts struct {
	data   dataserver.Server
	purge  func(context.Context) (int64, error)
	owns   func() bool // the node owns keys, or is about to, and was found empty
	keep   bool        // nothing is to be done
	log    *slog.Logger
	ctx    context.Context // ends with close
	cancel context.CancelFunc
	work   sync.WaitGroup

	mu       sync.Mutex
	known    string // the process that holds nothing old; empty: none was seen yet
	emptying bool
}

func newRestarts(data dataserver.Server, purge func(context.Context) (int64, error), owns func() bool, keep bool, log *slog.Logger) *restarts {
	r := &restarts{data: data, purge: purge, owns: owns, keep: keep, log: log}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// close ends a purge that is under way.
func (r *restarts) close() {
	r.cancel()
	r.work.Wait()
}

var errRestarted = errors.New("the server was restarted with keys: they are being removed, since they may be old")

// check fails as long as the server may hold what is old. It takes one exchange
// with the server.
func (r *restarts) check(ctx context.Context) error {
	if r.keep {
		return nil
	}
	now, err := r.data.Identity(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.emptying:
		return errRestarted
	case now == r.known:
		return nil
	case r.known == "" || !r.owns():
		r.known = now
		return nil
	}
	held, err := r.data.Count(ctx)
	if err != nil {
		return fmt.Errorf("the server was restarted: %w", err)
	}
	if held == 0 {
		r.log.Warn("the server was restarted: it is empty", "server", r.data.Address())
		r.known = now
		return nil
	}
	r.log.Warn("the server was restarted with keys that may be old", "server", r.data.Address(), "keys", held)
	r.emptying = true
	r.work.Go(func() { r.empty(now) })
	return errRestarted
}

// empty removes what the process holds. If that fails the next check begins anew.
func (r *restarts) empty(process string) {
	_, err := r.purge(r.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emptying = false
	if err != nil {
		r.log.Error("the server could not be emptied after its restart; trying again", "error", err)
		return
	}
	r.known = process
}

// ownsKeys reports whether a node owns keys or is about to.
func ownsKeys(s membership.State) bool {
	switch s {
	case membership.Announced, membership.Importing, membership.Active, membership.Leaving, membership.Exporting:
		return true
	}
	return false
}
