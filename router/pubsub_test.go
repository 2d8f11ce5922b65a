package router

import (
	"bufio"
	"bytes"
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
	single := redis.NewClient(&redis.Options{Addr: servertest.Redis(t).Addr()})
	defer single.Close()
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
	var members []membership.Member
	for i, s := range servers {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: s.Addr()})
	}
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
	direct := func(s *servertest.Server) int64 {
		c := redis.NewClient(&redis.Options{Addr: s.Addr()})
		defer c.Close()
		return c.PubSubNumPat(ctx).Val()
	}
	for _, s := range servers {
		for direct(s) != 1 { // t.Context ends it
		}
	}
}

// A channel that changes its owner is subscribed to at the new one before the
// old one is let go: with the new one out of reach the old one is still heard.
func TestOldOwnerIsHeardUntilTheNewOneAnswers(t *testing.T) {
	source, servers := fleetOf(t, 2)
	var members []membership.Member
	for i, s := range servers {
		members = append(members, membership.Member{ID: fmt.Sprint("node", i), Address: s.Addr()})
	}
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
	old := redis.NewClient(&redis.Options{Addr: servers[0].Addr()}) // one who does not know of the change yet
	defer old.Close()
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
	direct := redis.NewClient(&redis.Options{Addr: servers[1].Addr()}) // the router's breaker may be open
	defer direct.Close()
	for _, c := range []string{lost, late} {
		if n, err := direct.Publish(ctx, c, "again").Result(); n != 2 || err != nil {
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

func TestOutboxWaitsForRoom(t *testing.T) {
	o := newOutbox()
	o.reply("message", strings.Repeat("x", outboxLimit))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o.waitForRoom(ctx) // full: returns because ctx has ended
	done := make(chan bool)
	go func() {
		o.waitForRoom(t.Context())
		close(done)
	}()
	select {
	case <-done:
		t.Error("a full outbox has room")
	default:
	}
	if batch := o.take(); len(batch) <= outboxLimit {
		t.Errorf("%d bytes", len(batch))
	}
	<-done
	o.reply("message", strings.Repeat("x", outboxLimit))
	go o.close()
	o.waitForRoom(t.Context())
	if batch := o.take(); batch != nil {
		t.Errorf("a closed outbox gave %d bytes", len(batch))
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

func TestReadCommand(t *testing.T) {
	for wire, want := range map[string][]string{
		"*1\r\n$4\r\nPING\r\n":                    {"PING"},
		"*2\r\n$9\r\nsubscribe\r\n$0\r\n\r\n":     {"subscribe", ""},
		"*2\r\n$1\r\na\r\n$4\r\n\r\n\x00\xff\r\n": {"a", "\r\n\x00\xff"},
	} {
		got, err := readCommand(bufio.NewReader(strings.NewReader(wire)))
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", wire, got, err)
		}
	}
	for _, wire := range []string{
		"", "\r\n", "PING\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*+1\r\n$1\r\na\r\n", "*1\n$1\r\na\r\n", "*1\r\n$-1\r\n", "*1\r\n+a\r\n",
		"*1\r\n$1\r\nab\r\n", "*1\r\n$2\r\na", "*2\r\n$1\r\na\r\n", "*9999999999\r\n", "*1\r\n$999999999999\r\n",
		"*" + strings.Repeat("1", 5000) + "\r\n",
	} {
		if got, err := readCommand(bufio.NewReader(strings.NewReader(wire))); err == nil {
			t.Errorf("%q: %q", wire, got)
		}
	}
}

func FuzzReadCommand(f *testing.F) {
	f.Add([]byte("*2\r\n$9\r\nsubscribe\r\n$1\r\na\r\n"))
	f.Add([]byte("*3\r\n$4\r\nPING\r\n$2\r\n\r\n\r\n$0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, wire []byte) {
		rd := bufio.NewReader(bytes.NewReader(wire))
		for {
			args, err := readCommand(rd)
			if err != nil {
				return
			}
			// What was read writes as what the outbox writes, and reads again.
			o := newOutbox()
			elements := make([]any, len(args))
			for i, arg := range args {
				elements[i] = arg
			}
			o.reply(elements...)
			again, err := readCommand(bufio.NewReader(bytes.NewReader(o.take())))
			if err != nil || !slices.Equal(again, args) {
				t.Fatalf("%q came back as %q, %v", args, again, err)
			}
		}
	})
}
