package router

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/internal/servertest"
	"github.com/ringway/ringway/membership"
)

// closing closes a subscription when the test ends.
func closing(t *testing.T, sub *redis.PubSub) *redis.PubSub {
	t.Helper()
	t.Cleanup(func() {
		if err := sub.Close(); err != nil && !errors.Is(err, redis.ErrClosed) {
			t.Error(err)
		}
	})
	return sub
}

// receive returns the next thing that is not an error.
func receive[T any](t *testing.T, sub *redis.PubSub) T {
	t.Helper()
	msg, err := sub.ReceiveTimeout(t.Context(), time.Minute)
	got, is := msg.(T)
	if err != nil || !is {
		t.Fatalf("received %T %v, %v; want a %T", msg, msg, err, got)
	}
	return got
}

// confirmed waits for n confirmations.
func confirmed(t *testing.T, sub *redis.PubSub, n int) (channels []string) {
	t.Helper()
	for range n {
		channels = append(channels, receive[*redis.Subscription](t, sub).Channel)
	}
	slices.Sort(channels)
	return channels
}

// channelsOn asks a server itself.
func channelsOn(t *testing.T, s *servertest.Server) []string {
	t.Helper()
	direct := redis.NewClient(&redis.Options{Addr: s.Addr()})
	defer direct.Close()
	channels, err := direct.PubSubChannels(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	shard, err := direct.PubSubShardChannels(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(append(channels, shard...)))
}

// ownedBy returns a name that a node owns, different for each n.
func ownedBy(r *Redis, node string, n int) string {
	for i := 0; ; i++ {
		if name := fmt.Sprint("c", i); r.NodeFor(name) == node {
			if n == 0 {
				return name
			}
			n--
		}
	}
}

func TestSubscribeAtOwners(t *testing.T) {
	source, servers := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	for _, kind := range []struct {
		name      string
		subscribe func(context.Context, ...string) *redis.PubSub
		publish   func(context.Context, string, any) *redis.IntCmd
	}{
		{"SUBSCRIBE", r.Subscribe, r.Publish},
		{"SSUBSCRIBE", r.SSubscribe, r.SPublish},
	} {
		var channels []string
		for i := range 40 {
			channels = append(channels, fmt.Sprintf("%s-%d", kind.name, i), fmt.Sprintf("{tag}%s-%d", kind.name, i))
		}
		sub := closing(t, kind.subscribe(ctx, channels...))
		slices.Sort(channels)
		if got := confirmed(t, sub, len(channels)); !slices.Equal(got, channels) {
			t.Errorf("%s: confirmed: %q", kind.name, got)
		}
		owned := make(map[string][]string)
		for _, c := range channels {
			owned[r.NodeFor(c)] = append(owned[r.NodeFor(c)], c)
		}
		if len(owned) != 4 {
			t.Fatalf("channels of %d nodes: too few to tell anything", len(owned))
		}
		for i, s := range servers {
			if got := channelsOn(t, s); !slices.Equal(got, owned[fmt.Sprint("node", i)]) {
				t.Errorf("%s: node%d has %q, owns %q", kind.name, i, got, owned[fmt.Sprint("node", i)])
			}
		}
		for _, c := range channels {
			if n, err := kind.publish(ctx, c, "to "+c).Result(); n != 1 || err != nil {
				t.Errorf("%s: %d receivers, %v", c, n, err)
			}
		}
		got := make(map[string]string)
		for range channels {
			msg := receive[*redis.Message](t, sub)
			got[msg.Channel] = msg.Payload
		}
		for _, c := range channels {
			if got[c] != "to "+c {
				t.Errorf("%s: received %q", c, got[c])
			}
		}
		if err := sub.Close(); err != nil {
			t.Fatal(err)
		}
		for _, s := range servers {
			for len(channelsOn(t, s)) > 0 { // a minute at most: t.Context ends
			}
		}
	}
}

func TestPatternsAreHeardFromAllNodes(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	sub := closing(t, r.PSubscribe(ctx, "c*", "none*"))
	if got := confirmed(t, sub, 2); !slices.Equal(got, []string{"c*", "none*"}) {
		t.Errorf("confirmed: %q", got)
	}
	want := make(map[string]bool)
	for node := range 4 {
		c := ownedBy(r, fmt.Sprint("node", node), 0)
		want[c] = true
		if n, err := r.Publish(ctx, c, "x").Result(); n != 1 || err != nil {
			t.Errorf("%s: %d receivers, %v", c, n, err)
		}
	}
	for range 4 {
		msg := receive[*redis.Message](t, sub)
		if !want[msg.Channel] || msg.Pattern != "c*" || msg.Payload != "x" {
			t.Errorf("received %+v", msg)
		}
		delete(want, msg.Channel)
	}
}

func TestKeyspaceNotificationsAreHeardFromAllNodes(t *testing.T) {
	source, _ := fleetOf(t, 4)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	if err := r.ConfigSet(ctx, "notify-keyspace-events", "KE$").Err(); err != nil {
		t.Fatal(err)
	}
	key := ownedBy(r, "node3", 7)
	sub := closing(t, r.Subscribe(ctx, "__keyevent@0__:set", "__keyspace@0__:"+key))
	confirmed(t, sub, 2)
	for node := range 4 {
		k := ownedBy(r, fmt.Sprint("node", node), 7)
		if err := r.Set(ctx, k, 1, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	var events, ofKey int
	for range 5 {
		switch msg := receive[*redis.Message](t, sub); msg.Channel {
		case "__keyevent@0__:set":
			events++
		case "__keyspace@0__:" + key:
			ofKey++
		}
	}
	if events != 4 || ofKey != 1 {
		t.Errorf("%d events, %d of the key", events, ofKey)
	}
}

// What a PubSub is told is what a single server would tell it.
func TestSubscriptionRepliesAreTheServers(t *testing.T) {
	source, _ := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	single := direct(t, servertest.Redis(t))
	ctx := t.Context()
	steps := []struct {
		name string
		do   func(sub *redis.PubSub) error
		n    int // replies
	}{
		{"subscribe", func(s *redis.PubSub) error { return s.Subscribe(ctx, "a", "b", "c") }, 3},
		{"again", func(s *redis.PubSub) error { return s.Subscribe(ctx, "b") }, 1},
		{"pattern", func(s *redis.PubSub) error { return s.PSubscribe(ctx, "a", "x*") }, 2},
		{"shard", func(s *redis.PubSub) error { return s.SSubscribe(ctx, "a", "d") }, 2},
		{"ping", func(s *redis.PubSub) error { return s.Ping(ctx) }, 1},
		{"ping with payload", func(s *redis.PubSub) error { return s.Ping(ctx, "hello") }, 1},
		{"name", func(s *redis.PubSub) error { return s.ClientSetName(ctx, "me") }, 1},
		{"unsubscribe one", func(s *redis.PubSub) error { return s.Unsubscribe(ctx, "b") }, 1},
		{"unsubscribe a stranger", func(s *redis.PubSub) error { return s.Unsubscribe(ctx, "never") }, 1},
		{"and back", func(s *redis.PubSub) error {
			return errors.Join(s.Subscribe(ctx, "b"), s.Unsubscribe(ctx, "b"), s.Subscribe(ctx, "b"))
		}, 3},
		{"patterns", func(s *redis.PubSub) error { return s.PUnsubscribe(ctx, "a") }, 1},
		{"all patterns", func(s *redis.PubSub) error { return s.PUnsubscribe(ctx) }, 1},
		{"all patterns again", func(s *redis.PubSub) error { return s.PUnsubscribe(ctx) }, 1},
		{"shards", func(s *redis.PubSub) error { return s.SUnsubscribe(ctx, "a", "d") }, 2},
		{"all shards", func(s *redis.PubSub) error { return s.SUnsubscribe(ctx) }, 1},
	}
	run := func(client redis.UniversalClient) (log []string) {
		sub := closing(t, client.Subscribe(ctx))
		for _, step := range steps {
			if err := step.do(sub); err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			for range step.n {
				msg, err := sub.ReceiveTimeout(ctx, time.Minute)
				log = append(log, fmt.Sprintf("%s: %T %+v %v", step.name, msg, msg, err))
			}
		}
		return log
	}
	want, got := run(single), run(r)
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("a server:   %s\nthe router: %s", want[i], got[i])
		}
	}
}

func TestUnsubscribedIsSilent(t *testing.T) {
	source, servers := fleetOf(t, 2)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	a, b := ownedBy(r, "node0", 0), ownedBy(r, "node0", 1)
	sub := closing(t, r.Subscribe(ctx, a, b))
	confirmed(t, sub, 2)
	if err := sub.Unsubscribe(ctx, a); err != nil {
		t.Fatal(err)
	}
	confirmed(t, sub, 1)
	for slices.Contains(channelsOn(t, servers[0]), a) { // t.Context ends it
	}
	r.Publish(ctx, a, "unheard")
	r.Publish(ctx, b, "heard")
	if msg := receive[*redis.Message](t, sub); msg.Payload != "heard" {
		t.Errorf("received %+v", msg)
	}
}

func TestSubscriptionErrorsOfTheServerAreReturned(t *testing.T) {
	server := servertest.RedisUsers(t, "default on nopass ~* &allowed +@all")
	source, err := membership.NewManual(membership.Member{ID: "node0", Address: server.Addr()})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	r := newRedis(t, Config{Source: source})
	sub := closing(t, r.Subscribe(t.Context(), "allowed"))
	confirmed(t, sub, 1)
	if err := sub.Subscribe(t.Context(), "forbidden"); err != nil {
		t.Fatal(err)
	}
	if msg, err := sub.Receive(t.Context()); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a forbidden channel: %v, %v", msg, err)
	}
	if n := r.Publish(t.Context(), "allowed", "x").Val(); n != 1 {
		t.Errorf("%d receivers of the other one", n)
	}
	if msg := receive[*redis.Message](t, sub); msg.Channel != "allowed" {
		t.Errorf("received %+v", msg)
	}
}

// A caller who does not receive must not make the router keep what the server
// would not.
func TestSlowReceiverIsNotBufferedWithoutEnd(t *testing.T) {
	source, _ := fleetOf(t, 1)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	sub := closing(t, r.Subscribe(ctx, "c"))
	confirmed(t, sub, 1)
	payload := strings.Repeat("x", 64<<10)
	for range 1000 { // 64 MB, where Redis gives up at 32
		if r.Publish(ctx, "c", payload).Val() == 0 {
			break // it has
		}
	}
	got := 0
	for {
		msg, err := sub.ReceiveTimeout(ctx, time.Minute)
		if err != nil {
			break // the server closed the connection
		}
		if m, is := msg.(*redis.Message); is && m.Payload == payload {
			got++
		} else if _, is := msg.(*redis.Subscription); is {
			break // and it was made anew
		}
	}
	if got == 0 || got == 1000 {
		t.Errorf("%d of 1000 messages: the router kept them all, or none", got)
	}
}

func TestClosingTheRouterEndsSubscriptions(t *testing.T) {
	source, _ := fleetOf(t, 2)
	r, err := NewRedis(t.Context(), Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	sub := r.PSubscribe(t.Context(), "*")
	ch := sub.Channel()
	other := r.Subscribe(t.Context(), "a")
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	for range ch { // ends
	}
	for {
		if _, err := other.Receive(t.Context()); errors.Is(err, redis.ErrClosed) {
			break
		}
	}
	if err := r.Subscribe(t.Context(), "a").Subscribe(t.Context(), "b"); !errors.Is(err, redis.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	if _, err := r.hub.dial(t.Context(), "", ""); !errors.Is(err, ErrClosed) {
		t.Errorf("a session after Close: %v", err)
	}
	sub.Close()
	other.Close()
}

func TestManySubscribersAndCalls(t *testing.T) {
	source, _ := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	const subscribers, messages = 8, 50
	done := make(chan error)
	for g := range subscribers {
		go func() {
			done <- func() error {
				sub := r.Subscribe(ctx)
				defer sub.Close()
				c := fmt.Sprint("channel", g)
				for i := range messages { // subscribe, hear one, unsubscribe
					if err := sub.Subscribe(ctx, c); err != nil {
						return err
					}
					if _, err := sub.Receive(ctx); err != nil {
						return err
					}
					// The server may not have taken leave of the subscription
					// before yet, and count it too.
					if n, err := r.Publish(ctx, c, i).Result(); n < 1 || err != nil {
						return fmt.Errorf("%s: %d receivers of message %d, %v", c, n, i, err)
					}
					if msg, err := sub.ReceiveMessage(ctx); err != nil || msg.Payload != fmt.Sprint(i) {
						return fmt.Errorf("%s: received %v, %v", c, msg, err)
					}
					if err := sub.Unsubscribe(ctx, c); err != nil {
						return err
					}
					if _, err := sub.Receive(ctx); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range subscribers {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
