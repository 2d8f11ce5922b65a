package router

import (
	"bufio"
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"sync"
)

// session is the server's side of one connection of a redis.PubSub.
//
// Goroutines: serve reads commands, write writes replies and messages, follow
// waits for changes of the fleet, and each feed has two of its own. serve never
// waits for write or for a node, so a PubSub may subscribe while nobody
// receives. Lock order: mu, then the outbox's.
type session struct {
	hub  *hub
	conn net.Conn
	out  *outbox
	ctx  context.Context
	stop context.CancelFunc

	mu     sync.Mutex // guards the following and what feeds say it guards
	snap   *snapshot[*redisNode]
	wanted map[subject]*subscription
	feeds  map[*redisNode]*feed
	asked  int            // subscriptions so far
	count  map[string]int // confirmed ones, as the server counts them: by counter
}

// subscription is a subject that the caller wants.
type subscription struct {
	number int  // in the order of asking
	told   bool // the caller knows that it is confirmed
	owed   int  // commands that were not answered yet: each has an answer, as from a server
}

func newSession(h *hub, conn net.Conn) *session {
	s := &session{
		hub: h, conn: conn, out: newOutbox(), snap: h.fleet.current.Load(),
		wanted: make(map[subject]*subscription), feeds: make(map[*redisNode]*feed), count: make(map[string]int),
	}
	s.ctx, s.stop = context.WithCancel(h.ctx)
	return s
}

// start starts the session's goroutines. Whichever ends first ends the others.
func (s *session) start() {
	for _, run := range []func(){s.serve, s.write, s.follow} {
		s.hub.sessions.Go(func() {
			defer s.end()
			run()
		})
	}
}

func (s *session) end() {
	s.stop() // and with it the feeds
	s.out.close()
	s.conn.Close()
}

func (s *session) write() {
	for {
		batch := s.out.take()
		if batch == nil {
			return
		}
		if _, err := s.conn.Write(batch); err != nil {
			return
		}
	}
}

// follow takes each new snapshot of the fleet.
func (s *session) follow() {
	for {
		s.mu.Lock()
		snap := s.snap
		s.mu.Unlock()
		select {
		case <-s.ctx.Done():
			return
		case <-snap.superseded:
		}
		s.mu.Lock()
		s.snap = s.hub.fleet.current.Load()
		if len(s.wanted) > 0 && len(s.snap.nodes) == 0 {
			s.out.failure(ErrNoNodes)
		}
		for _, subj := range s.inOrder(s.wanted) {
			s.place(subj)
		}
		s.mu.Unlock()
	}
}

func (s *session) serve() {
	rd := bufio.NewReader(s.conn)
	for {
		args, err := readCommand(rd)
		if err != nil {
			return
		}
		s.handle(strings.ToLower(args[0]), args[1:])
	}
}

func (s *session) handle(name string, args []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch name {
	case toChannel, toPattern, toShard:
		s.subscribe(name, args)
	case undone[toChannel]:
		s.unsubscribe(toChannel, args)
	case undone[toPattern]:
		s.unsubscribe(toPattern, args)
	case undone[toShard]:
		s.unsubscribe(toShard, args)
	case "ping":
		s.out.text(cmp.Or(strings.Join(args, ""), "PONG"))
	case "hello":
		s.out.reply("proto", 2)
	case "client": // SETNAME: there is no connection to name
		s.out.text("OK")
	default:
		s.out.failure(&UnsupportedError{Command: strings.ToUpper(clip(name)), Reason: "a subscription takes no commands"})
	}
}

func (s *session) subscribe(kind string, names []string) {
	for _, name := range names {
		subj := subject{kind, name}
		if sub, has := s.wanted[subj]; has {
			if sub.owed++; sub.told {
				s.confirm(subj)
			}
			continue
		}
		s.asked++
		s.wanted[subj] = &subscription{number: s.asked, owed: 1}
		if len(s.snap.nodes) == 0 {
			s.out.failure(ErrNoNodes)
		}
		s.place(subj)
	}
}

// counter says which subscriptions the server counts together.
func counter(kind string) string {
	if kind == toPattern {
		return toChannel
	}
	return kind
}

func (s *session) unsubscribe(kind string, names []string) {
	if len(names) == 0 {
		for _, subj := range s.inOrder(s.wanted) {
			if subj.kind == kind {
				names = append(names, subj.name)
			}
		}
	}
	if len(names) == 0 {
		s.out.reply(undone[kind], nil, s.count[counter(kind)])
	}
	for _, name := range names {
		subj := subject{kind, name}
		if sub, has := s.wanted[subj]; has {
			if !sub.told {
				s.tell(subj)
			}
			s.count[counter(kind)]--
			delete(s.wanted, subj)
			for _, f := range s.feeds {
				f.release(subj)
			}
		}
		s.out.reply(undone[kind], name, s.count[counter(kind)])
	}
}

// inOrder returns subjects in the order in which the caller asked for them.
func (s *session) inOrder(subjects map[subject]*subscription) []subject {
	ordered := make([]subject, 0, len(subjects))
	for subj := range subjects {
		ordered = append(ordered, subj)
	}
	slices.SortFunc(ordered, func(a, b subject) int { return subjects[a].number - subjects[b].number })
	return ordered
}

// place asks the nodes that a subject concerns. mu is held.
func (s *session) place(subj subject) {
	for _, n := range subj.targets(s.snap) {
		f := s.feeds[n]
		if f == nil {
			f = s.open(n)
		}
		f.ask(subj)
	}
	s.settle(subj)
}

// settle confirms a subject once every node that it concerns has answered, and
// only then lets go of the nodes that it no longer concerns: what is published
// while a channel changes its owner is heard on one of the two. The subject is
// wanted, and asked for at each of its nodes. mu is held.
func (s *session) settle(subj subject) {
	targets, active := subj.targets(s.snap), 0
	for _, n := range targets {
		switch f := s.feeds[n]; {
		case f.active[subj]:
			active++
		case f.down == nil:
			return // it will answer, or fail
		}
	}
	if active == 0 {
		return
	}
	for n, f := range s.feeds {
		if !slices.Contains(targets, n) {
			f.release(subj)
		}
	}
	if !s.wanted[subj].told {
		s.tell(subj)
	}
}

// tell confirms a subject for the first time. mu is held.
func (s *session) tell(subj subject) {
	s.wanted[subj].told = true
	s.count[counter(subj.kind)]++
	s.confirm(subj)
}

// confirm answers the commands that asked for a subject, and if there are none
// says that it was made anew. mu is held.
func (s *session) confirm(subj subject) {
	sub := s.wanted[subj]
	for range max(1, sub.owed) {
		s.out.reply(subj.kind, subj.name, s.count[counter(subj.kind)])
	}
	sub.owed = 0
}
