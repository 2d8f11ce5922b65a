package simulations

import (
	"container/list"
	"fmt"
	"io"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations/trace"
)

// The oracle replays a trace in the way that comes to mind first: maps, lists,
// owners asked for anew with every request, the control as a second run from the
// start, and figures by counting over all outcomes.

type naiveRequest struct {
	key           string
	op            trace.Op
	size, expires int64
	now           int64
}

// naiveRequests reads a whole trace, and fills in what its rows leave out.
func naiveRequests(t *rapid.T, text string, byBytes bool) []naiveRequest {
	r := openText(t, text)
	defer r.Close()
	var all []naiveRequest
	var now int64
	sizes, ttls := map[string]int64{}, map[string]int64{}
	for {
		var req trace.Request
		if err := r.Next(&req); err == io.EOF {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		now = max(now, req.Time)
		key := string(req.Key)
		if req.Op == trace.Set || req.Op != trace.Delete && req.Size > 0 {
			sizes[key] = req.Size
		}
		if req.Op == trace.Set || req.Op != trace.Delete && req.TTL > 0 {
			ttls[key] = req.TTL
		}
		n := naiveRequest{key: key, op: req.Op, now: now}
		if byBytes {
			n.size = sizes[key] + int64(len(key))
		}
		if ttls[key] > 0 && r.Has().Time {
			n.expires = now + ttls[key]
		}
		all = append(all, n)
	}
}

type naiveEntry struct {
	key           string
	size, expires int64
	used          int
}

type naiveCache struct {
	capacity Capacity
	order    *list.List // of naiveEntry; the front was used last
}

func (c *naiveCache) find(key string) *list.Element {
	for e := c.order.Front(); e != nil; e = e.Next() {
		if e.Value.(naiveEntry).key == key {
			return e
		}
	}
	return nil
}

func (c *naiveCache) remove(key string) {
	if e := c.find(key); e != nil {
		c.order.Remove(e)
	}
}

func (c *naiveCache) over() bool {
	var size int64
	for e := c.order.Front(); e != nil; e = e.Next() {
		size += e.Value.(naiveEntry).size
	}
	return c.capacity.Items > 0 && int64(c.order.Len()) > c.capacity.Items || c.capacity.Bytes > 0 && size > c.capacity.Bytes
}

func (c *naiveCache) put(e naiveEntry) {
	c.remove(e.key)
	if c.capacity.Bytes > 0 && e.size > c.capacity.Bytes {
		return
	}
	c.order.PushFront(e)
	for c.over() {
		c.order.Remove(c.order.Back())
	}
}

// place adds an entry where its last use puts it, unless there is a newer one of
// its key.
func (c *naiveCache) place(e naiveEntry) {
	if there := c.find(e.key); there != nil {
		if there.Value.(naiveEntry).used > e.used {
			return
		}
		c.order.Remove(there)
	}
	at := c.order.Front()
	for at != nil && at.Value.(naiveEntry).used > e.used {
		at = at.Next()
	}
	if at == nil {
		c.order.PushBack(e)
	} else {
		c.order.InsertBefore(e, at)
	}
}

func (c *naiveCache) serve(r naiveRequest, now int) byte {
	stored := naiveEntry{r.key, r.size, r.expires, now}
	at := c.find(r.key)
	if at != nil {
		if e := at.Value.(naiveEntry); e.expires != 0 && e.expires <= r.now {
			if r.op == trace.Get {
				c.order.Remove(at)
			}
			at = nil
		}
	}
	switch r.op {
	case trace.Get:
		if at == nil {
			c.put(stored)
			return miss
		}
		e := at.Value.(naiveEntry)
		e.used = now
		at.Value = e
		c.order.MoveToFront(at)
		return hit
	case trace.Set:
		c.put(stored)
	case trace.Update:
		if at != nil {
			c.put(stored)
		}
	case trace.Delete:
		c.remove(r.key)
	}
	return uncounted
}

type naiveFleet struct {
	p        ring.Placement
	caches   map[string]*naiveCache // by node ID
	inFlight []naiveFlight
	most     int // requests in flight for each node
}

type naiveFlight struct {
	key  string
	node int
}

func (f *naiveFleet) owner(key string) string { return f.p.Nodes()[f.p.OwnerIndex(key)].ID }

func (f *naiveFleet) route(key string) string {
	counting, ok := f.p.(loadCounter)
	if !ok {
		return f.owner(key)
	}
	for len(f.inFlight) >= f.most*len(f.p.Nodes()) {
		counting.Release(f.inFlight[0].node)
		f.inFlight = f.inFlight[1:]
	}
	node := counting.Acquire(key)
	f.inFlight = append(f.inFlight, naiveFlight{key, node})
	return f.p.Nodes()[node].ID
}

// adopt gives every node its cache, an empty one to newcomers.
func (f *naiveFleet) adopt(capacity Capacity) {
	caches := map[string]*naiveCache{}
	for _, n := range f.p.Nodes() {
		c := f.caches[n.ID]
		if c == nil {
			c = &naiveCache{order: list.New()}
		}
		c.capacity = capacity.times(n.Weight)
		caches[n.ID] = c
	}
	f.caches = caches
}

func (f *naiveFleet) evict() {
	for _, c := range f.caches {
		for at := c.order.Front(); at != nil; { // what cannot fit takes nobody's room
			e := at
			at = at.Next()
			if c.capacity.Bytes > 0 && e.Value.(naiveEntry).size > c.capacity.Bytes {
				c.order.Remove(e)
			}
		}
		for c.over() {
			c.order.Remove(c.order.Back())
		}
	}
}

// naiveRun returns the outcome of each request, and the moved keys and migrated
// entries of each change.
func naiveRun(t *rapid.T, cfg ReplayConfig, changes []TimedChange, requests []naiveRequest, name string) (outcomes []byte, moved []float64, migrated []int64) {
	build := func(nodes []ring.Node) ring.Placement {
		p, err := Build(name, nodes, cfg.Options)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	nodes := cfg.Nodes
	f := &naiveFleet{p: build(nodes), most: cfg.inFlight}
	f.adopt(cfg.Capacity)
	seen := map[string]bool{}
	for i, r := range requests {
		for _, c := range changes {
			if c.At != int64(i) {
				continue
			}
			nodes, _ = c.Change.Apply(nodes)
			old := *f
			// A placement from scratch is what Update must equal; what a fresh
			// one that counts load must be told is what was in flight.
			f = &naiveFleet{p: build(nodes), caches: old.caches, most: cfg.inFlight}
			trailing := old.inFlight
			if most := cfg.inFlight * len(nodes); len(trailing) > most {
				trailing = trailing[len(trailing)-most:]
			}
			for _, flight := range trailing {
				f.route(flight.key)
			}
			n := 0
			for key := range seen {
				if old.owner(key) != f.owner(key) {
					n++
				}
			}
			moved = append(moved, float64(n)/float64(len(seen)))
			f.adopt(cfg.Capacity)
			if cfg.Migrate {
				migrated = append(migrated, f.migrate(&old, r.now))
			}
			f.evict()
		}
		seen[r.key] = true
		outcomes = append(outcomes, f.caches[f.route(r.key)].serve(r, i+1))
	}
	return outcomes, moved, migrated
}

func (f *naiveFleet) migrate(old *naiveFleet, now int64) (n int64) {
	for id, c := range old.caches {
		for at := c.order.Front(); at != nil; {
			e, element := at.Value.(naiveEntry), at
			at = at.Next()
			to := f.owner(e.key)
			if old.owner(e.key) != id || to == id || e.expires != 0 && e.expires <= now {
				continue
			}
			n++
			c.order.Remove(element)
			f.caches[to].place(e)
		}
	}
	return n
}

func naiveScore(outcomes []byte, from, to int64) score {
	var s score
	for i, o := range outcomes {
		switch {
		case int64(i) < from || int64(i) >= to:
		case o == hit:
			s.hits++
		case o == miss:
			s.misses++
		}
	}
	return s
}

func naiveFigures(cfg ReplayConfig, at int64, fleet, control []byte) ReplayFigures {
	n := int64(len(fleet))
	window := naiveScore(fleet, at, at+cfg.Window)
	controlWindow := naiveScore(control, at, at+cfg.Window)
	out := ReplayFigures{
		HitRateBefore:          naiveScore(fleet, at-cfg.Window, at).rate(),
		HitRateNext1000:        naiveScore(fleet, at, at+1000).rate(),
		ControlHitRateNext1000: naiveScore(control, at, at+1000).rate(),
		HitRateWindow:          window.rate(),
		ControlHitRateWindow:   controlWindow.rate(),
		MissesWindow:           new(window.misses),
		ControlMissesWindow:    new(controlWindow.misses),
		ExtraLoads:             new(naiveScore(fleet, at, at+cfg.Horizon).misses - naiveScore(control, at, at+cfg.Horizon).misses),
		ExtraLoadsToEnd:        new(naiveScore(fleet, at, n).misses - naiveScore(control, at, n).misses),
	}
	if cfg.LoadMillis > 0 {
		out.ExtraDBSeconds = new(figure(float64(*out.ExtraLoads) * cfg.LoadMillis / 1000))
	}
	for from := at; from+cfg.Window <= n; from++ {
		f, c := naiveScore(fleet, from, from+cfg.Window), naiveScore(control, from, from+cfg.Window)
		if 100*(c.hits-f.hits) <= f.gets() {
			out.RecoveryRequests = new(from - at)
			break
		}
	}
	return out
}

func naiveReplay(t *rapid.T, cfg ReplayConfig, requests []naiveRequest, name string) ReplayResult {
	fleet, moved, migrated := naiveRun(t, cfg, cfg.Changes, requests, name)
	control, _, _ := naiveRun(t, cfg, nil, requests, name)
	n := int64(len(requests))
	out := ReplayResult{Algorithm: name, Changes: []ReplayChange{}, Series: []ReplayPoint{}}
	out.HitRate, out.ControlHitRate = naiveScore(fleet, 0, n).rate(), naiveScore(control, 0, n).rate()
	nodes := cfg.Nodes
	for i, c := range cfg.Changes {
		next, _ := c.Change.Apply(nodes)
		figures := naiveFigures(cfg, c.At, fleet, control)
		figures.Moved = new(figure(moved[i]))
		if cfg.Migrate {
			figures.Migrated = new(migrated[i])
		}
		out.Changes = append(out.Changes, ReplayChange{c.At, c.Change.String(), len(nodes), len(next), figures})
		nodes = next
	}
	if len(out.Changes) > 0 {
		out.ReplayFigures = out.Changes[0].ReplayFigures
	}
	step := max(1, cfg.Window/stepsInWindow)
	for from := int64(0); from < n; from += step {
		out.Series = append(out.Series, ReplayPoint{from, naiveScore(fleet, from, from+step).rate(), naiveScore(control, from, from+step).rate()})
	}
	if name == "bounded" {
		out.Note = fmt.Sprintf("load is that of the last %d requests a node", cfg.inFlight)
	}
	return out
}
