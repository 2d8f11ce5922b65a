package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cache/journal/memory"
)

var errUnread = errors.New("of another release")

// picky is a codec that does not bring back users of a name.
type picky struct{ JSON[user] }

func (picky) Decode(data, bound []byte) (user, error) {
	if bytes.Contains(data, []byte("broken")) {
		return user{}, errUnread
	}
	return JSON[user]{}.Decode(data, bound)
}

// turning is a codec that is picky from some moment on.
type turning struct {
	JSON[user]
	turned  atomic.Bool
	decoded atomic.Int64
}

func (c *turning) Decode(data, bound []byte) (user, error) {
	if c.turned.Load() {
		return picky{}.Decode(data, bound)
	}
	c.decoded.Add(1)
	return c.JSON.Decode(data, bound)
}

// told is what a manager was told.
type told struct {
	mu  sync.Mutex
	all []error
}

func (t *told) hear(_ string, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.all = append(t.all, err)
}

// of returns how often it was told of an error, and what it said last.
func (t *told) of(target error) (n int, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, err := range t.all {
		if errors.Is(err, target) {
			n, text = n+1, err.Error()
		}
	}
	return n, text
}

func toldManager(t *testing.T, store Store) (*Manager, *told) {
	t.Helper()
	heard := &told{}
	m, err := NewManager(ManagerConfig{Store: store, OnError: heard.hear})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeManager(t, m) })
	return m, heard
}

func withPicky(c *SpaceConfig[userKey, user]) { c.Codec = picky{} }

func keyNamed(name string) userKey { return userKey{name, 1} }

func mustPut(t *testing.T, s *Space[userKey, user], key, name string) {
	t.Helper()
	if err := s.Put(t.Context(), keyNamed(key), user{Name: name}); err != nil {
		t.Fatal(err)
	}
}

func mustDead(t *testing.T, s *Space[userKey, user]) []DeadWrite {
	t.Helper()
	all, err := s.DeadWrites(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// leave has a process write some values, each "key name", that the source does not get.
func leave(t *testing.T, log journal.Journal, l *late, writes ...string) {
	t.Helper()
	release := l.hold()
	defer release()
	m := newManager(t, NewMemory())
	s := behindUsers(t, m, l, log, nil)
	for _, w := range writes {
		key, name, _ := strings.Cut(w, " ")
		mustPut(t, s, key, name)
	}
	closeManager(t, m)
}

// A record that cannot be read is set aside, told of and counted; all others reach the
// source, those of the same key too; and it is there for who can read it, after a restart
// as well.
func TestWriteSetAside(t *testing.T) {
	eachJournal(t, func(t *testing.T, open func() journal.Journal) {
		l := newLate()
		leave(t, open(), l, "ada first", "bob before", "bob broken", "carol third", "bob after", "dora broken")
		m, heard := toldManager(t, NewMemory())
		log := open()
		s := behindUsers(t, m, l, log, withPicky)
		eventually(t, "two are set aside", func() bool { return s.Stats().Behind.SetAside == 2 })
		mustFlush(t, s)
		for key, want := range map[string]string{"ada": "first", "bob": "after", "carol": "third", "dora": ""} {
			if row := l.row(keyNamed(key)); row.u.Name != want {
				t.Errorf("the source has %q of %s, want %q", row.u.Name, key, want)
			}
		}
		eventually(t, "bob's is overtaken", func() bool { dead := mustDead(t, s); return len(dead) == 2 && dead[0].Overtaken != 0 })
		dead := mustDead(t, s)
		bob, dora := dead[0], dead[1]
		if bob.What != "value" || !bytes.Contains(bob.Key, []byte("bob")) || bob.Err == "" || bob.Size == 0 || time.Since(bob.Since) > time.Minute ||
			bob.Number >= dora.Number || bob.Overtaken <= bob.Number || dora.Overtaken != 0 {
			t.Errorf("dead: %+v, %+v", bob, dora)
		}
		n, text := heard.of(errUnread)
		if n != 2 || !strings.Contains(text, fmt.Sprint("record ", dora.Number)) || !strings.Contains(text, "user/3/writes/dead") {
			t.Errorf("told %d times, %q", n, text)
		}
		if where, says := log.(fmt.Stringer); says && !strings.Contains(text, where.String()) {
			t.Errorf("%q does not say %s", text, where)
		}
		if st := s.Stats().Behind; st.Depth != 0 || st.Dead != 2 {
			t.Errorf("%+v", st)
		}
		if _, _, err := s.Get(t.Context(), keyNamed("dora")); !errors.Is(err, ErrNotFound) {
			t.Errorf("a reader of what is set aside: %v, want what the source has", err)
		}
		if n, err := s.ReviveWrites(t.Context()); n != 1 || err != nil { // it still cannot be read
			t.Errorf("%d revived, %v; want the one that is not overtaken", n, err)
		}
		eventually(t, "it is set aside again", func() bool { return s.Stats().Behind.SetAside == 3 && len(mustDead(t, s)) == 2 })
		closeManager(t, m)
		s = behindUsers(t, newManager(t, NewMemory()), l, open(), nil)
		if n := s.Stats().Behind.Dead; n < 2 {
			t.Errorf("%d dead ones after a restart, want 2", n)
		}
		if n, err := s.ReviveWrites(t.Context()); n != 1 || err != nil {
			t.Errorf("%d revived, %v; want the one that is not overtaken", n, err)
		}
		eventually(t, "the source has it", func() bool { return l.row(keyNamed("dora")).u.Name == "broken" })
		if dead = mustDead(t, s); len(dead) != 1 || dead[0].Number != bob.Number || l.row(keyNamed("bob")).u.Name != "after" {
			t.Errorf("dead: %+v", dead)
		}
		if n, err := s.DropWrites(t.Context()); n != 0 || err != nil || len(mustDead(t, s)) != 1 {
			t.Errorf("dropped %d by no ID, %v", n, err)
		}
		if n, err := s.DropWrites(t.Context(), dead[0].ID, 12345); n != 1 || err != nil || len(mustDead(t, s)) != 0 || s.Stats().Behind.Dead != 0 {
			t.Errorf("dropped %d, %v; %+v left", n, err, mustDead(t, s))
		}
	})
}

// A write of this very process that cannot be read is neither waited for nor shown any
// more, here or in the store.
func TestOwnWriteSetAside(t *testing.T) {
	l, store := newLate(), NewMemory()
	m, _ := toldManager(t, store)
	codec := &turning{}
	s := behindUsers(t, m, l, memory.New(0), func(c *SpaceConfig[userKey, user]) { c.Codec = codec })
	release := l.hold()
	mustPut(t, s, "ada", "first")
	// For the copy that is shown, for the store, and for the source, which is at it from then on.
	eventually(t, "it is decoded three times", func() bool { return codec.decoded.Load() == 3 })
	mustPut(t, s, "bob", "broken")
	k, err := storeKeyOf(s.prefix, keyNamed("bob"), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store shows it", func() bool { _, err := store.Get(t.Context(), k.text); return err == nil })
	codec.turned.Store(true)
	release()
	mustFlush(t, s)
	if row := l.row(keyNamed("ada")); row.u.Name != "first" {
		t.Errorf("what was before it: %+v", row)
	}
	if _, _, err := s.Get(t.Context(), keyNamed("bob")); !errors.Is(err, ErrNotFound) {
		t.Errorf("%v, want what the source has", err)
	}
	if e, err := store.Get(t.Context(), k.text); err == nil && e.Version >= pendingVersion {
		t.Errorf("the store goes on showing it: version %x", e.Version)
	}
}

// forgetful is a journal whose queue of writes forgets nothing while it fails, or whose
// queue of the dead takes nothing.
type forgetful struct {
	journal.Journal
	done, full *bool
}

func (f forgetful) Queue(ctx context.Context, name string) (journal.Queue, error) {
	q, err := f.Journal.Queue(ctx, name)
	return forgetfulQueue{q, f, strings.HasSuffix(name, deadQueue)}, err
}

type forgetfulQueue struct {
	journal.Queue
	of   forgetful
	dead bool
}

func (q forgetfulQueue) Done(ctx context.Context, numbers ...uint64) error {
	if !q.dead && *q.of.done {
		return errors.New("the disk is gone")
	}
	return q.Queue.Done(ctx, numbers...)
}

func (q forgetfulQueue) Append(ctx context.Context, data ...[]byte) ([]uint64, error) {
	if q.dead && *q.of.full {
		return nil, journal.ErrFull
	}
	return q.Queue.Append(ctx, data...)
}

// A process that is killed between the two queues leaves the write in both; the next one
// does not set it aside twice.
func TestSetAsideOnce(t *testing.T) {
	l, inner := newLate(), memory.New(0)
	leave(t, inner, l, "bob broken")
	m, heard := toldManager(t, NewMemory())
	yes, no := true, false
	s := behindUsers(t, m, l, forgetful{inner, &yes, &no}, withPicky)
	eventually(t, "it cannot be forgotten", func() bool { heard.mu.Lock(); defer heard.mu.Unlock(); return len(heard.all) > 2 })
	if n := s.Stats().Behind; n.SetAside != 0 || n.Depth != 1 {
		t.Errorf("%+v", n)
	}
	closeManager(t, m)
	m, _ = toldManager(t, NewMemory())
	s = behindUsers(t, m, l, inner, withPicky)
	eventually(t, "it is set aside", func() bool { return s.Stats().Behind.SetAside == 1 })
	if dead, n := mustDead(t, s), s.Stats().Behind.Dead; len(dead) != 1 || n != 1 {
		t.Errorf("%d times: %+v", n, dead)
	}
}

// Where the dead have no room nothing is lost: the queue stops, and says so.
func TestSetAsideFull(t *testing.T) {
	l, inner := newLate(), memory.New(0)
	leave(t, inner, l, "ada first", "bob broken", "carol third")
	m, heard := toldManager(t, NewMemory())
	no, yes := false, true
	s := behindUsers(t, m, l, forgetful{inner, &no, &yes}, withPicky)
	eventually(t, "it is told", func() bool { n, _ := heard.of(journal.ErrFull); return n > 2 })
	if n, text := heard.of(errUnread); n < 3 || !strings.Contains(text, "stops the queue") {
		t.Errorf("%d times, %q", n, text)
	}
	if st := s.Stats().Behind; st.Depth != 2 || st.SetAside != 0 || l.row(keyNamed("ada")).u.Name != "first" || l.row(keyNamed("carol")).there {
		t.Errorf("%+v, %+v", st, l.rows)
	}
}

// More are dead than one batch has, among others that are not.
func TestSetAsideMany(t *testing.T) {
	l, inner := newLate(), memory.New(0)
	var writes []string
	for i := range 40 {
		writes = append(writes, fmt.Sprintf("k%d broken", i), fmt.Sprintf("k%d broken", i), fmt.Sprintf("g%d fine", i))
	}
	leave(t, inner, l, writes...)
	m, heard := toldManager(t, NewMemory())
	s := behindUsers(t, m, l, inner, func(c *SpaceConfig[userKey, user]) { c.Codec, c.WriteBehind.Batch = picky{}, 7 })
	mustFlush(t, s)
	eventually(t, "all are set aside", func() bool { return s.Stats().Behind.SetAside == 80 && s.Stats().Behind.Depth == 0 })
	for i := range 40 {
		if row := l.row(keyNamed(fmt.Sprint("g", i))); row.u.Name != "fine" {
			t.Errorf("row %d: %+v", i, row)
		}
	}
	dead := mustDead(t, s)
	if n, _ := heard.of(errUnread); len(dead) != 80 || n != 80 || !slices.IsSortedFunc(dead, func(a, b DeadWrite) int { return int(a.Number) - int(b.Number) }) {
		t.Errorf("%d dead, %d told", len(dead), n)
	}
}

func TestUndoes(t *testing.T) {
	for _, c := range []struct {
		dead, later behindKind
		want        bool
	}{
		{behindValue, behindValue, true}, {behindValue, behindDelta, true}, {behindDelete, behindDelta, true},
		{behindDelta, behindValue, true}, {behindDelta, behindDelete, true}, {behindDelta, behindDelta, false},
	} {
		if got := c.dead.undoes(c.later); got != c.want {
			t.Errorf("a %v undoes a later %v: %v", c.dead, c.later, got)
		}
	}
}

// A tool looks after the file of a process that has ended, and has no codec.
func TestWriteJournal(t *testing.T) {
	path := t.TempDir() + "/journal"
	open := func() *local.Log {
		log, err := local.Open(path, local.Config{})
		if err != nil {
			t.Fatal(err)
		}
		return log
	}
	l, log := newLate(), open()
	leave(t, log, l, "ada broken", "bob waits")
	q, err := log.Queue(t.Context(), "user/3"+writesQueue)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Append(t.Context(), []byte("not a write")); err != nil {
		t.Fatal(err)
	}
	_ = q.Close()
	m, heard := toldManager(t, NewMemory())
	release := l.hold()
	s := behindUsers(t, m, l, log, withPicky)
	eventually(t, "the first is set aside", func() bool { return s.Stats().Behind.SetAside == 1 })
	release()
	eventually(t, "and the one that is no write", func() bool { n, _ := heard.of(errBehindRecord); return n == 1 })
	closeManager(t, m)
	_ = log.Close()

	log = open()
	defer log.Close()
	if names := log.Names(); !slices.Equal(names, []string{"user/3/writes", "user/3/writes/dead"}) {
		t.Errorf("queues %q", names)
	}
	w, err := OpenWriteJournal(t.Context(), log, "user/3")
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := OpenWriteJournal(t.Context(), log, "user/3"); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("twice: %v", err)
	}
	dead, err := w.Dead(t.Context())
	if err != nil || len(dead) != 2 || dead[0].What != "value" || dead[1].What != "unknown" || dead[1].Key != nil {
		t.Fatalf("%+v, %v", dead, err)
	}
	if n, err := w.Revive(t.Context(), dead[0].ID); n != 1 || err != nil {
		t.Errorf("%d revived, %v", n, err)
	}
	if n, err := w.Drop(t.Context(), dead[1].ID); n != 1 || err != nil {
		t.Errorf("%d dropped, %v", n, err)
	}
	waiting, depth, err := w.Waiting(t.Context(), 10)
	if err != nil || depth != 1 || len(waiting) != 1 || waiting[0].What != "value" || !bytes.Contains(waiting[0].Key, []byte("ada")) || waiting[0].Number <= dead[0].Number {
		t.Errorf("%+v, %d, %v", waiting, depth, err)
	}
	if dead, err = w.Dead(t.Context()); err != nil || len(dead) != 0 {
		t.Errorf("%+v, %v", dead, err)
	}
}

func FuzzDeadWrite(f *testing.F) {
	f.Add(deadWrite{number: 7, overtaken: 9, why: "why", record: []byte("record")}.encode())
	f.Add(deadWrite{why: strings.Repeat("long", maxWhy)}.encode())
	f.Add([]byte{deadVersion})
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := decodeDeadWrite(5, data)
		if err != nil {
			if !errors.Is(err, errDeadWrite) {
				t.Error(err)
			}
			return
		}
		if again := d.encode(); string(again) != string(data) {
			t.Errorf("%x decodes, and encodes to %x", data, again)
		}
	})
}
