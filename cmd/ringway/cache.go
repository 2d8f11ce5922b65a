package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

func newCache() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Look after what package cache keeps on the fleet",
		Long: `Cache has the commands for spaces of the Go package cache: to look for entries that
something is wrong with, to make a tag's entries misses, to see which keys are hot, to
switch a space to bypass the cache, and to mend what waits for a source. The servers are
asked at the addresses that the agent tells; journal asks nobody, and reads a file.`,
		Example: `  ringway cache verify --sample 10000
  ringway cache tags --invalidate category:7
  ringway cache hot
  ringway cache bypass --set all --for 30m svc:user/3
  ringway cache journal /var/lib/svc/cache.journal --dead`,
		Args: cli.Subcommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCacheVerify(), newCacheTags(), newCacheHot(), newCacheBypass(), newCacheJournal())
	return cmd
}

// cacheFlags are the flags of all commands about the cache.
type cacheFlags struct {
	clientFlags
	server   serverFlags
	kind     string
	seedFile string
}

func (f *cacheFlags) add(cmd *cobra.Command) {
	f.addWhole(cmd)
	addPrefix(cmd, &f.server)
}

// addWhole adds those of a command that is about whole spaces or tags, whose keys are
// known: that keys begin with something says nothing there.
func (f *cacheFlags) addWhole(cmd *cobra.Command) {
	f.clientFlags.add(cmd)
	f.server.addAccess(cmd)
	cmd.Flags().StringVar(&f.kind, "kind", "", "nodes of that kind, `redis|memcached`; needed if the fleet has both")
	oneOf(cmd, "kind", string(membership.Redis), string(membership.Memcached))
}

// cacheFleet is what these commands work on: the nodes that own keys, now or next.
type cacheFleet struct {
	agent     string
	kind      membership.Kind
	nodes     []string // IDs
	addresses map[string]string
	rings     []*ring.Ring // the current one, and while keys move the next
	config    dataserver.Config
}

// find asks the agent for the fleet. Rings are made only where they are needed.
func (f *cacheFlags) find(cmd *cobra.Command, rings bool) (*cacheFleet, error) {
	client, err := f.open(cmd)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if f.kind != "" && f.kind != string(membership.Redis) && f.kind != string(membership.Memcached) {
		return nil, &cli.UsageError{Where: f.settings.Where("kind"), Found: cli.Quote(f.kind), Want: "redis or memcached"}
	}
	if err := (&planner{planFlags: &planFlags{clientFlags: f.clientFlags, server: f.server}}).checkServer(); err != nil {
		return nil, err
	}
	seed, err := readSeed(f.seedFile, f.settings.Where("hash-seed-file"))
	if err != nil {
		return nil, err
	}
	r, from, err := client.Ring(cmd.Context())
	if err != nil {
		return nil, err
	}
	told, err := newFleet(r)
	if err != nil {
		return nil, err
	}
	fleet := &cacheFleet{agent: from, addresses: make(map[string]string), config: f.server.config()}
	if fleet.kind, err = (&locateFlags{clientFlags: f.clientFlags, kind: f.kind}).kindOf(told); err != nil {
		return nil, err
	}
	if err := (&sampler{config: fleet.config, kind: fleet.kind}).useURL(); err != nil {
		return nil, err
	}
	if fleet.config.URL == "" {
		fleet.config.URL = string(fleet.kind) + "://localhost"
	}
	owning := make(map[string]bool)
	for _, n := range slices.Concat(told.view.Current(fleet.kind), told.view.Next(fleet.kind)) {
		owning[n.ID] = true
	}
	fleet.nodes = slices.Sorted(maps.Keys(owning))
	for _, m := range told.view.Members {
		fleet.addresses[m.ID] = m.Address
	}
	if rings {
		return fleet, f.makeRings(fleet, told, seed)
	}
	return fleet, nil
}

func (f *cacheFlags) makeRings(to *cacheFleet, told fleet, seed uint64) error {
	cfg, err := told.config(seed)
	if errors.Is(err, errSeed) {
		return &cli.UsageError{Where: f.settings.Where("hash-seed-file"), Found: "none, or another seed", Want: "the fleet's", Err: err}
	}
	if err != nil {
		return err
	}
	now, err := told.current(to.kind, cfg)
	if err != nil {
		return err
	}
	to.rings = []*ring.Ring{now}
	if nodes := told.view.Next(to.kind); len(nodes) > 0 {
		next, err := ring.New(nodes, cfg)
		if err != nil {
			return err
		}
		to.rings = append(to.rings, next)
	}
	return nil
}

// owners returns the nodes that own a key: one, or two while it moves.
func (f *cacheFleet) owners(key string) (ids []string) {
	for _, r := range f.rings {
		if id := r.Owner(key).ID; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// with calls do with a store over one node, and for Redis its client.
func (f *cacheFleet) with(ctx context.Context, id string, do func(ctx context.Context, store cache.Store, client *redis.Client) error) error {
	cfg, err := f.config.At(f.addresses[id])
	if err != nil {
		return err
	}
	if f.kind == membership.Memcached {
		client, err := dataserver.MemcachedClient(cfg, 2)
		if err != nil {
			return err
		}
		defer client.Close()
		return do(ctx, cache.OnMemcached(client), nil)
	}
	client, err := dataserver.RedisClient(cfg, 2)
	if err != nil {
		return err
	}
	defer client.Close()
	defer context.AfterFunc(ctx, func() { _ = client.Close() })() // Ctrl-C ends at once
	return do(ctx, cache.OnRedis(client), client)
}

// each calls do for all nodes, some at a time, and returns what failed by node.
func (f *cacheFleet) each(ctx context.Context, do func(ctx context.Context, id string, store cache.Store, client *redis.Client) error) (failed map[string]error, err error) {
	failed = make(map[string]error)
	var (
		mu   sync.Mutex // guards failed
		wait sync.WaitGroup
		turn = make(chan struct{}, atOnce)
	)
	for _, id := range f.nodes {
		wait.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			err := f.with(ctx, id, func(ctx context.Context, store cache.Store, client *redis.Client) error {
				return do(ctx, id, store, client)
			})
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[id] = err
			}
		})
	}
	wait.Wait()
	return failed, ctx.Err()
}

// unanswered are the lines of an error about nodes.
func unanswered(failed map[string]error) (lines []string) {
	for _, id := range slices.Sorted(maps.Keys(failed)) {
		lines = append(lines, shown(id)+": "+shown(failed[id].Error()))
	}
	return lines
}

// failedOf is an error for lines, if there are any.
func failedOf(lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	return &cli.FailedError{Lines: lines}
}

// atLeast refuses a number below another one.
func (f *cacheFlags) atLeast(flag string, n, least int) error {
	if n < least {
		return &cli.UsageError{Where: f.settings.Where(flag), Found: strconv.Itoa(n), Want: strconv.Itoa(least) + " or more"}
	}
	return nil
}
