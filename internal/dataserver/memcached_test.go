package dataserver

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/router/memcache"
)

func fillMemcached(t testing.TB, client *memcache.Client, keys ...string) {
	t.Helper()
	var items []memcache.Item
	for _, key := range keys {
		items = append(items, memcache.Item{Key: key, Value: []byte("v")})
	}
	must(t, client.SetMulti(t.Context(), items))
}

// left returns which of the keys are still there.
func left(t testing.TB, client *memcache.Client, keys ...string) []string {
	t.Helper()
	found, err := client.GetMulti(t.Context(), keys)
	must(t, err)
	return slices.Sorted(maps.Keys(found))
}

// A walk that needs several dumps does what a walk with one does.
func TestSeveralDumps(t *testing.T) {
	server := servertest.Memcached(t)
	client := directMemcached(t, server)
	gone, kept := numbered("p:odd", 250), numbered("p:even", 50)
	others := numbered("q:", 50)
	fillMemcached(t, client, slices.Concat(gone, kept, others)...)
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr(), Prefix: "p:", Rate: 1e9})
	s.gatherMax = 60
	last := int64(0)
	n, err := s.Sweep(t.Context(), func(key string) bool { return strings.HasPrefix(key, "p:even") }, func(n int64) {
		if n < last {
			t.Errorf("progress goes back from %d to %d", last, n)
		}
		last = n
	})
	if err != nil || n != 250 || last != 250 {
		t.Errorf("removed %d, %v, reported %d", n, err, last)
	}
	if there := left(t, client, slices.Concat(gone, kept, others)...); len(there) != 100 || slices.ContainsFunc(there, func(k string) bool { return strings.HasPrefix(k, "p:odd") }) {
		t.Errorf("left %q", there)
	}
}

// A server that is filled faster than emptied is not emptied for ever.
func TestEndlessDumps(t *testing.T) {
	server := servertest.Memcached(t)
	client := directMemcached(t, server)
	fillMemcached(t, client, "k")
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
	s.gatherMax, s.maxDumps = 1, 5
	n, err := s.Sweep(t.Context(), func(string) bool { return false }, func(int64) { fillMemcached(t, client, "k") })
	if n != 5 || !errors.Is(err, ErrEndless) {
		t.Errorf("removed %d, %v", n, err)
	}
}

// What has expired or was flushed counts for nothing, though the server's own
// number has it.
func TestCountKnowsWhatIsGone(t *testing.T) {
	server := servertest.Memcached(t, "-o", "no_lru_maintainer") // which would remove them
	client := directMemcached(t, server)
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
	fillMemcached(t, client, numbered("k", 100)...)
	must(t, client.FlushAll(t.Context()))
	if numbers, err := s.numbers(t.Context(), "test"); err != nil || numbers.items != 100 {
		t.Fatalf("the server says %+v, %v: nothing is tested", numbers, err)
	}
	if n, err := s.Count(t.Context()); err != nil || n != 0 {
		t.Errorf("got %d, %v", n, err)
	}
}

// A large server is flushed, and afterwards holds nothing of what it held, and
// all that is stored from then on: also one that does not number its items.
func TestFlush(t *testing.T) {
	for name, args := range map[string][]string{"numbered": nil, "not numbered": {"-C"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := servertest.Memcached(t, args...)
			client := directMemcached(t, server)
			s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
			s.flushAbove = 10
			keys := numbered("k", 200)
			fillMemcached(t, client, keys...)
			reported := int64(0)
			n, err := s.Purge(t.Context(), func(n int64) { reported = n })
			if err != nil || n != 200 || reported != 200 {
				t.Errorf("removed %d, %v, reported %d", n, err, reported)
			}
			if there := left(t, client, keys...); len(there) > 0 {
				t.Errorf("%d keys are still there", len(there))
			}
			fillMemcached(t, client, "after")
			if there := left(t, client, "after"); len(there) != 1 {
				t.Error("what is stored after a purge does not last")
			}
		})
	}
}

// There is no flush_all of a prefix.
func TestNoFlushOfAPrefix(t *testing.T) {
	server := servertest.Memcached(t)
	client := directMemcached(t, server)
	inside, outside := numbered("p:", 100), numbered("q:", 100)
	fillMemcached(t, client, append(inside, outside...)...)
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr(), Prefix: "p:"})
	s.flushAbove = 10
	if n, err := s.Purge(t.Context(), nil); err != nil || n != 100 {
		t.Errorf("removed %d, %v", n, err)
	}
	if there := left(t, client, append(inside, outside...)...); len(there) != 100 || there[0] != "q:0" {
		t.Errorf("left %q", there)
	}
}

// Two flushes, with a second of the server's clock after each: what a single one
// spares, no version that is tested here lets a client make.
func TestFlushesTwice(t *testing.T) {
	var clock, first, second, flushes atomic.Int64 // the times of the flushes, and their number
	script := &script{stats: []string{"200 16 0"}, dumps: []string{"END\r\n"}}
	script.now = func() int64 { return clock.Add(1) / 3 }
	script.flush = func() string {
		first.Store(second.Swap(clock.Load() / 3))
		flushes.Add(1)
		return "OK\r\n"
	}
	s := openMemcached(t, Config{URL: "memcached://" + script.serve(t)})
	s.flushAbove, s.busyPause = 10, time.Millisecond
	n, err := s.Purge(background(t), nil)
	if err != nil || n != 200 || flushes.Load() != 2 || first.Load() >= second.Load() || second.Load() >= clock.Load()/3 {
		t.Errorf("removed %d, %v, %d flushes at %d and %d, end at %d", n, err, flushes.Load(), first.Load(), second.Load(), clock.Load()/3)
	}
}

// A clock that stands still is not waited for without end.
func TestFlushAtAClockThatStandsStill(t *testing.T) {
	script := &script{stats: []string{"200 16 0"}, flush: func() string { return "OK\r\n" }}
	s := openMemcached(t, Config{URL: "memcached://" + script.serve(t)})
	s.flushAbove, s.busyPause, s.busyFor = 10, time.Millisecond, 50*time.Millisecond
	if n, err := s.Purge(background(t), nil); !errors.Is(err, ErrNoAnswer) || n != 200 {
		t.Errorf("removed %d, %v", n, err)
	}
}

func TestFlushIsNotPermitted(t *testing.T) {
	server := servertest.Memcached(t, "-F")
	client := directMemcached(t, server)
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
	s.flushAbove = 10
	fillMemcached(t, client, numbered("k", 200)...)
	if n, err := s.Purge(t.Context(), nil); err != nil || n != 200 {
		t.Errorf("removed %d, %v", n, err)
	}
}

// Where the keys cannot be listed, nothing is said to have been removed.
func TestNoDump(t *testing.T) {
	for name, args := range map[string][]string{"-X": {"-X"}, "no crawler": {"-o", "no_lru_crawler"}} {
		server := servertest.Memcached(t, args...)
		client := directMemcached(t, server)
		fillMemcached(t, client, "k")
		s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
		must(t, s.Probe(t.Context()))
		n, err := s.Purge(t.Context(), nil)
		if err == nil || n != 0 || !strings.Contains(err.Error(), server.Addr()) {
			t.Errorf("%s: got %d, %v", name, n, err)
		}
		if n, err := s.Count(t.Context()); err == nil {
			t.Errorf("%s: count: got %d", name, n)
		}
	}
}

// Keys that only the binary protocol can name are told of, and stop nothing.
func TestUnnameableKeys(t *testing.T) {
	server := servertest.Memcached(t)
	client := directMemcached(t, server)
	odd := strings.Repeat("x y", 65)
	setBinary(t, server.Addr(), odd)
	fillMemcached(t, client, numbered("k", 10)...)
	s := openMemcached(t, Config{URL: "memcached://" + server.Addr()})
	s.gatherMax, s.maxDumps = 1, 20 // of which it takes twelve
	if n, err := s.Count(t.Context()); err != nil || n != 11 {
		t.Fatalf("counted %d, %v", n, err)
	}
	n, err := s.Purge(t.Context(), nil)
	if n != 10 || !errors.Is(err, ErrUnnameable) || !strings.Contains(err.Error(), "1 of them") {
		t.Errorf("removed %d, %v", n, err)
	}
	if n, err := s.Sweep(t.Context(), func(key string) bool { return key == odd }, nil); err != nil || n != 0 {
		t.Errorf("one that is kept: removed %d, %v", n, err)
	}
}

// setBinary stores a key by the binary protocol.
func setBinary(t *testing.T, address, key string) {
	t.Helper()
	nc, err := net.Dial("tcp", address)
	must(t, err)
	defer nc.Close()
	packet := make([]byte, 24+8, 24+8+len(key)+1)
	packet[0], packet[1], packet[4] = 0x80, 0x01, 8 // request, set, length of the extras
	binary.BigEndian.PutUint16(packet[2:], uint16(len(key)))
	binary.BigEndian.PutUint32(packet[8:], uint32(8+len(key)+1))
	_, err = nc.Write(append(append(packet, key...), 'v'))
	must(t, err)
	reply := make([]byte, 24)
	_, err = io.ReadFull(nc, reply)
	must(t, err)
	if status := binary.BigEndian.Uint16(reply[6:]); status != 0 {
		t.Fatalf("set: status %d", status)
	}
}

func TestHungMemcached(t *testing.T) {
	server := servertest.Memcached(t)
	s := open(t, Config{URL: "memcached://" + server.Addr(), Timeout: 30 * time.Millisecond})
	eventually(t, "a first answer", func() bool { return s.Probe(background(t)) == nil })
	server.Stop()
	for what, err := range everyError(background(t), s) {
		if !errors.Is(err, ErrNoAnswer) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s of a frozen server: %v", what, err)
		}
	}
	server.Cont()
	eventually(t, "an answer after it goes on", func() bool { return s.Probe(background(t)) == nil })
}

func TestHungMemcachedEndsWithContextAndClose(t *testing.T) {
	server := servertest.Memcached(t)
	s := open(t, Config{URL: "memcached://" + server.Addr(), Timeout: time.Hour})
	must(t, s.Probe(background(t)))
	server.Stop()
	ctx, cancel := context.WithCancel(background(t))
	done := make(chan map[string]error)
	go func() { done <- everyError(ctx, s) }()
	time.AfterFunc(20*time.Millisecond, cancel)
	for what, err := range <-done {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
	go func() { done <- everyError(background(t), s) }()
	time.AfterFunc(20*time.Millisecond, func() { s.Close() })
	for what, err := range <-done {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("%s: %v", what, err)
		}
	}
	server.Cont()
}

// A script answers the questions that a walk asks, one list for each.
type script struct {
	mu    sync.Mutex
	dumps []string      // the last for all later ones
	stats []string      // likewise: curr_items, hash_power_level, hash_is_expanding
	now   func() int64  // the time; nil: it stands still
	flush func() string // nil: refused
	greet func() string // nil: MN
}

func next(of *[]string) string {
	first := (*of)[0]
	if len(*of) > 1 {
		*of = (*of)[1:]
	}
	return first
}

func (s *script) serve(t *testing.T) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer nc.Close()
				for lines := bufio.NewScanner(nc); lines.Scan(); {
					_, _ = io.WriteString(nc, s.answer(lines.Text()))
				}
			})
		}
	})
	t.Cleanup(func() { listener.Close(); running.Wait() })
	return listener.Addr().String()
}

func (s *script) answer(line string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case line == "mn" && s.greet != nil:
		return s.greet()
	case line == "mn":
		return "MN\r\n"
	case line == "stats":
		now := int64(0)
		if s.now != nil {
			now = s.now()
		}
		items, rest, _ := strings.Cut(next(&s.stats), " ")
		power, expanding, _ := strings.Cut(rest, " ")
		return fmt.Sprintf("STAT pid 1\r\nSTAT uptime 1\r\nSTAT time %d\r\nSTAT bytes 1\r\nSTAT limit_maxbytes 1\r\n"+
			"STAT curr_items %s\r\nSTAT hash_power_level %s\r\nSTAT hash_is_expanding %s\r\nEND\r\n", now, items, power, expanding)
	case line == "lru_crawler metadump hash":
		return next(&s.dumps)
	case line == "flush_all" && s.flush != nil:
		return s.flush()
	}
	return "ERROR\r\n"
}

// An empty dump of a server that is not empty is not believed while its hash
// table grows, nor a busy crawler taken for an empty server.
func TestEmptyDumps(t *testing.T) {
	const one = "key=k exp=-1 la=1700000000 cas=1 fetch=no cls=1 size=63\nEND\r\n"
	const busy, empty = "BUSY currently processing crawler request\r\n", "END\r\n"
	for _, tt := range []struct {
		name         string
		stats, dumps []string
		want         int64
		err          error
	}{
		{"an empty server", []string{"0 16 0"}, []string{"not asked for"}, 0, nil},
		{"one key", []string{"1 16 0"}, []string{one}, 1, nil},
		{"all expired", []string{"1 16 0"}, []string{empty}, 0, nil},
		{"growing before", []string{"1 17 1", "1 17 0"}, []string{empty, one}, 1, nil},
		{"growing after", []string{"1 16 0", "1 17 1"}, []string{empty, one}, 1, nil},
		{"grown in between", []string{"1 16 0", "1 17 0"}, []string{empty, one}, 1, nil},
		{"growing all the time", []string{"1 17 1"}, []string{empty}, 0, ErrBusy},
		{"busy for a while", []string{"1 16 0"}, []string{busy, busy, one}, 1, nil},
		{"busy, then empty", []string{"1 16 0", "0 16 0"}, []string{busy, "not asked for"}, 0, nil},
		{"busy all the time", []string{"1 16 0"}, []string{busy}, 0, ErrBusy},
		{"rubbish", []string{"1 16 0"}, []string{"what?\r\n"}, 0, memcache.ErrProtocol},
		{"no number", []string{"x 16 0"}, []string{one}, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			address := (&script{stats: tt.stats, dumps: tt.dumps}).serve(t)
			s := openMemcached(t, Config{URL: "memcached://" + address})
			s.busyPause = time.Millisecond
			if tt.err == ErrBusy {
				s.busyFor = 50 * time.Millisecond
			}
			n, err := s.Count(background(t))
			if tt.name == "no number" {
				if err == nil || !strings.Contains(err.Error(), `curr_items: got "x"`) {
					t.Errorf("got %v", err)
				}
				return
			}
			if n != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("got %d, %v, want %d, %v", n, err, tt.want, tt.err)
			}
		})
	}
}

// A dump that does not say how it ends is not the end of a walk.
func TestDumpThatBreaksOff(t *testing.T) {
	script := &script{stats: []string{"2 16 0"}, dumps: []string{"key=k exp=-1 la=1700000000 cas=1 fetch=no cls=1 size=63\nSERVER_ERROR out of memory\r\n"}}
	s := openMemcached(t, Config{URL: "memcached://" + script.serve(t)})
	if n, err := s.Purge(background(t), nil); err == nil || n != 0 {
		t.Errorf("got %d, %v", n, err)
	}
}

// A server may stop answering after it has said that it has keys.
func TestDumpWithoutAnswer(t *testing.T) {
	script := &script{stats: []string{"2 16 0"}}
	greeted := false
	script.greet = func() string {
		if greeted {
			return ""
		}
		greeted = true
		return "MN\r\n"
	}
	s := openMemcached(t, Config{URL: "memcached://" + script.serve(t), Timeout: 50 * time.Millisecond})
	_, err := s.Count(background(t))
	wantError(t, err, ErrNoAnswer)
}
