package lifecycle

import (
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

var simTiming = Timing{MinReady: 5 * time.Second, MaxReady: time.Minute, ReturnWithin: 2 * time.Minute,
	BatchWindow: 2 * time.Second, Dwell: 8 * time.Second, MaxDwell: 20 * time.Second, LeaveTimeout: time.Minute}

const (
	simEvictAfter = 30 * time.Second
	unseenAfter   = 4 * time.Second // until gossip takes a silent member for dead
)

// node is one server and, while it runs, its agent.
type node struct {
	w      *world
	id     string
	index  int
	server *server

	bootstrap, purge bool

	running, starts bool // the agent runs; it will be started
	life            int  // counts starts: what was meant for an earlier one is dropped
	leaves          bool
	weight          float64

	machine *Machine
	ledger  *ledger.Ledger
	judge   ledger.Judge
	health  Health
	out     Output
	contact bool
	began   time.Time
	reached []time.Time // when each other was reachable last
	routers uint64      // the epoch that the router showed last
	task    *task

	said     ledger.Record // announced last, by any life
	epoch    uint64
	checked  version
	majority time.Time            // since when most of the ring was reachable; zero: it is not
	well     map[string]time.Time // when each other was last seen and healthy
}

type task struct {
	kind   Task
	number uint64
	began  time.Time
}

func newNode(w *world, i int) *node {
	n := &node{w: w, id: string(rune('a' + i)), index: i}
	n.server = &server{n: n, up: true, keys: make(map[int]held), swept: make(map[uint64]bool)}
	return n
}

func (n *node) start() {
	n.running, n.starts, n.life, n.leaves = true, false, n.life+1, false
	n.machine = New(Config{ID: n.id, Kind: membership.Redis, Address: n.id + ":1", Weight: 1, Bootstrap: n.bootstrap, Purge: n.purge,
		Generation: uint64(n.w.now.UnixMilli()), Timing: simTiming})
	n.ledger, n.judge, n.health = ledger.New(), ledger.Judge{EvictAfter: simEvictAfter, Stagger: 2 * time.Second}, Health{}
	n.contact, n.began, n.routers, n.task, n.epoch = false, n.w.now, 0, nil, 0
	n.reached, n.majority, n.well = make([]time.Time, len(n.w.group)), time.Time{}, make(map[string]time.Time)
	n.w.tell("%s: starts, purge %v, %d keys", n.id, n.purge, len(n.server.keys))
	n.tick()
}

func (n *node) crash(why string) {
	if n.running {
		n.running = false
		n.w.tell("%s: %s", n.id, why)
	}
}

func (n *node) restartLater() {
	n.starts = true
	n.w.after(n.w.between(time.Second, 80*time.Second), func() {
		switch {
		case n.running:
		case n.leftUnheard():
			n.restartLater()
		default:
			n.start()
		}
	})
}

// leftUnheard reports whether some know that the node is LEFT, and some do not. It
// must not be started then: one who tells its agent of an older state would have
// it go on with that.
func (n *node) leftUnheard() bool {
	var left, not bool
	for _, l := range n.w.ledgers() {
		if r, known := l.Record(n.id); known && !l.Evicted(n.id) {
			left, not = left || r.State == membership.Left, not || r.State != membership.Left
		}
	}
	return left && not
}

func (n *node) tellLeave() {
	if n.w.calm && n.index == 0 {
		return // there is always somebody to take the keys
	}
	staying := 0
	for _, other := range n.w.nodes {
		if other.running && !other.leaves && other != n {
			staying++
		}
	}
	if n.running && staying > 0 {
		n.leaves = true
		n.w.tell("%s: is to leave", n.id)
	}
}

func (n *node) reweigh() {
	n.weight = float64(1 + n.w.rng.IntN(3))
	n.w.tell("%s: weight %v wanted", n.id, n.weight)
}

// abort is an operator's, of whatever is under way.
func (n *node) abort() {
	if !n.running {
		return
	}
	a, err := n.machine.Abort()
	if n.w.tell("%s: told to abort: %+v, %v", n.id, a, err); err == nil {
		n.decide(a)
	}
}

func (n *node) decide(a ledger.Abort) {
	if err := a.Validate(); err != nil {
		n.w.fail("%s decides %v", n.id, err)
	}
	if n.ledger.MergeAbort(a) {
		n.w.tell("%s: abort of %d at stage %d", n.id, a.Transition, a.Stage)
		n.broadcast()
		n.step()
	}
}

// tick is a second of the agent's life.
func (n *node) tick() {
	w, life := n.w, n.life
	if !n.running {
		return
	}
	n.health.Record(n.server.up)
	n.look()
	n.step()
	if !n.running {
		return
	}
	n.judgeOthers()
	n.server.write()
	for range 2 {
		if to := w.rng.IntN(len(w.group)); to != n.index {
			w.send(n.index, to, n.ledger.Message(""))
		}
	}
	w.after(w.between(900*time.Millisecond, 1100*time.Millisecond), func() {
		if n.life == life {
			n.tick()
		}
	})
}

// look notes who is reachable.
func (n *node) look() {
	for i := range n.w.group {
		if runs := i == n.w.router.index || n.w.nodes[i].running; runs && n.w.reach(n.index, i) {
			n.reached[i] = n.w.now
		}
	}
	// One that is the first of its fleet need not find anybody.
	n.contact = n.contact || n.bootstrap && n.w.now.Sub(n.began) > 15*time.Second
}

// weigh notes who is well, and whether most of the ring is seen.
func (n *node) weigh() {
	seen, stay := 0, 0
	for _, other := range n.w.nodes {
		r, known := n.ledger.Record(other.id)
		if n.alive(other.id) && !r.Unhealthy {
			n.well[other.id] = n.w.now
		}
		if known && r.State == membership.Active && !n.ledger.Evicted(other.id) {
			stay++
			if n.alive(other.id) {
				seen++
			}
		}
	}
	if 2*seen <= stay {
		n.majority = time.Time{}
	} else if n.majority.IsZero() {
		n.majority = n.w.now
	}
}

func (n *node) alive(id string) bool {
	i := int(id[0] - 'a')
	return i == n.index || n.w.now.Sub(n.reached[i]) < unseenAfter
}

func (n *node) hear(from int, m ledger.Message) {
	if !n.running {
		return
	}
	n.contact = true
	news := n.ledger.Merge(m)
	if from == n.w.router.index {
		n.routers = max(n.routers, m.Epoch)
	}
	if news.Records != nil || news.Evictions != nil || news.Aborts != nil {
		n.step()
	}
}

func (n *node) judgeOthers() {
	n.weigh()
	for _, id := range n.judge.Tick(n.w.now, n.ledger, n.id, n.alive) {
		r, _ := n.ledger.Record(id)
		e := ledger.Eviction{ID: id, Generation: r.Generation, Stamp: n.ledger.Epoch() + 1, Since: n.w.now.Unix(), By: n.id}
		n.w.tell("%s: evicts %s, stamp %d, while it sees a majority for %v", n.id, id, e.Stamp, n.w.now.Sub(n.majority))
		n.checkVerdict(e)
		n.ledger.MergeEviction(e)
		n.w.evictions[e] = n.w.now
		n.broadcast()
		n.step()
	}
}

func (n *node) broadcast() {
	m := n.ledger.Message("")
	for to := range n.w.group {
		if to != n.index {
			n.w.send(n.index, to, m)
		}
	}
}

// step asks the machine, and does what it says.
func (n *node) step() {
	before := n.machine.Record()
	in := Input{Hurry: true, Now: n.w.now, Ledger: n.ledger, Contact: n.contact, Healthy: n.health.healthy, RoutersSeen: n.routersSeen(),
		Leave: n.leaves, Weight: n.weight}
	n.out = n.machine.Step(in)
	rec := n.out.Record
	if rec.State != before.State || rec.Step != before.Step || rec.Generation != before.Generation {
		n.w.tell("%s: %s%s in %d, generation %d, stamp %d, purged %d, returns %d", n.id, rec.State, rec.Step, rec.Transition,
			rec.Generation%1e6, rec.Stamp, rec.Purged, rec.Returns)
	}
	if n.out.Announce && n.out.Known {
		n.checkAnnounced(before, rec)
		n.ledger.MergeRecord(rec)
		n.broadcast()
	}
	n.check(rec)
	if n.out.Stays {
		n.leaves = false
	}
	if _, back := membership.IsRollback(rec.Transition); n.out.RolledBack && before.Step != "" || back && rec.Step != "" {
		n.weight = 0
	}
	if n.out.Abort != nil {
		n.decide(*n.out.Abort)
		return
	}
	if n.out.Err != nil {
		n.crash(n.out.Err.Error())
		n.purge = true // so the operator decides
		n.restartLater()
		return
	}
	if rec.State == membership.Left {
		n.crash("has left")
		n.bootstrap = false
		return
	}
	n.work()
}

// routersSeen is what the router shows, while it is visible.
func (n *node) routersSeen() uint64 {
	if n.w.now.Sub(n.reached[n.w.router.index]) < unseenAfter {
		return n.routers
	}
	return ^uint64(0)
}

// work begins what is asked for, and gives up what is asked for no more.
func (n *node) work() {
	if n.out.Task == Nothing {
		n.task = nil
		return
	}
	if n.task != nil && n.task.kind == n.out.Task && n.task.number == n.out.For {
		return
	}
	t := &task{n.out.Task, n.out.For, n.w.now}
	n.task = t
	long := n.w.upTo(time.Second)
	if t.kind != Count {
		long = n.w.upTo(8 * time.Second)
	}
	life := n.life
	n.w.after(long, func() {
		if n.task != t || n.life != life || !n.running {
			return
		}
		n.task = nil
		if n.server.up {
			n.finish(t)
		}
		n.step()
	})
}

func (n *node) finish(t *task) {
	switch t.kind {
	case Count:
		n.machine.Counted(int64(len(n.server.keys)), n.w.now)
	case Purge:
		clear(n.server.keys)
		n.server.purges = append(n.server.purges, purge{t.number, t.began, n.machine.Record().Generation})
		n.machine.Purged(t.number)
		n.w.tell("%s: purged for %d", n.id, t.number)
	case Sweep:
		n.server.sweep(t.number)
		n.machine.Swept(t.number)
		n.w.tell("%s: swept for %d", n.id, t.number)
	case HandOver:
		if n.server.handOver(t.number) {
			n.machine.HandedOver(t.number)
			n.w.tell("%s: handed over in %d", n.id, t.number)
		}
	}
}
