package router

import (
	"context"
	"errors"

	"github.com/ringway/ringway/internal/transit"
	"github.com/ringway/ringway/router/command"
	"github.com/ringway/ringway/router/memcache"
)

// moved reports whether a key whose current owner is n must not take the short
// way: it has two owners, n owes something on it, or tombstones may stand where
// its item is looked for.
func (m *Memcached) moved(s *snapshot[*memcachedNode], n *memcachedNode, key string) bool {
	t := s.moving
	return t.careful || t.underWay() && t.nodes[t.placement.OwnerIndex(key)] != n || m.spool.owes(n.about.Load().ID, key)
}

// itemMove is one key on its way through a transition, by one snapshot, whose
// owners are entered. The operations of a memcache.Client over it are made of its
// Meta methods: what they do is what one server would.
type itemMove struct {
	*Memcached
	s         *snapshot[*memcachedNode]
	op        operation
	key       string
	encode    bool           // as the request has it
	now, next *memcachedNode // the same where the key does not move

	// A look was given an item to renew, which nobody else is given any more: where,
	// and which. The operation hands that on to its caller.
	given    *memcachedNode
	givenCAS uint64
}

var _ memcache.Meta = (*itemMove)(nil)

// onMoving is on for keys that must not take the short way. done is false if no
// transition is, or was lately, under way.
func (m *Memcached) onMoving(ctx context.Context, key string, op operation, request func(ctx context.Context, c *memcache.Client) error) (done bool, err error) {
	for {
		s := m.fleet.current.Load()
		if s.placement == nil {
			return true, m.empty(s)
		}
		if s.moving == nil {
			return false, nil
		}
		i := &itemMove{Memcached: m, s: s, op: op, key: key, now: s.nodes[s.placement.OwnerIndex(key)]}
		i.next = i.now
		if t := s.moving; t.underWay() {
			i.next = t.nodes[t.placement.OwnerIndex(key)]
		}
		if !i.enter() {
			continue
		}
		defer i.leave()
		err := request(ctx, memcache.Over(i))
		var failed *NodeError
		if m.cfg.Failure.Policy != FailFast && op.what == toRead && errors.As(err, &failed) && ctx.Err() == nil {
			err = ErrCacheMiss // no other node has it while it moves
		}
		return true, err
	}
}

func (i *itemMove) moves() bool { return i.now != i.next }

func (i *itemMove) enter() bool {
	if i.now.node.enter() == 0 {
		return false
	}
	if i.moves() && i.next.node.enter() == 0 {
		i.now.leave()
		return false
	}
	return true
}

func (i *itemMove) leave() {
	i.now.leave()
	if i.moves() {
		i.next.leave()
	}
}

func (i *itemMove) rule(access command.Access) rule {
	if !i.moves() {
		return rule{}
	}
	return i.policy.rule(i.s.moving.phase, access)
}

// at returns one of the owners, to be asked for the item.
func (i *itemMove) at(n *memcachedNode) spot { return spot{i, n} }

func (i *itemMove) home(r rule) spot {
	if r.onNext {
		return i.at(i.next)
	}
	return i.at(i.now)
}

// MetaGet implements memcache.Meta.
func (i *itemMove) MetaGet(ctx context.Context, r memcache.GetRequest) (memcache.Response, error) {
	i.encode = r.EncodeKey
	_, touches := r.Touch.TTL()
	if _, vivifies := r.Vivify.TTL(); touches || vivifies || r.RecacheBelow > 0 {
		c := change{rule: i.rule(command.ReadModifyWrite), ends: ends(r.Touch),
			run: func(p spot) (memcache.Response, error) { return p.getAndChange(ctx, r) }}
		if !touches && c.rule.then == buryNext {
			c.rule.then = nothing // a lease is not copied, and what it is for is as it was
		}
		resp, _, err := i.change(ctx, c)
		return resp, err
	}
	return i.read(ctx, r)
}

// MetaSet implements memcache.Meta.
func (i *itemMove) MetaSet(ctx context.Context, r memcache.SetRequest) (memcache.Response, error) {
	i.encode = r.EncodeKey
	if r.Mode == memcache.ModeSet && r.CompareCAS == 0 {
		c := change{rule: i.rule(command.Overwrite), ends: r.TTL < 0, run: func(p spot) (memcache.Response, error) { return p.set(ctx, r) }}
		resp, _, err := i.change(ctx, c)
		return resp, err
	}
	return i.alter(ctx, r.TTL < 0, func(p spot) (memcache.Response, error) { return p.set(ctx, r) })
}

// MetaDelete implements memcache.Meta.
func (i *itemMove) MetaDelete(ctx context.Context, r memcache.DeleteRequest) (memcache.Response, error) {
	i.encode = r.EncodeKey
	plain := r.CompareCAS == 0 && !r.Invalidate
	if rule := i.rule(command.Delete); plain && rule.bury {
		return i.delete(ctx, rule, r)
	}
	c := change{rule: i.rule(command.ReadModifyWrite), tellAnyway: plain, run: func(p spot) (memcache.Response, error) { return p.delete(ctx, r) }}
	resp, existed, err := i.change(ctx, c)
	if plain && existed && err == nil { // on the other owner
		resp.Status = memcache.StatusOK
	}
	return resp, err
}

// MetaArithmetic implements memcache.Meta.
func (i *itemMove) MetaArithmetic(ctx context.Context, r memcache.ArithmeticRequest) (memcache.Response, error) {
	i.encode = r.EncodeKey
	return i.alter(ctx, ends(r.Touch), func(p spot) (memcache.Response, error) { return p.arithmetic(ctx, r) })
}

// ends reports a time to live that is over at once.
func ends(x memcache.Expiry) bool {
	ttl, set := x.TTL()
	return set && ttl < 0
}

// read asks one owner after the other, as the rule says.
func (i *itemMove) read(ctx context.Context, r memcache.GetRequest) (memcache.Response, error) {
	rule := i.rule(command.Read)
	first, other := i.home(rule), i.at(i.now)
	if !rule.onNext {
		other = i.at(i.next)
	}
	resp, look, err := first.get(ctx, r)
	if err != nil || resp.Found() || !rule.second {
		return resp, err
	}
	there, _, err := other.get(ctx, r)
	switch {
	case err != nil && rule.onNext:
		return memcache.Response{}, err
	case err == nil && there.Found():
		if rule.onNext {
			there.CAS = i.copyRead(ctx, look, &there, r.Return)
		}
		return there, nil
	}
	// It may have gone over between the two.
	resp, _, err = first.get(ctx, r)
	return resp, err
}

// noCAS is a CAS that no item has: what was read of an owner that the item is not
// written to must match by no accident.
const noCAS = ^uint64(0)

// copyRead copies what a read has found on the current owner, and returns the CAS
// that it has on the next one. It is no failure of the read if that does not work.
func (i *itemMove) copyRead(ctx context.Context, look transit.MemcachedLook, there *memcache.Response, asked memcache.Return) uint64 {
	if look.At.IsZero() {
		return noCAS // the next owner could not be looked at
	}
	outcome, cas, _ := i.carry(ctx, look)
	switch {
	case asked&memcache.ReturnCAS == 0:
		return 0
	case outcome == transit.Copied:
		return cas
	}
	return noCAS
}

// change is an operation that changes the item.
type change struct {
	rule rule
	run  func(spot) (memcache.Response, error)

	// ends says that what it leaves has no time to live: a tombstone is put
	// there, so that a copy that is under way does not fill the gap.
	ends bool

	tellAnyway bool // the other owner, also if nothing was changed on this one
}

// alter is change for what depends on the item.
func (i *itemMove) alter(ctx context.Context, ends bool, run func(spot) (memcache.Response, error)) (memcache.Response, error) {
	resp, _, err := i.change(ctx, change{rule: i.rule(command.ReadModifyWrite), ends: ends, run: run})
	return resp, err
}

// change runs a change on one owner, as the rule says, and tells the other. It
// returns whether that one had an item.
func (i *itemMove) change(ctx context.Context, c change) (resp memcache.Response, existed bool, err error) {
	home := i.home(c.rule)
	tell, release, err := i.reserve(c.rule)
	if err != nil {
		return resp, false, err
	}
	defer release()
	if err := home.settle(ctx); err != nil {
		return resp, false, err
	}
	if c.rule.bring {
		if err := i.bring(ctx); err != nil {
			return resp, false, err
		}
	}
	if resp, err = c.run(home); err != nil {
		return resp, false, err
	}
	if c.ends && c.rule.onNext && resp.Found() {
		if _, err := home.bury(context.WithoutCancel(ctx), transit.Closed); err != nil {
			return resp, false, err
		}
	}
	if resp.Found() || c.tellAnyway {
		existed, _ = tell(ctx) // what cannot be done is owed
	}
	return resp, existed, nil
}

// delete puts a tombstone on the next owner, and then deletes the item on the
// current one. It has not succeeded before both are done.
func (i *itemMove) delete(ctx context.Context, rule rule, r memcache.DeleteRequest) (memcache.Response, error) {
	tell, release, err := i.reserve(rule)
	if err != nil {
		return memcache.Response{}, err
	}
	defer release()
	buried, err := i.at(i.next).bury(ctx, transit.Closed)
	if err != nil {
		return memcache.Response{}, err
	}
	removed, err := tell(ctx)
	if err != nil {
		return memcache.Response{}, err
	}
	resp := memcache.Response{Status: memcache.StatusNotFound, Opaque: r.Opaque}
	if buried || removed {
		resp.Status = memcache.StatusOK
	}
	return resp, nil
}

// reserve makes room for what has to follow, and returns the function that does
// it: at the other owner, whatever has become of the caller meanwhile. What cannot
// be done is owed.
func (i *itemMove) reserve(r rule) (tell func(context.Context) (existed bool, err error), release func(), err error) {
	d, n := replaced(i.key, r), i.now
	d.encode = i.encode
	if i.s.moving != nil {
		d.transition = i.s.moving.number
	}
	switch r.then {
	case nothing:
		return func(context.Context) (bool, error) { return false, nil }, func() {}, nil
	case buryNext:
		n = i.next
	}
	d.node = n.about.Load().ID
	if !i.spool.reserve(d.node, d.key) {
		return nil, nil, n.fail(ErrBacklog)
	}
	owed := false
	tell = func(ctx context.Context) (bool, error) {
		existed, err := i.place(context.WithoutCancel(ctx), i.s, n, d)
		if err != nil {
			i.spool.owe(d)
			owed = true
		}
		return existed, err
	}
	release = func() {
		if !owed {
			i.spool.release(d.node, d.key)
		}
	}
	return tell, release, nil
}
