package router

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/router/memcache"
)

// memStage is a fleet of node0 and node1 that node2 joins, each router with a view
// of its own.
type memStage struct {
	t       *testing.T
	servers []*servertest.Server
	clients []*memcache.Client

	generation uint64 // of all members; 0: of no agents
}

func newMemStage(t *testing.T) *memStage {
	s := &memStage{t: t}
	for range 3 {
		server := servertest.Memcached(t)
		s.servers, s.clients = append(s.servers, server), append(s.clients, directly(t, server))
	}
	return s
}

func (s *memStage) members(state membership.State) (members []membership.Member) {
	for i, server := range s.servers {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Kind: membership.Memcached, Address: server.Addr(), Generation: s.generation})
	}
	members[2].State = state
	if state != membership.Active && state != membership.Left {
		members[2].Transition = 3
	}
	return members
}

// memActor is one router of the stage.
type memActor struct {
	*Memcached
	stage  *memStage
	source *membership.Manual
}

func (s *memStage) router(state membership.State, cfg Config) *memActor {
	s.t.Helper()
	source, err := membership.NewManual(s.members(state)...)
	must(s.t, err)
	cfg.Source = source
	m, err := NewMemcached(s.t.Context(), cfg)
	must(s.t, err)
	s.t.Cleanup(func() {
		if err := errors.Join(m.Close(), source.Close()); err != nil {
			s.t.Error(err)
		}
	})
	return &memActor{m, s, source}
}

// see shows the router another state of the newcomer.
func (a *memActor) see(state membership.State) {
	a.stage.t.Helper()
	before := a.Epoch()
	must(a.stage.t, a.source.Set(a.stage.members(state)...))
	for a.Epoch() == before {
		if a.stage.t.Context().Err() != nil {
			a.stage.t.Fatal("the change never arrived")
		}
		runtime.Gosched()
	}
}

// moving returns the n-th key that goes from node0 to node2.
func (s *memStage) moving(a *memActor, n int) string { return s.keyOf(a, "node0", "node2", n) }

func (s *memStage) keyOf(a *memActor, now, next string, n int) string {
	s.t.Helper()
	snap := a.fleet.current.Load()
	if !snap.moving.underWay() {
		s.t.Fatal("the router sees no transition")
	}
	for i := range 100_000 {
		key := fmt.Sprint("k", i)
		t := snap.moving
		if snap.nodes[snap.placement.OwnerIndex(key)].member().ID == now && t.nodes[t.placement.OwnerIndex(key)].member().ID == next {
			if n == 0 {
				return key
			}
			n--
		}
	}
	s.t.Fatalf("no key from %s to %s", now, next)
	return ""
}

// at returns what a node has under a key: "" for nothing, "open" and "closed" for
// tombstones, which must not live for longer than they should.
func (s *memStage) at(node int, key string) string {
	s.t.Helper()
	resp, err := s.clients[node].MetaGet(context.Background(), memcache.GetRequest{Key: key, NoBump: true,
		Return: memcache.ReturnValue | memcache.ReturnFlags | memcache.ReturnTTL})
	must(s.t, err)
	if !resp.Found() {
		return ""
	}
	if kind, buried := transit.TombstoneOf(resp.ClientFlags, len(resp.Value)); buried {
		if resp.TTL <= 0 || resp.TTL > transit.TombstoneLife {
			s.t.Errorf("the tombstone of %s lives for %v", key, resp.TTL)
		}
		return kind.String()
	}
	return string(resp.Value)
}

// put sets up a key on a node.
func (s *memStage) put(node int, key, value string) {
	s.t.Helper()
	ctx, server := context.Background(), transit.Memcached{Client: s.clients[node]}
	var err error
	switch value {
	case "":
		if err = s.clients[node].Delete(ctx, key); errors.Is(err, memcache.ErrCacheMiss) {
			err = nil
		}
	case "open":
		_, err = server.Bury(ctx, transit.Open, key)
	case "closed":
		_, err = server.Bury(ctx, transit.Closed, key)
	default:
		err = s.clients[node].Set(ctx, Item{Key: key, Value: []byte(value), Flags: 7, TTL: time.Hour})
	}
	must(s.t, err)
}
