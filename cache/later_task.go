package cache

import (
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// laterTask is an invalidation that is due at a time. In the journal, which adds a
// checksum of its own, numbers big endian:
//
//	version 1 · what and kind, 4 bits each · due 8 (ms since 1970) · below 8 · identity 16 · key …
type laterTask struct {
	what     laterWhat
	kind     laterKind
	due      time.Time // by the clock of who wrote it
	below    uint64    // of a key
	identity identity  // of a key, or a tag
	key      string    // of the store; of a pattern its text, with the prefix of the space

	numbers []uint64 // records of the journal that it stands for
	failed  int
	since   time.Time
}

type laterKind byte

const (
	laterRetry  laterKind = 1
	laterSecond laterKind = 2
	laterDead   laterKind = 3

	laterVersion = 1
	// A pattern is no longer than a key before it is escaped and hashed, or so.
	laterPattern = 3*maxRawKey + maxWireKey
	laterHeader  = 1 + 1 + 8 + 8 + 16
)

// laterWhat is what a task invalidates.
type laterWhat byte

const (
	laterKey laterWhat = iota
	laterTag
	laterMatching
	laterEpoch
)

var laterWhats = [...]string{"key", "tag", "pattern", "epoch"}

func (w laterWhat) String() string { return laterWhats[w] }

// longest is how long the key of a task may be.
func (w laterWhat) longest() int {
	if w == laterMatching {
		return laterPattern
	}
	return maxWireKey
}

var errLaterTask = errors.New("cache: not an invalidation")

func (t *laterTask) encode() []byte {
	out := make([]byte, 0, laterHeader+len(t.key))
	out = append(out, laterVersion, byte(t.what)<<4|byte(t.kind))
	out = binary.BigEndian.AppendUint64(out, uint64(t.due.UnixMilli()))
	out = binary.BigEndian.AppendUint64(out, t.below)
	out = append(out, t.identity[:]...)
	return append(out, t.key...)
}

// decodeLaterTask returns the task, or an error for anything that encode has not made.
func decodeLaterTask(data []byte) (*laterTask, error) {
	if len(data) <= laterHeader || len(data) > laterHeader+laterPattern || data[0] != laterVersion {
		return nil, fmt.Errorf("%w: %d bytes, want version %d and %d to %d", errLaterTask, len(data), laterVersion, laterHeader+1, laterHeader+laterPattern)
	}
	t := &laterTask{what: laterWhat(data[1] >> 4), kind: laterKind(data[1] & 15), due: milli(data[2:]), below: binary.BigEndian.Uint64(data[10:]),
		identity: identity(data[18:34]), key: string(data[laterHeader:])}
	if t.kind < laterRetry || t.kind > laterDead || int(t.what) >= len(laterWhats) {
		return nil, fmt.Errorf("%w: kind %d of %d", errLaterTask, t.kind, t.what)
	}
	if len(t.key) > t.what.longest() {
		return nil, fmt.Errorf("%w: a %v of %d bytes, want at most %d", errLaterTask, t.what, len(t.key), t.what.longest())
	}
	for i := range len(t.key) {
		if t.key[i] <= ' ' || t.key[i] >= 0x7f {
			return nil, fmt.Errorf("%w: key %.80q", errLaterTask, t.key)
		}
	}
	return t, nil
}

// laterTasks are those that wait, the first that is due in front.
type laterTasks struct {
	all     dueHeap
	known   map[uint64]bool          // numbers that are there
	retries map[laterName]*laterTask // of several that failed one is enough
	scans   bool                     // one is under way
}

// laterName is what a task is about.
type laterName struct {
	what laterWhat
	key  string
}

func (t *laterTask) name() laterName { return laterName{t.what, t.key} }

type dueHeap []*laterTask

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *dueHeap) Push(t any)        { *h = append(*h, t.(*laterTask)) }
func (h *dueHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return t
}

// add takes a task that was read, unless it is there.
func (l *laterTasks) add(t *laterTask, number uint64) {
	if l.known == nil {
		l.known, l.retries = make(map[uint64]bool), make(map[laterName]*laterTask)
	}
	if l.known[number] {
		return
	}
	l.known[number] = true
	t.numbers = []uint64{number}
	if t.kind == laterRetry {
		if other := l.retries[t.name()]; other != nil {
			other.numbers, other.below = append(other.numbers, number), max(other.below, t.below)
			return
		}
		l.retries[t.name()] = t
	}
	heap.Push(&l.all, t)
}

// again puts back a task that failed.
func (l *laterTasks) again(t *laterTask) { heap.Push(&l.all, t) }

// due takes up to a number of tasks whose time has come.
func (l *laterTasks) due(now time.Time, most int) (tasks []*laterTask) {
	for len(tasks) < most && len(l.all) > 0 && !now.Before(l.all[0].due) {
		tasks = append(tasks, heap.Pop(&l.all).(*laterTask))
	}
	return tasks
}

// ended forgets a task.
func (l *laterTasks) ended(t *laterTask) {
	for _, n := range t.numbers {
		delete(l.known, n)
	}
	if t.kind == laterRetry && l.retries[t.name()] == t {
		delete(l.retries, t.name())
	}
}

// wait is how long nothing is due.
func (l *laterTasks) wait(now time.Time, most time.Duration) time.Duration {
	if len(l.all) == 0 {
		return most
	}
	return min(max(l.all[0].due.Sub(now), 0), most)
}
