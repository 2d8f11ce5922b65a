package cache

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router"
)

// A read or a delete that fails at once is made once more, and a write never is.
func TestRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outageStore{Memory: NewMemory()}
		s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Load: (&crowd{}).load,
			Save: func(context.Context, userKey, int) (uint64, error) { return 1, nil }})
		defer end()
		ctx := context.Background()
		getAll(s, 1, 1)
		store.gets.Store(0)
		store.once.Store(1)
		if _, meta, err := s.Get(ctx, userKey{"", 1}); err != nil || meta.Source != FromL2 || store.gets.Load() != 2 {
			t.Errorf("from %v, %v after %d reads: want L2 after 2", meta.Source, err, store.gets.Load())
		}
		store.once.Store(1)
		if err := s.Invalidate(ctx, userKey{"", 1}); err != nil || store.deletes.Load() != 2 {
			t.Errorf("%v after %d deletes, want 2", err, store.deletes.Load())
		}
		store.deletes.Store(0)
		store.once.Store(1)
		if err := s.Put(ctx, userKey{"", 1}, 2); err != nil || store.sets.Load() != 1 || store.deletes.Load() != 1 {
			t.Errorf("%v after %d writes, %d deletes: want 1 and 1", err, store.sets.Load(), store.deletes.Load())
		}
		if n := s.Stats().Retries; n != 2 {
			t.Errorf("%d retries", n)
		}
	})
}

// However many requests fail, a tenth of them is made once more, and ten.
func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &outageStore{Memory: NewMemory()}
		store.down.Store(true)
		src := &crowd{}
		s, end := newNumbers(t, store, SpaceConfig[userKey, int]{Load: src.load, Limit: LimitConfig{Disabled: true}})
		defer end()
		const n = 1000
		for i := range n {
			getAll(s, i, i)
		}
		st := s.Stats()
		if reads := store.gets.Load(); reads < n+n/10 || reads > n+n/10+fullBudget || st.Retries != uint64(reads-n) || st.Retries+st.RetriesDenied != n {
			t.Errorf("%d reads of %d keys, %+v: want a tenth and %d more", reads, n, st, fullBudget)
		}
		if src.all.Load() != n {
			t.Errorf("%d loads of %d: a loader is called once", src.all.Load(), n)
		}
	})
}

// What is no use to repeat is not: a time-out, an open breaker, the end of the caller.
func TestNotRetried(t *testing.T) {
	for _, err := range []error{ErrMiss, context.Canceled, context.DeadlineExceeded, &net.OpError{Op: "read", Err: timeoutError{}},
		&router.NodeError{Err: router.ErrBreakerOpen}, router.ErrNoNodes, router.ErrClosed, ErrUnsupported, ErrConfig} {
		if transient(err) {
			t.Errorf("%v is repeated", err)
		}
	}
	if !transient(&router.NodeError{Err: io.EOF}) {
		t.Error("a broken connection is not repeated")
	}
	m := newManager(t, NewMemory())
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	calls := 0
	_, _ = repeat(ctx, m, &counters{}, true, func() (int, error) { calls++; return 0, io.EOF })
	if calls != 1 {
		t.Errorf("%d calls for a caller who has gone", calls)
	}
}

type timeoutError struct{}

func (timeoutError) Error() string { return "too late" }
func (timeoutError) Timeout() bool { return true }

// hangUp is a server that takes connections, counts reads and scripts, and hangs up
// rather than to answer them.
type hangUp struct {
	listener       net.Listener
	reads, scripts atomic.Int64
	work           sync.WaitGroup
}

func newHangUp(t *testing.T) *hangUp {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hangUp{listener: listener}
	h.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			h.work.Go(func() { defer conn.Close(); h.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); h.work.Wait() })
	return h
}

// serve answers what a client says when it connects: HELLO is unknown, so it stays
// with RESP2.
func (h *hangUp) serve(conn net.Conn) {
	in := bufio.NewReader(conn)
	for {
		command, err := readCommand(in)
		if err != nil {
			return
		}
		switch strings.ToUpper(command) {
		case "GET", "MGET":
			h.reads.Add(1)
			return
		case "EVAL", "EVALSHA":
			h.scripts.Add(1)
			return
		case "CLIENT":
			_, err = conn.Write([]byte("+OK\r\n"))
		default:
			_, err = conn.Write([]byte("-ERR unknown command\r\n"))
		}
		if err != nil {
			return
		}
	}
}

// readCommand returns the name of a command, and reads its arguments.
func readCommand(in *bufio.Reader) (name string, err error) {
	line, err := in.ReadString('\n')
	if err != nil {
		return "", err
	}
	n, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "*")))
	for i := 0; i < n && err == nil; i++ {
		var size int
		if line, err = in.ReadString('\n'); err != nil {
			return "", err
		}
		if size, err = strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "$"))); err != nil {
			return "", err
		}
		arg := make([]byte, size+2)
		if _, err = io.ReadFull(in, arg); i == 0 {
			name = string(arg[:size])
		}
	}
	return name, err
}

// One layer repeats: what a server gets of one Get and one Invalidate, counted there,
// over each kind of client.
func TestOneLayerRetries(t *testing.T) {
	for _, c := range []struct {
		name           string
		open           func(t *testing.T, address string) redis.UniversalClient
		reads, scripts int64
	}{
		// The router repeats a read whose connection broke, and the cache what it does not.
		{"router", func(t *testing.T, address string) redis.UniversalClient {
			return redisFleet(t, []string{address})
		}, 2, 2},
		{"go-redis, no retries", func(t *testing.T, address string) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: address, MaxRetries: -1, DisableIdentity: true})
		}, 2, 2},
		{"go-redis, three retries", func(t *testing.T, address string) redis.UniversalClient {
			return redis.NewClient(&redis.Options{Addr: address, MaxRetries: 3, MaxRetryBackoff: time.Millisecond, DisableIdentity: true})
		}, 4, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := newHangUp(t)
			client := c.open(t, server.listener.Addr().String())
			defer client.Close()
			s := newUsers(t, newManager(t, OnRedis(client)), nil)
			if _, _, err := s.Get(t.Context(), ada); !errors.Is(err, ErrNoLoader) {
				t.Errorf("Get: %v", err)
			}
			if err := s.Invalidate(t.Context(), ada); !errors.Is(err, ErrNotInvalidated) {
				t.Errorf("Invalidate: %v", err)
			}
			if reads, scripts := server.reads.Load(), server.scripts.Load(); reads != c.reads || scripts != c.scripts {
				t.Errorf("%d reads and %d deletes came, want %d and %d", reads, scripts, c.reads, c.scripts)
			}
		})
	}
}
