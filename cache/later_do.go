package cache

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// laterScan bounds one attempt at a pattern: it goes through all keys of the fleet,
// twice.
const laterScan = 15 * time.Minute

// scanEnded is what became of a pattern.
type scanEnded struct {
	task *laterTask
	err  error
}

// beginScans begins the first of the patterns that are due, beside everything else,
// which must not wait for it; the others are put off while there is one. It returns
// what is no pattern.
func (l *later) beginScans(tasks *laterTasks, due []*laterTask) (rest []*laterTask) {
	for _, t := range due {
		if t.what != laterMatching {
			rest = append(rest, t)
			continue
		}
		if !tasks.scans && l.m.run(func() { l.scanned <- scanEnded{t, l.attempt(t, laterScan)} }) == nil {
			tasks.scans = true
			continue
		}
		t.due = time.Now().Add(laterLook)
		tasks.again(t)
	}
	return rest
}

// endScan sees to a scan that has ended.
func (l *later) endScan(tasks *laterTasks, queue, dead journal.Queue) {
	select {
	case ended := <-l.scanned:
		tasks.scans = false
		l.endTask(queue, l.attempted(tasks, ended.task, ended.err, dead))
	default:
	}
}

// doLater does what a task says, here and on the fleet.
func (s *Space[K, V]) doLater(ctx context.Context, t *laterTask) (err error) {
	switch t.what {
	case laterTag:
		_, err = s.m.bumpTags(ctx, []tagRef{{id: t.identity, text: t.key}})
	case laterMatching:
		_, err = s.invalidateMatching(ctx, strings.TrimPrefix(t.key, s.prefix))
	case laterEpoch:
		err = s.bumpEpoch(ctx)
	default:
		err = s.deleteNow(ctx, t)
	}
	if err != nil {
		s.storeFailed(ctx, err)
	}
	return err
}

// doLater is for the tags of a manager.
func (m *Manager) doLater(ctx context.Context, t *laterTask) error {
	if t.what != laterTag {
		return errLaterTask
	}
	_, err := m.bumpTags(ctx, []tagRef{{id: t.identity, text: t.key}})
	if err != nil {
		m.tell(m.tags.name, err)
	}
	return err
}

// deleteTwice has keys deleted once more, if that is wanted: it is in the journal
// before the first time, so that nothing that becomes of this process forgets it.
func (s *Space[K, V]) deleteTwice(ctx context.Context, below uint64, keys ...storeKey) {
	if d := s.cfg.Invalidation.SecondDelete; d > 0 {
		s.later.queueLater(ctx, deletions(laterSecond, time.Now().Add(d), below, keys)...)
	}
}

// deleteAgain has invalidations repeated that have failed.
func (s *Space[K, V]) deleteAgain(ctx context.Context, below uint64, keys ...storeKey) {
	s.later.queueLater(ctx, deletions(laterRetry, s.later.firstRetry(), below, keys)...)
}

func deletions(kind laterKind, due time.Time, below uint64, keys []storeKey) []*laterTask {
	tasks := make([]*laterTask, len(keys))
	for i, k := range keys {
		tasks[i] = &laterTask{kind: kind, due: due, below: below, identity: k.identity, key: k.text}
	}
	return tasks
}

// again has something else than a key invalidated once more, for it has failed.
func (l *later) again(ctx context.Context, what laterWhat, id identity, key string) {
	l.queueLater(ctx, &laterTask{what: what, kind: laterRetry, due: l.firstRetry(), identity: id, key: key})
}

// tagsAgain has those tags invalidated once more that have failed: without a version.
func (l *later) tagsAgain(ctx context.Context, refs []tagRef, bumped []tagVersion) {
	var tasks []*laterTask
	for i, ref := range refs {
		if bumped[i].version == 0 {
			tasks = append(tasks, &laterTask{what: laterTag, kind: laterRetry, due: l.firstRetry(), identity: ref.id, key: ref.text})
		}
	}
	l.queueLater(ctx, tasks...)
}

// deleteNow deletes the key of a task.
func (s *Space[K, V]) deleteNow(ctx context.Context, t *laterTask) error {
	k := storeKey{text: t.key, identity: t.identity}
	holdOff := s.cfg.Life.HoldOff
	if t.kind == laterSecond {
		holdOff = 0
	}
	s.forgetKey(k)
	err := errors.Join(s.m.cfg.Store.Delete(ctx, k.text, t.below, holdOff), s.dropCopies(ctx, k))
	s.forgetKey(k)
	if err == nil {
		s.tellOthers(k)
	}
	return err
}

// forgetKey is forget for a key of which only the store's name is known.
func (s *Space[K, V]) forgetKey(k storeKey) {
	s.changed(Change{Space: s.name, Key: k.identity})
	if s.epochs != nil {
		k.epoch, _ = s.epochs.now()
	}
	if k.tagged = s.tagged(); k.tagged {
		k.turn = s.m.tags.all.Load()
	}
	s.flights.forget(k.flight())
}

// DeadInvalidations returns the invalidations that were given up, the oldest first, at
// most 10,000: with a journal those of earlier processes, and of others that share it.
func (s *Space[K, V]) DeadInvalidations(ctx context.Context) ([]DeadInvalidation, error) {
	return s.later.listDead(ctx)
}

// ReviveInvalidations has those that were given up tried anew, and returns how many.
func (s *Space[K, V]) ReviveInvalidations(ctx context.Context) (int, error) {
	return s.later.revive(ctx)
}

// DeadInvalidations is Space.DeadInvalidations for the tags of Manager.InvalidateTags and
// EraseTag.
func (m *Manager) DeadInvalidations(ctx context.Context) ([]DeadInvalidation, error) {
	return m.later.listDead(ctx)
}

// ReviveInvalidations is Space.ReviveInvalidations for the same.
func (m *Manager) ReviveInvalidations(ctx context.Context) (int, error) {
	return m.later.revive(ctx)
}
