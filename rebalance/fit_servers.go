package rebalance

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/router/memcache"
)

// RedisMemory asks a server for what it uses and may use (INFO memory). Where it
// has no maxmemory, the limit is what its machine has.
func RedisMemory(ctx context.Context, client *redis.Client) (Memory, error) {
	text, err := client.Info(ctx, "memory").Result()
	if err != nil {
		return Memory{}, fmt.Errorf("rebalance: memory: INFO memory: %w", err)
	}
	fields := make(map[string]string)
	for line := range strings.SplitSeq(text, "\n") {
		if name, value, found := strings.Cut(strings.TrimRight(line, "\r"), ":"); found {
			fields[name] = value
		}
	}
	m := Memory{Policy: fields["maxmemory_policy"], From: ByServer}
	if m.Used, err = infoBytes(fields, "used_memory"); err != nil {
		return Memory{}, err
	}
	if m.Limit, err = infoBytes(fields, "maxmemory"); err != nil {
		return Memory{}, err
	}
	if _, has := fields["total_system_memory"]; m.Limit == 0 && has {
		m.From = ByMachine
		m.Limit, err = infoBytes(fields, "total_system_memory")
	}
	return m, err
}

func infoBytes(fields map[string]string, name string) (int64, error) {
	n, err := strconv.ParseInt(fields[name], 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("rebalance: memory: INFO memory: %s: got %.20q, want a number of bytes", name, fields[name])
	}
	return n, nil
}

// MemcachedMemory asks a server for what it uses and may use (stats, stats
// settings). What is free by these numbers may be bound to items of another size,
// as pages of slabs: a server can evict before it is full.
func MemcachedMemory(ctx context.Context, client *memcache.Client) (Memory, error) {
	stats, err := client.ServerStats(ctx, "")
	if err != nil {
		return Memory{}, fmt.Errorf("rebalance: memory: stats: %w", err)
	}
	m := Memory{From: ByServer}
	for name, value := range map[string]*int64{"bytes": &m.Used, "limit_maxbytes": &m.Limit} {
		if *value, err = memcachedNumber(stats, name); err != nil {
			return Memory{}, fmt.Errorf("rebalance: memory: %w", err)
		}
	}
	settings, err := client.ServerStats(ctx, "settings")
	if err != nil {
		return Memory{}, fmt.Errorf("rebalance: memory: stats settings: %w", err)
	}
	switch settings["evictions"] {
	case "on":
		m.Policy = "lru"
	case "off":
		m.Policy = NoEviction
	}
	return m, nil
}
