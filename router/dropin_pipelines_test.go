package router

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// each returns what the commands of a pipeline gave, and the pipeline itself.
func each(cmds []redis.Cmder, err error) gave {
	var texts []string
	for _, cmd := range cmds {
		texts = append(texts, cmd.String())
	}
	return of(texts, err)
}

var pipelineSteps = []step{
	{"Pipelined", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i := range 20 {
				p.Set(ctx, fmt.Sprint("p:", i), i, 0)
				p.Incr(ctx, fmt.Sprint("p:", i))
			}
			p.MGet(ctx, "p:1", "p:2", "p:3", "p:4", "none")
			p.Del(ctx, "p:10", "p:11", "p:12", "p:13")
			p.Exists(ctx, "p:10", "p:14", "p:15")
			p.Ping(ctx)
			return nil
		}))
	}},
	{"Pipeline with errors", func(ctx context.Context, c redis.UniversalClient) gave {
		p := c.Pipeline()
		p.Set(ctx, "p:word", "word", 0)
		p.Incr(ctx, "p:word")
		p.Get(ctx, "p:none")
		p.Get(ctx, "p:word")
		return each(p.Exec(ctx))
	}},
	{"Pipeline with nothing", func(ctx context.Context, c redis.UniversalClient) gave { return each(c.Pipeline().Exec(ctx)) }},
	{"TxPipelined", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, "{tx}n")
			p.RPush(ctx, "{tx}l", "a", "b")
			p.LRange(ctx, "{tx}l", 0, -1)
			return nil
		}))
	}},
	{"TxPipelined that fails within", func(ctx context.Context, c redis.UniversalClient) gave {
		return each(c.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Incr(ctx, "{tx}l")
			p.Incr(ctx, "{tx}n")
			return nil
		}))
	}},
	{"Watch", func(ctx context.Context, c redis.UniversalClient) gave {
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			n, err := tx.Get(ctx, "{tx}n").Int()
			if err != nil {
				return err
			}
			_, err = tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "{tx}n", n*10, 0); return nil })
			return err
		}, "{tx}n", "{tx}l")
		return of(c.Get(ctx, "{tx}n").Val(), err)
	}},
	{"Watch that loses", func(ctx context.Context, c redis.UniversalClient) gave {
		err := c.Watch(ctx, func(tx *redis.Tx) error {
			c.Incr(ctx, "{tx}n") // somebody else
			_, err := tx.TxPipelined(ctx, func(p redis.Pipeliner) error { p.Set(ctx, "{tx}n", "lost", 0); return nil })
			return err
		}, "{tx}n")
		return of(fmt.Sprint(c.Get(ctx, "{tx}n").Val(), errors.Is(err, redis.TxFailedErr)), err)
	}},
	{"Watch whose function fails", func(ctx context.Context, c redis.UniversalClient) gave {
		return of("", c.Watch(ctx, func(*redis.Tx) error { return errors.New("mine") }, "{tx}n"))
	}},
}
