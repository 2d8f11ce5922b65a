package router

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/transit"
)

// debt is an invalidation that a node was not there to take: a tombstone, or a
// delete.
type debt struct {
	node, key string
	bury      bool // a tombstone of this kind; otherwise the key is only deleted
	kind      transit.Kind
	yields    bool // with an open one: see transit.Redis.BuryUnlessClosed
	encode    bool // memcached: the key goes in base64

	transition uint64 // in which it came about
}

// and returns the one debt that does what two on the same key do.
func (d debt) and(e debt) debt {
	if d.bury && (!e.bury || d.kind == transit.Closed || d.yields && e.kind == transit.Open) {
		return d
	}
	return e
}

// errForgiven: nobody will ask the node for the key any more.
var errForgiven = errors.New("the debt is of no matter any more")

// spool keeps what nodes owe and pays it as soon as they can be reached. Until
// then the router treats the keys as absent there, and writes nothing to them: a
// tombstone that came late would bury the new value.
//
// Room is reserved before an operation begins, so that one whose second half may
// be lost is refused before its first half is done.
type spool struct {
	pay   func(context.Context, debt) error // errForgiven ends a debt as nil does
	limit int                               // bytes a node

	ctx  context.Context
	stop context.CancelFunc
	work sync.WaitGroup

	open atomic.Int64 // debts, for a look without the lock

	mu       sync.Mutex // guards the following
	closed   bool
	accounts map[string]*account // by node ID
}

// account is what one node owes.
type account struct {
	debts  map[string]*entry // by key
	bytes  int               // of debts and reservations
	worker bool              // somebody is paying
}

// entry is one debt in its account.
type entry struct {
	debt
	// Whoever pays holds the one place in paying, which a debt has from the one
	// before it on the same key: who gets it knows that none is on its way to the
	// node. A lock that one need not wait for beyond the end of a context.
	paying chan struct{}
}

const (
	spoolLimit    = 4 << 20 // bytes a node
	entryOverhead = 128     // bytes of a debt beside its key, about

	firstPause = 50 * time.Millisecond // before a node that failed is tried again
	maxPause   = time.Second
)

func newSpool(pay func(context.Context, debt) error) *spool {
	s := &spool{pay: pay, limit: spoolLimit, accounts: make(map[string]*account)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

// settleWithin is settleAll for at most d.
func (s *spool) settleWithin(d time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	return s.settleAll(ctx)
}

// settleAll pays what can be paid now, each node until the first failure, and
// returns an error if something is left.
func (s *spool) settleAll(ctx context.Context) error {
	s.mu.Lock()
	var all []*entry
	for _, a := range s.accounts {
		all = slices.AppendSeq(all, maps.Values(a.debts))
	}
	s.mu.Unlock()
	failed := make(map[string]error)
	for _, e := range all {
		if failed[e.node] == nil {
			failed[e.node] = s.payOne(ctx, e)
		}
	}
	if left := s.open.Load(); left > 0 {
		cause := errors.Join(slices.Collect(maps.Values(failed))...)
		if cause == nil {
			cause = errors.New("more came meanwhile")
		}
		return fmt.Errorf("router: nodes %v could not be told of %d changes, and may have old values of these keys until they expire: %w",
			slices.Sorted(s.debtors()), left, cause)
	}
	return nil
}

// debtors yields the nodes that owe something.
func (s *spool) debtors() iter.Seq[string] {
	return func(yield func(string) bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for node, a := range s.accounts {
			if len(a.debts) > 0 && !yield(node) {
				return
			}
		}
	}
}

// close forgets all debts, and ends whoever pays them.
func (s *spool) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.work.Wait()
}

func sizeOf(key string) int { return len(key) + entryOverhead }

// reserve makes room for a debt, or reports that there is none. One owe or
// release must follow.
func (s *spool) reserve(node, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[node]
	if a == nil {
		a = &account{debts: make(map[string]*entry)}
		s.accounts[node] = a
	}
	if a.bytes > 0 && a.bytes+sizeOf(key) > s.limit {
		return false
	}
	a.bytes += sizeOf(key)
	return true
}

// release gives back what was reserved.
func (s *spool) release(node, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(node, key)
}

// free is release with mu held.
func (s *spool) free(node, key string) {
	a := s.accounts[node]
	if a.bytes -= sizeOf(key); a.bytes == 0 && !a.worker {
		delete(s.accounts, node)
	}
}

// owe notes a debt, for which room was reserved.
func (s *spool) owe(d debt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[d.node]
	if old := a.debts[d.key]; old != nil {
		// A new entry: the old one may be on its way to the node.
		a.debts[d.key] = &entry{debt: d.and(old.debt), paying: old.paying}
		s.free(d.node, d.key)
		return
	}
	a.debts[d.key] = &entry{debt: d, paying: make(chan struct{}, 1)}
	s.open.Add(1)
	if !a.worker && !s.closed {
		a.worker = true
		s.work.Go(func() { s.payAll(d.node) })
	}
}

// owing reports whether any node owes something.
func (s *spool) owing() bool { return s.open.Load() > 0 }

// owes reports whether the node owes something on the key.
func (s *spool) owes(node, key string) bool {
	return s.open.Load() > 0 && s.find(node, key) != nil
}

func (s *spool) find(node, key string) *entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[node]; a != nil {
		return a.debts[key]
	}
	return nil
}

// size returns how many debts a node has.
func (s *spool) size(node string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[node]; a != nil {
		return len(a.debts)
	}
	return 0
}

// settle pays what the node owes on the key now, so that the node can be asked
// for it. nil: there is nothing, or nothing any more.
func (s *spool) settle(ctx context.Context, node, key string) error {
	for s.open.Load() > 0 {
		e := s.find(node, key)
		if e == nil {
			break
		}
		if err := s.payOne(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

func (s *spool) payOne(ctx context.Context, e *entry) error {
	select {
	case e.paying <- struct{}{}:
		defer func() { <-e.paying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if s.find(e.node, e.key) != e { // paid, or part of a newer one
		return nil
	}
	if err := s.pay(ctx, e.debt); err != nil && err != errForgiven {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if a := s.accounts[e.node]; a.debts[e.key] == e { // otherwise there is a newer one
		delete(a.debts, e.key)
		s.open.Add(-1)
		s.free(e.node, e.key)
	}
	return nil
}

// payAll pays the debts of a node until there are none.
func (s *spool) payAll(node string) {
	pause := firstPause
	for {
		due := s.due(node)
		if len(due) == 0 {
			return
		}
		for _, e := range due {
			if err := s.payOne(s.ctx, e); err != nil {
				if !s.rest(pause) {
					return
				}
				pause = min(2*pause, maxPause)
				break
			}
			pause = firstPause
		}
	}
}

// due returns the debts of a node. If there are none whoever asks has no more to
// do.
func (s *spool) due(node string) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[node]
	due := make([]*entry, 0, len(a.debts))
	for _, e := range a.debts {
		due = append(due, e)
	}
	if len(due) == 0 {
		a.worker = false
		if a.bytes == 0 {
			delete(s.accounts, node)
		}
	}
	return due
}

// rest waits, and reports false if the spool was closed.
func (s *spool) rest(pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.ctx.Done():
		return false
	}
}
