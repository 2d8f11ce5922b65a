package router

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// answering is a server that answers every command alike, and counts those with
// a word in them.
type answering struct {
	net.Listener
	asked atomic.Int64
	conns sync.WaitGroup
}

func newAnswering(t *testing.T, word, reply string, hangUp bool) *answering {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &answering{Listener: l}
	s.conns.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			s.conns.Go(func() { s.serve(c, word, reply, hangUp) })
		}
	})
	t.Cleanup(func() { l.Close() })
	return s
}

// serve reads commands as arrays of bulk strings, and refuses what opens a
// connection, as an old server would.
func (s *answering) serve(c net.Conn, word, reply string, hangUp bool) {
	defer c.Close()
	in := bufio.NewReader(c)
	for {
		head, err := in.ReadString('\n')
		if err != nil {
			return
		}
		var all strings.Builder
		words := 0
		for _, digit := range strings.TrimSpace(head[1:]) {
			words = words*10 + int(digit-'0')
		}
		for range 2 * words {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			all.WriteString(strings.ToLower(line))
		}
		if !strings.Contains(all.String(), word) {
			if _, err := c.Write([]byte("-ERR unknown command\r\n")); err != nil {
				return
			}
			continue
		}
		s.asked.Add(1)
		if _, err := c.Write([]byte(reply)); err != nil || hangUp {
			return
		}
	}
}

// TestServerThatIsNotReady: one that loads its data is there and of no use.
func TestServerThatIsNotReady(t *testing.T) {
	_, servers := fleetOf(t, 1)
	loading := newAnswering(t, "key", "-LOADING Redis is loading the dataset in memory\r\n", false)
	source, err := membership.NewManual(
		membership.Member{ID: "loading", Address: loading.Addr().String()}, membership.Member{ID: "ready", Address: servers[0].Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	strict := newRedis(t, Config{Source: source})
	key := keysOf(strict, "loading", 1)[0]
	var failed *NodeError
	for range 5 {
		if err := strict.Set(t.Context(), key, "v", 0).Err(); !errors.As(err, &failed) || failed.Node != "loading" {
			t.Errorf("SET on a server that loads: %v", err)
		}
	}
	if err := strict.Get(t.Context(), key).Err(); !errors.Is(err, ErrBreakerOpen) {
		t.Errorf("after five refusals: %v, want an open breaker", err)
	}
	if asked := loading.asked.Load(); asked != 5 {
		t.Errorf("asked %d times, want 5", asked)
	}
	misses := newRedis(t, Config{Source: source, Failure: FailureConfig{Policy: Miss}})
	if err := misses.Get(t.Context(), key).Err(); err != redis.Nil {
		t.Errorf("policy Miss: %v", err)
	}
	copies := newRedis(t, Config{Source: source, Replication: ReplicationConfig{Factor: 2}})
	if err := direct(t, servers[0]).Set(t.Context(), key, "copy", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := copies.Get(t.Context(), key).Result(); got != "copy" || err != nil {
		t.Errorf("with a copy elsewhere: %q, %v", got, err)
	}
}

// TestBlockingByDo: a time-out that stands in the arguments is waited for, and
// is no failure.
func TestBlockingByDo(t *testing.T) {
	source, _ := fleetOf(t, 1)
	hook := &pathHook{alone: make(map[string]bool)}
	// As long as a busy machine may need for any other reply.
	r := newRedis(t, Config{
		Source: source, Node: NodeConfig{ReadTimeout: time.Second},
		OnNewNode: func(_ string, c *redis.Client) { c.AddHook(hook) },
	})
	pushed := make(chan error, 1)
	go func() {
		got, err := r.Do(t.Context(), "BLPOP", "queue", 0).StringSlice()
		if err == nil && (len(got) != 2 || got[1] != "x") {
			err = errors.New(strings.Join(got, " "))
		}
		pushed <- err
	}()
	var empty sync.WaitGroup
	for range 6 { // together, as each takes longer than the read time-out
		empty.Go(func() {
			start := time.Now()
			if err := r.Do(t.Context(), "BLPOP", "nothing", "1.2").Err(); err != redis.Nil || time.Since(start) < 1200*time.Millisecond {
				t.Errorf("BLPOP of nothing: %v after %v", err, time.Since(start))
			}
		})
	}
	empty.Wait()
	if err := r.LPush(t.Context(), "queue", "x").Err(); err != nil {
		t.Fatal(err)
	}
	if err := <-pushed; err != nil {
		t.Error("BLPOP without a time-out:", err)
	}
	if s := r.Stats()[0]; s.Breaker != "closed" || s.Errors != (ErrorCounts{}) {
		t.Errorf("%+v", s)
	}
	if _, seen := hook.alone["blpop"]; !seen {
		t.Error("the hooks of the node's client have not seen the commands")
	}
}

// TestOwnFaultsAreNotTheNodes: what goes wrong on this side does not open the
// breaker for everybody.
func TestOwnFaultsAreNotTheNodes(t *testing.T) {
	source, _ := fleetOf(t, 1)
	quickToJudge := BreakerConfig{Failures: 1}
	t.Run("pool", func(t *testing.T) {
		r := newRedis(t, Config{Source: source, Breaker: quickToJudge, NoAutoPipeline: true,
			Node: NodeConfig{PoolSize: 1, ReadTimeout: time.Second}})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		held := make(chan error)
		go func() { held <- r.BLPop(ctx, 4*time.Second, "nothing").Err() }()
		waitFor(t, func() bool { return r.Stats()[0].InFlight == 1 && r.PoolStats().TotalConns == 1 })
		var err error
		for range 3 { // the pool's patience is a second longer than a reply's
			if err = r.Set(t.Context(), "k", "v", 0).Err(); err != nil {
				break
			}
		}
		var failed *NodeError
		if !errors.As(err, &failed) || !errors.Is(err, redis.ErrPoolTimeout) {
			t.Errorf("without a free connection: %v", err)
		}
		if s := r.Stats()[0]; s.Breaker != "closed" || s.Errors.Local == 0 || s.Errors.Timeout != 0 {
			t.Errorf("%+v", s)
		}
		<-held
	})
	t.Run("credentials", func(t *testing.T) {
		broken := errors.New("the vault is sealed")
		r := newRedis(t, Config{Source: source, Breaker: quickToJudge, Node: NodeConfig{
			Credentials: func(context.Context, string) (string, string, error) { return "", "", broken }}})
		if err := r.Get(t.Context(), "k").Err(); !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		if s := r.Stats()[0]; s.Breaker != "closed" || s.Errors.Local != 1 {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a type that does not fit", func(t *testing.T) {
		r := newRedis(t, Config{Source: source, Breaker: quickToJudge})
		if err := r.Set(t.Context(), "k", "text", 0).Err(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := r.Process(t.Context(), redis.NewMapStringStringCmd(t.Context(), "get", "k")); err == nil {
				t.Error("a string as a map: no error")
			}
		}
		if s := r.Stats()[0]; s.Breaker != "closed" || s.Errors.Replies != 3 {
			t.Errorf("%+v", s)
		}
	})
}

// waitFor polls until a condition holds; a minute is for a machine that stands
// still.
func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("did not come true in a minute")
		}
	}
}

// TestImpatientCallersOpenTheBreaker: callers that give up before any time-out
// would leave a dead node in use for ever.
func TestImpatientCallersOpenTheBreaker(t *testing.T) {
	source, servers := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source, DrainTimeout: time.Second,
		Breaker: BreakerConfig{SlowCall: 100 * time.Millisecond, Delay: time.Hour}, Node: NodeConfig{ReadTimeout: time.Minute}})
	impatient := func() error {
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(5*time.Millisecond, cancel)
		defer stop.Stop()
		defer cancel()
		return r.Set(ctx, "k", "v", 0).Err()
	}
	var callers sync.WaitGroup
	both := func() { // two at a time, so that commands share packets and cancelling works
		for range 2 {
			callers.Go(func() { _ = impatient() })
		}
		callers.Wait()
	}
	if err := r.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	servers[0].Stop()
	hold, release := context.WithCancel(t.Context()) // somebody who waits, so that nobody is alone
	waiting := make(chan error)
	for range few {
		go func() { waiting <- r.BLPop(hold, 0, "nothing").Err() }()
	}
	waitFor(t, func() bool { return r.Stats()[0].InFlight == few })
	waitFor(t, func() bool { both(); return r.Stats()[0].Breaker == "open" })
	servers[0].Cont()
	release()
	if err := direct(t, servers[0]).LPush(t.Context(), "nothing", make([]any, few)...).Err(); err != nil {
		t.Error(err)
	}
	for range few {
		<-waiting
	}
}

func TestSilence(t *testing.T) {
	var s silence
	const limit = time.Second
	for _, c := range []struct {
		begun, now time.Duration
		want       bool
	}{{5 * limit, 5*limit + limit/2, false}, {5*limit + limit/2, 6*limit - 1, false}, {6 * limit, 6 * limit, true}} {
		if got := s.longerThan(limit, c.begun, c.now); got != c.want {
			t.Errorf("a call from %v given up at %v: %v", c.begun, c.now, got)
		}
	}
	s.end()
	if s.longerThan(limit, 7*limit, 7*limit+1) {
		t.Error("silent although it has answered")
	}
}

// TestReadsThatCannotBeRepeated: a reply that has partly been given to the
// caller cannot be asked for again.
func TestReadsThatCannotBeRepeated(t *testing.T) {
	cut := newAnswering(t, "get", "$100000\r\nhalf of it", true)
	source, err := membership.Static(membership.Member{ID: "a", Address: cut.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{Source: source})
	var out bytes.Buffer
	cmd := redis.NewRawWriteToCmd(t.Context(), &out, "get", "k")
	if err := r.Process(t.Context(), cmd); err == nil {
		t.Error("a reply that was cut: no error")
	}
	if asked := cut.asked.Load(); asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
}
