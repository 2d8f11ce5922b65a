package cache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cache/journal/memory"
)

// The source fails, panics, is slow, and is back: nothing is lost, and reads here never
// see what was before.
func TestWriteBehindSourceFails(t *testing.T) {
	var told atomic.Int64
	m, err := NewManager(ManagerConfig{Store: NewMemory(), OnError: func(string, error) { told.Add(1) }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	l := newLate()
	l.fails = errors.New("down")
	var calls atomic.Int64
	s := behindUsers(t, m, l, memory.New(0), func(c *SpaceConfig[userKey, user]) {
		c.WriteBehind.Timeout = 20 * time.Millisecond
		c.WriteBehind.Apply = func(ctx context.Context, batch []*RowChange[userKey, user]) error {
			switch calls.Add(1) {
			case 2:
				panic("in Apply")
			case 3:
				<-ctx.Done() // slow
				return ctx.Err()
			}
			return l.apply(ctx, batch)
		}
	})
	put(t, s, "kept")
	eventually(t, "failures", func() bool { return s.Stats().Behind.Failures >= 5 })
	wantName(t, s, "kept", FromPending)
	if err := s.Invalidate(t.Context(), ada); err != nil {
		t.Fatal(err)
	}
	wantName(t, s, "kept", FromPending)
	if st := s.Stats().Behind; st.Depth != 1 || st.Oldest <= 0 || told.Load() < 5 {
		t.Errorf("%+v, %d errors told", st, told.Load())
	}
	l.set(func(l *late) { l.fails = nil })
	mustFlush(t, s)
	wantName(t, s, "kept", FromLoader)
}

// A source that refuses a change for good gets all others, and the queue goes on.
func TestWriteBehindRejected(t *testing.T) {
	l := newLate()
	refused := errors.New("no such tenant")
	store := NewMemory()
	s := behindUsers(t, newManager(t, store), l, memory.New(0), func(c *SpaceConfig[userKey, user]) {
		c.WriteBehind.Apply = func(ctx context.Context, batch []*RowChange[userKey, user]) error {
			var taken []*RowChange[userKey, user]
			r := &Rejection{Err: refused}
			for i, c := range batch {
				if c.Key.Tenant == "bad" {
					r.Changes = append(r.Changes, i)
				} else {
					taken = append(taken, c)
				}
			}
			if err := l.apply(ctx, taken); err != nil || len(r.Changes) == 0 {
				return err
			}
			return r
		}
	})
	bad := userKey{"bad", 1}
	if err := s.PutMany(t.Context(), []Pair[userKey, user]{{bad, user{Name: "x"}}, {ada, user{Name: "good"}}}); err != nil {
		t.Fatal(err)
	}
	mustFlush(t, s)
	wantName(t, s, "good", FromLoader)
	if _, _, err := s.Get(t.Context(), bad); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was refused: %v, want what the source has", err)
	}
	if st := s.Stats().Behind; st.Rejected != 1 || st.Depth != 0 {
		t.Errorf("%+v", st)
	}
}

// A full queue holds writers up until their context ends, or there is a place.
func TestWriteBehindFull(t *testing.T) {
	l := newLate()
	s := behindUsers(t, newManager(t, NewMemory()), l, memory.New(0), func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Queue = 3 })
	release := l.hold()
	defer release()
	for i := range 3 {
		if err := s.Add(t.Context(), ada, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Put(ctx, ada, user{Name: "too many"}); !errors.Is(err, ErrQueueFull) || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Put: %v, want ErrQueueFull", err)
	}
	if st := s.Stats().Behind; st.Queue != 3 || st.Queued != 3 || st.Full != 1 {
		t.Errorf("%+v, want 3 of 3 places taken, and a write that found none", st)
	}
	waits := make(chan error, 1)
	go func() { waits <- s.Put(context.Background(), ada, user{Name: "waited"}) }()
	release()
	if err := <-waits; err != nil {
		t.Fatal(err)
	}
	mustFlush(t, s)
	if row := l.row(ada); row.u.Name != "waited" {
		t.Errorf("%+v", row)
	}
	if st := s.Stats().Behind; st.Queued != 0 || st.Full != 1 {
		t.Errorf("%+v, want all places free", st)
	}
	full := behindUsers(t, newManager(t, NewMemory()), l, memory.New(2), func(c *SpaceConfig[userKey, user]) { c.Name = "full" })
	again := l.hold()
	defer again()
	err := full.PutMany(t.Context(), []Pair[userKey, user]{{ada, user{}}, {ada, user{}}, {ada, user{}}})
	if !errors.Is(err, ErrQueueFull) {
		t.Errorf("a journal that is full: %v", err)
	}
	if st := full.Stats().Behind; st.Full != 3 || st.Queued != 0 || st.Queue != 10_000 {
		t.Errorf("%+v, want 3 writes that found no place", st)
	}
}

// Close while many write: who got no error is in the source, or in the journal for the
// next, whose readers see it from the start.
func TestWriteBehindClose(t *testing.T) {
	eachJournal(t, func(t *testing.T, open func() journal.Journal) {
		l := newLate()
		m := newManager(t, NewMemory())
		s := behindUsers(t, m, l, open(), func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Batch = 3 })
		var all sync.WaitGroup
		var acknowledged [8]int64
		for w := range acknowledged {
			all.Go(func() {
				for i := int64(1); ; i++ {
					if err := s.Add(context.Background(), userKey{"w", int64(w)}, 1); err != nil {
						if !errors.Is(err, ErrClosed) {
							t.Error(err)
						}
						return
					}
					acknowledged[w] = i
				}
			})
		}
		eventually(t, "some are applied", func() bool { return s.Stats().Behind.Applied > 10 })
		release := l.hold() // the source hangs, and Close does not wait for ever
		if err := m.Close(); !errors.Is(err, ErrNotApplied) {
			t.Errorf("Close: %v, want ErrNotApplied", err)
		}
		all.Wait()
		release()
		if err := s.Put(t.Context(), ada, user{}); !errors.Is(err, ErrClosed) {
			t.Errorf("Put after Close: %v", err)
		}
		m = newManager(t, NewMemory())
		release = l.hold()
		s = behindUsers(t, m, l, open(), func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Drain = time.Minute })
		if s.Stats().Behind.Depth == 0 {
			t.Error("nothing was left over: the test shows nothing")
		}
		put(t, s, "seen")
		wantName(t, s, "seen", FromPending)
		release()
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for w, want := range acknowledged {
			if row := l.row(userKey{"w", int64(w)}); row.sum != want {
				t.Errorf("writer %d: the source has %d, want %d", w, row.sum, want)
			}
		}
		if row := l.row(ada); row.u.Name != "seen" {
			t.Errorf("%+v: Close did not wait for it", row)
		}
	})
}

// After a restart readers are shown what the source does not have yet.
func TestWriteBehindRestart(t *testing.T) {
	eachJournal(t, func(t *testing.T, open func() journal.Journal) {
		l := newLate()
		m := newManager(t, NewMemory())
		s := behindUsers(t, m, l, open(), nil)
		release := l.hold()
		put(t, s, "before")
		if err := s.Delete(t.Context(), userKey{"gone", 1}); err != nil {
			t.Fatal(err)
		}
		closeManager(t, m)
		s = behindUsers(t, newManager(t, NewMemory()), l, open(), nil)
		wantName(t, s, "before", FromPending)
		if _, meta, err := s.Get(t.Context(), userKey{"gone", 1}); !errors.Is(err, ErrNotFound) || meta.Source != FromPending {
			t.Errorf("what is deleted: %+v, %v", meta, err)
		}
		release()
		mustFlush(t, s)
		wantName(t, s, "before", FromLoader)
	})
}

// Other processes that share the store see what is written before the source has it;
// what they load meanwhile, where the store has lost it, ends when it is applied; and
// nothing that comes late brings it back.
func TestWriteBehindOthers(t *testing.T) {
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			addresses := b.start(t, 1)
			mine := b.open(t, addresses)
			theirs := mine
			if b.name != "memory" {
				theirs = b.open(t, addresses)
			}
			l := newLate()
			l.version = true
			l.rows[ada] = lateRow{u: user{Name: "old"}, there: true, version: 1}
			log := memory.New(0)
			s := behindUsers(t, newManager(t, mine), l, log, nil)
			other := newUsers(t, newManager(t, theirs), func(c *SpaceConfig[userKey, user]) { c.Load, c.Life.RefreshAhead = l.load, 1 })
			wantName(t, other, "old", FromLoader)
			release := l.hold()
			defer release()
			put(t, s, "new")
			// Each of these reads has the other process load what the source still has.
			for range 3 {
				wantName(t, other, "new", FromL2)
			}
			eventually(t, "a refresh with the old value", func() bool {
				st := other.Stats()
				return st.RefusedOld+st.LeasesLost+st.Stored > 1 // one is the load before
			})
			wantName(t, other, "new", FromL2)
			if _, meta, _ := other.Get(t.Context(), ada); meta.Version != 0 {
				t.Errorf("version %d of what the source does not have", meta.Version)
			}
			k, err := storeKeyOf(s.prefix, ada, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			del(t, theirs, k.text, AnyVersion, 0) // thrown out
			if v, _ := mustGet(t, other, ada); v.Name != "old" {
				t.Errorf("%q: want what the source has", v.Name)
			}
			wantName(t, s, "new", FromPending)
			release()
			mustFlush(t, s)
			wantName(t, other, "new", FromL2)
			if _, meta, _ := other.Get(t.Context(), ada); meta.Version != 2 {
				t.Errorf("version %d, want that of the source, 2", meta.Version)
			}
			if set(t, theirs, k.text, Entry{Value: []byte("late"), Version: 1, TTL: longTTL}) {
				t.Error("an older value replaced it")
			}
		})
	}
}

// The entry of a write that comes to the store after the source has the write goes again,
// whether the journal has forgotten the write or not.
func TestWriteBehindLateEntry(t *testing.T) {
	for _, forgotten := range []bool{true, false} {
		t.Run(fmt.Sprint("forgotten ", forgotten), func(t *testing.T) {
			l := newLate()
			l.version = true
			store := &slowSet{Memory: NewMemory(), began: make(chan struct{}), goOn: make(chan struct{})}
			log := heldJournal{Journal: memory.New(0), began: make(chan struct{}, 1), goOn: make(chan struct{})}
			s := behindUsers(t, newManager(t, plainSlow{store}), l, log, nil)
			written := make(chan error, 1)
			go func() { written <- s.Put(context.Background(), ada, user{Name: "first"}) }()
			<-store.began
			<-log.began // it is applied, and what the store had of it is deleted
			if forgotten {
				close(log.goOn)
				mustFlush(t, s)
			}
			l.set(func(l *late) { l.rows[ada] = lateRow{u: user{Name: "changed by others"}, there: true, version: 7} })
			close(store.goOn)
			if err := <-written; err != nil {
				t.Fatal(err)
			}
			if !forgotten {
				close(log.goOn)
				mustFlush(t, s)
			}
			if v, _ := mustGet(t, s, ada); v.Name != "changed by others" {
				t.Errorf("%q: an entry that came late is taken for what the source has", v.Name)
			}
		})
	}
}

// heldJournal holds up Done.
type heldJournal struct {
	journal.Journal
	began, goOn chan struct{}
}

func (h heldJournal) Queue(ctx context.Context, name string) (journal.Queue, error) {
	q, err := h.Journal.Queue(ctx, name)
	return heldQueue{q, h}, err
}

type heldQueue struct {
	journal.Queue
	held heldJournal
}

func (q heldQueue) Done(ctx context.Context, numbers ...uint64) error {
	select {
	case q.held.began <- struct{}{}:
	default:
	}
	<-q.held.goOn
	return q.Queue.Done(ctx, numbers...)
}

// slowSet holds up the first Set of an entry that the source does not have.
type slowSet struct {
	*Memory
	once        sync.Once
	began, goOn chan struct{}
}

type plainSlow struct{ *slowSet }

func (p plainSlow) Set(ctx context.Context, key string, e Entry) (bool, error) {
	if e.Version >= pendingVersion {
		p.once.Do(func() {
			close(p.began)
			<-p.goOn
		})
	}
	return p.Memory.Set(ctx, key, e)
}

// A store that is away is no error of a write: reads here see it, and so does the source.
func TestWriteBehindWithoutStore(t *testing.T) {
	l := newLate()
	s := behindUsers(t, newManager(t, brokenStore{NewMemory()}), l, memory.New(0), nil)
	release := l.hold()
	put(t, s, "written")
	wantName(t, s, "written", FromPending)
	release()
	mustFlush(t, s)
	wantName(t, s, "written", FromLoader)
}

func TestWriteBehindConfig(t *testing.T) {
	m, l := newManager(t, NewMemory()), newLate()
	path := t.TempDir() + "/journal"
	log, err := local.Open(path, local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	for name, change := range map[string]func(*SpaceConfig[userKey, user]){
		"no journal": func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Journal = nil },
		"no Apply":   func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Apply = nil },
		"Save too":   func(c *SpaceConfig[userKey, user]) { c.Save = (&table{}).save },
		"Batch":      func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Batch = -1 },
		"Interval":   func(c *SpaceConfig[userKey, user]) { c.WriteBehind.Interval = 2 * time.Hour },
		"Attempts":   func(c *SpaceConfig[userKey, user]) { c.Invalidation.Attempts = -1 },
		"Second":     func(c *SpaceConfig[userKey, user]) { c.Invalidation.SecondDelete = -1 },
	} {
		cfg := SpaceConfig[userKey, user]{Name: "user", WriteBehind: WriteBehindConfig[userKey, user]{Apply: l.apply, Journal: log}}
		change(&cfg)
		if _, err := NewSpace(m, cfg); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v, want ErrConfig", name, err)
		}
	}
	plain := newUsers(t, m, nil)
	if err := errors.Join(plain.Add(t.Context(), ada, 1), plain.Delete(t.Context(), ada)); !errors.Is(err, ErrNoSave) {
		t.Errorf("without WriteBehind: %v", err)
	}
	if err := plain.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	hidden, err := NewSpace(m, SpaceConfig[lossyKey, int]{Name: "hidden", WriteBehind: WriteBehindConfig[lossyKey, int]{Journal: log,
		Apply: func(context.Context, []*RowChange[lossyKey, int]) error { return nil }}})
	if err != nil {
		t.Fatal(err)
	}
	if err := hidden.Put(t.Context(), lossyKey{7}, 1); !errors.As(err, new(*KeyError)) {
		t.Errorf("a key that JSON loses: %v", err)
	}
}

// lossyKey is one that JSON does not see.
type lossyKey struct{ id int64 }

func (k lossyKey) AppendKey(b *KeyBuilder) { b.Int(k.id) }

// 64 writers, each of whom waits for the disk: far fewer syncs than writes.
func TestWriteBehindSyncs(t *testing.T) {
	log, err := local.Open(t.TempDir()+"/journal", local.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	l := newLate()
	m := newManager(t, NewMemory())
	s := behindUsers(t, m, l, log, nil)
	const writers, each = 64, 20
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for range each {
				if err := s.Add(context.Background(), userKey{"w", int64(w)}, 1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	mustFlush(t, s)
	closeManager(t, m)
	syncs := 2 * log.Commits() // those for what was applied, too
	t.Logf("%d writes of %d writers: %d syncs, %.3f a write", writers*each, writers, syncs, float64(syncs)/(writers*each))
	if syncs > writers*each/2 {
		t.Errorf("%d syncs for %d writes", syncs, writers*each)
	}
}

func FuzzBehindRecord(f *testing.F) {
	f.Add(behindRecord{kind: behindValue, key: []byte(`{"ID":1}`), value: []byte("v")}.encode())
	f.Add(behindRecord{kind: behindDelta, key: []byte("k"), delta: -5, id: [16]byte{1}}.encode())
	f.Add(behindRecord{kind: behindDelete, key: []byte("k")}.encode())
	f.Add([]byte{behindVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := decodeBehindRecord(data)
		if err != nil {
			if !errors.Is(err, errBehindRecord) {
				t.Error(err)
			}
			return
		}
		if again := r.encode(); string(again) != string(data) {
			t.Errorf("%x decodes, and encodes to %x", data, again)
		}
	})
}
