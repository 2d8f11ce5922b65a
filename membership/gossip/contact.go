package gossip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"
)

// contact is what a member knows of being in touch with its fleet.
type contact struct {
	began time.Time
	made  bool // the ledger is the fleet's

	asking bool          // seeds are being asked
	next   time.Time     // when to ask again
	wait   time.Duration // after the last time

	// What came of the round under way: the other side knew living members
	// besides this one, and its ledger was understood. A member that finds itself
	// in its own list of seeds sees neither others nor anything new.
	others, understood bool

	// elsewhere is where another member has this one's name, found in the last
	// round or since; since when is in takenAt.
	elsewhere netip.AddrPort
	found     bool // in the round under way
	takenAt   time.Time

	joined bool // made, and the name was free: from then on a conflict is the other's affair
}

// nameElsewhere is told that the name of this member belongs to another one,
// somewhere.
func (l *loop) nameElsewhere(at netip.AddrPort) {
	c := &l.contact
	l.dirty = true
	c.elsewhere, c.found = at, true
	if c.joined {
		if l.warned.first("taken " + at.String()) {
			l.log.Error("another member uses this one's name", "here", l.transport.self(), "there", at)
		}
		return
	}
	if c.takenAt.IsZero() {
		c.takenAt = time.Now()
		l.log.Warn("another member uses this one's name: waiting for it to go", "here", l.transport.self(), "there", at)
	}
	if next := time.Now().Add(l.cfg.pace.retry); c.next.After(next) {
		c.next = next
	}
}

// taken reports whether the member waits for another one to give its name up.
func (c *contact) taken() bool { return !c.joined && !c.takenAt.IsZero() }

// conclude draws the conclusions about contact.
func (l *loop) conclude(now time.Time) {
	c := &l.contact
	if n := l.cfg.Node; !c.made && n != nil && n.Bootstrap {
		c.made = len(l.cfg.seeds) == 0 || now.Sub(c.began) >= l.cfg.Timing.BootstrapAfter
	}
	switch {
	case c.joined || l.Err() != nil:
	case c.takenAt.IsZero():
		c.joined = c.made
	case now.Sub(c.takenAt) >= l.cfg.Timing.ConflictAfter:
		err := &NameTakenError{Name: l.cfg.Name, Here: l.transport.self(), There: c.elsewhere}
		l.log.Error(err.Error())
		l.finish(err)
	}
}

// seek asks seeds and former members if it is time to.
//
// Before the first contact it asks all seeds, at growing intervals. Afterwards it
// asks those that are not seen: memberlist forgets a member some time after its
// death and never asks for it again, so that without this a partition that lasts
// longer than that would be for ever.
func (l *loop) seek(now time.Time) {
	c := &l.contact
	if c.asking || l.leaving || now.Before(c.next) || l.Err() != nil {
		return
	}
	l.forgetFormer(now)
	quick := !c.made || !c.takenAt.IsZero() && !c.joined
	targets := l.targets(quick)
	switch {
	case !quick:
		c.next = now.Add(jitter(l.cfg.Timing.RejoinEvery))
	case !c.takenAt.IsZero():
		c.next = now.Add(l.cfg.pace.retry)
	default:
		c.wait = min(max(2*c.wait, l.cfg.pace.retry), l.cfg.pace.slowest)
		c.next = now.Add(jitter(c.wait))
	}
	if len(targets.seeds)+len(targets.members) == 0 {
		return
	}
	if !quick {
		l.counters.rejoins.Add(1)
	}
	l.ask(targets)
}

// ask has members asked beside the loop: one round at a time.
func (l *loop) ask(t targets) {
	c := &l.contact
	c.asking, c.others, c.understood, c.found = true, false, false, false
	l.work.Go(func() {
		reached, err := l.join(t)
		l.inbox.post(func() { l.asked(reached, err) })
	})
}

func jitter(d time.Duration) time.Duration { return d - d/10 + rand.N(d/5+1) }

// targets are who is to be asked.
type targets struct {
	seeds   []seed
	members []netip.AddrPort
	except  map[netip.AddrPort]bool // no need to ask those
}

// fewFormer is how many former members are asked at a time: any one that answers
// brings all others it knows.
const fewFormer = 3

func (l *loop) targets(quick bool) targets {
	t := targets{seeds: l.cfg.seeds, except: map[netip.AddrPort]bool{l.transport.self(): true}}
	for _, p := range l.seen { // in the order of the map, so any
		if !quick {
			t.except[p.addr] = true
		} else if len(t.members) == 0 {
			t.members = append(t.members, p.addr)
		}
	}
	asked := 0
	for _, f := range l.gone {
		if asked++; asked > fewFormer {
			break
		}
		t.members = append(t.members, f.addr)
	}
	return t
}

// atOnce is how many are asked at a time: one that does not answer holds its turn
// for seconds.
const atOnce = 8

// join asks whom it can, and returns how many that were, or the first reason why
// there was none. It runs beside the loop.
func (g *Gossip) join(t targets) (reached int, err error) {
	addrs := t.members
	for _, s := range t.seeds {
		found, errResolve := resolve(g.ctx, s)
		if errResolve != nil && err == nil {
			err = fmt.Errorf("seed %v: %w", s, errResolve)
		}
		addrs = append(addrs, found...)
	}
	var mu sync.Mutex // guards reached and err
	var all sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	done := make(map[netip.AddrPort]bool)
	for _, addr := range addrs {
		if t.except[addr] || done[addr] {
			continue
		}
		done[addr] = true
		turns <- struct{}{}
		all.Go(func() {
			n, errJoin := g.list.Join([]string{addr.String()})
			<-turns
			mu.Lock()
			defer mu.Unlock()
			reached += n
			if errJoin != nil && err == nil {
				err = explain(addr, errJoin)
			}
		})
	}
	all.Wait()
	return reached, err
}

// explain makes one line of memberlist's error.
func explain(addr netip.AddrPort, err error) error {
	var several interface{ WrappedErrors() []error }
	if errors.As(err, &several) && len(several.WrappedErrors()) == 1 {
		err = several.WrappedErrors()[0]
	}
	hint := ""
	if text := err.Error(); len(text) >= 3 && text[len(text)-3:] == "EOF" {
		hint = " (one that hangs up has another label, or allows no members from here)"
	}
	return fmt.Errorf("%v: %w%s", addr, err, hint)
}

// resolve returns the addresses of a seed.
func resolve(ctx context.Context, s seed) ([]netip.AddrPort, error) {
	if ip, err := netip.ParseAddr(s.host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), s.port)}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.host)
	if err != nil {
		return nil, err
	}
	addrs := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		addrs[i] = netip.AddrPortFrom(ip.Unmap(), s.port)
	}
	return addrs, nil
}

// asked notes what a round has brought. What was told during it is in the ledger
// by now.
func (l *loop) asked(reached int, err error) {
	c := &l.contact
	c.asking, l.dirty = false, true
	if reached > 0 && !c.found {
		c.takenAt = time.Time{} // whoever had the name is gone
	}
	if reached > 0 && c.others && c.understood && !c.made {
		c.made, c.next = true, time.Now().Add(jitter(l.cfg.Timing.RejoinEvery))
		l.log.Info("in contact with the fleet", "members", len(l.seen))
	}
	switch {
	case c.made:
		l.trouble.Store(nil)
	case err != nil:
		l.trouble.Store(&err)
		if l.warned.first("seeds " + err.Error()) {
			l.log.Warn("no seed was joined; trying again", "error", err)
		}
	}
}
