package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/lifecycle"
	"github.com/ringway/ringway/ring"
)

// job is what the node does with its server beside the loop: one thing at a time.
type job struct {
	task   lifecycle.Task // under way, or Nothing
	number uint64         // what the task is to be answered with
	stop   context.CancelCauseFunc

	failures int       // in a row
	retryAt  time.Time // zero: at once
	err      error     // of the last task; nil: it succeeded
}

var errGone = errors.New("gossip: the task is not wanted any more")

func (w *job) cancel() {
	if w.stop != nil {
		w.stop(errGone)
	}
}

// assign makes a task be the one under way. Another one that is under way is
// cancelled first: it is not wanted any more.
func (n *node) assign(task lifecycle.Task, number uint64, now time.Time) {
	w := &n.job
	if w.task != lifecycle.Nothing {
		if w.task != task || w.number != number {
			w.cancel()
		}
		return
	}
	if task == lifecycle.Nothing || now.Before(w.retryAt) {
		return
	}
	ctx, stop := context.WithCancelCause(n.ctx)
	w.task, w.number, w.stop = task, number, stop
	view := n.currentView() // what this look will publish: the record just said is in it
	n.work.Go(func() {
		count, err := n.carryOut(ctx, task, number, view)
		at := time.Now()
		gone := errors.Is(context.Cause(ctx), errGone)
		stop(nil)
		n.inbox.post(func() { n.finished(task, number, count, at, gone, err) })
	})
}

// carryOut runs beside the loop.
func (n *node) carryOut(ctx context.Context, task lifecycle.Task, number uint64, view membership.View) (int64, error) {
	server := n.cfg.Node.Server
	switch task {
	case lifecycle.Count:
		return server.Count(ctx)
	case lifecycle.Purge:
		return server.Purge(ctx)
	case lifecycle.Sweep:
		keep, err := n.keeps(view)
		if err != nil {
			return 0, err
		}
		return server.Sweep(ctx, keep)
	case lifecycle.HandOver:
		return 0, n.handOver(ctx, view, number)
	}
	return 0, fmt.Errorf("gossip: unknown task %d", task)
}

// handOver begins when all have heard that keys move. A client that has not looks
// for a key at its old owner only, and writes it there: it would miss what was taken
// away, and a counter would begin anew. (The way back has waited already.)
func (n *node) handOver(ctx context.Context, view membership.View, number uint64) error {
	if _, back := membership.IsRollback(number); back {
		return n.cfg.Node.HandOver(ctx, view, number)
	}
	heard := time.NewTimer(n.cfg.Timing.Dwell)
	defer heard.Stop()
	select {
	case <-heard.C:
		return n.cfg.Node.HandOver(ctx, view, number)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// keeps returns which keys the node owns in the current ring of the view, or has
// a copy of.
func (n *node) keeps(view membership.View) (func(key string) bool, error) {
	r, err := ring.New(view.Current(n.cfg.Node.Kind), n.cfg.Placement)
	if err != nil {
		return nil, fmt.Errorf("gossip: sweep: %w", err)
	}
	id, copies := n.cfg.Name, n.cfg.Node.Copies
	if copies <= 1 {
		return func(key string) bool { return r.Owner(key).ID == id }, nil
	}
	return func(key string) bool {
		var room [8]ring.Node
		for _, owner := range r.Replicas(room[:0], key, copies) {
			if owner.ID == id {
				return true
			}
		}
		return false
	}, nil
}

// finished takes the result of a task.
func (n *node) finished(task lifecycle.Task, number uint64, count int64, at time.Time, gone bool, err error) {
	w := &n.job
	w.task, w.number, w.stop = lifecycle.Nothing, 0, nil
	n.dirty = true
	if gone { // what asked for it may not hold any more, so the result does not count
		return
	}
	w.err = err
	if taken := (*ServerTakenError)(nil); errors.As(err, &taken) {
		n.log.Error("the node must not join", "error", err)
		n.finish(err)
		return
	}
	if err != nil {
		w.failures++
		wait := min(n.cfg.Timing.ProbeInterval<<min(w.failures-1, 6), 30*time.Second)
		w.retryAt = at.Add(wait/2 + rand.N(wait/2+1))
		n.log.Warn("a task failed and will be tried again", "task", task.String(), "error", err, "failures", w.failures)
		return
	}
	w.failures, w.retryAt = 0, time.Time{}
	switch task {
	case lifecycle.Count:
		n.machine.Counted(count, at)
	case lifecycle.Purge:
		n.machine.Purged(number)
		n.log.Info("server purged", "removed", count)
	case lifecycle.Sweep:
		n.machine.Swept(number)
		n.log.Info("server swept of keys of other nodes", "removed", count, "transition", number)
	case lifecycle.HandOver:
		n.machine.HandedOver(number)
		n.log.Info("keys handed over", "transition", number)
	}
}
