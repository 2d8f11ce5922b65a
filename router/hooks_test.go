package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
)

// noteHook writes down what passes it, on the way in and on the way out.
type noteHook struct {
	name string
	mu   *sync.Mutex // guards notes
	*notes
}

type notes struct{ lines []string }

func (h noteHook) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lines = append(h.lines, h.name+" "+fmt.Sprintf(format, args...))
}

func (h noteHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		h.note("dial")
		return next(ctx, network, addr)
	}
}

func (h noteHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		h.note("> %s", cmd.Name())
		err := next(ctx, cmd)
		h.note("< %s %v", cmd.Name(), err)
		return err
	}
}

func (h noteHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		var names []string
		for _, cmd := range cmds {
			names = append(names, cmd.Name())
		}
		h.note("> [%s]", strings.Join(names, " "))
		err := next(ctx, cmds)
		h.note("< [%s] %v", strings.Join(names, " "), err)
		return err
	}
}

func TestUserHooks(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	n, mu := &notes{}, &sync.Mutex{}
	r.AddHook(noteHook{"outer", mu, n})
	r.AddHook(noteHook{"inner", mu, n})
	keys := []string{"text1", "text2", "text3", "text4", "text5", "text6"}
	r.MGet(ctx, keys...) // goes to several nodes
	r.DBSize(ctx)        // to all
	r.Get(ctx, "none")
	r.Do(ctx, "FROB")
	r.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, key := range keys {
			p.Set(ctx, key, 1, 0)
		}
		return nil
	})
	r.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Incr(ctx, "text1"); return nil })
	unknown := &UnknownCommandError{Command: "frob"}
	sets := "[set set set set set set]"
	want := []string{
		"outer > mget", "inner > mget", "inner < mget <nil>", "outer < mget <nil>",
		"outer > dbsize", "inner > dbsize", "inner < dbsize <nil>", "outer < dbsize <nil>",
		"outer > get", "inner > get", "inner < get redis: nil", "outer < get redis: nil",
		"outer > frob", "inner > frob", fmt.Sprint("inner < frob ", unknown), fmt.Sprint("outer < frob ", unknown),
		"outer > " + sets, "inner > " + sets, "inner < " + sets + " <nil>", "outer < " + sets + " <nil>",
		"outer > [multi incr exec]", "inner > [multi incr exec]", "inner < [multi incr exec] <nil>", "outer < [multi incr exec] <nil>",
	}
	if !slices.Equal(n.lines, want) {
		t.Errorf("hooks saw\n%s\nwant\n%s", strings.Join(n.lines, "\n"), strings.Join(want, "\n"))
	}
}

// A hook may answer, change and refuse, as in go-redis.
func TestUserHookMayAnswer(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	mine := errors.New("mine")
	r.AddHook(answerHook{mine})
	if v, err := r.Get(ctx, "cached").Result(); v != "from the hook" || err != nil {
		t.Errorf("GET: %q, %v", v, err)
	}
	if err := r.Set(ctx, "a", 1, 0).Err(); err != mine {
		t.Errorf("SET: %v", err)
	}
	if n := r.DBSize(ctx).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

type answerHook struct{ err error }

func (h answerHook) DialHook(next redis.DialHook) redis.DialHook { return nil }
func (h answerHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		switch cmd := cmd.(type) {
		case *redis.StringCmd:
			cmd.SetVal("from the hook")
			return nil
		case *redis.StatusCmd:
			return h.err
		}
		return next(ctx, cmd)
	}
}
func (h answerHook) ProcessPipelineHook(redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return nil // does not concern it: the one before stays
}

// TestHooksByNode instruments each node's client as redisotel does a client:
// dials, commands and pipelines are seen with the node that they went to.
func TestHooksByNode(t *testing.T) {
	source, _ := fleetOf(t, 4)
	n, mu := &notes{}, &sync.Mutex{}
	r := newRedis(t, Config{Source: source, OnNewNode: func(id string, client *redis.Client) {
		client.AddHook(noteHook{id, mu, n})
	}})
	ctx := t.Context()
	saw := func(line string) bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(n.lines, line)
	}
	for node := range 4 {
		id := fmt.Sprint("node", node)
		if saw(id + " dial") {
			t.Errorf("%s was dialled before its first command", id)
		}
		key := ownedBy(r, id, 0)
		if err := r.Set(ctx, key, 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{" dial", " > set", " < set <nil>"} {
			if !saw(id + line) {
				t.Errorf("%s: %q is missing", id, line)
			}
		}
	}
	if _, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Get(ctx, ownedBy(r, "node1", 0))
		p.Get(ctx, ownedBy(r, "node2", 0))
		p.Incr(ctx, ownedBy(r, "node1", 0))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if !saw("node1 > [get incr]") || !saw("node2 > [get]") || saw("node0 > [get]") {
		t.Errorf("a pipeline over two nodes: %q", n.lines)
	}
}
