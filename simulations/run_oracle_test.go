package simulations

import (
	"maps"
	"slices"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/ring"
)

// The oracle runs one fleet in the way that comes to mind first: nodes in a map
// by name, caches as lists, homes asked for anew with every request, and a to-do
// list that is searched from its start.

type dumbEntry struct {
	key     string
	version int
	used    int
}

type dumbNode struct {
	ring.Node
	capacity int
	entries  []dumbEntry // the one used last first
	down     bool
	requests int
}

func (n *dumbNode) find(key string) int {
	return slices.IndexFunc(n.entries, func(e dumbEntry) bool { return e.key == key })
}

func (n *dumbNode) remove(key string) {
	n.entries = slices.DeleteFunc(n.entries, func(e dumbEntry) bool { return e.key == key })
}

func (n *dumbNode) put(e dumbEntry) {
	n.remove(e.key)
	n.entries = append([]dumbEntry{e}, n.entries...)
	n.entries = n.entries[:min(len(n.entries), n.capacity)]
}

type dumbTodo struct {
	at   int64
	do   func()
	done bool
}

type dumbFleet struct {
	cfg     *RunConfig
	v       *Variant
	list    []ring.Node // the ring, in its order
	p       ring.Placement
	nodes   map[string]*dumbNode // all there ever were and may be again
	todo    []*dumbTodo
	now     int64
	tick    int
	version map[string]int
	number  map[string]int // of keys by first appearance

	pending  map[string]*dumbNode
	queue    []string
	credit   float64
	credited float64

	outcomes                []byte // 'h', 'm' or '-'
	stale, failed, migrated int64
	moved, unnecessary      float64
	downNow                 map[string]int
	failures                int
	evicted                 map[string]ring.Node
	moving                  bool
}

func (f *dumbFleet) node(n ring.Node) *dumbNode {
	return &dumbNode{Node: n, capacity: int(f.v.Capacity.times(n.Weight).Items)}
}

func (f *dumbFleet) homes(p ring.Placement, key string) []string {
	copies := min(f.v.Copies, len(p.Nodes()))
	var ids []string
	if r, isRing := p.(*ring.Ring); isRing {
		for _, n := range r.Replicas(nil, key, copies) {
			ids = append(ids, n.ID)
		}
		return ids
	}
	for _, at := range newHomeFinder(p, nil, copies).appendHomes(nil, key) {
		ids = append(ids, p.Nodes()[at].ID)
	}
	return ids
}

func (f *dumbFleet) later(at int64, do func()) { f.todo = append(f.todo, &dumbTodo{at: at, do: do}) }

// reshape makes another ring. Nodes of back keep what they have.
func (f *dumbFleet) reshape(list []ring.Node, back ...string) {
	old, oldNodes := f.p, maps.Clone(f.nodes)
	weights := map[string]float64{}
	for _, n := range f.list {
		weights[n.ID] = n.Weight
	}
	var err error
	if f.p, err = old.Update(list); err != nil {
		panic(err)
	}
	for _, n := range list {
		_, was := weights[n.ID]
		switch {
		case !was && !slices.Contains(back, n.ID):
			f.nodes[n.ID] = f.node(n)
		case f.nodes[n.ID].Weight != n.Weight:
			f.nodes[n.ID].Weight = n.Weight
			f.nodes[n.ID].capacity = int(f.v.Capacity.times(n.Weight).Items)
			f.nodes[n.ID].entries = f.nodes[n.ID].entries[:min(len(f.nodes[n.ID].entries), f.nodes[n.ID].capacity)]
		}
	}
	keep := func(id string) bool { // in both rings, with the same weight
		i := slices.IndexFunc(list, func(n ring.Node) bool { return n.ID == id })
		return i >= 0 && weights[id] == list[i].Weight
	}
	moved, unnecessary := 0, 0
	for key := range f.number {
		from, to := f.homes(old, key)[0], f.homes(f.p, key)[0]
		if from != to {
			moved++
			if keep(from) && keep(to) {
				unnecessary++
			}
		}
	}
	if n := len(f.number); n > 0 {
		f.moved += float64(moved) / float64(n)
		f.unnecessary += float64(unnecessary) / float64(n)
	}
	f.plan(old, oldNodes)
	f.list = list
	for _, at := range f.p.Nodes() {
		n := f.nodes[at.ID]
		n.entries = slices.DeleteFunc(n.entries, func(e dumbEntry) bool {
			return f.v.Sweep && !n.down && !slices.Contains(f.homes(f.p, e.key), n.ID) && (!f.moving || f.pending[e.key] != n)
		})
	}
}

// plan makes the list of what has to be brought over.
func (f *dumbFleet) plan(old ring.Placement, oldNodes map[string]*dumbNode) {
	before := f.pending
	f.pending, f.queue = map[string]*dumbNode{}, nil
	f.moving, f.credit = false, 0
	if f.v.Migration == 0 {
		return
	}
	home := func(key string, n *dumbNode) bool {
		for _, id := range f.homes(f.p, key) {
			if f.nodes[id] == n {
				return true
			}
		}
		return false
	}
	for key, n := range before {
		if slices.Contains(f.queued(before), key) && !home(key, n) {
			f.pending[key] = n
		}
	}
	for _, at := range old.Nodes() {
		n := oldNodes[at.ID]
		if n.down {
			continue
		}
		for _, e := range n.entries {
			if f.pending[e.key] == nil && slices.Contains(f.homes(old, e.key), n.ID) && !home(e.key, n) {
				f.pending[e.key] = n
			}
		}
	}
	f.queue = f.queued(f.pending)
	f.moving = len(f.queue) > 0
	f.credited = float64(f.now) / f.cfg.Rate
}

func (f *dumbFleet) queued(pending map[string]*dumbNode) []string {
	return slices.SortedFunc(maps.Keys(pending), func(a, b string) int {
		if splitmix.Mix(uint64(f.number[a])+1) < splitmix.Mix(uint64(f.number[b])+1) {
			return -1
		}
		return 1
	})
}

func (f *dumbFleet) bring(key string) bool {
	from := f.pending[key]
	if from == nil || from.down {
		return false
	}
	delete(f.pending, key)
	at := from.find(key)
	if at < 0 {
		return false
	}
	e := from.entries[at]
	from.remove(key)
	e.used = f.tick
	for _, id := range f.homes(f.p, key) {
		if n := f.nodes[id]; !n.down && n.find(key) < 0 {
			n.put(e)
		}
	}
	f.migrated++
	return true
}

func (f *dumbFleet) serve(key, op string) byte {
	homes := f.homes(f.p, key)
	version := f.version[key]
	var up []*dumbNode
	for _, id := range homes {
		if n := f.nodes[id]; !n.down {
			up = append(up, n)
		}
	}
	if len(up) == 0 {
		f.failed++
	}
	switch op {
	case "get":
		if len(up) == 0 {
			return 'm'
		}
		n := up[0]
		if f.v.SpreadReads {
			for i := range homes {
				if n = f.nodes[homes[(f.tick+i)%len(homes)]]; !n.down {
					break
				}
			}
		}
		n.requests++
		if n.find(key) < 0 {
			f.bring(key)
		}
		at := n.find(key)
		if at < 0 {
			for _, n := range up {
				n.put(dumbEntry{key, version, f.tick})
			}
			return 'm'
		}
		e := n.entries[at]
		if e.version < version {
			f.stale++
		}
		e.used = f.tick
		n.put(e)
		return 'h'
	case "set":
		for _, n := range up {
			n.requests++
			n.put(dumbEntry{key, version, f.tick})
		}
	case "update":
		for _, n := range up {
			n.requests++
			if n.find(key) < 0 {
				f.bring(key)
			}
			if n.find(key) >= 0 {
				n.put(dumbEntry{key, version, f.tick})
			}
		}
		return '-'
	case "delete":
		for _, n := range up {
			n.requests++
			n.remove(key)
		}
	}
	if from := f.pending[key]; from != nil { // after set and delete
		if !from.down {
			from.remove(key)
		}
		delete(f.pending, key)
	}
	return '-'
}

// begin puts one entry of the time line into effect.
func (f *dumbFleet) begin(c FleetChange) {
	switch c.Kind {
	case Reshape:
		list, err := c.Change.Apply(f.list)
		if err != nil {
			panic(err)
		}
		for id := range f.downNow { // left, or joined anew
			in := slices.ContainsFunc(list, func(n ring.Node) bool { return n.ID == id })
			if _, out := f.evicted[id]; in == out {
				delete(f.downNow, id)
				delete(f.evicted, id)
			}
		}
		f.reshape(list)
	case Fail:
		f.fail(c.Node)
	case Return:
		f.back(c.Node, c.Keep)
	case Flap:
		for i := range int64(c.Times) {
			at := f.now + i*(c.Down.Requests+c.Up.Requests)
			f.later(at, func() {
				if f.downNow[c.Node] == 0 && slices.ContainsFunc(f.list, func(n ring.Node) bool { return n.ID == c.Node }) {
					f.fail(c.Node)
				}
			})
			f.later(at+c.Down.Requests, func() {
				if f.downNow[c.Node] > 0 {
					f.back(c.Node, c.Keep)
				}
			})
		}
	}
}

func (f *dumbFleet) fail(id string) {
	f.failures++
	failure := f.failures
	f.downNow[id] = failure
	f.nodes[id].down = true
	f.later(f.now+f.v.EvictAfter.Requests, func() {
		i := slices.IndexFunc(f.list, func(n ring.Node) bool { return n.ID == id })
		if i < 0 || f.downNow[id] != failure {
			return
		}
		f.evicted[id] = f.list[i]
		f.reshape(slices.Delete(slices.Clone(f.list), i, i+1))
	})
}

func (f *dumbFleet) back(id string, keep bool) {
	n := f.nodes[id]
	n.down = false
	delete(f.downNow, id)
	if !keep { // a new one, since a migration may still look at the old
		n.entries = nil
	}
	if was, out := f.evicted[id]; out {
		delete(f.evicted, id)
		f.reshape(append(slices.Clone(f.list), was), id)
	}
}

func dumbRun(cfg *RunConfig, v *Variant, changes []FleetChange, requests [][2]string) *dumbFleet {
	f := &dumbFleet{cfg: cfg, v: v, list: v.Nodes, nodes: map[string]*dumbNode{}, version: map[string]int{}, number: map[string]int{},
		downNow: map[string]int{}, evicted: map[string]ring.Node{}}
	var err error
	if f.p, err = Build(v.Algorithm, v.Nodes, v.Options); err != nil {
		panic(err)
	}
	for _, n := range v.Nodes {
		f.nodes[n.ID] = f.node(n)
	}
	for _, c := range changes {
		f.later(c.At.Requests, func() { f.begin(c) })
	}
	for i, r := range requests {
		f.now, f.tick = int64(i), i
		f.doWhatIsDue()
		f.tick = i + 1
		key, op := r[0], r[1]
		if _, seen := f.number[key]; !seen {
			f.number[key] = len(f.number)
		}
		if op != "get" {
			f.version[key]++
		}
		f.advance()
		f.outcomes = append(f.outcomes, f.serve(key, op))
	}
	return f
}

func (f *dumbFleet) doWhatIsDue() {
	for {
		i := slices.IndexFunc(f.todo, func(t *dumbTodo) bool { return !t.done && t.at == f.now })
		if i < 0 {
			return
		}
		f.todo[i].done = true
		f.todo[i].do()
	}
}

func (f *dumbFleet) advance() {
	if !f.moving {
		return
	}
	seconds := float64(f.now) / f.cfg.Rate
	f.credit += (seconds - f.credited) * f.v.Migration
	f.credited = seconds
	for f.credit >= 1 && len(f.queue) > 0 {
		key := f.queue[0]
		f.queue = f.queue[1:]
		if f.bring(key) {
			f.credit--
		}
	}
	if len(f.queue) == 0 {
		f.moving, f.pending = false, nil
	}
}
