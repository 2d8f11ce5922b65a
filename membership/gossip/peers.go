package gossip

import (
	"errors"
	"math"
	"net/netip"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// peer is a visible member.
type peer struct {
	addr       netip.AddrPort
	meta       ledger.Meta
	understood bool // meta is known; not so for a member of another version

	moved     bool      // its ring has changed since the last look
	differs   time.Time // since when its ring has not been this member's; zero: it is
	disagrees bool      // and for longer than convergence takes
	lag       lag
}

// former is a member that was visible once.
type former struct {
	addr   netip.AddrPort
	router bool
	at     time.Time // when it went
}

// sight notes what memberlist says of a member.
func (l *loop) sight(name string, s sighting) {
	if name == l.cfg.Name {
		if s.alive {
			l.shown.noted(s.meta)
		}
		return
	}
	l.dirty = true
	defer func() { l.members.Store(int64(len(l.seen)) + 1) }()
	known := l.seen[name]
	if !s.alive {
		if known != nil {
			l.stale = true
			l.gone[name] = former{addr: known.addr, router: known.meta.Kind == membership.Router, at: time.Now()}
			delete(l.seen, name)
			l.log.Info("member is not seen any more", "name", name, "address", known.addr)
		}
		return
	}
	if known == nil {
		known, l.stale = new(peer), true
		l.seen[name] = known
		l.log.Info("member is seen", "name", name, "address", s.addr)
	}
	delete(l.gone, name)
	known.addr = s.addr
	meta, err := ledger.DecodeMeta(name, s.meta)
	if err != nil {
		known.understood = false
		why := malformed
		if errors.Is(err, ledger.ErrVersion) {
			why = badVersion
		}
		l.ignore(why, name, err.Error())
		return
	}
	known.moved = known.moved || ringIn(meta) != ringIn(known.meta)
	known.meta, known.understood = meta, true
	// A record that is JOINING stays out of the ledger here: an agent that starts
	// again is JOINING until it has heard what the fleet knows of it, and must not
	// knock itself out of the ring. Once it has heard, it says so in a message.
	if r := meta.Record; meta.Kind != membership.Router && r.State != membership.Joining && (delegate{l.Gossip}).admits(r) {
		if told := (ledger.Message{Records: []ledger.Record{r}}); !(delegate{l.Gossip}).ahead(told, name) {
			l.hear(told)
		}
	}
}

func (l *loop) alive(name string) bool { return name == l.cfg.Name || l.seen[name] != nil }

// outvoted reports whether most members compute another ring than this one from the
// same ledger: its placement is configured differently.
func (l *loop) outvoted() bool {
	own, same, other := shortFingerprint(l.view.Fingerprints), 0, 0
	for _, p := range l.seen {
		if !p.understood || p.meta.Epoch == 0 || p.meta.Epoch != l.view.Epoch || p.meta.Fingerprint == ([8]byte{}) {
			continue
		}
		if p.meta.Fingerprint == own {
			same++
		} else {
			other++
		}
	}
	return other > same
}

// routersSeen returns the smallest epoch that a visible router shows.
func (l *loop) routersSeen() uint64 {
	least := uint64(math.MaxUint64)
	for _, p := range l.seen {
		if p.understood && p.meta.Kind == membership.Router {
			least = min(least, p.meta.Epoch)
		}
	}
	return least
}

// formerLife is how long a member that went is looked for if the ledger does not
// know it, as is the case for clients, which mostly do not come back.
const formerLife = 10 * time.Minute

// forgetFormer drops former members that nobody waits for.
func (l *loop) forgetFormer(now time.Time) {
	for name, f := range l.gone {
		r, known := l.ledger.Record(name)
		expected := known && !f.router && r.State != membership.Left
		if !expected && now.Sub(f.at) > formerLife {
			delete(l.gone, name)
		}
	}
}
