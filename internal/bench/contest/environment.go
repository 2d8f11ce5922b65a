package contest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ringway/ringway/internal/servers"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

const (
	// Shards is how many servers of each kind there are.
	Shards = 4

	// Patience is the time-out of every client. On a machine that stands still
	// for a second a benchmark is slow; it need not fail.
	Patience = 10 * time.Second
)

// Environment holds the servers, which are started when the first client wants
// them, and everything that is to be closed. It is for one goroutine.
type Environment struct {
	Ctx     context.Context // of the whole run
	fleets  map[servers.Kind][]string
	counts  func() (int64, error) // of the contender that is opened
	closers []func() error
}

// OnClose has f called at the end, what was given last first.
func (e *Environment) OnClose(f func() error) { e.closers = append(e.closers, f) }

// Count is for a contender that is opened: what f returns at the end of its turn,
// less what it returned at the beginning, is what it counted.
func (e *Environment) Count(f func() (int64, error)) { e.counts = f }

func (e *Environment) close() error {
	var errs []error
	for _, f := range slices.Backward(e.closers) {
		errs = append(errs, f())
	}
	e.closers = nil
	return errors.Join(errs...)
}

// Fleet returns the addresses of the servers of a kind. The first call starts them,
// and has fill put into them what the clients read.
func (e *Environment) Fleet(kind servers.Kind, fill func(addrs []string) error) ([]string, error) {
	if addrs := e.fleets[kind]; addrs != nil {
		return addrs, nil
	}
	addrs, err := e.start(kind)
	if err != nil {
		return nil, err
	}
	if err := fill(addrs); err != nil {
		return nil, fmt.Errorf("storing the keys: %w", err)
	}
	if e.fleets == nil {
		e.fleets = make(map[servers.Kind][]string)
	}
	e.fleets[kind] = addrs
	return addrs, nil
}

// start starts servers, with their data in folders that go when they are closed.
func (e *Environment) start(kind servers.Kind) (addrs []string, err error) {
	dir, err := os.MkdirTemp("", "contest")
	if err != nil {
		return nil, err
	}
	e.OnClose(func() error { return os.RemoveAll(dir) })
	for i := range Shards {
		own := filepath.Join(dir, NodeID(i))
		if err := os.Mkdir(own, 0o700); err != nil {
			return nil, err
		}
		server, err := servers.Start(e.Ctx, servers.Config{Kind: kind, Dir: own})
		if err != nil {
			return nil, err
		}
		e.OnClose(server.Close)
		addrs = append(addrs, server.Addr())
	}
	return addrs, nil
}

// NodeID names the servers in an order that is also that of the ring's positions.
func NodeID(i int) string { return fmt.Sprintf("node%d", i) }

// Source is the fleet as the router sees it.
func Source(kind membership.Kind, addrs []string) (membership.Source, error) {
	members := make([]membership.Member, len(addrs))
	for i, addr := range addrs {
		members[i] = membership.Member{ID: NodeID(i), Kind: kind, Address: addr}
	}
	return membership.Static(members...)
}

// RingConfig is the router's default, for the clients that we shard by hand.
var RingConfig = ring.Config{Hasher: ring.Hasher{HashTags: true}}

// NewRing returns the ring of the servers; the position of an owner is the
// server's.
func NewRing() (*ring.Ring, error) {
	ids := make([]string, Shards)
	for i := range ids {
		ids[i] = NodeID(i)
	}
	return ring.New(ring.Nodes(ids...), RingConfig)
}
