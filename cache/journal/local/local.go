package local

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/internal/group"
	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// Config is for later. The zero value is all there is.
type Config struct {
	now func() time.Time // tests replace it
}

// Log is a journal in a file. It is safe for concurrent use. Close it when done, after
// the managers that use it.
type Log struct {
	path   string
	now    func() time.Time
	db     *bolt.DB
	group  *group.Group[*request]
	broken error // set by the goroutine that commits: nothing can be written any more

	commits atomic.Uint64

	mu     sync.Mutex        // guards what follows
	queues map[string]*queue // all that were ever opened, and those that the file has
}

// Names in the file. Queues are buckets of queuesBucket; under the name of each,
// countsBucket has the number of its records.
var (
	queuesBucket = []byte("ringway journal 1")
	countsBucket = []byte("counts")
)

// Open opens the file, and makes it if it is not there; its folder must be. All of it
// is read and checked, and its records are kept in memory from then on. See the
// package for errors.
func Open(path string, cfg Config) (*Log, error) {
	l := &Log{path: path, now: cfg.now, queues: make(map[string]*queue)}
	if l.now == nil {
		l.now = time.Now
	}
	l.group = group.New(l.commit)
	file := ""
	var opened *os.File
	err := guarded(path, func() (err error) {
		file, err = filepath.Abs(path)
		if err != nil {
			return err
		}
		l.db, err = bolt.Open(file, 0o600, &bolt.Options{Timeout: time.Millisecond, OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
			f, err := os.OpenFile(name, flag, mode)
			opened = f
			return f, err
		}})
		return err
	})
	if err == nil {
		if err = l.read(); err == nil {
			return l, syncFolder(file)
		}
		_ = guarded(path, l.db.Close)
	}
	if opened != nil { // bbolt may have left it open, and locked, in the midst of a panic
		unlock(opened)
		_ = opened.Close()
	}
	return nil, openError(path, err)
}

func openError(path string, err error) error {
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return fmt.Errorf("%w: %s: another process, or another Log of this one, has it", journal.ErrLocked, path)
	case errors.Is(err, journal.ErrDamaged):
		return err
	case errors.As(err, new(*fs.PathError)), errors.As(err, new(*os.SyscallError)):
		return fmt.Errorf("journal: open: %w", err)
	}
	return damage(path, fmt.Sprintf("%v, want a file that Open has made", err))
}

func damage(path, what string) error {
	return fmt.Errorf("%w: %s: %s; nothing was changed: move the file away to begin anew without what it has", journal.ErrDamaged, path, what)
}

// guarded calls f, and makes errors of the panics and faults to which pages that are
// damaged lead in bbolt.
func guarded(path string, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = damage(path, fmt.Sprint(p))
		}
	}()
	return f()
}

// syncFolder makes the file's name durable.
func syncFolder(file string) error {
	d, err := os.Open(filepath.Dir(file))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// read takes all queues of the file into memory.
func (l *Log) read() error {
	err := guarded(l.path, func() error {
		return l.db.View(func(tx *bolt.Tx) error {
			root, counts := tx.Bucket(queuesBucket), tx.Bucket(countsBucket)
			if root == nil || counts == nil {
				if tx.Cursor().Bucket().Stats().KeyN > 0 {
					return damage(l.path, "a bbolt database of something else")
				}
				return nil
			}
			return root.ForEachBucket(func(name []byte) error { return l.readQueue(string(name), root.Bucket(name), counts) })
		})
	})
	if err != nil {
		return err
	}
	return guarded(l.path, l.checkPages)
}

func (l *Log) readQueue(name string, b, counts *bolt.Bucket) error {
	q := &queue{log: l, name: name, last: b.Sequence()}
	n := uint64(0)
	err := b.ForEach(func(key, value []byte) error {
		if len(key) != 8 {
			return damage(l.path, fmt.Sprintf("queue %q: a key of %d bytes, want 8", name, len(key)))
		}
		number := binary.BigEndian.Uint64(key)
		data, err := journal.Unframe(number, value)
		if err != nil {
			return damage(l.path, fmt.Sprintf("queue %q: %v", name, err))
		}
		q.lane.Add(journal.Record{Number: number, Data: append([]byte(nil), data...)})
		q.last = max(q.last, number)
		n++
		return nil
	})
	if err != nil {
		return err
	}
	if count := counts.Get([]byte(name)); len(count) != 8 || binary.BigEndian.Uint64(count) != n {
		return damage(l.path, fmt.Sprintf("queue %q: %d records, want %x", name, n, count))
	}
	l.queues[name] = q
	return nil
}

// checkPages has bbolt look whether any page is in use twice: the next transaction
// could write over records. What it reads, read has found readable.
func (l *Log) checkPages() error {
	return l.db.View(func(tx *bolt.Tx) (err error) {
		for e := range tx.Check() {
			if err == nil {
				err = damage(l.path, e.Error())
			}
		}
		return err
	})
}

// Commits returns how many transactions were written since Open, each with two fsyncs.
func (l *Log) Commits() uint64 { return l.commits.Load() }

// Queue is journal.Journal's.
func (l *Log) Queue(_ context.Context, name string) (journal.Queue, error) {
	if err := journal.CheckName(name); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	q := l.queues[name]
	if q == nil {
		q = &queue{log: l, name: name}
		l.queues[name] = q
	}
	if !q.opened.CompareAndSwap(false, true) {
		return nil, fmt.Errorf("%w: queue %q of %s", journal.ErrLocked, name, l.path)
	}
	q.lane.Open()
	return q, nil
}

// Close waits for what is being written, and leaves the file to others.
func (l *Log) Close() error {
	l.group.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, q := range l.queues {
		_ = q.Close()
	}
	return l.db.Close()
}

func damaged(err error) bool { return errors.Is(err, journal.ErrDamaged) }

// String names the file.
func (l *Log) String() string { return "journal " + l.path }

// Names returns the names of the queues that the file has, and of those that were opened
// since, in order.
func (l *Log) Names() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.queues))
}
