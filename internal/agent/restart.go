package agent

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/ringway/ringway/membership"
)

// restarts notices that the data server was restarted although its node was not
// evicted, and empties it: what it has read from its disk is as old as the last
// time it was written there, and deletes and overwrites have happened since. As long
// as that takes the server counts as one that does not answer.
//
// What tells is the process that serves. The one that is known to hold nothing old
// was found empty by this agent, or has its own name in a mark on the server, which
// an agent of the node has left there: a snapshot has the name of the process that
// wrote it, or none. So an agent that is started together with its server, as when
// a machine boots, finds out too.
//
// What a node holds that is not announced yet is a matter of how it joins: its keys
// are counted at the last moment.
type restarts struct {
	server   *server
	self     claim           // of this node, without a process
	standing func() standing // of the node in the fleet
	others   func(id string) (owns, seen bool)
	keep     bool            // nothing is to be removed
	ctx      context.Context // ends with close
	cancel   context.CancelFunc
	work     sync.WaitGroup

	whose atomic.Int32 // see Knows

	mu       sync.Mutex
	known    string // the process that holds nothing old; empty: none was seen yet
	emptying bool
	unmarked bool // the last attempt to mark the server failed
}

// standing is what the fleet makes of the node.
type standing int

const (
	unmet   standing = iota // that is not known yet
	outside                 // it has to join: its keys are counted
	resumed                 // it has gone on with it while the agent was away
	begun                   // it was let in, or began the fleet, since the agent started
)

func newRestarts(s *server, self claim, keep bool, standing func() standing, others func(string) (owns, seen bool)) *restarts {
	r := &restarts{server: s, self: self, keep: keep, standing: standing, others: others}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r
}

// close ends a purge that is under way.
func (r *restarts) close() {
	r.cancel()
	r.work.Wait()
}

var (
	errRestarted = errors.New("the server was restarted with keys: they are being removed, since they may be old")
	errUnmet     = errors.New("the server holds keys that may be older than its last restart: the fleet has yet to say what becomes of the node")
)

// check fails as long as the server may hold what is old. It takes two exchanges
// with the server.
func (r *restarts) check(ctx context.Context) error {
	now, err := r.server.data.Identity(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.emptying:
		return errRestarted
	case now == r.known:
		r.trust(ctx, now)
		return nil
	}
	if err := r.ask(ctx); err != nil {
		return err
	}
	stand := r.standing()
	switch {
	case stand == outside:
		return nil
	case r.keep:
		if own, _ := r.knows(); own || stand != unmet {
			r.trust(ctx, now)
		}
		return nil
	}
	if err := r.taken(ctx, now); err != nil {
		return err
	}
	if r.known == "" {
		if fine, err := r.remembered(ctx, now, stand); fine || err != nil {
			return err
		}
	}
	held, err := r.server.data.Count(ctx)
	switch {
	case err != nil && ctx.Err() == nil:
		return fmt.Errorf("the server was restarted: %w", err)
	case err == nil && held == 0:
		if r.known != "" {
			r.server.log.Warn("the server was restarted: it is empty", "server", r.server.data.Address())
		}
		r.trust(ctx, now)
		return nil
	case stand == unmet:
		return errUnmet
	}
	r.server.log.Warn("the server was restarted with keys that may be old", "server", r.server.data.Address(), "keys", held)
	r.emptying = true
	r.work.Go(func() { r.empty(now) })
	return errRestarted
}

// trusts fails as long as the process may hold what is old: see rebalance.Config.Trust.
func (r *restarts) trusts(ctx context.Context, process string) error {
	if err := r.check(ctx); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known != "" && r.known != process {
		return errAnother
	}
	return nil
}

var errAnother = errors.New("the server was restarted just now")

// What a server has said of whose it is.
const (
	unasked = iota
	own
	unknown
)

// ask has the server say whether it knows this node, before the first trust.
func (r *restarts) ask(ctx context.Context) error {
	if r.whose.Load() == own {
		return nil
	}
	text, err := r.server.data.Marked(ctx)
	if err != nil {
		return err
	}
	said := int32(unknown)
	if parseClaim(text).same(r.self) {
		said = own
	}
	r.whose.Store(said)
	return nil
}

// knows is gossip.Knower's method.
func (r *restarts) knows() (isOwn, asked bool) {
	said := r.whose.Load()
	return said == own, said != unasked
}

// remembered reports whether the first process that this agent sees may go on with
// what it holds, for now at least.
func (r *restarts) remembered(ctx context.Context, now string, stand standing) (fine bool, err error) {
	lasting, err := r.server.data.Lasting(ctx)
	if err != nil {
		return false, err
	}
	text, err := r.server.data.Marked(ctx)
	if err != nil {
		return false, err
	}
	found := parseClaim(text)
	ours := found.same(r.self)
	switch {
	case stand == unmet && !ours: // most probably it has yet to join, and its keys are counted
		return true, nil
	case ours && found.process == now:
	case stand == begun && !ours: // it began the fleet with keys that are none of its past
	case !ours && !lasting: // nothing old comes back, and a mark may have been evicted
	default:
		return false, nil
	}
	r.trust(ctx, now)
	return true, nil
}

// trust notes that a process holds nothing old, and sees to it that the server's
// mark says so. One that cannot be written does no harm before the agent is
// restarted.
func (r *restarts) trust(ctx context.Context, process string) {
	r.known = process
	r.whose.Store(own)
	mine := r.self
	mine.process = process
	found, err := r.server.data.Marked(ctx)
	if err == nil && found != mine.String() {
		err = r.server.data.Mark(ctx, mine.String())
	}
	if err != nil && !r.unmarked && ctx.Err() == nil {
		r.server.log.Warn("the server cannot be marked: an agent that is restarted will take its keys for old ones", "error", err)
	}
	r.unmarked = err != nil
}

// count counts the keys of a server that a node is to join with. Without any there
// are none that are old.
func (r *restarts) count(ctx context.Context) (int64, error) {
	process, err := r.server.data.Identity(ctx)
	if err != nil {
		return 0, err
	}
	if err := r.taken(ctx, process); err != nil {
		return 0, err
	}
	keys, err := r.server.data.Count(ctx)
	if err == nil && keys == 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.trust(ctx, process)
	}
	return keys, err
}

// purge empties the server, unless it is another node's.
func (r *restarts) purge(ctx context.Context) (int64, error) {
	process, err := r.server.data.Identity(ctx)
	if err == nil {
		err = r.taken(ctx, process)
	}
	if err != nil {
		return 0, err
	}
	return r.server.empty(ctx)
}

// empty removes what the process holds. If that fails the next check begins anew.
func (r *restarts) empty(process string) {
	_, err := r.server.empty(r.ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.emptying = false
	if err != nil {
		r.server.log.Error("the server could not be emptied after its restart; trying again", "error", err)
		return
	}
	r.trust(r.ctx, process)
}

// forget removes the mark from the server of a node that has left: what it holds is
// nobody's from here on.
func (r *restarts) forget(ctx context.Context) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.known == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, goodbye)
	defer cancel()
	if err := r.server.data.Mark(ctx, ""); err != nil {
		r.server.log.Debug("the server's mark stays", "error", err)
	}
}

// ownsKeys reports whether a node owns keys or is about to.
func ownsKeys(s membership.State) bool {
	switch s {
	case membership.Announced, membership.Importing, membership.Active, membership.Leaving, membership.Exporting:
		return true
	}
	return false
}
