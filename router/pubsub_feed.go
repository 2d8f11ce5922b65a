package router

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// feed is what a session hears from one node. The maps and down are guarded by
// the session's mu.
type feed struct {
	session *session
	node    *redisNode
	stop    context.CancelFunc
	wake    chan struct{} // holds a token when wanted may differ from sent
	heard   atomic.Bool   // something arrived since the last look

	wanted  map[subject]bool // what the session wants here
	sent    map[subject]bool // what the node was asked for
	active  map[subject]bool // what it has confirmed
	leaving map[subject]bool // unsubscribed, not yet confirmed
	down    error            // why the node cannot be reached; nil if it can, or was not tried
}

// errSilent is why a connection was given up.
var errSilent = errors.New("no answer to PING on a subscription")

// open starts a feed. mu is held.
func (s *session) open(n *redisNode) *feed {
	ctx, stop := context.WithCancel(s.ctx)
	f := &feed{
		session: s, node: n, stop: stop, wake: make(chan struct{}, 1),
		wanted: make(map[subject]bool), sent: make(map[subject]bool),
		active: make(map[subject]bool), leaving: make(map[subject]bool),
	}
	s.feeds[n] = f
	s.hub.sessions.Go(func() {
		for ctx.Err() == nil {
			f.connection(ctx)
		}
	})
	return f
}

// ask wants a subject here. mu is held.
func (f *feed) ask(subj subject) {
	if f.wanted[subj] {
		return
	}
	f.wanted[subj] = true
	if f.down != nil {
		f.session.out.failure(f.down) // who waits for the confirmation learns why there is none
	}
	f.poke()
}

// release no longer wants it. A feed with nothing left ends. mu is held.
func (f *feed) release(subj subject) {
	if !f.wanted[subj] {
		return
	}
	delete(f.wanted, subj)
	if len(f.wanted) == 0 {
		f.stop()
		delete(f.session.feeds, f.node)
		return
	}
	f.poke()
}

func (f *feed) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// connection subscribes by one go-redis PubSub until the feed ends, or the node
// has been silent for too long. The PubSub itself dials again and subscribes
// again after an error.
func (f *feed) connection(ctx context.Context) {
	sub := f.node.client.Subscribe(ctx) // dials nothing yet
	ctx, cancel := context.WithCancel(ctx)
	received := make(chan struct{})
	broken := make(chan error, 1) // what the node sent could not be read
	defer func() {
		cancel()
		sub.Close() // ends a Receive; there is nobody to tell of an error
		<-received
	}()
	retry := f.apply(ctx, sub)
	go func() {
		defer close(received)
		if err := readable(func() { f.receive(ctx, sub) }); err != nil {
			broken <- err
		}
	}()
	look := time.NewTicker(f.session.hub.health)
	defer look.Stop()
	for asked := false; ; {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			retry = f.apply(ctx, sub)
		case <-retry:
			retry = f.apply(ctx, sub)
		case err := <-broken:
			f.lost(f.node.fail(err))
			f.forget()
			pause(ctx, retryAfter(maxFailures))
			return
		case <-look.C:
			switch {
			case f.heard.Swap(false) || f.isDown():
				asked = false
			case asked:
				f.lost(f.node.fail(errSilent))
				f.forget()
				return
			default:
				asked = true
				sub.Ping(ctx) // an error shows in Receive
			}
		}
	}
}

func (f *feed) isDown() bool {
	f.session.mu.Lock()
	defer f.session.mu.Unlock()
	return f.down != nil
}

// forget makes the next connection ask for everything.
func (f *feed) forget() {
	f.session.mu.Lock()
	defer f.session.mu.Unlock()
	clear(f.sent)
}

// apply asks the node for what is wanted and not sent, and takes back what is
// sent and not wanted. If that fails it returns when to try again.
func (f *feed) apply(ctx context.Context, sub *redis.PubSub) (retry <-chan time.Time) {
	add, remove := f.changes()
	var failed error
	for _, do := range []struct {
		kind  string
		names map[string][]string
		send  func(context.Context, ...string) error
	}{
		{toChannel, remove, sub.Unsubscribe}, {toPattern, remove, sub.PUnsubscribe}, {toShard, remove, sub.SUnsubscribe},
		{toChannel, add, sub.Subscribe}, {toPattern, add, sub.PSubscribe}, {toShard, add, sub.SSubscribe},
	} {
		if names := do.names[do.kind]; len(names) > 0 {
			failed = errors.Join(failed, do.send(ctx, names...))
		}
	}
	if failed == nil {
		return nil
	}
	// A PubSub whose connection breaks under a Subscribe dials again, but
	// subscribes to what it had before only.
	f.session.mu.Lock()
	defer f.session.mu.Unlock()
	for kind, names := range add {
		for _, name := range names {
			delete(f.sent, subject{kind, name})
		}
	}
	return time.After(retryAfter(maxFailures))
}

// changes returns the names to add and to remove, by kind, and takes them for
// done.
func (f *feed) changes() (add, remove map[string][]string) {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	add, remove = make(map[string][]string), make(map[string][]string)
	for subj := range f.sent {
		if !f.wanted[subj] {
			delete(f.sent, subj)
			delete(f.active, subj)
			f.leaving[subj] = f.down == nil
			remove[subj.kind] = append(remove[subj.kind], subj.name)
		}
	}
	missing := make(map[subject]*subscription)
	for subj := range f.wanted {
		// While one that was taken back is not confirmed to be, a confirmation
		// of it would be that of the time before.
		if !f.sent[subj] && !f.active[subj] && !f.leaving[subj] && s.wanted[subj] != nil {
			missing[subj] = s.wanted[subj]
		}
	}
	for _, subj := range s.inOrder(missing) {
		f.sent[subj] = true
		add[subj.kind] = append(add[subj.kind], subj.name)
	}
	for _, names := range remove {
		slices.Sort(names)
	}
	return add, remove
}

// receive hands on what the node sends until ctx ends.
func (f *feed) receive(ctx context.Context, sub *redis.PubSub) {
	for failures := 0; ; {
		msg, err := sub.Receive(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			failures = 0
			f.heard.Store(true)
			f.take(ctx, msg)
			continue
		}
		if _, isReply := err.(redis.Error); isReply {
			f.session.out.failure(f.node.fail(err)) // such as NOPERM: the connection stays
		} else {
			f.lost(f.node.fail(err))
		}
		if failures++; failures > 1 { // the first time the PubSub has dialled again already
			pause(ctx, retryAfter(failures))
		}
	}
}

const maxFailures = 5 // beyond which the pauses grow no longer

// retryAfter grows from 100 ms to 1.6 s.
func retryAfter(failures int) time.Duration {
	return 50 * time.Millisecond << min(failures-1, maxFailures)
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

func (f *feed) take(ctx context.Context, msg any) {
	switch msg := msg.(type) {
	case *redis.Subscription:
		f.answered(msg)
	case *redis.Message:
		f.message(ctx, msg)
	}
}

func (f *feed) answered(msg *redis.Subscription) {
	s := f.session
	s.mu.Lock()
	defer s.mu.Unlock()
	f.down = nil
	for kind, opposite := range undone {
		subj := subject{kind, msg.Channel}
		switch {
		case msg.Kind == opposite:
			delete(f.leaving, subj)
			f.poke()
		case msg.Kind != kind || !f.wanted[subj] || f.leaving[subj]:
		default:
			f.active[subj], f.sent[subj] = true, true
			if s.wanted[subj].told { // made anew
				s.confirm(subj)
			}
			s.settle(subj)
		}
	}
}

// message hands on a message, and waits while the caller does not receive: then
// the server is left to decide how much it keeps, by its
// client-output-buffer-limit.
func (f *feed) message(ctx context.Context, msg *redis.Message) {
	s := f.session
	s.out.waitForRoom(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch live := func(kind, name string) bool {
		return f.wanted[subject{kind, name}] && f.active[subject{kind, name}]
	}; {
	case msg.Pattern != "":
		if live(toPattern, msg.Pattern) {
			s.out.reply("pmessage", msg.Pattern, msg.Channel, msg.Payload)
		}
	case live(toChannel, msg.Channel), live(toShard, msg.Channel): // a redis.Message does not tell which
		s.out.reply("message", msg.Channel, msg.Payload)
	}
}

// lost notes that the connection broke. The caller is told once, unless the node
// has left the fleet.
func (f *feed) lost(err error) {
	s := f.session
	inFleet := slices.Contains(s.hub.fleet.all(), f.node)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.feeds[f.node] != f {
		return
	}
	if f.down == nil && inFleet {
		s.out.failure(err)
	}
	f.down = err
	clear(f.active)
	clear(f.leaving) // and what waited for it can be asked for
	f.poke()
	for _, subj := range s.inOrder(s.wanted) {
		if f.wanted[subj] {
			s.settle(subj) // a pattern need not wait for this node
		}
	}
}
