package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/cache/journal"
	"github.com/ringway/ringway/cache/journal/local"
	"github.com/ringway/ringway/cache/journal/memory"
	"github.com/ringway/ringway/cache/journal/streams"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What every journal promises. again makes a journal of what the one before has left,
// as after a restart.
var journals = []struct {
	name string
	open func(t *testing.T) (again func() journal.Journal)
}{
	{"memory", func(*testing.T) func() journal.Journal {
		log := memory.New(0)
		return func() journal.Journal { return log }
	}},
	{"local", func(t *testing.T) func() journal.Journal {
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
	{"streams", func(t *testing.T) func() journal.Journal {
		address := servertest.Redis(t, "--appendonly", "yes").Addr()
		return func() journal.Journal { return openStreams(t, address, streams.Config{Poll: time.Millisecond}) }
	}},
}

func openStreams(t *testing.T, address string, cfg streams.Config) journal.Journal {
	t.Helper()
	source, err := membership.Static(membership.Member{ID: "a", Address: address})
	if err != nil {
		t.Fatal(err)
	}
	client, err := router.NewRedis(t.Context(), router.Config{Source: source, Breaker: router.BreakerConfig{Disabled: true},
		Node: router.NodeConfig{DialTimeout: time.Minute, ReadTimeout: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	log, err := streams.New(client, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func eachJournal(t *testing.T, test func(t *testing.T, again func() journal.Journal)) {
	for _, j := range journals {
		t.Run(j.name, func(t *testing.T) { test(t, j.open(t)) })
	}
}

func openQueue(t *testing.T, j journal.Journal, name string) journal.Queue {
	t.Helper()
	q, err := j.Queue(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func add(t *testing.T, q journal.Queue, data ...string) []uint64 {
	t.Helper()
	var all [][]byte
	for _, d := range data {
		all = append(all, []byte(d))
	}
	numbers, err := q.Append(t.Context(), all...)
	if err != nil || len(numbers) != len(data) {
		t.Fatalf("Append: %d numbers, %v; want %d", len(numbers), err, len(data))
	}
	return numbers
}

func read(t *testing.T, q journal.Queue, most int) (data []string, numbers []uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	records, err := q.Read(ctx, most)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		data, numbers = append(data, string(r.Data)), append(numbers, r.Number)
	}
	return data, numbers
}

func wantData(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
}

func wantDepth(t *testing.T, q journal.Queue, depth int, oldest string) {
	t.Helper()
	records, n, err := q.Peek(t.Context(), 1)
	if err != nil || n != depth || (depth > 0 && string(records[0].Data) != oldest) || (depth == 0 && len(records) > 0) {
		t.Fatalf("Peek: %v, %d, %v; want %d, the oldest %q", records, n, err, depth, oldest)
	}
}

func TestQueue(t *testing.T) {
	eachJournal(t, func(t *testing.T, again func() journal.Journal) {
		j := again()
		q, other := openQueue(t, j, "svc:user/3/writes"), openQueue(t, j, "other")
		wantDepth(t, q, 0, "")
		add(t, other, "not ours")
		numbers := append(add(t, q, "a", "b"), add(t, q, "c", "", "e")...)
		for i := 1; i < len(numbers); i++ {
			if numbers[i] <= numbers[i-1] || numbers[i] >= 1<<63 {
				t.Errorf("numbers %v do not grow", numbers)
			}
		}
		if age := time.Since((journal.Record{Number: numbers[0]}).Time()).Abs(); age > time.Minute {
			t.Errorf("the age by the number is %v", age)
		}
		wantDepth(t, q, 5, "a")
		data, got := read(t, q, 3)
		wantData(t, data, "a", "b", "c")
		if !slices.Equal(got, numbers[:3]) {
			t.Errorf("numbers %v, want %v", got, numbers[:3])
		}
		if err := q.Done(t.Context(), got[1]); err != nil {
			t.Fatal(err)
		}
		if err := q.Done(t.Context(), got[1], 12345); err != nil { // not there
			t.Fatal(err)
		}
		data, _ = read(t, q, 3)
		wantData(t, data, "", "e")
		wantDepth(t, q, 4, "a")
		if _, err := j.Queue(t.Context(), ""); err == nil {
			t.Error("a queue without a name")
		}
		// What was read and not done comes again, before what is newer.
		if err := errors.Join(q.Close(), other.Close()); err != nil {
			t.Fatal(err)
		}
		if _, err := q.Append(t.Context(), []byte("late")); !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Append after Close: %v", err)
		}
		q = openQueue(t, again(), "svc:user/3/writes")
		more := add(t, q, "f")
		if more[0] <= numbers[4] {
			t.Errorf("number %d after %d", more[0], numbers[4])
		}
		var all []string
		for len(all) < 5 {
			data, got := read(t, q, 2)
			all = append(all, data...)
			if err := q.Done(t.Context(), got...); err != nil {
				t.Fatal(err)
			}
		}
		wantData(t, all, "a", "c", "", "e", "f")
		wantDepth(t, q, 0, "")
	})
}

// A reader waits, and is woken; its context ends it, and so does Close.
func TestReadWaits(t *testing.T) {
	eachJournal(t, func(t *testing.T, again func() journal.Journal) {
		q := openQueue(t, again(), "q")
		got := make(chan []journal.Record, 1)
		go func() {
			records, _ := q.Read(context.Background(), 10)
			got <- records
		}()
		numbers := add(t, q, "x")
		if records := <-got; len(records) != 1 {
			t.Errorf("%d records", len(records))
		}
		if err := q.Done(t.Context(), numbers...); err != nil { // after an error Read may begin with it again
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { _, err := q.Read(ctx, 10); ended <- err }()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Read with a context that ends: %v", err)
		}
		go func() { _, err := q.Read(context.Background(), 10); ended <- err }()
		if err := q.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, journal.ErrClosed) {
			t.Errorf("Read of a queue that is closed: %v", err)
		}
	})
}

// Many append at the same time while one reads: everything comes once, and in order.
func TestAppendAtOnce(t *testing.T) {
	eachJournal(t, func(t *testing.T, again func() journal.Journal) {
		q := openQueue(t, again(), "q")
		const writers, each = 16, 25
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for i := range each {
					if _, err := q.Append(context.Background(), fmt.Appendf(nil, "%d %d", w, i)); err != nil {
						t.Error(err)
					}
				}
			})
		}
		next, last := make([]int, writers), uint64(0)
		for n := 0; n < writers*each; {
			data, numbers := read(t, q, 10)
			for i, d := range data {
				var w, at int
				if _, err := fmt.Sscanf(d, "%d %d", &w, &at); err != nil || at != next[w] || numbers[i] <= last {
					t.Fatalf("%q, number %d, after %d: want %d", d, numbers[i], last, next[w])
				}
				next[w], last = at+1, numbers[i]
			}
			if n += len(data); n%20 < 10 {
				_ = q.Done(t.Context(), numbers...)
			}
		}
		all.Wait()
	})
}
