package router

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/membership"
)

// stage is a fleet of node0 and node1 that node2 joins, each router with a view of
// its own.
type stage struct {
	t       *testing.T
	servers []*servertest.Server
	clients []*redis.Client // of the servers, without a router

	newcomer int // its number
}

func newStage(t *testing.T) *stage {
	s := &stage{t: t, newcomer: 2}
	for range 3 {
		server := servertest.Redis(t)
		s.servers, s.clients = append(s.servers, server), append(s.clients, direct(t, server))
	}
	return s
}

// What the newcomer is in each phase of the transition.
var stateIn = map[membership.Phase]membership.State{
	membership.Stable: membership.Joining, membership.PhaseAnnounced: membership.Announced, membership.PhaseImporting: membership.Importing,
}

const (
	back membership.Phase = 98 // the transition was aborted while keys moved: they go back
	done membership.Phase = 99 // the transition has ended
)

func (s *stage) members(phase membership.Phase) []membership.Member {
	members := membersOf(s.servers)
	one := &members[s.newcomer]
	one.Transition, one.State = 7, stateIn[phase]
	switch phase {
	case back:
		one.State, one.Transition = membership.Exporting, membership.RollbackOf(7)
	case done:
		one.State, one.Transition = membership.Active, 0
	}
	return members
}

// actor is one router of the stage.
type actor struct {
	*Redis
	stage  *stage
	source *membership.Manual
}

// router returns a router that sees the fleet in a phase.
func (s *stage) router(phase membership.Phase, cfg Config) *actor {
	s.t.Helper()
	source, err := membership.NewManual(s.members(phase)...)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { source.Close() })
	cfg.Source = source
	return &actor{newRedis(s.t, cfg), s, source}
}

// see shows the router another phase, and returns when it works by it.
func (a *actor) see(phase membership.Phase) {
	a.stage.t.Helper()
	before := a.Epoch()
	if err := a.source.Set(a.stage.members(phase)...); err != nil {
		a.stage.t.Fatal(err)
	}
	for a.Epoch() == before {
		if a.stage.t.Context().Err() != nil {
			a.stage.t.Fatal("the change never arrived")
		}
		runtime.Gosched()
	}
}

// moving returns a key that goes from node0 to node2, another one each time.
func (s *stage) moving(a *actor, n int) string { return s.keyOf(a, "node0", "node2", "", n) }

// keyOf returns the n-th key with these owners, with a hash tag in front where one
// is given.
func (s *stage) keyOf(a *actor, now, next, prefix string, n int) string {
	s.t.Helper()
	s.needTransition(a)
	snap := a.fleet.current.Load()
	for i := range 100_000 {
		key := fmt.Sprint(prefix, "k", i)
		if a.holdersOn(snap, false, key)[0].member().ID == now && a.holdersOn(snap, true, key)[0].member().ID == next {
			if n == 0 {
				return key
			}
			n--
		}
	}
	s.t.Fatalf("no key from %s to %s", now, next)
	return ""
}

func (s *stage) needTransition(a *actor) {
	s.t.Helper()
	if !a.fleet.current.Load().moving.underWay() {
		s.t.Fatal("the router sees no transition")
	}
}

// at returns what a node has under a key: "" for nothing, a type for what is no
// string.
func (s *stage) at(node int, key string) string {
	s.t.Helper()
	kind, err := s.clients[node].Type(context.Background(), key).Result()
	switch {
	case err != nil:
		s.t.Fatal(err)
	case kind == "none":
		return ""
	case kind != "string":
		return kind
	}
	value, err := s.clients[node].Get(context.Background(), key).Result()
	if err != nil && err != redis.Nil {
		s.t.Fatal(err)
	}
	return value
}

// tombstone returns "", "open", "closed" or "closed before", and fails if it does not live as long
// as it should.
func (s *stage) tombstone(node int, key string) string {
	s.t.Helper()
	ctx := context.Background()
	value, err := s.clients[node].Get(ctx, transit.Marker(key)).Result()
	if err == redis.Nil {
		return ""
	}
	left := s.clients[node].PTTL(ctx, transit.Marker(key)).Val()
	if err != nil || left <= 0 || left > transit.TombstoneLife {
		s.t.Errorf("the tombstone of %s is %q for %v, %v", key, value, left, err)
	}
	kind, number, _ := strings.Cut(value, ":")
	if kind == "closed" && number != "7" {
		return "closed before"
	}
	return kind
}

// put sets up a key on a node: "" removes it, "open" and "closed" bury it, and "closed
// before" does so in another transition.
func (s *stage) put(node int, key, value string) {
	s.t.Helper()
	ctx, server := context.Background(), transit.Redis{Client: s.clients[node], Transition: 7}
	var err error
	switch value {
	case "":
		err = s.clients[node].Del(ctx, key, transit.Marker(key)).Err()
	case "open":
		_, err = server.Bury(ctx, transit.Open, key)
	case "closed":
		_, err = server.Bury(ctx, transit.Closed, key)
	case "closed before":
		server.Transition = 5
		_, err = server.Bury(ctx, transit.Closed, key)
	default:
		err = s.clients[node].Set(ctx, key, value, time.Hour).Err()
	}
	if err != nil {
		s.t.Fatal(err)
	}
}
