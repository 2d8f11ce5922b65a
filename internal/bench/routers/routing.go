package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/router"
)

// instantly is a hook that answers every GET itself. What is left of a call is
// the client's own work, without a socket and without the noise of one.
type instantly struct{ value string }

func (instantly) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h instantly) ProcessHook(redis.ProcessHook) redis.ProcessHook {
	return func(_ context.Context, cmd redis.Cmder) error {
		reply, ok := cmd.(*redis.StringCmd)
		if !ok {
			return fmt.Errorf("%s: got a %T, want the *redis.StringCmd of a GET", cmd.Name(), cmd)
		}
		reply.SetVal(h.value)
		return nil
	}
}

func (instantly) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

// anything is what the hook answers. Nobody looks at which key it was asked for:
// that would be measured too.
var anything = instantly{strings.Repeat("x", valueSize)}

func routedInstantly(e *contest.Environment) (contest.Operation, error) {
	r, err := newRouterOver(e, unreachable(), router.Config{
		NoAutoPipeline: true,
		OnNewNode:      func(_ string, client *redis.Client) { client.AddHook(anything) },
	})
	return getAnything(r), err
}

func answeredInstantly(e *contest.Environment) (contest.Operation, error) {
	client := redis.NewClient(&redis.Options{Addr: unreachable()[0], MaxRetries: -1, ContextTimeoutEnabled: true})
	e.OnClose(client.Close)
	client.AddHook(anything)
	return getAnything(client), nil
}

// unreachable returns addresses at which nobody listens: a client that dials one
// in place of asking the hook fails.
func unreachable() []string {
	addrs := make([]string, contest.Shards)
	for i := range addrs {
		addrs[i] = fmt.Sprintf("127.0.0.1:%d", i+1)
	}
	return addrs
}

func getAnything(c getter) contest.Operation {
	return func(keys []string) error {
		value, err := c.Get(background, keys[0]).Result()
		if err == nil && value != anything.value {
			return errWrong
		}
		return err
	}
}
