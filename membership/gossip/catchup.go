package gossip

import (
	"net/netip"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// shownRing is a ring as members show it.
type shownRing struct {
	epoch       uint64
	fingerprint [8]byte
}

func ringIn(m ledger.Meta) shownRing { return shownRing{m.Epoch, m.Fingerprint} }

// lag is a difference between what a member shows and what this one has that an
// exchange of states would mend if a message was lost.
type lag struct {
	since     time.Time // zero: there is none
	their, my shownRing // when it was last tried
}

// catchUp exchanges states with a member that shows a newer ring than this one
// has, or, of a node that waits for the clients to show its announcement, with a
// client that does not.
//
// Gossip reaches a given member with high probability, not with certainty: of
// what each of few members sends 4 times to somebody at random, one receiver in
// 50 hears nothing, and more where packets are lost. Without this, all would
// wait for the next exchange of states that memberlist makes on its own, up to
// 30 s or more, and transitions with them.
func (l *loop) catchUp(now time.Time) {
	my := ringIn(l.wantedMeta())
	var with *peer
	for _, p := range l.seen {
		their := ringIn(p.meta)
		if !p.understood || !l.lags(p, their, my) {
			p.lag.since = time.Time{}
			continue
		}
		if p.lag.since.IsZero() {
			p.lag.since = now
		}
		// If an exchange has changed nothing, then no message was lost: the member
		// is slow, or configured differently.
		tried := p.lag.their == their && p.lag.my == my
		if now.Sub(p.lag.since) >= l.cfg.pace.lag && !tried {
			with = p
		}
	}
	if with == nil || l.contact.asking || l.leaving || !l.contact.made {
		return
	}
	with.lag = lag{since: now, their: ringIn(with.meta), my: my}
	l.counters.catchUps.Add(1)
	l.ask(targets{members: []netip.AddrPort{with.addr}})
}

func (l *loop) lags(p *peer, their, my shownRing) bool {
	if their.epoch >= my.epoch {
		return their != my
	}
	return l.node != nil && l.node.waitsForRouters() && p.meta.Kind == membership.Router
}
