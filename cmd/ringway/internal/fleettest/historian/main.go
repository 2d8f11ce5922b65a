// Historian is a client in the tests of package fleettest that writes down what
// it does. It finds a fleet by gossip or by the agents' HTTP API, writes keys of
// its own and reads those of all historians, on the Redis and the memcached
// servers, until its standard input ends; then every operation is in a file, with
// when it began and ended and what came of it.
package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
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
	name, peers, file     string
	seeds, agents         string
	cluster, label, allow string
	keyFile               string
	seed                  uint64
}

func main() {
	var o options
	flag.StringVar(&o.name, "name", "", "name of the historian, and part of its keys")
	flag.StringVar(&o.peers, "peers", "", "names of all historians")
	flag.StringVar(&o.file, "file", "", "where the history goes")
	flag.Uint64Var(&o.seed, "seed", 1, "of what is done")
	flag.StringVar(&o.seeds, "seeds", "", "gossip addresses of agents")
	flag.StringVar(&o.agents, "agents", "", "URLs of agents to observe instead")
	flag.StringVar(&o.cluster, "cluster", "", "name of the fleet")
	flag.StringVar(&o.label, "label", "", "label of its gossip")
	flag.StringVar(&o.keyFile, "key-file", "", "file with the key of its gossip, in base64")
	flag.StringVar(&o.allow, "allow", "", "network in which servers may be")
	flag.Parse()
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "historian:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	redis.SetLogger(quiet{})
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	source, err := o.source(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	cfg := router.Config{Source: source, Node: router.NodeConfig{ReadTimeout: 2 * time.Second},
		OnError: func(err error) { fmt.Fprintln(os.Stderr, err) }}
	one, err := router.NewRedis(ctx, cfg)
	if err != nil {
		return err
	}
	other, err := router.NewMemcached(ctx, cfg)
	if err != nil {
		return err
	}
	out, err := newRecord(o.file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.close(), one.Close(), other.Close()) }()
	all := []*writer{newWriter(o, "redis", redisStore{one}, out), newWriter(o, "memcached", memcachedStore{other}, out)}
	for _, w := range all {
		if err := w.begin(ctx); err != nil {
			return err
		}
	}
	fmt.Println("writing history")
	var work sync.WaitGroup
	for _, w := range all {
		work.Go(func() { w.run(ctx) })
	}
	work.Wait()
	return nil
}

type quiet struct{}

func (quiet) Printf(context.Context, string, ...any) {}

// source is the one that the options ask for.
func (o options) source(ctx context.Context) (membership.Source, error) {
	if o.agents != "" {
		return observer.New(ctx, observer.Config{Agents: strings.Split(o.agents, ","), Cluster: o.cluster})
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

// record is the file of events. Each is written at once: the historian may be
// killed.
type record struct {
	last map[string]int64 // versions that were in the file already; nil: it was new

	mu   sync.Mutex
	file *os.File
	err  error // the first
}

func newRecord(path string) (*record, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	r := &record{file: file}
	for dec := json.NewDecoder(bufio.NewReader(file)); ; {
		var e fleettest.Event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return r, nil
		} else if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
		}
		if r.last == nil {
			r.last = make(map[string]int64)
		}
		if e.Op == fleettest.OpSet || e.Op == fleettest.OpDelete {
			r.last[e.Key] = max(r.last[e.Key], e.Version)
		}
	}
}

func (r *record) add(e fleettest.Event) {
	line, err := json.Marshal(e)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		_, err = r.file.Write(append(line, '\n'))
	}
	if r.err == nil {
		r.err = err
	}
}

func (r *record) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(r.err, r.file.Close())
}
