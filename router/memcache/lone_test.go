package memcache

import (
	"context"
	"fmt"
	"net"
	"testing"
	"time"
)

// A caller that reads for itself returns when its context ends, and what it
// leaves behind disturbs nobody.
func TestLoneCallerGivesUp(t *testing.T) {
	reply := make(chan struct{})
	c := client(t, Config{ReplyTimeout: never, Address: fake(t, func(s *session) {
		for i := range 5 {
			s.request()
			if i > 0 {
				<-reply
			}
			s.send(fmt.Sprintf("VA 1 f0 c1\r\n%d\r\n", i))
		}
		answer(s)
	})})
	get := func(ctx context.Context) (string, error) {
		item, err := c.Get(ctx, "a")
		return string(item.Value), err
	}
	if got, err := get(background(t)); got != "0" || err != nil {
		t.Fatalf("got %q, %v", got, err)
	}

	var err error
	for c.Stats().Abandoned == 0 { // again if the deadline was over before it was sent
		ctx, cancel := context.WithTimeout(background(t), 20*time.Millisecond)
		_, err = get(ctx)
		cancel()
		wantError(t, err, context.DeadlineExceeded)
	}
	wantError(t, err, ErrOutcomeUnknown)

	ctx, cancel := context.WithCancel(background(t))
	done := make(chan error)
	go func() {
		_, err := get(ctx)
		done <- err
	}()
	eventually(t, "the call is under way", func() bool { return c.Stats().InFlight == 2 })
	cancel()
	wantError(t, <-done, context.Canceled, ErrOutcomeUnknown)

	close(reply)
	for _, want := range []string{"3", "4"} { // 1 and 2 were for those who left
		if got, err := get(background(t)); got != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if s := c.Stats(); s.Dials != 1 || s.Abandoned != 2 || s.InFlight != 0 {
		t.Errorf("got %+v", s)
	}
}

// The same while it has the reader's role to itself.
func TestLoneCallerIsCancelled(t *testing.T) {
	for _, way := range []string{"deadline", "cancel"} {
		c := client(t, Config{ReplyTimeout: never, Address: fake(t, once("EN\r\n"))})
		_, err := c.Get(background(t), "a")
		wantError(t, err, ErrCacheMiss)
		roleIs := func(want role) func() bool {
			return func() bool {
				cn := c.slots[0].Load()
				cn.mu.Lock()
				defer cn.mu.Unlock()
				return cn.role == want
			}
		}
		eventually(t, "the goroutine does not read", roleIs(roleFree))
		ctx, cancel := context.WithCancel(context.Background()) // without a deadline that would end it too
		if way == "deadline" {
			ctx, cancel = context.WithTimeout(ctx, 5*time.Millisecond)
		}
		done := make(chan error, 1)
		go func() {
			_, err := c.Get(ctx, "a")
			done <- err
		}()
		if way == "cancel" {
			eventually(t, "the caller reads", roleIs(roleCaller))
			cancel()
		}
		select {
		case err := <-done:
			wantError(t, err, ctx.Err())
		case <-time.After(patience):
			t.Fatal("the call does not end")
		}
		cancel()
	}
}

// A server that closes an idle connection costs nobody anything, not even where
// nothing was reading at the time.
func TestClosedWhileIdle(t *testing.T) {
	closed := make(chan struct{}, 100)
	c := client(t, Config{ReplyTimeout: never, Address: fake(t, func(s *session) {
		s.request()
		s.send("EN\r\n")
		s.Close()
		closed <- struct{}{}
	})})
	for range 20 {
		_, err := c.Get(background(t), "a")
		wantError(t, err, ErrCacheMiss)
		<-closed
		idle := time.NewTimer(2 * staleAfter)
		<-idle.C
	}
}

// The connection's goroutine notices a server that closes while nothing is due.
func TestCloseIsNoticed(t *testing.T) {
	hold := make(chan struct{})
	c := client(t, Config{ReplyTimeout: 4 * time.Millisecond, Address: fake(t, func(s *session) {
		s.request()
		s.send("MN\r\n")
		<-hold
	})})
	eventually(t, "a reply that is not overdue", func() bool { return c.Ping(background(t)) == nil })
	close(hold)
	eventually(t, "the loss is noticed", func() bool { return c.Stats().Conns == 0 })
}

// The watchdog finds nothing to do after the last reply, and before whoever read it
// gives the role up: the connection is read all the same.
func TestCloseIsNoticedAfterTheWatchdog(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	defer ours.Close()
	for name, giveUp := range map[string]func(cn *conn){
		"a caller":      func(cn *conn) { cn.free() },
		"the goroutine": func(cn *conn) { cn.mu.Unlock(); cn.release(); cn.mu.Lock() },
	} {
		cn := newConn(ours, new(input), &Config{ReplyTimeout: 8 * time.Millisecond}, func(*conn) {})
		<-cn.wake
		cn.mu.Lock()
		cn.role, cn.watching = roleCaller, true
		cn.mu.Unlock()
		cn.watch()
		cn.mu.Lock()
		giveUp(cn)
		cn.mu.Unlock()
		select {
		case <-cn.wake:
		case <-time.After(20 * time.Second):
			t.Errorf("%s gave the role up, and nobody reads", name)
		}
		cn.timer.Stop()
	}
}
