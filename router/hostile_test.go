package router

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/membership"
)

// hostileServer takes connections as Redis does, and answers every command with
// the same bytes; the handshake too if it is told to.
func hostileServer(t *testing.T, reply string, handshake bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	t.Cleanup(func() { l.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer c.Close()
				rd := bufio.NewReader(c)
				for {
					args, err := readCommand(rd)
					if err != nil {
						return
					}
					answer := reply
					switch strings.ToLower(args[0]) {
					case "hello":
						if !handshake {
							answer = "-ERR unknown command\r\n"
						}
					case "client":
						answer = "+OK\r\n"
					}
					fmt.Fprint(c, answer)
				}
			})
		}
	})
	return l.Addr().String()
}

// hostileFleet has three nodes that answer with the same bytes.
func hostileFleet(t *testing.T, reply string, handshake bool) *Redis {
	t.Helper()
	var members []membership.Member
	for i := range 3 {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: hostileServer(t, reply, handshake)})
	}
	source, err := membership.NewManual(members...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { source.Close() })
	return newRedis(t, Config{
		Source: source, DrainTimeout: time.Second, Breaker: BreakerConfig{Disabled: true},
		Node: NodeConfig{ReadTimeout: 50 * time.Millisecond, DialTimeout: 5 * time.Second},
	})
}

const (
	hugeText = "$9223372036854775000\r\n"
	hugeMap  = "%1\r\n" + hugeText // the reply to a handshake is a map
)

// hostileCalls are calls of every shape: alone, split, over all nodes, together.
func hostileCalls(r *Redis) map[string]func(ctx context.Context) error {
	keys := []string{"a", "b", "c", "d", "e", "f"}
	return map[string]func(ctx context.Context) error{
		"GET":       func(ctx context.Context) error { return r.Get(ctx, "k").Err() },
		"SET":       func(ctx context.Context) error { return r.Set(ctx, "k", 1, 0).Err() },
		"Do":        func(ctx context.Context) error { return r.Do(ctx, "get", "k").Err() },
		"MGET":      func(ctx context.Context) error { return r.MGet(ctx, keys...).Err() },
		"HGETALL":   func(ctx context.Context) error { return r.HGetAll(ctx, "k").Err() },
		"XRANGE":    func(ctx context.Context) error { return r.XRange(ctx, "k", "-", "+").Err() },
		"SCAN":      func(ctx context.Context) error { return r.Scan(ctx, 0, "", 1).Err() },
		"KEYS":      func(ctx context.Context) error { return r.Keys(ctx, "*").Err() },
		"DBSIZE":    func(ctx context.Context) error { return r.DBSize(ctx).Err() },
		"RANDOMKEY": func(ctx context.Context) error { return r.RandomKey(ctx).Err() },
		"NUMSUB":    func(ctx context.Context) error { return r.PubSubNumSub(ctx, keys...).Err() },
		"BLPOP":     func(ctx context.Context) error { return r.BLPop(ctx, time.Second, "k").Err() },
		"Do BLPOP":  func(ctx context.Context) error { return r.Do(ctx, "blpop", "k", "1").Err() },
		"shared": func(ctx context.Context) error {
			n, _, _ := r.enter("k") // somebody else's request
			defer n.leave()
			return r.Get(ctx, "k").Err()
		},
		"pipeline": func(ctx context.Context) error {
			return exec(r.Pipelined(ctx, func(p redis.Pipeliner) error {
				for _, key := range keys {
					p.Get(ctx, key)
				}
				return nil
			}))
		},
		"MULTI": func(ctx context.Context) error {
			return exec(r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Get(ctx, "k"); return nil }))
		},
		"Watch": func(ctx context.Context) error {
			return r.Watch(ctx, func(tx *redis.Tx) error { return tx.Get(ctx, "k").Err() }, "k")
		},
		"ForEachNode": func(ctx context.Context) error {
			return r.ForEachNode(ctx, func(ctx context.Context, _ string, c *redis.Client) error { return c.Ping(ctx).Err() })
		},
	}
}

// Bytes that make go-redis panic are an error of the node that sent them, on the
// caller's goroutine and on the router's own.
func TestUnreadableReplies(t *testing.T) {
	for _, c := range []struct {
		reply     string
		handshake bool
		not       []string // calls whose reply is no text
	}{{hugeText, false, []string{"HGETALL", "XRANGE", "SCAN", "BLPOP"}}, {hugeMap, true, nil}} {
		r := hostileFleet(t, c.reply, c.handshake)
		for name, call := range hostileCalls(r) {
			err := call(t.Context())
			if slices.Contains(c.not, name) {
				if err == nil {
					t.Errorf("%s: no error", name)
				}
				continue
			}
			var failed *NodeError
			var unreadable *unreadableError
			if !errors.As(err, &failed) || !errors.As(failed.Err, &unreadable) || !strings.Contains(err.Error(), "reply could not be read: ") {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, s := range r.Stats() {
			if s.InFlight != 0 || s.Errors.Network == 0 {
				t.Errorf("%s: %d in flight, errors %+v", s.Node, s.InFlight, s.Errors)
			}
		}
	}
}

// Nothing that a server can send ends the program.
func TestOddReplies(t *testing.T) {
	for _, reply := range []string{
		"*-7\r\n", "$-7\r\n", "%-3\r\n", "\r\n", "\x00\x00\x00\r\n", "*1\r\n%1\r\n*0\r\n+a\r\n", "%1\r\n*0\r\n+a\r\n",
		"=3\r\nabc\r\n", "|1\r\n+a\r\n+b\r\n+OK\r\n", ">1\r\n+x\r\n+OK\r\n", ">0\r\n+OK\r\n", "*2\r\n$1\r\n0\r\n*1\r\n:5\r\n",
		"*2\r\n*0\r\n*0\r\n", "*1\r\n$-1\r\n", "*3\r\n+message\r\n+a\r\n:1\r\n", "!4\r\nERR \r\n", "-\r\n", "-MOVED 1 127.0.0.1:1\r\n",
		"-ASK 1\r\n", "(x\r\n", "#x\r\n", ",x\r\n", strings.Repeat("*1\r\n", 10000),
	} {
		t.Run(fmt.Sprintf("%.20q", reply), func(t *testing.T) {
			r := hostileFleet(t, reply, false)
			for _, call := range hostileCalls(r) {
				call(t.Context()) // it comes back
			}
		})
	}
}

// A subscription whose node sends what is no message says so, and ends when it is
// told to.
func TestUnreadableSubscriptions(t *testing.T) {
	for _, c := range []struct {
		reply     string
		handshake bool
	}{
		{"*0\r\n", false}, {"*1\r\n:1\r\n", false}, {"*3\r\n+message\r\n:1\r\n+x\r\n", false}, {"*2\r\n+pong\r\n:1\r\n", false},
		{hugeText, false}, {hugeMap, true},
	} {
		r := hostileFleet(t, c.reply, c.handshake)
		sub := closing(t, r.Subscribe(t.Context(), "x"))
		msg, err := sub.ReceiveTimeout(t.Context(), time.Minute)
		if err == nil || !strings.Contains(err.Error(), "reply could not be read: ") || !strings.Contains(err.Error(), `node "node`) {
			t.Errorf("%.30q: %v, %v", c.reply, msg, err)
		}
	}
}
