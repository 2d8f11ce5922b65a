package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/faultproxy"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

const (
	workers     = 8
	opsAPhase   = 160                  // of each worker, to nodes that are well
	victimEvery = 16                   // so many of them come with one to the node that is not
	phases      = 3                    // in one measurement
	noise       = 5 * time.Millisecond // no median below counts as slow: every fault would cost more
)

// tally is a key that one worker alone increments, and what it knows of it.
type tally struct {
	key            string
	acked, unknown int64
}

// incr increments and keeps the books: the value is between acked and
// acked + unknown if nothing was done twice and nothing done was lost.
func (c *tally) incr(ctx context.Context, r *Redis) error {
	err := r.Incr(ctx, c.key).Err()
	var failed *NodeError
	switch {
	case err == nil:
		c.acked++
	case errors.As(err, &failed) && notSent(failed.Err):
	default:
		c.unknown++
	}
	return err
}

// A connection that breaks after the server has done a command and before its
// reply is there: a write fails, a read is asked once more.
func TestNothingIsSentTwice(t *testing.T) {
	proxy := faultproxy.New(t, servertest.Redis(t).Addr())
	source, err := membership.NewManual(membership.Member{ID: "node0", Address: proxy.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{Source: source, Breaker: BreakerConfig{Disabled: true}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for name, incr := range map[string]func(key string) error{
		"plain": func(key string) error { return r.Incr(ctx, key).Err() },
		"pipeline": func(key string) error {
			return exec(r.Pipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, key); return nil }))
		},
		"MULTI": func(key string) error {
			return exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, key); return nil }))
		},
		"shared": func(key string) error {
			n, _, _ := r.enter(key) // somebody else's request is in flight
			defer n.leave()
			return r.Incr(ctx, key).Err()
		},
		"shared for ever": func(key string) error {
			n, _, _ := r.enter(key)
			defer n.leave()
			return r.Incr(context.Background(), key).Err()
		},
	} {
		if err := incr(name); err != nil { // the connection is there
			t.Fatalf("%s: %v", name, err)
		}
		proxy.CutOneReply(1)
		var failed *NodeError
		if err := incr(name); !errors.As(err, &failed) {
			t.Errorf("%s: the reply was cut, and the error is %v", name, err)
		}
		proxy.Heal()
		if n, err := r.Get(ctx, name).Int(); n != 2 || err != nil {
			t.Errorf("%s: two increments made %d, %v", name, n, err)
		}
		proxy.CutOneReply(1)
		if n, err := r.Get(ctx, name).Int(); n != 2 || err != nil {
			t.Errorf("%s: a read whose first reply was cut: %d, %v", name, n, err)
		}
		proxy.Heal()
	}
}

// load is a number of workers, each with a counter on every node.
type load struct {
	t        *testing.T
	r        *Redis
	counters [workers][4]*tally
}

func newLoad(t *testing.T, r *Redis) *load {
	l := &load{t: t, r: r}
	for w := range workers {
		for i, left := 0, 4; left > 0; i++ {
			key := fmt.Sprintf("worker%d:%d", w, i)
			if n := r.fleet.current.Load().index[r.NodeFor(key)]; l.counters[w][n] == nil {
				l.counters[w][n] = &tally{key: key}
				left--
			}
		}
	}
	return l
}

// median runs the load for some phases and returns the median latency of the
// three nodes that are well, over all of them.
func (l *load) median(meanwhile func()) time.Duration {
	var all []time.Duration
	for range phases {
		all = append(all, l.phase(meanwhile)...)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// phase runs the load once and returns the latencies of the three nodes that are
// well. It calls meanwhile now and then.
func (l *load) phase(meanwhile func()) []time.Duration {
	var took [workers][]time.Duration
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() {
			for i := range opsAPhase {
				start := time.Now()
				if err := l.counters[w][i%3].incr(l.t.Context(), l.r); err != nil {
					l.t.Errorf("a node that is well: %v", err)
				}
				took[w] = append(took[w], time.Since(start))
				if i%victimEvery == 0 {
					l.counters[w][3].incr(l.t.Context(), l.r)
					if w == 0 && meanwhile != nil {
						meanwhile()
					}
				}
			}
		})
	}
	wait.Wait()
	return slices.Concat(took[:]...)
}

// recover waits until the node answers again.
func (l *load) recover() {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 20*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		if l.counters[0][3].incr(ctx, l.r) == nil {
			return
		}
	}
	l.t.Fatal("the node is well again, and is not asked")
}

// One of four nodes is ill in every way: the keys of the others are served as
// before, and nothing goes astray or happens twice.
func TestOneOfFourNodesIsIll(t *testing.T) {
	var servers []*servertest.Server
	var members []membership.Member
	for i := range 3 {
		servers = append(servers, servertest.Redis(t))
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: servers[i].Addr()})
	}
	// The ill one keeps what it has acknowledged when it is killed.
	ill := servertest.Redis(t, "--appendonly", "yes", "--appendfsync", "no")
	servers = append(servers, ill)
	proxy := faultproxy.New(t, ill.Addr())
	source, err := membership.NewManual(append(members, membership.Member{ID: "node3", Address: proxy.Addr()})...)
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{
		Source: source, Node: NodeConfig{ReadTimeout: 500 * time.Millisecond, DialTimeout: 500 * time.Millisecond},
		Breaker: BreakerConfig{Failures: 3, Delay: 100 * time.Millisecond}, DrainTimeout: 5 * time.Second,
	})
	l := newLoad(t, r)
	l.phase(nil) // opens the connections
	healthy := l.median(nil)
	for _, fault := range []struct {
		name             string
		begin, meanwhile func()
		end              func()
	}{
		{"latency", func() { proxy.Delay(10 * time.Millisecond) }, nil, proxy.Heal},
		{"reset", nil, proxy.Reset, nil},
		{"half open", proxy.Hang, nil, proxy.Heal},
		{"cut in the middle of a reply", func() { proxy.CutReplies(2) }, nil, proxy.Heal},
		{"cut after some replies", nil, func() { proxy.CutReplies(400) }, proxy.Heal},
		{"SIGSTOP", ill.Stop, nil, ill.Cont},
		{"SIGKILL", ill.Kill, nil, ill.Restart},
	} {
		t.Run(fault.name, func(t *testing.T) {
			if fault.begin != nil {
				fault.begin()
			}
			// What else happens on the machine can slow down one measurement:
			// it is made again. Errors count in each.
			limit := max(2*healthy, noise)
			var slow time.Duration
			for range 3 {
				if slow = l.median(fault.meanwhile); slow <= limit {
					break
				}
			}
			if slow > limit {
				t.Errorf("the median of the nodes that are well is %v, and was %v before", slow, healthy)
			}
			if fault.end != nil {
				fault.end()
			}
			l.recover()
		})
	}
	l.check(servers)
}

// check asks every server what it has.
func (l *load) check(servers []*servertest.Server) {
	t, ctx := l.t, l.t.Context()
	sure, unsure := int64(0), int64(0)
	for i, s := range servers {
		c := direct(t, s)
		keys, err := c.Keys(ctx, "*").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys {
			if owner := l.r.NodeFor(key); owner != fmt.Sprint("node", i) {
				t.Errorf("%s is on node%d, its owner is %s", key, i, owner)
			}
		}
		for w := range workers {
			counter := l.counters[w][i]
			text, err := c.Get(ctx, counter.key).Result()
			value, _ := strconv.ParseInt(text, 10, 64)
			if err != nil || value < counter.acked || value > counter.acked+counter.unknown {
				t.Errorf("%s on node%d is %q (%v): %d acknowledged, %d unknown", counter.key, i, text, err, counter.acked, counter.unknown)
			}
			sure, unsure = sure+counter.acked, unsure+counter.unknown
		}
	}
	t.Logf("%d increments acknowledged, %d unknown", sure, unsure)
	if unsure == 0 {
		t.Error("no increment had an unknown end: the faults hit nothing")
	}
}

// Nodes come, go and move under load, and no request notices.
func TestFleetChangesUnderLoad(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wait sync.WaitGroup
	for g := range 8 {
		wait.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				key := fmt.Sprintf("%d:%d", g, i%50)
				if err := r.Set(t.Context(), key, i, 0).Err(); err != nil {
					t.Errorf("SET: %v", err)
				}
				if err := r.MGet(t.Context(), key, "other1", "other2", "other3").Err(); err != nil {
					t.Errorf("MGET: %v", err)
				}
				if _, err := r.Ping(t.Context()).Result(); err != nil {
					t.Errorf("PING: %v", err)
				}
			}
		})
	}
	member := func(id, at int) membership.Member {
		return membership.Member{ID: fmt.Sprint("node", id), Address: servers[at].Addr()}
	}
	for epoch := uint64(2); epoch <= 40; epoch++ {
		members := []membership.Member{member(0, 0), member(1, 1+int(epoch%2))}
		if epoch%3 == 0 {
			members = append(members, member(3, 3))
		}
		if err := source.Set(members...); err != nil {
			t.Fatal(err)
		}
		for r.Epoch() < epoch && t.Context().Err() == nil {
			if err := r.Get(t.Context(), "some").Err(); err != nil && err.Error() != "redis: nil" {
				t.Errorf("GET: %v", err)
			}
		}
	}
	cancel()
	wait.Wait()
}
