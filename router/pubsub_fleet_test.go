package router

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
)

// numSub counts subscribers of a channel on one server.
func numSub(t *testing.T, s *servertest.Server, channel string) int64 {
	t.Helper()
	direct := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer direct.Close()
	n, err := direct.PubSubNumSub(t.Context(), channel).Result()
	if err != nil {
		t.Fatal(err)
	}
	return n[channel]
}

func TestSubscriptionsFollowTheFleet(t *testing.T) {
	source, servers := fleetOf(t, 3)
	members := membersOf(servers)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	moves, stays := ownedBy(r, "node2", 0), ""
	for i := 0; stays == "" || r.NodeFor(stays) == "node2"; i++ {
		stays = fmt.Sprint("stays", i)
	}
	sub := closing(t, r.Subscribe(ctx, moves, stays))
	confirmed(t, sub, 2)
	patterns := closing(t, r.PSubscribe(ctx, "*"))
	confirmed(t, patterns, 1)

	hear := func(what string) {
		t.Helper()
		for _, c := range []string{moves, stays} {
			if n, err := r.Publish(ctx, c, what).Result(); n != 2 || err != nil {
				t.Errorf("%s: %s: %d receivers, %v", what, c, n, err)
			}
			if msg := receive[*redis.Message](t, sub); msg.Channel != c || msg.Payload != what {
				t.Errorf("%s: received %+v", what, msg)
			}
			if msg := receive[*redis.Message](t, patterns); msg.Channel != c || msg.Payload != what {
				t.Errorf("%s: by pattern %+v", what, msg)
			}
		}
	}
	hear("three nodes")

	// The node leaves: its channel moves, the other one and the pattern stay.
	if err := source.Set(members[:2]...); err != nil {
		t.Fatal(err)
	}
	if got := confirmed(t, sub, 1); got[0] != moves {
		t.Errorf("made anew: %q", got)
	}
	hear("two nodes")

	// It comes back. The channel is its own again, and no longer subscribed to
	// where it was; the pattern is heard there too.
	if err := source.Set(members...); err != nil {
		t.Fatal(err)
	}
	if got := confirmed(t, sub, 1); got[0] != moves {
		t.Errorf("made anew: %q", got)
	}
	confirmed(t, patterns, 1)
	hear("three again")
	for i, s := range servers {
		want := int64(0)
		if i == 2 {
			want = 1
		}
		for numSub(t, s, moves) != want { // t.Context ends it
		}
	}

	// Nobody is left, then all are back.
	if err := source.Set(); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.Receive(ctx); err == nil || !strings.Contains(err.Error(), ErrNoNodes.Error()) {
		t.Errorf("an empty fleet: %v, %v", msg, err)
	}
	if _, err := patterns.Receive(ctx); err == nil {
		t.Error("an empty fleet: no error for the pattern")
	}
	if err := source.Set(members...); err != nil {
		t.Fatal(err)
	}
	if got := confirmed(t, sub, 2); !slices.Contains(got, moves) || !slices.Contains(got, stays) {
		t.Errorf("made anew: %q", got)
	}
	for numSub(t, servers[0], "nothing") != 0 {
	}
	for _, s := range servers {
		c := direct(t, s)
		for c.PubSubNumPat(ctx).Val() != 1 { // t.Context ends it
		}
	}
}

// A channel that changes its owner is subscribed to at the new one before the
// old one is let go: with the new one out of reach the old one is still heard.
func TestOldOwnerIsHeardUntilTheNewOneAnswers(t *testing.T) {
	source, servers := fleetOf(t, 2)
	members := membersOf(servers)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	moves := ownedBy(r, "node1", 0)
	if err := source.Set(members[0]); err != nil {
		t.Fatal(err)
	}
	for r.NodeFor(moves) != "node0" {
	}
	sub := closing(t, r.Subscribe(ctx, moves))
	confirmed(t, sub, 1)
	servers[1].Kill()
	if err := source.Set(members...); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.Receive(ctx); err == nil || !strings.Contains(err.Error(), "node1") {
		t.Fatalf("the new owner is down: %v, %v", msg, err)
	}
	old := direct(t, servers[0]) // of one who does not know of the change yet
	if n := old.Publish(ctx, moves, "at the old owner").Val(); n != 1 {
		t.Errorf("%d receivers at the old owner", n)
	}
	if msg := receive[*redis.Message](t, sub); msg.Payload != "at the old owner" {
		t.Errorf("received %+v", msg)
	}
	servers[1].Restart()
	if got := confirmed(t, sub, 1); got[0] != moves {
		t.Errorf("made anew: %q", got)
	}
	if n, err := r.Publish(ctx, moves, "at the new one").Result(); n != 1 || err != nil {
		t.Errorf("%d receivers, %v", n, err)
	}
	if msg := receive[*redis.Message](t, sub); msg.Payload != "at the new one" {
		t.Errorf("received %+v", msg)
	}
	for numSub(t, servers[0], moves) != 0 { // t.Context ends it
	}
}

func TestLostNodeIsTriedAgain(t *testing.T) {
	source, servers := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	lost, kept := ownedBy(r, "node1", 0), ownedBy(r, "node0", 0)
	sub := closing(t, r.Subscribe(ctx, lost, kept))
	confirmed(t, sub, 2)
	if err := sub.PSubscribe(ctx, "c*"); err != nil {
		t.Fatal(err)
	}
	confirmed(t, sub, 1)
	servers[1].Kill()
	msg, err := sub.Receive(ctx)
	if err == nil || !strings.Contains(err.Error(), `node "node1"`) {
		t.Fatalf("a killed node: %v, %v", msg, err)
	}
	// The others are heard, and new subscriptions are made: at once where they
	// can be, with an error where not.
	late := ownedBy(r, "node1", 1)
	if err := sub.Subscribe(ctx, late); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.Receive(ctx); err == nil || !strings.Contains(err.Error(), `node "node1"`) {
		t.Fatalf("a channel of the killed node: %v, %v", msg, err)
	}
	if err := sub.PSubscribe(ctx, "d*"); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.Receive(ctx); err == nil {
		t.Fatalf("a pattern without one node: %v", msg)
	}
	if got := confirmed(t, sub, 1); got[0] != "d*" {
		t.Errorf("confirmed: %q", got)
	}
	if n, err := r.Publish(ctx, kept, "still here").Result(); n != 2 || err != nil {
		t.Errorf("%d receivers, %v", n, err)
	}
	for range 2 {
		if msg := receive[*redis.Message](t, sub); msg.Channel != kept {
			t.Errorf("received %+v", msg)
		}
	}
	servers[1].Restart()
	if got := confirmed(t, sub, 4); !slices.Equal(got, slices.Sorted(slices.Values([]string{lost, late, "c*", "d*"}))) {
		t.Errorf("made anew: %q", got)
	}
	back := direct(t, servers[1]) // the router's breaker may be open
	for _, c := range []string{lost, late} {
		if n, err := back.Publish(ctx, c, "again").Result(); n != 2 || err != nil {
			t.Errorf("%s: %d receivers, %v", c, n, err)
		}
		for range 2 {
			if msg := receive[*redis.Message](t, sub); msg.Channel != c {
				t.Errorf("received %+v", msg)
			}
		}
	}
}

// A node that stops answering without closing its connections is noticed, and
// heard again when it goes on.
func TestSilentNodeIsGivenUp(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source, Node: NodeConfig{ReadTimeout: 50 * time.Millisecond}})
	r.hub.health = 50 * time.Millisecond
	ctx := t.Context()
	c := ownedBy(r, "node0", 0)
	sub := closing(t, r.Subscribe(ctx, c))
	confirmed(t, sub, 1)
	servers[0].Stop()
	for {
		msg, err := sub.Receive(ctx)
		if err != nil && strings.Contains(err.Error(), errSilent.Error()) {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("a stopped node: %v, %v", msg, err)
		}
	}
	servers[0].Cont()
	for {
		if msg, err := sub.Receive(ctx); err == nil {
			if got, is := msg.(*redis.Subscription); !is || got.Channel != c {
				t.Errorf("received %v", msg)
			}
			break
		}
	}
}
