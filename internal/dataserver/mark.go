package dataserver

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/memcache"
)

// markScript sets KEYS[1] to ARGV[1]. The delete comes first: once a script has
// written, Redis refuses it nothing more for want of memory.
const markScript = `
redis.call('UNLINK', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1])
return 1
`

// Mark implements Server.
func (r *redisServer) Mark(ctx context.Context, text string) error {
	key := transit.ProcessKey(r.prefix)
	return r.ask(ctx, "mark", func(ctx context.Context, client *redis.Client) error {
		if text == "" {
			return client.Unlink(ctx, key).Err()
		}
		return client.Eval(ctx, markScript, []string{key}, text).Err()
	})
}

// Marked implements Server.
func (r *redisServer) Marked(ctx context.Context) (text string, err error) {
	err = r.ask(ctx, "mark", func(ctx context.Context, client *redis.Client) (err error) {
		text, err = client.Get(ctx, transit.ProcessKey(r.prefix)).Result()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	return text, err
}

// Lasting implements Server.
func (r *redisServer) Lasting(context.Context) (bool, error) { return true, nil }

// Mark implements Server.
func (m *memcachedServer) Mark(ctx context.Context, text string) error {
	e := m.begin(ctx, "mark", m.timeout)
	defer e.end()
	key, err := transit.ProcessKey(m.prefix), error(nil)
	if text == "" {
		_, err = m.probes.MetaDelete(e.ctx, memcache.DeleteRequest{Key: key, EncodeKey: true})
	} else {
		_, err = m.probes.MetaSet(e.ctx, memcache.SetRequest{Key: key, EncodeKey: true, Value: []byte(text)})
	}
	return e.verdict(timely(err))
}

// Marked implements Server. It counts as a use of the item, so that the server
// does not evict it.
func (m *memcachedServer) Marked(ctx context.Context) (string, error) {
	e := m.begin(ctx, "mark", m.timeout)
	defer e.end()
	resp, err := m.probes.MetaGet(e.ctx, memcache.GetRequest{Key: transit.ProcessKey(m.prefix), EncodeKey: true, Return: memcache.ReturnValue})
	if err != nil || !resp.Found() {
		return "", e.verdict(timely(err))
	}
	return string(resp.Value), nil
}

// Lasting implements Server.
func (m *memcachedServer) Lasting(ctx context.Context) (bool, error) {
	e := m.begin(ctx, "settings", m.timeout)
	defer e.end()
	settings, err := m.probes.ServerStats(e.ctx, "settings")
	if err != nil {
		return false, e.verdict(timely(err))
	}
	file := settings["memory_file"]
	return file != "" && file != "(null)", nil
}
