// Historian is a client in the tests of package fleettest that writes down what
// it does. It finds a fleet by gossip or by the agents' HTTP API, writes keys of
// its own and reads those of all historians, on the Redis and the memcached
// servers, until its standard input ends; then every operation is in a file, with
// when it began and ended and what came of it.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ringway/ringway/cmd/ringway/internal/fleettest"
	"github.com/ringway/ringway/router"
)

type options struct {
	finder      fleettest.Finder
	peers, file string
	seed        uint64
}

func main() {
	var o options
	o.finder.Flags(flag.CommandLine)
	flag.StringVar(&o.peers, "peers", "", "names of all historians")
	flag.StringVar(&o.file, "file", "", "where the history goes")
	flag.Uint64Var(&o.seed, "seed", 1, "of what is done")
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
	source, err := o.finder.Source(ctx, nil)
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
