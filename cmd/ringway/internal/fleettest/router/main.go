// Router is the client in the tests of package fleettest. It finds a fleet by
// gossip (-seeds) or by the agents' HTTP API (-agents), reads and writes keys of
// its own on its Redis and memcached servers all the time, and answers on
// loopback with how that goes. It ends when its standard input does, so that it
// does not outlive its test.
package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cmd/ringway/internal/fleettest"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/gossip"
	"github.com/ringway/ringway/membership/observer"
	"github.com/ringway/ringway/router"
)

type options struct {
	name, seeds, agents   string
	cluster, label, allow string
	keyFile               string
}

func main() {
	var o options
	flag.StringVar(&o.name, "name", "", "name of the router, and the start of its keys")
	flag.StringVar(&o.seeds, "seeds", "", "gossip addresses of agents")
	flag.StringVar(&o.agents, "agents", "", "URLs of agents to observe instead")
	flag.StringVar(&o.cluster, "cluster", "", "name of the fleet")
	flag.StringVar(&o.label, "label", "", "label of its gossip")
	flag.StringVar(&o.keyFile, "key-file", "", "file with the key of its gossip, in base64")
	flag.StringVar(&o.allow, "allow", "", "network in which servers may be")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "router:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	redis.SetLogger(quiet{}) // what it writes of each dial that fails says nothing new
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var c complaints
	source, err := o.source(ctx, &c)
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
	r.begin(newLoad(o.name, redisStore{one}), newLoad(o.name, memcachedStore{other}))
	var work sync.WaitGroup
	work.Go(func() { r.redis.run(ctx) })
	work.Go(func() { r.memcached.run(ctx) })
	work.Wait()
	return errors.Join(one.Close(), other.Close())
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// source is the one that the options ask for.
func (o options) source(ctx context.Context, c *complaints) (membership.Source, error) {
	if o.agents != "" {
		return observer.New(ctx, observer.Config{Agents: strings.Split(o.agents, ","), Cluster: o.cluster, OnError: c.add})
	}
	text, err := os.ReadFile(o.keyFile)
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, err
	}
	network, err := netip.ParsePrefix(o.allow)
	if err != nil {
		return nil, err
	}
	return gossip.Join(ctx, gossip.Config{
		Cluster: o.cluster, Name: o.name, Seeds: strings.Split(o.seeds, ","), Network: gossip.Local,
		Label: o.label, Keys: [][]byte{key}, AllowServers: []netip.Prefix{network},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
}

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
