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
func (s *Space[K, V]) giveUp(t *laterTask, cause error, dead journal.Queue) {
	s.later.died.Add(1)
	d := DeadInvalidation{Space: s.name, Key: t.key, Below: t.below, Since: t.since, Err: cause.Error()}
	buried := *t
	buried.kind, buried.due = laterDead, t.since
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.m.ctx), s.cfg.Loads.Timeout)
	defer cancel()
	if _, err := dead.Append(ctx, buried.encode()); err != nil {
		s.later.dropped.Add(1)
		s.m.tell(s.name, err)
	}
	if s.later.cfg.OnDead != nil {
		s.later.cfg.OnDead(d)
	}
}

// DeadInvalidations returns the invalidations that were given up, the oldest first, at
// most 10,000: with a journal those of earlier processes, and of others that share it.
func (s *Space[K, V]) DeadInvalidations(ctx context.Context) ([]DeadInvalidation, error) {
	s.later.mu.Lock()
	dead := s.later.dead
	s.later.mu.Unlock()
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
			all = append(all, DeadInvalidation{Space: s.name, Key: t.key, Below: t.below, Since: t.due})
		}
	}
	return all, nil
}

// ReviveInvalidations has those that were given up tried anew, and returns how many.
func (s *Space[K, V]) ReviveInvalidations(ctx context.Context) (int, error) {
	s.later.mu.Lock()
	queue, dead := s.later.queue, s.later.dead
	s.later.mu.Unlock()
	switch {
	case s.m.ctx.Err() != nil:
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
func (s *Space[K, V]) lookLater(queue journal.Queue) {
	ctx, cancel := context.WithTimeout(s.m.ctx, s.cfg.Loads.Timeout)
	defer cancel()
	oldest, depth, err := queue.Peek(ctx, 1)
	if err != nil {
		return // the reader says why
	}
	s.later.mu.Lock()
	defer s.later.mu.Unlock()
	if s.later.depth, s.later.oldest = depth, (time.Time{}); len(oldest) > 0 {
		s.later.oldest = oldest[0].Time()
	}
}

func (s *Space[K, V]) laterStats() LaterStats {
	l := &s.later
	l.mu.Lock()
	defer l.mu.Unlock()
	st := LaterStats{Depth: l.depth, Queued: l.queued.Load(), Second: l.second.Load(), Retried: l.retried.Load(),
		Mended: l.mended.Load(), Dead: l.died.Load(), Dropped: l.dropped.Load()}
	if !l.oldest.IsZero() {
		st.Oldest = max(0, time.Since(l.oldest))
	}
	return st
}
