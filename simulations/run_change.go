package simulations

import (
	"container/heap"
	"fmt"

	"github.com/ringway/ringway/ring"
)

// ChangeKind is what happens to a fleet in a run.
type ChangeKind uint8

const (
	// Reshape is a planned change of the ring: nodes that join, leave or take
	// another weight.
	Reshape ChangeKind = iota
	// Double lets as many nodes join as there are, with the same weights and
	// zones.
	Double
	// Fail: nodes stop to answer, and are evicted after Variant.EvictAfter.
	Fail
	// Return: nodes that are down come back, into the ring if they had been
	// evicted.
	Return
	// Flap: one node fails and returns, several times.
	Flap
	// RollingRestart: every node in turn fails and returns.
	RollingRestart
)

// FleetChange is one entry of a time line.
type FleetChange struct {
	At   Moment
	Kind ChangeKind

	Change Change // of Reshape

	// Which nodes of Fail, Return and Flap: those of this ID, or of this zone
	// (not for Flap), or else Count nodes from the middle of the list, for
	// Return all that are down.
	Node  string
	Zone  string
	Count int

	// Keep lets the nodes of Return, Flap and RollingRestart come back with what
	// they held when they failed, as after a break of the network; else they are
	// empty, as after a restart or a purge.
	Keep bool

	Times int    // of Flap
	Down  Moment // of Flap and RollingRestart: how long a node is down
	Up    Moment // of Flap and RollingRestart: how long until the next time, or the next node
}

// String describes the change in a few words.
func (c FleetChange) String() string {
	which := c.Node
	switch {
	case c.Zone != "":
		which = "zone " + c.Zone
	case which == "" && c.Count > 1:
		which = fmt.Sprintf("%d nodes", c.Count)
	case which == "" && c.Kind == Return:
		which = "all that are down"
	case which == "":
		which = "one node"
	}
	data := ""
	if c.Keep {
		data = ", with its data"
	}
	switch c.Kind {
	case Reshape:
		return c.Change.String()
	case Double:
		return "double"
	case Fail:
		return "fail " + which
	case Return:
		return "return " + which + data
	case Flap:
		return fmt.Sprintf("flap %s %d times%s", which, c.Times, data)
	}
	return "rolling restart" + data
}

// actionKind is one step of a change, at one moment.
type actionKind uint8

const (
	reshape actionKind = iota
	crash
	revive
)

// An action is done before the request at index at. nodes is the ring from then
// on; nil where it stays as it is.
type action struct {
	at    int64
	entry int // of the time line
	kind  actionKind
	ids   []string // of crash and revive
	keep  bool     // of revive
	nodes []ring.Node
}

// A task is an action to be, or several: which nodes it is about may depend on
// what has happened before.
type task struct {
	at    int64
	order int // among those of one moment
	entry int
	run   func(p *planner, at int64) error
}

// tasks is a heap, the next one first.
type tasks []task

func (t tasks) Len() int      { return len(t) }
func (t tasks) Swap(i, j int) { t[i], t[j] = t[j], t[i] }
func (t *tasks) Push(x any)   { *t = append(*t, x.(task)) }
func (t tasks) Less(i, j int) bool {
	return t[i].at < t[j].at || t[i].at == t[j].at && t[i].order < t[j].order
}

func (t *tasks) Pop() any {
	last := (*t)[len(*t)-1]
	*t = (*t)[:len(*t)-1]
	return last
}

// Bounds of a time line: more is a slip of the hand, and planning it would take
// long. Nodes are those of the rings of all changes together.
const (
	maxTasks     = 100_000
	maxRingNodes = 5_000_000
)

// planner turns a time line into the actions of one variant. It knows what the
// ring is at each moment, so that an impossible change is found before the first
// request is served.
type planner struct {
	cfg     *RunConfig
	variant *Variant
	entry   int
	tasks   tasks // to come
	planned int   // tasks so far
	rings   int   // nodes of the rings so far
	nodes   []ring.Node
	where   map[string]int       // positions in nodes; nil when nodes has changed
	down    map[string]int       // by ID, which of its failures it is
	fails   int                  // so far
	gone    map[string]ring.Node // evicted, and not back
	actions []action
}

// planActions returns the actions of a variant, in the order of time, and the
// fleets before and after each entry.
func planActions(cfg *RunConfig, v *Variant) (*planner, error) {
	p := &planner{cfg: cfg, variant: v, nodes: v.Nodes, down: make(map[string]int), gone: make(map[string]ring.Node)}
	for i, c := range v.Changes {
		at, err := cfg.requests(c.At)
		if err == nil && at < 1 {
			err = badRun("changes", fmt.Sprintf("%s at request %d", c, at), "a time after the first request")
		}
		if err != nil {
			return nil, &ChangeError{Index: i, Err: err}
		}
		p.entry = i
		p.later(at, func(p *planner, at int64) error { return p.begin(c, at) })
	}
	for len(p.tasks) > 0 {
		next := heap.Pop(&p.tasks).(task)
		p.entry = next.entry
		err := next.run(p, next.at)
		if p.planned > maxTasks || p.rings > maxRingNodes {
			err = badRun("changes", fmt.Sprintf("more than %d steps, or %d nodes in the rings of all of them", maxTasks, maxRingNodes), "fewer nodes, or fewer times")
		}
		if err != nil {
			return nil, &ChangeError{Index: next.entry, Err: err}
		}
	}
	return p, nil
}

func (p *planner) act(a action) {
	a.entry = p.entry
	p.actions = append(p.actions, a)
}

// later adds a task of the entry that is being done. Among those of one moment,
// it comes last.
func (p *planner) later(at int64, run func(p *planner, at int64) error) {
	p.planned++
	if p.planned <= maxTasks {
		heap.Push(&p.tasks, task{at, p.planned, p.entry, run})
	}
}

// become takes another ring.
func (p *planner) become(nodes []ring.Node) {
	p.nodes, p.where = nodes, nil
	p.rings += len(nodes)
}

func (p *planner) begin(c FleetChange, at int64) error {
	switch c.Kind {
	case Reshape:
		next, err := c.Change.Apply(p.nodes)
		if err != nil {
			return err
		}
		p.become(next)
		p.forget()
		p.act(action{at: at, kind: reshape, nodes: next})
	case Double:
		p.become(doubled(p.nodes))
		if len(p.nodes) > MaxNodes {
			return badRun("changes", "double", fmt.Sprintf("at most %d nodes in all", MaxNodes))
		}
		p.act(action{at: at, kind: reshape, nodes: p.nodes})
	case Fail:
		ids, err := p.pick(c)
		if err != nil {
			return err
		}
		return p.fail(ids, at)
	case Return:
		ids, err := p.pickDown(c)
		if err != nil {
			return err
		}
		p.restore(ids, at, c.Keep)
	default:
		return p.repeat(c, at)
	}
	return nil
}

// doubled gives each node a twin of its weight and zone.
func doubled(nodes []ring.Node) []ring.Node {
	twins := freshNodes(nodes, len(nodes))
	for i := range twins {
		twins[i].Weight, twins[i].Zone = nodes[i].Weight, nodes[i].Zone
	}
	return append(nodes[:len(nodes):len(nodes)], twins...)
}

// repeat plans the ups and downs of Flap and RollingRestart.
func (p *planner) repeat(c FleetChange, at int64) error {
	down, err := p.cfg.requests(c.Down)
	if err != nil {
		return err
	}
	up, err := p.cfg.requests(c.Up)
	if err != nil {
		return err
	}
	down, up = max(1, down), max(0, up)
	var ids []string
	if c.Kind == Flap {
		if c.Times < 1 || c.Times > 10_000 {
			return badRun("flap", fmt.Sprintf("%d times", c.Times), "1 to 10000 times")
		}
		c.Count = 1
		one, err := p.pick(c)
		if err != nil {
			return err
		}
		for range c.Times {
			ids = append(ids, one[0])
		}
	} else {
		for _, n := range p.nodes {
			ids = append(ids, n.ID)
		}
	}
	for i, id := range ids {
		start := at + int64(i)*(down+up)
		p.later(start, func(p *planner, at int64) error {
			if p.position(id) < 0 || p.down[id] > 0 {
				return nil // it has left, or is down for another reason
			}
			return p.fail([]string{id}, at)
		})
		p.later(start+down, func(p *planner, at int64) error {
			if p.down[id] > 0 {
				p.restore([]string{id}, at, c.Keep)
			}
			return nil
		})
	}
	return nil
}
