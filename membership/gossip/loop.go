package gossip

import (
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// loop is the state of a member, and the goroutine that alone reads and writes
// it. It never blocks: nothing of memberlist that waits is called from here.
type loop struct {
	*Gossip
	ledger  *ledger.Ledger
	encoded []byte // the ledger's message; nil: not since the last change

	seen map[string]*peer  // visible members by name, this one not among them
	gone map[string]former // members that were visible before

	contact contact
	shown   shown
	node    *node // nil: the member is a client
	leaving bool  // nothing is to be said to memberlist any more

	base      membership.View // what follows from the ledger and who is seen
	stale     bool            // they have changed since
	crowded   error           // why there is no room for base's rings; nil: there is
	view      membership.View // base, and who disagrees; its Version is not set
	published bool            // readers have had a first view
	held      error           // why they do not have base; nil: they do
	prints    prints
	healths   healths

	dirty    bool      // something has changed since the last look
	lookedAt time.Time // when all was last looked at
	nextTick time.Time
	nextTidy time.Time // when old records are next forgotten
}

func newLoop(g *Gossip) *loop {
	l := &loop{
		Gossip: g, ledger: ledger.New(), seen: make(map[string]*peer), gone: make(map[string]former),
		stale: true, healths: make(healths),
	}
	if g.cfg.Node != nil {
		l.node = newNode(l)
	}
	meta := l.wantedMeta().Encode()
	g.meta.Store(&meta)
	return l
}

func (l *loop) run() {
	defer close(l.ended)
	now := time.Now()
	l.contact.began, l.nextTick, l.nextTidy = now, now, now.Add(l.tidyEvery())
	if l.node != nil {
		l.work.Go(l.node.probe)
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-l.inbox.wake:
			l.take(l.inbox.take())
		case <-timer.C:
		}
		timer.Reset(l.act(time.Now()))
	}
}

// take notes what has come in. Members come first: they are visible before what
// they say is judged.
func (l *loop) take(n news) {
	for name, s := range n.seen {
		l.sight(name, s)
	}
	if n.told != nil {
		l.hear(n.told.Message(l.cfg.Cluster))
	}
	if n.whole {
		l.contact.made = true // somebody who knows the fleet has told all of it
	}
	for _, call := range n.calls {
		call()
	}
}

// hear merges what others say, and passes on what was news. What was learnt from
// meta data is passed on too: meta data mostly come first, and the message would
// reach nobody but those that its writer sent it to.
func (l *loop) hear(m ledger.Message) {
	epoch := l.ledger.Epoch()
	news := l.ledger.Merge(m)
	if len(news.Records)+len(news.Evictions)+len(news.Aborts) == 0 && l.ledger.Epoch() == epoch {
		return
	}
	l.changed()
	for _, r := range news.Records {
		if l.node != nil {
			l.node.compare(r)
		}
	}
	if !l.contact.made {
		return // a newcomer learns what all others know
	}
	for _, r := range news.Records {
		l.passOnRecord(r)
	}
	for _, e := range news.Evictions {
		l.passOnEviction(e)
	}
	for _, a := range news.Aborts {
		l.passOnAbort(a)
	}
}

// changed notes a change of the ledger.
func (l *loop) changed() {
	l.dirty, l.stale, l.encoded = true, true, nil
	if l.contact.made {
		l.clock.Store(l.ledger.Epoch())
	}
}

// state returns the ledger's message. It is not written to afterwards.
func (l *loop) state() []byte {
	if l.encoded == nil {
		l.encoded = l.ledger.Message(l.cfg.Cluster).Encode()
	}
	return l.encoded
}

// act does what is due and returns when to come back. Changes that come in
// together are looked at together: a look costs time in proportion to the fleet.
func (l *loop) act(now time.Time) time.Duration {
	if !now.Before(l.nextTick) {
		l.nextTick = now.Add(l.cfg.pace.tick)
		l.dirty = true
		l.seek(now)
		l.catchUp(now)
		l.tidy(now)
	}
	if settled := l.lookedAt.Add(l.cfg.pace.settle); l.dirty {
		if now.Before(settled) {
			return settled.Sub(now)
		}
		l.dirty, l.lookedAt = false, now
		l.look(now)
	}
	l.announce(now)
	next := l.nextTick
	if l.dirty { // by what the look brought about
		next = l.lookedAt.Add(l.cfg.pace.settle)
	}
	if due := l.shown.due; !due.IsZero() && due.Before(next) {
		next = due
	}
	return max(next.Sub(now), time.Millisecond)
}

// look draws all conclusions from what is known.
func (l *loop) look(now time.Time) {
	l.conclude(now)
	if l.node != nil {
		l.node.step(now)
		l.node.judge(now)
	}
	l.publish(now)
}

func (l *loop) tidyEvery() time.Duration { return min(time.Hour, l.cfg.Timing.ForgetAfter/10) }

// tidy drops what is too old to matter.
func (l *loop) tidy(now time.Time) {
	if now.Before(l.nextTidy) {
		return
	}
	l.nextTidy = now.Add(l.tidyEvery())
	l.ledger.Forget(now.Add(-l.cfg.Timing.ForgetAfter).Unix())
	l.changed()
}
