// Write-through has every write go through the cache: Put writes the source, and
// then the memcached servers whose addresses it is given, or the fleet of either kind
// whose agents it is given, so that the next read finds the new value there. A write that comes late does not replace a newer one.
//
//	memcached -p 7011 & memcached -p 7012 &
//	go run ./examples/write-through 127.0.0.1:7011 127.0.0.1:7012
//
// URLs are those of a fleet's agents: `ringway demo --keep` leaves one running, of
// whatever --backend, and prints them after --agent.
//
//	go run ./examples/write-through http://127.0.0.1:PORT,http://127.0.0.1:PORT
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
		fmt.Fprintln(os.Stderr, "usage: write-through ADDRESS… | AGENT-URL…   for example: write-through 127.0.0.1:7011 127.0.0.1:7012")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "write-through:", err)
		os.Exit(1)
	}
}

// AccountKey names an account.
type AccountKey struct{ ID int64 }

// AppendKey writes the field of the key.
func (k AccountKey) AppendKey(b *cache.KeyBuilder) { b.Int(k.ID) }

// Account is what is cached.
type Account struct{ Owner string }

// table stands for the source: each row has a version that grows with each write.
type table struct {
	mu    sync.Mutex
	rows  map[AccountKey]cache.Loaded[Account]
	asked int
}

func (t *table) load(_ context.Context, key AccountKey) (cache.Loaded[Account], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	row, found := t.rows[key]
	if !found {
		return row, cache.ErrNotFound
	}
	return row, nil
}

// save returns the version of what it has written. That is what lets the cache keep
// the value: without one nothing would say which of two writers came last.
func (t *table) save(_ context.Context, key AccountKey, a Account) (version uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	version = t.rows[key].Version + 1
	t.rows[key] = cache.Loaded[Account]{Value: a, Version: version}
	return version, nil
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
		members = append(members, membership.Member{ID: fmt.Sprint("cache-", i+1), Kind: membership.Memcached, Address: address})
	}
	return membership.Static(members...)
}

// storeOf returns the store that the fleet is, by the kind of its servers, and what ends
// its client. Get would do without the servers, and this is to show them: so they are
// asked whether they are there.
func storeOf(ctx context.Context, source membership.Source) (store cache.Store, end func() error, err error) {
	view, err := source.Next(ctx, 0)
	if err != nil {
		return nil, nil, err
	}
	if len(view.Current(membership.Redis)) > 0 {
		client, err := router.NewRedis(ctx, router.Config{Source: source})
		if err != nil {
			return nil, nil, err
		}
		return cache.OnRedis(client), client.Close, client.Ping(ctx).Err()
	}
	client, err := router.NewMemcached(ctx, router.Config{Source: source})
	if err != nil {
		return nil, nil, err
	}
	return cache.OnMemcached(client), client.Close, client.Ping(ctx)
}

func run(ctx context.Context, out io.Writer, addresses []string) (err error) {
	source, err := fleetOf(ctx, addresses)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	store, end, err := storeOf(ctx, source)
	if end != nil {
		defer func() { err = errors.Join(err, end()) }()
	}
	if err != nil {
		return err
	}
	m, err := cache.NewManager(cache.ManagerConfig{Store: store})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	rows := &table{rows: make(map[AccountKey]cache.Loaded[Account])}
	accounts, err := cache.NewSpace(m, cache.SpaceConfig[AccountKey, Account]{
		Name: "example:account", Schema: 1, Load: rows.load, Save: rows.save,
	})
	if err != nil {
		return err
	}
	if err := accounts.Invalidate(ctx, AccountKey{7}); err != nil { // what an earlier run has left
		return err
	}
	return show(ctx, out, accounts, rows)
}

func show(ctx context.Context, out io.Writer, accounts *cache.Space[AccountKey, Account], rows *table) error {
	key := AccountKey{7}
	_, meta, err := accounts.Get(ctx, key)
	fmt.Fprintf(out, "%v from %s\n", errors.Is(err, cache.ErrNotFound), meta.Source)
	for _, owner := range []string{"Ada", "Grace"} {
		if err := accounts.Put(ctx, key, Account{owner}); err != nil {
			return err
		}
		a, meta, err := accounts.Get(ctx, key) // the absence that was remembered is over
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "%s, version %d, from %s\n", a.Owner, meta.Version, meta.Source)
	}
	fmt.Fprintf(out, "the source was read %d times\n", rows.asked)
	return nil
}
