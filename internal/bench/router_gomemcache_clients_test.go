package bench_test

import (
	"context"
	"fmt"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/ringway/ringway/router"
)

// entry is an item as either client takes and gives it. seconds is the time to
// live from now on: 0 for ever, negative already over.
type entry struct {
	key, value string
	flags      uint32
	seconds    int
	cas        uint64
}

func (e entry) String() string { return fmt.Sprintf("%q %q flags %d", e.key, e.value, e.flags) }

// cache is what both clients can do.
type cache interface {
	store(how string, e entry) error // how: set, add, replace, append, prepend, cas
	get(key string) (entry, error)
	getAndTouch(key string, seconds int) (entry, error)
	getMulti(keys []string) (map[string]entry, error)
	touch(key string, seconds int) error
	remove(key string) error
	increment(key string, delta uint64) (uint64, error)
	decrement(key string, delta uint64) (uint64, error)
	removeAll() error
	ping() error
}

type theirs struct{ c *memcache.Client }

func (t theirs) store(how string, e entry) error {
	do := map[string]func(*memcache.Item) error{
		"set": t.c.Set, "add": t.c.Add, "replace": t.c.Replace,
		"append": t.c.Append, "prepend": t.c.Prepend, "cas": t.c.CompareAndSwap,
	}
	return do[how](&memcache.Item{Key: e.key, Value: []byte(e.value), Flags: e.flags, Expiration: expiration(e.seconds), CasID: e.cas})
}

// expiration is what gomemcache hands to the server as it is, for which more
// than 30 days are a point in time.
func expiration(seconds int) int32 {
	if seconds > 30*24*60*60 {
		return int32(time.Now().Unix()) + int32(seconds)
	}
	return int32(seconds)
}

func theirEntry(i *memcache.Item, err error) (entry, error) {
	if err != nil {
		return entry{}, err
	}
	return entry{key: i.Key, value: string(i.Value), flags: i.Flags, cas: i.CasID}, nil
}

func (t theirs) get(key string) (entry, error) { return theirEntry(t.c.Get(key)) }
func (t theirs) getAndTouch(key string, seconds int) (entry, error) {
	return theirEntry(t.c.GetAndTouch(key, expiration(seconds)))
}
func (t theirs) getMulti(keys []string) (map[string]entry, error) {
	items, err := t.c.GetMulti(keys)
	entries := make(map[string]entry)
	for key, item := range items {
		entries[key], _ = theirEntry(item, nil)
	}
	return entries, err
}
func (t theirs) touch(key string, seconds int) error            { return t.c.Touch(key, expiration(seconds)) }
func (t theirs) remove(key string) error                        { return t.c.Delete(key) }
func (t theirs) increment(key string, n uint64) (uint64, error) { return t.c.Increment(key, n) }
func (t theirs) decrement(key string, n uint64) (uint64, error) { return t.c.Decrement(key, n) }

// removeAll is FlushAll: gomemcache's DeleteAll empties the one server that owns
// the key "".
func (t theirs) removeAll() error { return t.c.FlushAll() }

func (t theirs) ping() error { return t.c.Ping() }

type ours struct {
	ctx context.Context
	m   *router.Memcached
}

func ttl(seconds int) time.Duration { return time.Duration(seconds) * time.Second }

func (o ours) store(how string, e entry) error {
	do := map[string]func(context.Context, router.Item) error{
		"set": o.m.Set, "add": o.m.Add, "replace": o.m.Replace,
		"append": o.m.Append, "prepend": o.m.Prepend, "cas": o.m.CompareAndSwap,
	}
	return do[how](o.ctx, router.Item{Key: e.key, Value: []byte(e.value), Flags: e.flags, TTL: ttl(e.seconds), CAS: e.cas})
}

func ourEntry(i router.Item, err error) (entry, error) {
	return entry{key: i.Key, value: string(i.Value), flags: i.Flags, cas: i.CAS}, err
}

func (o ours) get(key string) (entry, error) { return ourEntry(o.m.Get(o.ctx, key)) }
func (o ours) getAndTouch(key string, seconds int) (entry, error) {
	return ourEntry(o.m.GetAndTouch(o.ctx, key, ttl(seconds)))
}
func (o ours) getMulti(keys []string) (map[string]entry, error) {
	items, err := o.m.GetMulti(o.ctx, keys)
	entries := make(map[string]entry)
	for key, item := range items {
		entries[key], _ = ourEntry(item, nil)
	}
	return entries, err
}
func (o ours) touch(key string, seconds int) error            { return o.m.Touch(o.ctx, key, ttl(seconds)) }
func (o ours) remove(key string) error                        { return o.m.Delete(o.ctx, key) }
func (o ours) increment(key string, n uint64) (uint64, error) { return o.m.Increment(o.ctx, key, n) }
func (o ours) decrement(key string, n uint64) (uint64, error) { return o.m.Decrement(o.ctx, key, n) }
func (o ours) removeAll() error                               { return o.m.DeleteAll(o.ctx) }
func (o ours) ping() error                                    { return o.m.Ping(o.ctx) }
