package memcache

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// piped makes a Client whose connections are pipes that follow the scripts, in
// a bubble of virtual time.
func piped(t *testing.T, config Config, scripts ...script) *Client {
	var dials int
	var running sync.WaitGroup
	config.Address = "pipe:1"
	config.Dial = func(context.Context, string, string) (net.Conn, error) {
		if dials == len(scripts) {
			return nil, errors.New("no more connections")
		}
		next := scripts[dials]
		dials++
		local, remote := net.Pipe()
		running.Go(func() { play(remote, next) })
		return local, nil
	}
	t.Cleanup(running.Wait)
	return client(t, config)
}

const overdue = 8 * time.Second // ReplyTimeout of these tests: a tick is 2 s

func TestOverdueRepliesCostTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Config{ReplyTimeout: overdue}, (*session).untilClosed, answer)
		start := time.Now()
		var running sync.WaitGroup
		for range 3 {
			running.Go(func() {
				_, err := c.Get(context.Background(), "a")
				wantError(t, err, ErrOverdue)
				wantSent(t, err, true)
				if waited := time.Since(start); waited < overdue || waited > overdue*3/2 {
					t.Errorf("waited %v", waited)
				}
			})
		}
		running.Wait()
		must(t, c.Set(context.Background(), Item{Key: "a"})) // on a fresh one
		if s := c.Stats(); s.LostOverdue != 1 || s.Dials != 2 || s.Conns != 1 || s.InFlight != 0 {
			t.Errorf("got %+v", s)
		}
	})
}

// Slow is not overdue, as long as replies keep coming.
func TestSlowRepliesAreNotOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(s *session) {
			var asked []string
			for range 10 {
				asked = append(asked, s.request())
			}
			for range asked {
				time.Sleep(overdue * 9 / 10)
				s.send("EN\r\n")
			}
			// Idle for long: nothing is due.
			s.request()
			s.send("EN\r\n")
			s.untilClosed()
		}
		c := piped(t, Config{ReplyTimeout: overdue}, slow)
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				_, err := c.Get(context.Background(), "a")
				wantError(t, err, ErrCacheMiss)
			})
		}
		running.Wait()
		time.Sleep(100 * overdue)
		_, err := c.Get(context.Background(), "a")
		wantError(t, err, ErrCacheMiss)
	})
}

// A batch takes as long as its many replies take; each of them counts.
func TestSlowBatchIsNotOverdue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Config{ReplyTimeout: overdue}, func(s *session) {
			for s.request() != "mn" {
			}
			for _, reply := range []string{"VA 1 f0 c1 O0\r\na\r\n", "VA 1 f0 c1 O1\r\nb\r\n", "VA 1 f0 c1 O3\r\nd\r\n", "MN\r\n"} {
				time.Sleep(overdue * 9 / 10)
				s.send(reply)
			}
			s.untilClosed()
		})
		got, err := c.GetMulti(context.Background(), []string{"a", "b", "c", "d"})
		if err != nil || len(got) != 3 || string(got["d"].Value) != "d" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

// The part of a batch that was answered before the connection was lost is kept,
// except for a value that was cut off.
func TestBatchCutShort(t *testing.T) {
	for _, end := range []string{"", "VA 5 f0 c1 O3\r\nab"} {
		synctest.Test(t, func(t *testing.T) {
			c := piped(t, Config{ReplyTimeout: overdue}, func(s *session) {
				for s.request() != "mn" {
				}
				s.send("VA 1 f0 c1 O1\r\nb\r\n" + end)
				s.untilClosed()
			})
			requests := make([]GetRequest, 5)
			for i, key := range []string{"a", "b", "c", "d", "e"} {
				requests[i] = GetRequest{Key: key, Return: itemReturns}
			}
			results, err := c.MetaGetMulti(context.Background(), requests)
			wantError(t, err, ErrOverdue, ErrOutcomeUnknown)
			if results[0].Err != nil || results[0].Status != StatusMiss || results[1].Err != nil || string(results[1].Value) != "b" {
				t.Errorf("what was answered: got %+v, %+v", results[0], results[1])
			}
			for _, i := range []int{3, 4} {
				wantError(t, results[i].Err, ErrOverdue)
				if results[i].Value != nil || results[i].Found() {
					t.Errorf("result %d: got %+v", i, results[i])
				}
			}
		})
	}
}

// A call that is given up returns at that moment. Its reply is dropped when it
// comes, and everybody else gets their own.
func TestAbandonedReplyIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Config{ReplyTimeout: overdue}, func(s *session) {
			for range 3 {
				s.request()
			}
			time.Sleep(5 * time.Second)
			for _, value := range []string{"1", "2", "3"} {
				s.send("VA 1 f0 c1\r\n" + value + "\r\n")
			}
			answer(s)
		})
		start := time.Now()
		get := func(ctx context.Context) (string, error) {
			item, err := c.Get(ctx, "a")
			return string(item.Value), err
		}
		var running sync.WaitGroup
		running.Go(func() {
			if got, err := get(context.Background()); got != "1" || err != nil {
				t.Errorf("first: got %q, %v", got, err)
			}
		})
		synctest.Wait()
		running.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
			defer cancel()
			_, err := get(ctx)
			wantError(t, err, context.DeadlineExceeded)
			wantSent(t, err, true)
			if waited := time.Since(start); waited != 2*time.Second {
				t.Errorf("second: returned after %v", waited)
			}
			if s := c.Stats(); s.InFlight != 3 || s.Abandoned != 1 {
				t.Errorf("got %+v", s)
			}
		})
		synctest.Wait()
		running.Go(func() {
			if got, err := get(context.Background()); got != "3" || err != nil {
				t.Errorf("third: got %q, %v", got, err)
			}
		})
		running.Wait()
		must(t, c.Ping(context.Background()))
		if s := c.Stats(); s.InFlight != 0 || s.Dials != 1 || s.Requests != 4 {
			t.Errorf("got %+v", s)
		}
	})
}

// A request of which nothing was handed to the connection that failed goes to
// the next one; one that was goes nowhere again.
func TestUnsentRequestsAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hold := make(chan struct{})
		var again []string
		c := piped(t, Config{ReplyTimeout: 1000 * time.Hour},
			func(s *session) { <-hold }, // reads nothing, then closes
			func(s *session) {
				for line := s.request(); line != ""; line = s.request() {
					again = append(again, line)
					s.send("VA 1\r\n7\r\n")
				}
			})
		var running sync.WaitGroup
		call := func(key string, want error) {
			running.Go(func() {
				if _, err := c.Increment(context.Background(), key, 1); !errors.Is(err, want) {
					t.Errorf("%s: got %v, want %v", key, err, want)
				}
			})
			synctest.Wait()
		}
		call("first", ErrOutcomeUnknown) // is being written: the pipe takes nothing
		call("second", nil)
		call("third", nil)
		close(hold)
		running.Wait()
		c.Close()
		slices.Sort(again)
		if want := []string{"ma second D1 v", "ma third D1 v"}; !slices.Equal(again, want) {
			t.Errorf("the second connection got %q, want %q", again, want)
		}
		if s := c.Stats(); s.Resent != 2 || s.LostNetwork != 1 {
			t.Errorf("got %+v", s)
		}
	})
}

// A server that accepts connections and does nothing, as one does that was
// stopped, costs a DialTimeout and no more.
func TestDialTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Config{Address: "pipe:1", DialTimeout: 3 * time.Second, Dial: func(context.Context, string, string) (net.Conn, error) {
			local, remote := net.Pipe()
			go io.Copy(io.Discard, remote)
			return local, nil
		}})
		start := time.Now()
		var running sync.WaitGroup
		for range 10 {
			running.Go(func() {
				err := c.Ping(context.Background())
				wantError(t, err, ErrDialTimeout)
				wantSent(t, err, false)
				if errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("no deadline of the caller's has passed: %v", err)
				}
				if waited := time.Since(start); waited != 3*time.Second {
					t.Errorf("waited %v", waited)
				}
			})
		}
		running.Wait()
		if s := c.Stats(); s.Dials != 1 || s.DialErrors != 1 {
			t.Errorf("10 callers at once should share one attempt: %+v", s)
		}

		// A caller with less patience does not wait for it, and the attempt goes on.
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		start = time.Now()
		err := c.Ping(ctx)
		wantError(t, err, context.DeadlineExceeded)
		wantSent(t, err, false)
		if waited := time.Since(start); waited != time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

// Close ends a dial that is under way, and whoever waits for it.
func TestCloseDuringDial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := client(t, Config{Address: "pipe:1", DialTimeout: time.Hour, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		done := make(chan error)
		go func() { done <- c.Ping(context.Background()) }()
		synctest.Wait()
		c.Close()
		err := <-done
		wantError(t, err, ErrClosed)
		wantSent(t, err, false)
		wantError(t, c.Ping(context.Background()), ErrClosed)
		c.Close()
	})
}

// Close fails what is under way, and nothing runs on.
func TestCloseDuringCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Config{}, (*session).untilClosed)
		var running sync.WaitGroup
		for range 5 {
			running.Go(func() {
				err := c.Ping(context.Background())
				wantError(t, err, ErrClosed, ErrOutcomeUnknown)
			})
		}
		synctest.Wait()
		c.Close()
		running.Wait()
	})
}

// A stubborn connection goes on writing after it was closed.
type stubborn struct {
	net.Conn
	writes int
	let    chan struct{}
}

func (s *stubborn) Write(p []byte) (int, error) {
	if s.writes++; s.writes > 1 { // the greeting is let through
		<-s.let
	}
	return s.Conn.Write(p)
}

// Close returns when nothing runs any more, whatever it is busy with.
func TestCloseWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := piped(t, Config{}, (*session).untilClosed)
		let := make(chan struct{})
		dial := c.config.Dial
		c.config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			nc, err := dial(ctx, network, address)
			return &stubborn{Conn: nc, let: let}, err
		}
		called := make(chan error, 1)
		go func() { called <- c.Ping(context.Background()) }()
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			c.Close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("Close has returned while the connection was being written")
		default:
		}
		close(let)
		<-closed
		wantError(t, <-called, ErrClosed)
	})
}
