package cache

import (
	"context"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// maxDead is how many dead invalidations are listed, and with memory for a journal,
// kept.
const maxDead = 10_000

// giveUp makes a task a dead one.
func (l *later) giveUp(t *laterTask, cause error, dead journal.Queue) {
	l.died.Add(1)
	d := DeadInvalidation{Space: l.name, What: t.what.String(), Key: t.key, Below: t.below, Since: t.since, Err: cause.Error()}
	buried := *t
	buried.kind, buried.due = laterDead, t.since
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.m.ctx), l.timeout)
	defer cancel()
	if _, err := dead.Append(ctx, buried.encode()); err != nil {
		l.dropped.Add(1)
		l.m.tell(l.name, err)
	}
	if l.cfg.OnDead != nil {
		l.cfg.OnDead(d)
	}
}

func (l *later) listDead(ctx context.Context) ([]DeadInvalidation, error) {
	l.mu.Lock()
	dead := l.dead
	l.mu.Unlock()
	if dead == nil {
		return nil, nil
	}
	records, _, err := dead.Peek(ctx, maxDead)
	if err != nil {
		return nil, err
	}
	var all []DeadInvalidation
	for _, r := range records {
		if t, err := decodeLaterTask(r.Data); err == nil {
			all = append(all, DeadInvalidation{Space: l.name, What: t.what.String(), Key: t.key, Below: t.below, Since: t.due})
		}
	}
	return all, nil
}

func (l *later) revive(ctx context.Context) (int, error) {
	l.mu.Lock()
	queue, dead := l.queue, l.dead
	l.mu.Unlock()
	switch {
	case l.m.ctx.Err() != nil:
		return 0, ErrClosed
	case queue == nil:
		return 0, nil
	}
	records, _, err := dead.Peek(ctx, maxDead)
	if err != nil {
		return 0, err
	}
	revived := 0
	for _, r := range records {
		t, err := decodeLaterTask(r.Data)
		if err != nil {
			continue
		}
		t.kind, t.due = laterRetry, time.Now()
		if _, err = queue.Append(ctx, t.encode()); err == nil {
			revived++
			err = dead.Done(ctx, r.Number)
		}
		if err != nil {
			return revived, err
		}
	}
	return revived, nil
}

// lookLater notes how much waits.
func (l *later) lookLater(queue journal.Queue) {
	ctx, cancel := context.WithTimeout(l.m.ctx, l.timeout)
	defer cancel()
	oldest, depth, err := queue.Peek(ctx, 1)
	if err != nil {
		return // the reader says why
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.depth, l.oldest = depth, (time.Time{}); len(oldest) > 0 {
		l.oldest = oldest[0].Time()
	}
}

func (l *later) stats() LaterStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	st := LaterStats{Depth: l.depth, Queued: l.queued.Load(), Second: l.second.Load(), Retried: l.retried.Load(),
		Mended: l.mended.Load(), Dead: l.died.Load(), Dropped: l.dropped.Load()}
	if !l.oldest.IsZero() {
		st.Oldest = max(0, time.Since(l.oldest))
	}
	return st
}
