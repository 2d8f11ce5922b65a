// Two-level has two processes' worth of caches in one program: each keeps what it
// reads in its own memory, before the Redis servers whose addresses it is given, and
// each is told what the other changes.
//
//	redis-server --port 7001 & redis-server --port 7002 &
//	go run ./examples/two-level 127.0.0.1:7001 127.0.0.1:7002
//
// URLs are those of a fleet's agents: `ringway demo --backend redis --keep` leaves
// one running, and prints them after --agent.
//
//	go run ./examples/two-level http://127.0.0.1:PORT,http://127.0.0.1:PORT
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
		fmt.Fprintln(os.Stderr, "usage: two-level ADDRESS… | AGENT-URL…   for example: two-level 127.0.0.1:7001 127.0.0.1:7002")
		os.Exit(2)
	}
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "two-level:", err)
		os.Exit(1)
	}
}

// PriceKey names every axis on which prices differ.
type PriceKey struct{ Article, Currency string }

// AppendKey writes the fields of the key.
func (k PriceKey) AppendKey(b *cache.KeyBuilder) {
	b.String(k.Article)
	b.String(k.Currency)
}

// prices stands for the source.
type prices struct {
	mu    sync.Mutex
	cents map[PriceKey]int
}

func (p *prices) find(_ context.Context, key PriceKey) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cents, found := p.cents[key]
	if !found {
		return 0, cache.ErrNotFound
	}
	return cents, nil
}

func (p *prices) set(key PriceKey, cents int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cents[key] = cents
}

// process is what each process of a service has.
type process struct {
	client  *router.Redis
	manager *cache.Manager
	prices  *cache.Space[PriceKey, int]
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

func start(ctx context.Context, fleet membership.Source, source *prices) (p *process, err error) {
	p = &process{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.end())
		}
	}()
	if p.client, err = router.NewRedis(ctx, router.Config{Source: fleet}); err != nil {
		return p, err
	}
	if err := p.client.Ping(ctx).Err(); err != nil {
		return p, err // Get would do without the servers, and this is to show them
	}
	bus, err := cache.NewRedisBus(p.client, "example", cache.BusConfig{})
	if err != nil {
		return p, err
	}
	if p.manager, err = cache.NewManager(cache.ManagerConfig{Store: cache.OnRedis(p.client), Bus: bus}); err != nil {
		return p, err
	}
	p.prices, err = cache.NewSpace(p.manager, cache.SpaceConfig[PriceKey, int]{
		Name: "example:price", Schema: 1,
		Load: cache.Plain(source.find),
		// Without the bus a value would be as old as this time to live; with
		// NeedsBus the level is left out while the bus is not heard.
		L1: cache.L1Config{MaxBytes: 1 << 20, TTL: time.Minute, NeedsBus: true},
	})
	return p, err
}

func (p *process) end() error {
	var errs []error
	if p.manager != nil {
		errs = append(errs, p.manager.Close())
	}
	if p.client != nil {
		errs = append(errs, p.client.Close())
	}
	return errors.Join(errs...)
}

func run(ctx context.Context, out io.Writer, addresses []string) (err error) {
	tea := PriceKey{"tea", "EUR"}
	fleet, err := fleetOf(ctx, addresses)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	source := &prices{cents: map[PriceKey]int{tea: 350}}
	var both []*process
	for range 2 {
		p, failed := start(ctx, fleet, source)
		if failed != nil {
			return failed
		}
		defer func() { err = errors.Join(err, p.end()) }()
		both = append(both, p)
	}
	one, two := both[0], both[1]
	if err := one.prices.Invalidate(ctx, tea); err != nil { // what an earlier run has left
		return err
	}
	for _, p := range both {
		if err := until(ctx, out, p, tea, 350); err != nil {
			return err
		}
	}
	source.set(tea, 400) // the source first, then the cache
	if err := one.prices.Invalidate(ctx, tea); err != nil {
		return err
	}
	fmt.Fprintln(out, "changed by the first")
	return until(ctx, out, two, tea, 400)
}

// until reads until the memory of the process has the price. It takes moments: the
// news have to arrive, and the level is not used before the bus is heard.
func until(ctx context.Context, out io.Writer, p *process, key PriceKey, cents int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		got, meta, err := p.prices.Get(ctx, key)
		if err != nil {
			return err
		}
		if got == cents && meta.Source == cache.FromL1 {
			fmt.Fprintf(out, "%d cents from %s\n", got, meta.Source)
			return nil
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%d cents from %s, want %d from L1: %w", got, meta.Source, cents, ctx.Err())
		}
	}
}
