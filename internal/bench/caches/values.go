package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/bench/contest"
	"github.com/ringway/ringway/internal/servers"
)

// life is the time to live of every value, in every cache.
const life = 24 * time.Hour

// name is the key of our spaces: the same text that the others have for a key.
type name string

func (n name) AppendKey(b *cache.KeyBuilder) { b.String(string(n)) }

// profile is the value that is cached. It has a slice, so that a copy for each
// caller is more than an assignment.
type profile struct {
	Key   string   `json:"key"`
	Email string   `json:"email"`
	Seen  int64    `json:"seen"`
	Roles []string `json:"roles"`
}

// openProfile is a profile that only the codec can copy, for nobody knows what Any holds.
type openProfile struct {
	profile
	Any any `json:"any,omitempty"`
}

func (p profile) clone() profile {
	p.Roles = append([]string(nil), p.Roles...)
	return p
}

// profileOf is the value under a key: some 100 bytes of JSON.
func profileOf(key string) profile {
	return profile{Key: key, Email: key + "@example.org", Seen: 1_700_000_000, Roles: []string{"reader", "writer"}}
}

// card is a value without a slice or pointer, of which an assignment is a copy.
type card struct {
	Key   string `json:"key"`
	Email string `json:"email"`
	Seen  int64  `json:"seen"`
}

func cardOf(key string) card {
	p := profileOf(key)
	return card{p.Key, p.Email, p.Seen}
}

// errWrong: a cache that returns something else may be as fast as it likes.
var errWrong = errors.New("the value is not the one that was stored")

// check passes an error on, and a value that is not the one of the key as errWrong.
func check(key string, p profile, err error) error {
	if err == nil && (p.Key != key || len(p.Roles) != 2) {
		return errWrong
	}
	return err
}

// encoded is the JSON of the values, in the order of contest.Keys.
var encoded = sync.OnceValues(func() ([][]byte, error) {
	values := make([][]byte, contest.KeyCount)
	for i, key := range contest.Keys() {
		var err error
		if values[i], err = json.Marshal(profileOf(key)); err != nil {
			return nil, err
		}
	}
	return values, nil
})

// redisServers returns the addresses of servers each of which has all values as JSON,
// since each client places them by a rule of its own. What our spaces store they
// store beside them.
func redisServers(e *contest.Environment) ([]string, error) {
	return e.Fleet(servers.Redis, func(addrs []string) error {
		values, err := encoded()
		if err != nil {
			return err
		}
		for _, addr := range addrs {
			if err := store(e.Ctx, addr, values); err != nil {
				return err
			}
		}
		return nil
	})
}

func store(ctx context.Context, addr string, values [][]byte) error {
	client := redis.NewClient(&redis.Options{Addr: addr, ReadTimeout: contest.Patience, WriteTimeout: contest.Patience})
	_, err := client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		for i, key := range contest.Keys() {
			pipe.Set(ctx, key, values[i], life)
		}
		return nil
	})
	if err = errors.Join(err, client.Close()); err != nil {
		return fmt.Errorf("%s: %w", addr, err)
	}
	return nil
}

func decode(data []byte) (p profile, err error) {
	err = json.Unmarshal(data, &p)
	return p, err
}
