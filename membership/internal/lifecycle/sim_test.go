package lifecycle

import (
	"container/heap"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

var (
	simSeeds = flag.Int("sim.seeds", fleets, "how many fleets TestFleet simulates")
	simFirst = flag.Uint64("sim.first", 1, "the first seed")
)

// TestFleet runs whole fleets in virtual time: machines with ledgers of their
// own, over a network that delays, loses and cuts, beside servers that fail.
// After each event the invariants of sim_check_test.go hold; once the faults have
// stopped, all agree and every node that can is ACTIVE.
func TestFleet(t *testing.T) {
	const groups = 8 // that run beside each other, as far as there are processors
	for group := range uint64(groups) {
		t.Run(fmt.Sprint(group), func(t *testing.T) {
			t.Parallel()
			for i := group; i < uint64(*simSeeds); i += groups {
				seed := *simFirst + i
				err := simulate(seed, false, nil)
				if err == nil {
					continue
				}
				var story []string
				if again := simulate(seed, false, &story); again == nil || again.Error() != err.Error() {
					t.Errorf("seed %d: not the same again: %v", seed, again)
				}
				t.Fatalf("seed %d (alone: -run TestFleet -sim.first %d -sim.seeds 1): %v\n%s", seed, seed, err, strings.Join(story, "\n"))
			}
		})
	}
}

// TestCalmFleet is TestFleet without faults, where more is promised: whatever
// nodes come, go, change their weights and are rolled back, a client finds each
// key at all times where its own view says that it may be.
func TestCalmFleet(t *testing.T) {
	for i := range uint64(max(1, *simSeeds/10)) {
		seed := *simFirst + i
		if simulate(seed, true, nil) == nil {
			continue
		}
		var story []string
		err := simulate(seed, true, &story)
		t.Fatalf("seed %d (alone: -run TestCalmFleet -sim.first %d -sim.seeds 1): %v\n%s", seed, seed, err, strings.Join(story, "\n"))
	}
}

const (
	faultsLast   = 240 * time.Second // how long a fleet suffers
	settleWithin = 600 * time.Second // and how long it may take to recover
)

// world is a fleet with its network and its clock. Nothing in it runs beside
// anything else: it is a list of events in the order of their times.
type world struct {
	rng    *rand.Rand
	now    time.Time
	queue  queue
	number int // of events, for the order of those at one time

	nodes   []*node
	router  *router
	group   []int         // who may talk to whom: the index of a node, the router's is the last
	seeable [][]time.Time // since when, after a cut, gossip may see the other side again
	loss    float64       // of messages
	pause   time.Duration // between two troubles, at most

	calm      bool         // nothing fails
	written   map[int]bool // keys, in a calm world
	faults    bool
	evictions map[ledger.Eviction]time.Time // when each was decided
	err       error
	story     *[]string // nil: not wanted
}

type event struct {
	at     time.Time
	number int
	do     func()
}

type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || q[i].at.Equal(q[j].at) && q[i].number < q[j].number
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

var start = time.Unix(1_700_000_000, 0)

func simulate(seed uint64, calm bool, story *[]string) error {
	w := &world{rng: rand.New(rand.NewPCG(seed, 0)), now: start, faults: true, story: story, calm: calm, written: make(map[int]bool),
		evictions: make(map[ledger.Eviction]time.Time)}
	count := 3 + w.rng.IntN(7)
	for i := range count {
		w.nodes = append(w.nodes, newNode(w, i))
	}
	w.router = &router{w: w, index: count, ledger: ledger.New()}
	w.group = make([]int, count+1)
	w.seeable = make([][]time.Time, count+1)
	for i := range w.seeable {
		w.seeable[i] = make([]time.Time, count+1)
	}
	w.loss = []float64{0, 0.1, 0.3}[w.rng.IntN(3)]
	if calm {
		w.loss = 0
	}
	w.pause = []time.Duration{8 * time.Second, 25 * time.Second}[w.rng.IntN(2)]
	w.after(time.Second, w.router.tick)
	bootstrap := w.rng.IntN(4) > 0 || calm
	for i, n := range w.nodes {
		n.bootstrap, n.starts = bootstrap && i == 0, calm
		if i == 0 && bootstrap {
			n.server.keys[3], w.written[3] = held{}, true // what it held before it was part of a fleet
		}
		w.after(w.upTo(time.Duration(i)*15*time.Second), n.start)
	}
	w.after(10*time.Second, w.trouble)
	w.run(start.Add(faultsLast), func() bool { return false })
	w.endFaults()
	healed := w.now
	if w.err == nil && !w.run(healed.Add(settleWithin), w.settled) && w.err == nil {
		for _, r := range w.router.ledger.Records() {
			w.tell("the router has %+v, evicted %v", r, w.router.ledger.Evicted(r.ID))
		}
		w.fail("%v after all faults have ended: %s", settleWithin, w.unsettled())
	}
	if w.err == nil {
		w.tell("settled after %.0f s", w.now.Sub(healed).Seconds())
	}
	return w.err
}

// run lets time pass until then, or until it is enough; it asks each 5 s.
func (w *world) run(until time.Time, enough func() bool) bool {
	ask := w.now
	for w.err == nil && len(w.queue) > 0 && !w.queue[0].at.After(until) {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.do()
		if w.calm {
			w.checkFound()
		}
		if !w.now.Before(ask) {
			if ask = w.now.Add(5 * time.Second); enough() {
				return true
			}
			w.compareAll()
		}
	}
	w.now = until
	return false
}

func (w *world) after(d time.Duration, do func()) {
	w.number++
	heap.Push(&w.queue, event{w.now.Add(d), w.number, do})
}

func (w *world) upTo(d time.Duration) time.Duration { return time.Duration(w.rng.Int64N(int64(d) + 1)) }

func (w *world) between(from, to time.Duration) time.Duration { return from + w.upTo(to-from) }

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
		w.tell("FAILED: %v", w.err)
	}
}

func (w *world) tell(format string, args ...any) {
	if w.story != nil {
		*w.story = append(*w.story, fmt.Sprintf("%7.2fs ", w.now.Sub(start).Seconds())+fmt.Sprintf(format, args...))
	}
}

// send delivers a whole ledger, perhaps, and later.
func (w *world) send(from, to int, m ledger.Message) {
	delay := w.between(5*time.Millisecond, 200*time.Millisecond)
	if !w.calm && w.rng.IntN(20) == 0 {
		delay = w.upTo(4 * time.Second)
	}
	if w.group[from] != w.group[to] || w.rng.Float64() < w.loss {
		return
	}
	w.after(delay, func() {
		if w.group[from] != w.group[to] {
			return
		}
		if to == w.router.index {
			w.router.ledger.Merge(m)
		} else {
			w.nodes[to].hear(from, m)
		}
	})
}

// reach reports whether gossip of one can see another one that runs.
func (w *world) reach(from, to int) bool {
	return w.group[from] == w.group[to] && !w.now.Before(w.seeable[from][to])
}

// trouble is one random misfortune, or something that an operator does, and the
// next one.
func (w *world) trouble() {
	if !w.faults {
		return
	}
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch kind := w.rng.IntN(100); {
	case !n.running && !n.starts:
		n.restartLater()
	case w.calm && kind < 40, kind >= 70 && kind < 78:
		n.abort()
	case w.calm && kind < 70:
		n.tellLeave()
	case w.calm && n.running:
		n.reweigh()
	case w.calm:
	case kind < 22:
		n.crash("killed")
		if w.rng.IntN(4) > 0 {
			n.restartLater()
		}
	case kind < 45:
		n.server.fails(w.between(time.Second, 70*time.Second), w.rng.IntN(3) == 0)
	case kind < 55:
		n.tellLeave()
	case kind < 70 && n.running:
		n.reweigh()
	default:
		w.cut(w.between(5*time.Second, 90*time.Second))
	}
	w.after(w.between(w.pause/8, w.pause), w.trouble)
}

// cut divides the network in two for some time.
func (w *world) cut(long time.Duration) {
	for i := range w.group {
		w.group[i] = w.rng.IntN(2)
	}
	w.tell("network cut into %v for %v", w.group, long)
	groups := fmt.Sprint(w.group)
	w.after(long, func() {
		if fmt.Sprint(w.group) == groups {
			w.heal()
		}
	})
}

func (w *world) heal() {
	w.tell("network whole")
	for i := range w.group {
		for j := range w.group {
			if w.group[i] != w.group[j] {
				w.seeable[i][j] = w.now.Add(w.upTo(8 * time.Second))
			}
		}
	}
	clear(w.group)
}

// endFaults mends everything, up to a minority of nodes that stay dead.
func (w *world) endFaults() {
	w.faults = false
	w.tell("faults end")
	w.heal()
	w.loss = 0
	for _, n := range w.nodes {
		if !n.server.up {
			n.server.returns()
		}
	}
	all := ledger.New()
	for _, l := range w.ledgers() {
		all.Merge(l.Message(""))
	}
	var stay, missing int
	for _, n := range w.nodes {
		r, known := all.Record(n.id)
		if !known || r.State != membership.Active || all.Evicted(n.id) || n.running && n.leaves {
			continue
		}
		stay++
		if !n.running {
			missing++
		}
	}
	for _, n := range w.nodes {
		if !n.running && !n.starts && (2*missing >= stay || w.rng.IntN(2) == 0) {
			n.restartLater()
		}
	}
}

func (w *world) ledgers() (all []*ledger.Ledger) {
	for _, n := range w.nodes {
		if n.running {
			all = append(all, n.ledger)
		}
	}
	return append(all, w.router.ledger)
}

// router is a member that only follows.
type router struct {
	w      *world
	index  int
	ledger *ledger.Ledger
}

func (r *router) tick() {
	for _, n := range r.w.nodes {
		if r.w.rng.IntN(3) == 0 {
			r.w.send(r.index, n.index, r.ledger.Message(""))
		}
	}
	r.w.after(time.Second, r.tick)
}

// keys is how many there are, numbered from 0.
const keys = 12

// ownerOf gives each key to a node by weighted rendezvous.
func ownerOf(key int, ring []ring.Node) string {
	best, owner := math.Inf(-1), ""
	for _, n := range ring {
		h := uint64(key+1) * 0x9e3779b97f4a7c15
		for _, b := range []byte(n.ID) {
			h = (h ^ uint64(b)) * 0xff51afd7ed558ccd
			h ^= h >> 29
		}
		score := -n.Weight / math.Log((float64(h>>11)+1)/(1<<53+1))
		if score > best {
			best, owner = score, n.ID
		}
	}
	return owner
}
