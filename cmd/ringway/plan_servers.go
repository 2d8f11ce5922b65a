package main

import (
	"context"
	"slices"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

// checkServer looks at how servers are to be asked, without asking any.
func (p *planner) checkServer() error {
	where := p.settings.Where("server")
	cfg := p.planFlags.server.config()
	if cfg.URL == "" {
		cfg.URL = "redis://localhost" // of the two kinds, the one that has a use for all flags
	}
	data, err := dataserver.Open(cfg)
	if err != nil {
		return &cli.UsageError{Where: where, Found: "what cannot be used (" + err.Error() + ")", Want: "settings of servers", Err: err}
	}
	return data.Close()
}

// go-redis writes of each dial that fails to standard error; whoever dialled is
// told anyway.
func init() { redis.SetLogger(silence{}) }

type silence struct{}

func (silence) Printf(context.Context, string, ...any) {}

// sampler asks servers.
type sampler struct {
	config    dataserver.Config // of any server; its URL may be empty
	kind      membership.Kind
	plan      *rebalance.Plan
	addresses map[string]string // by node ID
	sample    rebalance.SampleConfig
}

// answers are what the servers said, by node ID.
type answers struct {
	samples map[string]rebalance.Sample
	memory  map[string]rebalance.Memory
	failed  map[string]string // why there is no answer, or only one of the two
}

// atOnce is how many servers are asked at the same time.
const atOnce = 16

// ask samples the sources and asks the receivers for their memory. A server that
// does not answer is no error.
func (s sampler) ask(ctx context.Context, progress *cli.Progress) (answers, error) {
	a := answers{samples: make(map[string]rebalance.Sample), memory: make(map[string]rebalance.Memory), failed: make(map[string]string)}
	if err := s.useURL(); err != nil {
		return a, err
	}
	sources, receivers := s.plan.Sources(), s.plan.Receivers()
	nodes := slices.Concat(sources, receivers)
	slices.Sort(nodes)
	nodes = slices.Compact(nodes)
	var (
		mu   sync.Mutex // guards a and done
		done int64
		wait sync.WaitGroup
		turn = make(chan struct{}, atOnce)
	)
	for _, id := range nodes {
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			answer := s.askNode(ctx, id, slices.Contains(sources, id), slices.Contains(receivers, id))
			mu.Lock()
			defer mu.Unlock()
			answer.addTo(a, id)
			done++
			progress.Set(done, int64(len(nodes)))
		})
	}
	wait.Wait()
	return a, ctx.Err()
}

// useURL fills in what servers are asked with, or checks it.
func (s *sampler) useURL() error {
	if s.config.URL == "" {
		s.config.URL = string(s.kind) + "://localhost"
		return nil
	}
	if kind, err := s.config.Kind(); err != nil || kind != s.kind {
		return &cli.UsageError{Where: "--server", Found: "the URL of a " + string(kind) + " server", Want: "that of a " + string(s.kind) + " server, as the nodes are", Err: err}
	}
	return nil
}

// answer is what one server said. What is nil was not asked for, or not answered.
type answer struct {
	sample *rebalance.Sample
	memory *rebalance.Memory
	err    error
}

func (a answer) addTo(all answers, id string) {
	if a.sample != nil {
		all.samples[id] = *a.sample
	}
	if a.memory != nil {
		all.memory[id] = *a.memory
	}
	if a.err != nil {
		all.failed[id] = a.err.Error()
	}
}

func (s sampler) askNode(ctx context.Context, id string, source, receiver bool) answer {
	address := s.addresses[id]
	if address == "" {
		return answer{} // a node that is not there yet
	}
	cfg, err := s.config.At(address)
	if err != nil {
		return answer{err: err}
	}
	sample := s.sample
	sample.Wanted = s.plan.Wanted(id)
	if s.kind == membership.Redis {
		return askRedis(ctx, cfg, sample, source, receiver)
	}
	return askMemcached(ctx, cfg, sample, source, receiver)
}

func askRedis(ctx context.Context, cfg dataserver.Config, sample rebalance.SampleConfig, source, receiver bool) (a answer) {
	client, err := dataserver.RedisClient(cfg, 1)
	if err != nil {
		return answer{err: err}
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })() // Ctrl-C ends at once
	if receiver {
		ctx, cancel := bounded(ctx)
		a.setMemory(rebalance.RedisMemory(ctx, client))
		cancel()
	}
	if source {
		a.setSample(rebalance.SampleRedis(ctx, client, sample))
	}
	return a
}

func askMemcached(ctx context.Context, cfg dataserver.Config, sample rebalance.SampleConfig, source, receiver bool) (a answer) {
	client, err := dataserver.MemcachedClient(cfg, 1)
	if err != nil {
		return answer{err: err}
	}
	defer client.Close()
	if receiver {
		ctx, cancel := bounded(ctx)
		a.setMemory(rebalance.MemcachedMemory(ctx, client))
		cancel()
	}
	if source {
		a.setSample(rebalance.SampleMemcached(ctx, client, sample))
	}
	return a
}

func (a *answer) setMemory(m rebalance.Memory, err error) {
	if a.err = err; err == nil {
		a.memory = &m
	}
}

func (a *answer) setSample(s rebalance.Sample, err error) {
	switch {
	case err == nil:
		a.sample = &s
	case a.err == nil: // else the first one tells enough
		a.err = err
	}
}
