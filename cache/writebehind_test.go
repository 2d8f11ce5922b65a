package cache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cache/journal/memory"
	"github.com/ringway/ringway/cache/journal/streams"
	"github.com/ringway/ringway/internal/servertest"
)

// late is a source that is written behind. It goes by numbers, as RowChange says.
type late struct {
	mu      sync.Mutex
	rows    map[userKey]lateRow
	batches [][]*RowChange[userKey, user]
	loads   int
	version bool // it has versions
	fails   error
	gate    chan struct{} // not nil: Apply waits for it
}

type lateRow struct {
	u       user
	there   bool
	sum     int64
	last    uint64
	version uint64
}

func newLate() *late { return &late{rows: make(map[userKey]lateRow)} }

func (l *late) apply(ctx context.Context, batch []*RowChange[userKey, user]) error {
	l.mu.Lock()
	gate := l.gate
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.batches = append(l.batches, batch)
	if l.fails != nil {
		return l.fails
	}
	for _, c := range batch {
		row := l.rows[c.Key]
		write, sum := c.After(row.last)
		switch write {
		case WriteValue:
			row.u, row.there, row.sum = c.Value, true, 0
		case WriteDelete:
			row = lateRow{version: row.version}
		}
		row.sum += sum
		row.last = max(row.last, c.Last())
		row.version++
		l.rows[c.Key] = row
		if l.version {
			c.Version = row.version
		}
	}
	return nil
}

func (l *late) load(_ context.Context, key userKey) (Loaded[user], error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loads++
	row := l.rows[key]
	if !row.there {
		return Loaded[user]{}, ErrNotFound
	}
	loaded := Loaded[user]{Value: row.u}
	if l.version {
		loaded.Version = row.version
	}
	return loaded, nil
}

func (l *late) row(key userKey) lateRow {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rows[key]
}

func (l *late) set(change func(*late)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l)
}

// hold has Apply wait until the function that is returned is called.
func (l *late) hold() (release func()) {
	gate := make(chan struct{})
	l.set(func(l *late) { l.gate = gate })
	return sync.OnceFunc(func() {
		l.set(func(l *late) { l.gate = nil })
		close(gate)
	})
}

// closed closes a manager whose source may not have everything.
func closeManager(t testing.TB, m *Manager) {
	t.Helper()
	if err := m.Close(); err != nil && !errors.Is(err, ErrNotApplied) {
		t.Error(err)
	}
}

func behindUsers(t testing.TB, m *Manager, l *late, log journal.Journal, change func(*SpaceConfig[userKey, user])) *Space[userKey, user] {
	t.Helper()
	return newUsers(t, m, func(c *SpaceConfig[userKey, user]) {
		c.Load = l.load
		c.WriteBehind = WriteBehindConfig[userKey, user]{Apply: l.apply, Journal: log, Interval: time.Millisecond,
			Pause: time.Millisecond, MaxPause: 5 * time.Millisecond, Drain: 100 * time.Millisecond, StoreWait: time.Minute}
		if change != nil {
			change(c)
		}
	})
}

// Journals that a test is done over.
var journals = []struct {
	name string
	open func(t testing.TB) (again func() journal.Journal)
}{
	{"memory", func(testing.TB) func() journal.Journal {
		log := memory.New(0)
		return func() journal.Journal { return log }
	}},
	{"local", func(t testing.TB) func() journal.Journal {
		path := t.TempDir() + "/journal"
		var log *local.Log
		return func() journal.Journal {
			if log != nil {
				_ = log.Close()
			}
			var err error
			if log, err = local.Open(path, local.Config{}); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = log.Close() })
			return log
		}
	}},
	{"streams", func(t testing.TB) func() journal.Journal {
		client := redisFleet(t, []string{servertest.Redis(t, "--appendonly", "yes").Addr()})
		return func() journal.Journal {
			log, err := streams.New(client, streams.Config{Lease: 5 * time.Second, Poll: 5 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			return log
		}
	}},
}

func eachJournal(t *testing.T, test func(t *testing.T, open func() journal.Journal)) {
	for _, j := range journals {
		t.Run(j.name, func(t *testing.T) { test(t, j.open(t)) })
	}
}

func mustFlush(t testing.TB, s *Space[userKey, user]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// Values, deltas and deletes of a key reach the source in their order, and readers here
// see them before, whatever the stores keep.
func TestWriteBehind(t *testing.T) {
	for _, b := range backends {
		for _, versions := range []bool{false, true} {
			t.Run(fmt.Sprint(b.name, " versions ", versions), func(t *testing.T) {
				l := newLate()
				l.version = versions
				m := newManager(t, b.open(t, b.start(t, 1)))
				s := behindUsers(t, m, l, memory.New(0), func(c *SpaceConfig[userKey, user]) { c.L1.MaxBytes = 1 << 20 })
				if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNotFound) {
					t.Fatal(err)
				}
				release := l.hold()
				defer func() { release() }()
				put(t, s, "first")
				put(t, s, "second")
				wantName(t, s, "second", FromPending)
				if a := s.GetMany(t.Context(), []userKey{ada})[ada]; a.Err != nil || a.Value.Name != "second" || a.Meta.Source != FromPending {
					t.Errorf("GetMany: %+v", a)
				}
				if err := s.Add(t.Context(), ada, 5); err != nil {
					t.Fatal(err)
				}
				if err := s.Add(t.Context(), ada, -2); err != nil {
					t.Fatal(err)
				}
				if n := l.row(ada).version; n != 0 {
					t.Errorf("the source has version %d before Apply", n)
				}
				release()
				mustFlush(t, s)
				if row := l.row(ada); row.u.Name != "second" || row.sum != 3 {
					t.Errorf("the source has %+v, want second and 3", row)
				}
				wantName(t, s, "second", FromLoader)
				release = l.hold() // were it applied before Put has stored it, the entry would be deleted
				put(t, s, "third")
				release()
				mustFlush(t, s)
				from := FromLoader // without versions what the source has is deleted from the store
				if versions {
					from = FromL2
				}
				wantName(t, s, "third", from)
				if err := s.Delete(t.Context(), ada); err != nil {
					t.Fatal(err)
				}
				mustFlush(t, s)
				if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNotFound) || l.row(ada).there {
					t.Errorf("after Delete: %v, %+v", err, l.row(ada))
				}
			})
		}
	}
}

// Batch bounds what one Apply takes up, of writes that wait as of those that an earlier
// process has left; and several writes of one key count.
func TestWriteBehindBatch(t *testing.T) {
	const batch, writes = 10, 45
	l, log := newLate(), memory.New(0)
	small := func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Batch = batch }
	write := func(s *Space[userKey, user], first int64) {
		release := l.hold()
		for i := range int64(writes) {
			if err := s.Put(t.Context(), userKey{"batch", first + i/2}, user{Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		release()
	}
	m := newManager(t, NewMemory())
	s := behindUsers(t, m, l, log, small)
	write(s, 0)
	mustFlush(t, s)
	l.set(func(l *late) { l.fails = errors.New("away") })
	write(s, 1000)
	closeManager(t, m)
	l.set(func(l *late) { l.fails = nil })
	s = behindUsers(t, newManager(t, NewMemory()), l, log, small)
	mustFlush(t, s)
	applied := 0
	l.set(func(l *late) {
		for i, b := range l.batches {
			if len(b) > batch/2+1 { // the writes of each key are two, in turn
				t.Errorf("batch %d has %d changes, of twice as many writes; want %d writes at most", i, len(b), batch)
			}
		}
		applied = len(l.rows)
	})
	if want := 2 * (writes/2 + 1); applied != want {
		t.Errorf("%d rows are written, want %d", applied, want)
	}
}

// Many writes of few keys are few changes: the last value, and the sum.
func TestWriteBehindCoalesces(t *testing.T) {
	l := newLate()
	s := behindUsers(t, newManager(t, NewMemory()), l, memory.New(0), nil)
	release := l.hold()
	put(t, s, "leads") // an Apply of its own, which waits
	eventually(t, "Apply", func() bool { return s.Stats().Behind.Depth == 1 })
	const writes, keys = 300, 3
	want := make(map[userKey]lateRow)
	for i := range writes {
		key := userKey{"few", int64(i % keys)}
		if i < writes/2 {
			if err := s.Put(t.Context(), key, user{Name: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
			want[key] = lateRow{u: user{Name: fmt.Sprint(i)}}
			continue
		}
		if err := s.Add(t.Context(), key, int64(i)); err != nil {
			t.Fatal(err)
		}
		row := want[key]
		row.sum += int64(i)
		want[key] = row
	}
	st := s.Stats().Behind
	if st.Depth != writes+1 || st.Acknowledged != writes+1 || st.Oldest <= 0 {
		t.Errorf("depth %d, acknowledged %d, oldest %v; want %d", st.Depth, st.Acknowledged, st.Oldest, writes+1)
	}
	release()
	mustFlush(t, s)
	got := make(map[userKey]lateRow)
	for key := range want {
		row := l.row(key)
		got[key] = lateRow{u: user{Name: row.u.Name}, sum: row.sum}
	}
	if !maps.EqualFunc(got, want, func(a, b lateRow) bool { return a.u.Name == b.u.Name && a.sum == b.sum }) {
		t.Errorf("the source has %v, want %v", got, want)
	}
	st = s.Stats().Behind
	changes := 0
	for _, batch := range l.batches {
		changes += len(batch)
	}
	if changes > 1+2*keys || st.Coalesced != uint64(writes+1-changes) || st.Depth != 0 || st.Oldest != 0 || st.Applied != writes+1 {
		t.Errorf("%d changes for %d writes of %d keys; %+v", changes, writes, keys, st)
	}
}

// Of the writes of a key none overtakes another: many goroutines, each with keys of its
// own, against a source that notes what it is given.
func TestWriteBehindOrder(t *testing.T) {
	eachJournal(t, func(t *testing.T, open func() journal.Journal) {
		var mu sync.Mutex
		seen := make(map[userKey][]string)
		l := newLate()
		m := newManager(t, NewMemory())
		s := behindUsers(t, m, l, open(), func(c *SpaceConfig[userKey, user]) {
			c.WriteBehind.Batch = 7
			c.WriteBehind.Apply = func(_ context.Context, batch []*RowChange[userKey, user]) error {
				mu.Lock()
				defer mu.Unlock()
				for _, c := range batch {
					seen[c.Key] = append(seen[c.Key], c.Value.Name)
				}
				return nil
			}
		})
		const writers, writes = 8, 40
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range writes {
					if err := s.Put(context.Background(), userKey{"w", int64(w)}, user{Name: fmt.Sprintf("%03d", i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		mustFlush(t, s)
		closeManager(t, m)
		for key, names := range seen {
			for i := 1; i < len(names); i++ {
				if names[i] <= names[i-1] {
					t.Errorf("%v: %s after %s", key, names[i], names[i-1])
				}
			}
			if last := names[len(names)-1]; last != fmt.Sprintf("%03d", writes-1) {
				t.Errorf("%v: the last is %s", key, last)
			}
		}
		if len(seen) != writers {
			t.Errorf("%d keys, want %d", len(seen), writers)
		}
	})
}

// What a row lacks of a change, by the number up to which it has everything.
func TestRowChangeAfter(t *testing.T) {
	deltas := []Delta{{Number: 5, By: 1}, {Number: 7, By: 10}}
	for _, c := range []struct {
		change RowChange[userKey, user]
		last   uint64
		write  Writing
		sum    int64
	}{
		{RowChange[userKey, user]{Write: WriteValue, Number: 3, Deltas: deltas}, 0, WriteValue, 11},
		{RowChange[userKey, user]{Write: WriteValue, Number: 3, Deltas: deltas}, 3, WriteNothing, 11},
		{RowChange[userKey, user]{Write: WriteDelete, Number: 3, Deltas: deltas}, 2, WriteDelete, 11},
		{RowChange[userKey, user]{Deltas: deltas}, 5, WriteNothing, 10},
		{RowChange[userKey, user]{Deltas: deltas}, 7, WriteNothing, 0},
	} {
		if write, sum := c.change.After(c.last); write != c.write || sum != c.sum {
			t.Errorf("%+v after %d: %v and %d, want %v and %d", c.change, c.last, write, sum, c.write, c.sum)
		}
		if n := c.change.Last(); n != 7 {
			t.Errorf("Last: %d, want 7", n)
		}
	}
}
