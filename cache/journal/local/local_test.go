package local

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	bolt "go.etcd.io/bbolt"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, path string) *Log {
	t.Helper()
	l, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func queueOf(t *testing.T, l *Log) journal.Queue {
	t.Helper()
	q, err := l.Queue(t.Context(), "q")
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func mustAppend(t *testing.T, q journal.Queue, data ...string) []uint64 {
	t.Helper()
	var all [][]byte
	for _, d := range data {
		all = append(all, []byte(d))
	}
	numbers, err := q.Append(t.Context(), all...)
	if err != nil {
		t.Fatal(err)
	}
	return numbers
}

// One process a file, and one reader a queue.
func TestLocked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	l := open(t, path)
	if _, err := Open(path, Config{}); !errors.Is(err, journal.ErrLocked) || !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("a second Log: %v", err)
	}
	q := queueOf(t, l)
	if _, err := l.Queue(t.Context(), "q"); !errors.Is(err, journal.ErrLocked) {
		t.Errorf("a queue that is open: %v", err)
	}
	_ = q.Close()
	queueOf(t, l)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, path)
}

// 64 writers, each of whom waits for the disk: far fewer transactions than records.
func TestGroupCommit(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "journal"))
	q := queueOf(t, l)
	const writers, each = 64, 20
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for range each {
				if _, err := q.Append(context.Background(), []byte("x")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	n := l.Commits()
	t.Logf("%d records of %d writers: %d transactions, %.3f a record", writers*each, writers, n, float64(n)/(writers*each))
	if n > writers*each/4 {
		t.Errorf("%d transactions for %d records of %d writers", n, writers*each, writers)
	}
}

// A clock that is put back does not give a number twice, not even when everything was
// done and the file opened anew.
func TestNumbersGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	now := time.UnixMilli(2_000_000_000_000)
	var last uint64
	for range 3 {
		l, err := Open(path, Config{now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		q := queueOf(t, l)
		numbers := mustAppend(t, q, "a", "b")
		if numbers[0] <= last {
			t.Errorf("number %d after %d", numbers[0], last)
		}
		last = numbers[1]
		if err := errors.Join(q.Done(t.Context(), numbers...), l.Close()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(-time.Hour)
	}
}

// filled makes a file with records that are done and others that are not, and returns
// its bytes before and after the last transaction.
func filled(t *testing.T, path string) (before, after []byte) {
	t.Helper()
	l, err := Open(path, Config{})
	if err != nil {
		t.Fatal(err)
	}
	q := queueOf(t, l)
	for i := range 40 {
		numbers := mustAppend(t, q, fmt.Sprintf("record %d %s", i, strings.Repeat("x", 300)), "half of them")
		if err := q.Done(t.Context(), numbers[1]); err != nil {
			t.Fatal(err)
		}
	}
	if before, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, q, "the last")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if after, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return before, after
}

func depthOf(t *testing.T, path string) (int, error) {
	t.Helper()
	l, err := Open(path, Config{})
	if err != nil {
		return 0, err
	}
	defer l.Close()
	_, depth, err := queueOf(t, l).Peek(t.Context(), 0)
	return depth, err
}

// What a crash leaves of a transaction that was not acknowledged: some of its pages, or
// all and half of its root. The file is as it was before.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	before, after := filled(t, filepath.Join(dir, "journal"))
	page := os.Getpagesize()
	changed := 0
	torn := func(name string, data []byte, want int) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if depth, err := depthOf(t, path); err != nil || depth != want {
			t.Errorf("%s: %d records, %v; want %d", name, depth, err, want)
		}
	}
	data := append(bytes.Clone(before), make([]byte, max(0, len(after)-len(before)))...)
	for at := 2 * page; at+page <= len(after); at += page {
		if !bytes.Equal(data[at:at+page], after[at:at+page]) {
			copy(data[at:at+page], after[at:at+page])
			changed++
			torn(fmt.Sprint("pages ", changed), data, 40)
		}
	}
	if changed == 0 {
		t.Fatal("the last transaction changed no page: nothing was torn")
	}
	torn("whole", after, 41)
	newer := 0
	if binary.LittleEndian.Uint64(after[page+64:]) > binary.LittleEndian.Uint64(after[64:]) {
		newer = page
	}
	half := bytes.Clone(after)
	copy(half[newer+48:newer+page], before[newer+48:newer+page]) // the root's old end behind its new start
	torn("half a root", half, 40)
	torn("a tail of zeros", append(bytes.Clone(after), make([]byte, 3*page)...), 41)
}

// Whatever becomes of a byte of the file, Open either finds all records or says that it
// is damaged; it neither crashes nor goes on with fewer.
func TestDamaged(t *testing.T) {
	dir := t.TempDir()
	_, good := filled(t, filepath.Join(dir, "journal"))
	const seed = 3
	rounds := 150
	if os.Getenv("RINGWAY_SOAK") == "1" {
		rounds = 5000
	}
	r := rand.New(rand.NewPCG(seed, 0))
	refused := 0
	for i := range rounds {
		if t.Failed() {
			break
		}
		data := bytes.Clone(good)
		at := r.IntN(len(data))
		switch i % 3 {
		case 0:
			data[at] ^= byte(1 + r.IntN(255))
		case 1: // a block that was lost
			from := at / 512 * 512
			clear(data[from:min(from+512, len(data))])
		default:
			data = data[:at]
		}
		path := filepath.Join(dir, "damaged")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		depth, err := depthOf(t, path)
		root := at < 2*os.Getpagesize() // of the older whole root, as after a crash
		switch {
		case err == nil && depth != 41 && !(root && depth == 40) && len(data) > 0:
			t.Errorf("round %d (seed %d), byte %d of %d: %d records and no error", i, seed, at, len(good), depth)
		case err != nil && !errors.Is(err, journal.ErrDamaged):
			t.Errorf("round %d (seed %d), byte %d: %v, want ErrDamaged", i, seed, at, err)
		case err != nil:
			refused++
		}
	}
	if refused < rounds/20 {
		t.Errorf("%d of %d refused: the test shows nothing", refused, rounds)
	}
	path := filepath.Join(dir, "other")
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("theirs")); return err })
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Config{}); !errors.Is(err, journal.ErrDamaged) {
		t.Errorf("a database of something else: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "no", "folder"), Config{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

// A record that is gone is noticed, although what is there is whole.
func TestRecordGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	filled(t, path)
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket(queuesBucket).Bucket([]byte("q"))
		first, _ := b.Cursor().First()
		return b.Delete(first)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path, Config{}); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(fmt.Sprint(err), "40 records") {
		t.Errorf("%v, want ErrDamaged", err)
	}
}
