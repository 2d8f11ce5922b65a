package memcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
)

// cuttingProxy passes bytes on to a server and cuts every connection after a
// random number of them, in either direction.
func cuttingProxy(t *testing.T, to string, seed uint64) (address string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	random := rand.New(rand.NewPCG(seed, 0))
	proxy(t, listener, to, func() (up, down int64) { return 4 + random.Int64N(4000), 4 + random.Int64N(4000) })
	return listener.Addr().String()
}

// proxy passes bytes on between a listener's connections and a server, and cuts
// a connection after as many in either direction as limits says for it.
func proxy(t *testing.T, listener net.Listener, to string, limits func() (up, down int64)) {
	var running sync.WaitGroup
	pipe := func(to, from net.Conn, limit int64) {
		_, _ = io.CopyN(to, from, limit)
		to.Close()
		from.Close()
	}
	running.Go(func() {
		for {
			outer, err := listener.Accept()
			if err != nil {
				return
			}
			inner, err := net.Dial("tcp", to)
			if err != nil {
				outer.Close()
				continue
			}
			up, down := limits()
			running.Go(func() { pipe(inner, outer, up) })
			running.Go(func() { pipe(outer, inner, down) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		running.Wait()
	})
}

// Whatever breaks: what was reported as done was done once, what was reported
// as unknown once or never, and what was reported as not sent never. And nobody
// gets another one's value.
func TestNothingIsDoneTwice(t *testing.T) {
	const seed, workers, rounds = 7, 24, 150
	direct, server := real(t)
	c := client(t, Config{Address: cuttingProxy(t, server.Addr(), seed)})
	ctx := background(t)
	done, unknown := make([]uint64, workers), make([]uint64, workers)
	for w := range workers {
		must(t, direct.SetMulti(ctx, []Item{{Key: counterKey(w), Value: []byte("0")}, {Key: valueKey(w), Value: []byte(valueKey(w))}}))
	}
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range rounds {
				if i%3 == 0 {
					item, err := c.Get(ctx, valueKey(w))
					if err == nil && string(item.Value) != valueKey(w) {
						t.Errorf("seed %d: worker %d was given %q", seed, w, item.Value)
					}
					continue
				}
				switch _, err := c.Increment(ctx, counterKey(w), 1); {
				case err == nil:
					done[w]++
				case errors.Is(err, ErrOutcomeUnknown):
					unknown[w]++
				case errors.As(err, new(*NoReplyError)):
				default:
					t.Errorf("seed %d: worker %d: %v", seed, w, err)
				}
			}
		})
	}
	running.Wait()
	var sum uint64
	for w := range workers {
		got, err := direct.Increment(ctx, counterKey(w), 0)
		must(t, err)
		if got < done[w] || got > done[w]+unknown[w] {
			t.Errorf("seed %d: worker %d: the counter is %d, with %d done and %d unknown", seed, w, got, done[w], unknown[w])
		}
		sum += unknown[w]
	}
	if s := c.Stats(); sum == 0 || s.LostNetwork < 10 || s.LostProtocol != 0 {
		t.Errorf("seed %d: nothing much broke: %d unknown, %+v", seed, sum, s)
	}
}

func counterKey(w int) string { return fmt.Sprint("counter", w) }
func valueKey(w int) string   { return fmt.Sprint("value", w) }

// A server that dies under load and comes back: every call ends, and with the
// right kind of error.
func TestKilledUnderLoad(t *testing.T) {
	server := servertest.Memcached(t)
	c := client(t, Config{Address: server.Addr(), Conns: 3})
	ctx, stop := context.WithCancel(background(t))
	defer stop()
	var running sync.WaitGroup
	kinds := make(chan error, 100_000)
	for w := range 16 {
		running.Go(func() {
			for ctx.Err() == nil {
				key := fmt.Sprint("k", w)
				err := c.Set(ctx, Item{Key: key, Value: []byte(key)})
				if item, getErr := c.Get(ctx, key); getErr == nil && string(item.Value) != key {
					t.Errorf("%s: got %q", key, item.Value)
				}
				var lost *NoReplyError
				if err != nil && !errors.As(err, &lost) {
					t.Errorf("got %v (%T)", err, err)
				}
				select {
				case kinds <- err:
				default:
				}
			}
		})
	}
	waitFor := func(what string, is func(error) bool) {
		for {
			select {
			case err := <-kinds:
				if is(err) {
					return
				}
			case <-time.After(patience):
				t.Fatal("not seen: ", what)
			}
		}
	}
	for range 3 {
		waitFor("success", func(err error) bool { return err == nil })
		server.Kill()
		waitFor("refusal", func(err error) bool {
			return errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, ErrOutcomeUnknown)
		})
		server.Restart()
	}
	waitFor("success", func(err error) bool { return err == nil })
	stop()
	running.Wait()
}

// Callers come and leave at any moment, on a server that works: those who stay
// get their own value.
func TestCancellationStorm(t *testing.T) {
	c, _ := real(t)
	ctx := background(t)
	var items []Item
	for i := range 64 {
		items = append(items, Item{Key: valueKey(i), Value: slices.Repeat([]byte(valueKey(i)), 1+i*50)})
	}
	must(t, c.SetMulti(ctx, items))
	var running sync.WaitGroup
	for w := range 32 {
		running.Go(func() {
			random := rand.New(rand.NewPCG(11, uint64(w)))
			for range 150 {
				i := random.IntN(len(items))
				ctx, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(300))*time.Microsecond)
				if random.IntN(3) == 0 {
					cancel()
					ctx, cancel = context.WithTimeout(context.Background(), patience)
				}
				if random.IntN(4) == 0 {
					got, err := c.GetMulti(ctx, []string{valueKey(i), "missing", valueKey((i + 1) % 64)})
					if err == nil && len(got) != 2 {
						t.Errorf("got %d items, %v", len(got), err)
					}
					for key, item := range got {
						if !strings.HasPrefix(string(item.Value), key) {
							t.Errorf("%s: got %.20q", key, item.Value)
						}
					}
				} else if got, err := c.Get(ctx, valueKey(i)); err == nil && string(got.Value) != string(items[i].Value) {
					t.Errorf("%s: got %.20q", valueKey(i), got.Value)
				} else if err != nil && ctx.Err() == nil && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("%s: %v", valueKey(i), err)
				}
				cancel()
			}
		})
	}
	running.Wait()
	must(t, c.Ping(ctx))
	if s := c.Stats(); s.Abandoned == 0 || s.LostNetwork+s.LostOverdue+s.LostProtocol != 0 {
		t.Errorf("got %+v", s)
	}
}
