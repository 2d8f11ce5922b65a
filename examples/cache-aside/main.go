// Cache-aside reads users of a slow source through Redis servers whose addresses it
// is given: the first read loads, the next ones do not, and a change is seen at once.
//
//	redis-server --port 7001 & redis-server --port 7002 &
//	go run ./examples/cache-aside 127.0.0.1:7001 127.0.0.1:7002
//
// URLs are those of a fleet's agents: `ringway demo --backend redis --keep` leaves
// one running, and prints them after --agent.
//
//	go run ./examples/cache-aside http://127.0.0.1:PORT,http://127.0.0.1:PORT
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/observer"
	"github.com/ringway/ringway/router"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: cache-aside ADDRESS… | AGENT-URL…   for example: cache-aside 127.0.0.1:7001 127.0.0.1:7002")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "cache-aside:", err)
		os.Exit(1)
	}
}

// UserKey names every axis on which users differ.
type UserKey struct {
	Tenant string
	ID     int64
}

// AppendKey writes the fields of the key.
func (k UserKey) AppendKey(b *cache.KeyBuilder) {
	b.String(k.Tenant)
	b.Int(k.ID)
}

// User is what is cached.
type User struct{ Name string }

// database stands for the source. It counts how often it is asked.
type database struct {
	mu    sync.Mutex
	users map[UserKey]User
	asked int
}

func (d *database) find(_ context.Context, key UserKey) (User, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asked++
	user, found := d.users[key]
	if !found {
		return User{}, cache.ErrNotFound
	}
	return user, nil
}

func (d *database) rename(key UserKey, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users[key] = User{name}
}

// fleetOf returns the fleet of servers whose addresses are known, or the one that the
// agents at these URLs are of: then nodes may come and go.
func fleetOf(ctx context.Context, addresses []string) (membership.Source, error) {
	if strings.HasPrefix(addresses[0], "http") {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // none may answer
		defer cancel()
		return observer.New(ctx, observer.Config{Agents: strings.Split(strings.Join(addresses, ","), ",")})
	}
	var members []membership.Member
	for i, address := range addresses {
		members = append(members, membership.Member{ID: fmt.Sprint("cache-", i+1), Address: address})
	}
	return membership.Static(members...)
}

func run(ctx context.Context, out io.Writer, addresses []string) (err error) {
	source, err := fleetOf(ctx, addresses)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	client, err := router.NewRedis(ctx, router.Config{Source: source})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if err := client.Ping(ctx).Err(); err != nil {
		return err // Get would do without the servers, and this is to show them
	}

	m, err := cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(client)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	ada := UserKey{"acme", 1}
	db := &database{users: map[UserKey]User{ada: {"Ada"}}}
	users, err := cache.NewSpace(m, cache.SpaceConfig[UserKey, User]{
		Name: "example:user", Schema: 1,
		Load: cache.Plain(db.find),
		Life: cache.LifeConfig{TTL: time.Minute},
	})
	if err != nil {
		return err
	}
	if err := users.Invalidate(ctx, ada); err != nil { // what an earlier run has left
		return err
	}
	return show(ctx, out, users, db, ada)
}

func show(ctx context.Context, out io.Writer, users *cache.Space[UserKey, User], db *database, ada UserKey) error {
	for range 2 {
		user, meta, err := users.Get(ctx, ada)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s from %s\n", user.Name, meta.Source)
	}
	db.rename(ada, "Ada Lovelace") // the source first, then the cache
	if err := users.Invalidate(ctx, ada); err != nil {
		return err
	}

	// A thousand at once, and one of them asks the source.
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() { _, _, _ = users.Get(ctx, ada) })
	}
	all.Wait()
	user, meta, err := users.Get(ctx, ada)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s from %s\n", user.Name, meta.Source)
	fmt.Fprintf(out, "the source was asked %d times\n", db.asked)
	return nil
}
