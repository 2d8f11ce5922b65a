// Router is the client in the tests of package fleettest. It finds a fleet by
// gossip (-seeds) or by the agents' HTTP API (-agents), reads and writes keys of
// its own on its Redis and memcached servers all the time, and answers on
// loopback with how that goes. It ends when its standard input does, so that it
// does not outlive its test.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cmd/ringway/internal/fleettest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/router"
)

func main() {
	var f fleettest.Finder
	f.Flags(flag.CommandLine)
	flag.Parse()
	if err := run(&f); err != nil {
		fmt.Fprintln(os.Stderr, "router:", err)
		os.Exit(1)
	}
}

func run(f *fleettest.Finder) error {
	redis.SetLogger(quiet{}) // what it writes of each dial that fails says nothing new
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var c complaints
	source, err := f.Source(ctx, c.add)
	if err != nil {
		return err
	}
	defer source.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	r := &reporter{source: source, complaints: &c}
	go func() { _ = http.Serve(listener, r) }() // ends with the process
	fmt.Println("listening on", listener.Addr())

	cfg := router.Config{Source: source, OnError: c.add, Node: router.NodeConfig{ReadTimeout: 2 * time.Second}}
	one, err := router.NewRedis(ctx, cfg)
	if err != nil {
		return err
	}
	other, err := router.NewMemcached(ctx, cfg)
	if err != nil {
		return err
	}
	r.begin(newLoad(f.Name, redisStore{one}), newLoad(f.Name, memcachedStore{other}))
	var work sync.WaitGroup
	work.Go(func() { r.redis.run(ctx) })
	work.Go(func() { r.memcached.run(ctx) })
	work.Wait()
	return errors.Join(one.Close(), other.Close())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// complaints keeps the first errors.
type complaints struct {
	mu  sync.Mutex
	all []string // guarded by mu
}

const mostComplaints = 20

func (c *complaints) add(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.all) < mostComplaints {
		c.all = append(c.all, err.Error())
	}
}

func (c *complaints) list() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.all...)
}

// reporter answers with the router's Status.
type reporter struct {
	source     membership.Source
	complaints *complaints

	mu               sync.Mutex
	redis, memcached *load // nil before the first view
}

func (r *reporter) begin(redis, memcached *load) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.redis, r.memcached = redis, memcached
}

func (r *reporter) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	redis, memcached := r.redis, r.memcached
	r.mu.Unlock()
	s := fleettest.Status{Complaints: r.complaints.list()}
	if g, gossips := r.source.(*gossip.Gossip); gossips {
		s.Ignored = g.Stats().Ignored
	}
	if redis != nil && memcached != nil {
		view, err := r.source.Next(req.Context(), 0)
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		s.Epoch, s.Disagree, s.Fingerprints = view.Epoch, view.Disagree, make(map[string]string)
		for kind, f := range view.Fingerprints {
			s.Fingerprints[string(kind)] = f.String()
		}
		s.Redis, s.Memcached = redis.report(), memcached.report()
	}
	_ = json.NewEncoder(w).Encode(s)
}
