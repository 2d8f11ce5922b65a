package gossip

import (
	"encoding/binary"
	"hash/maphash"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// watch looks at every view of every member for what must never be seen:
//
//   - a member's epoch that goes back;
//   - two views with one ring and two fingerprints;
//   - a node that was evicted and is there again, its server not purged since;
//   - a node that is gone in the eyes of a minority that is cut off.
//
// Views come at least some milliseconds apart, and the clock of a bubble stands
// still until all have been looked at, so that none is missed.
type watch struct {
	t       *testing.T
	servers func(id string) *fakeServer
	seed    maphash.Seed

	mu     sync.Mutex // guards what follows
	prints map[uint64]ring.Fingerprint
	cut    map[string]int // members that are cut off, and how many nodes each had seen own keys
	views  int            // looked at so far
	failed bool
}

func newWatch(f *fleet) *watch {
	w := &watch{
		t: f.t, seed: maphash.MakeSeed(), prints: make(map[uint64]ring.Fingerprint),
		servers: func(id string) *fakeServer { return f.servers[id] },
	}
	f.joined = func(name string, g *Gossip) { go w.follow(name, g) }
	return w
}

// follow looks at a member's views until it ends.
func (w *watch) follow(name string, g *Gossip) {
	s := &sightings{name: name, gone: make(map[string]int)}
	for {
		v, err := g.Next(w.t.Context(), s.last.Version)
		if err != nil {
			return // the member has ended
		}
		if !w.look(s, v) {
			return
		}
		s.last = v
	}
}

// sightings are what one member has seen.
type sightings struct {
	name string
	last membership.View
	gone map[string]int // how often it saw each node go by an eviction
}

// look reports whether all is well.
func (w *watch) look(s *sightings, v membership.View) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed {
		return false
	}
	w.views++
	nodes := v.Current(membership.Redis)
	before, cut := w.cut[s.name]
	known, has := w.prints[w.hash(nodes)]
	print := v.Fingerprints[membership.Redis]
	switch {
	case v.Version != s.last.Version+1:
		w.fail("%s: a view was missed: version %d came after %d", s.name, v.Version, s.last.Version)
	case v.Epoch < s.last.Epoch:
		w.fail("%s went back from epoch %d to %d", s.name, s.last.Epoch, v.Epoch)
	case has && known != print:
		w.fail("%s has nodes that somebody had before, and the fingerprint %v, not %v", s.name, print, known)
	case cut && len(nodes) != before:
		w.fail("%s is cut off with a minority, and has evicted: %d nodes of %d are left", s.name, len(nodes), before)
	}
	w.prints[w.hash(nodes)] = print
	w.readmissions(s, v)
	return !w.failed
}

func (w *watch) fail(format string, args ...any) {
	w.failed = true
	w.t.Errorf(format, args...)
}

// check ends the test if something was seen that must not be.
func (w *watch) check() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed {
		w.t.FailNow()
	}
}

// isolate has the watch hold that these members evict nobody from now on, and
// with nil that nobody is cut off any more.
func (w *watch) isolate(cut map[string]int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
}

// hash is one of all that decides the ring.
func (w *watch) hash(nodes []ring.Node) uint64 {
	var h maphash.Hash
	h.SetSeed(w.seed)
	var weight [8]byte
	for _, n := range nodes {
		h.WriteString(n.ID)
		h.WriteByte(0)
		h.WriteString(n.Zone)
		h.WriteByte(0)
		binary.LittleEndian.PutUint64(weight[:], math.Float64bits(n.Weight))
		h.Write(weight[:])
	}
	return h.Sum64()
}

// readmissions holds that a node which was evicted is in no ring again before its
// server was purged: as often as any member has seen it go. What is in no view
// any more was evicted.
func (w *watch) readmissions(s *sightings, v membership.View) {
	rest := v.Members // in the order of their IDs, as those of the last view
	for _, m := range s.last.Members {
		for len(rest) > 0 && rest[0].ID < m.ID {
			rest = rest[1:]
		}
		if len(rest) == 0 || rest[0].ID != m.ID {
			s.gone[m.ID]++
		}
	}
	for id, evictions := range s.gone {
		at, there := slices.BinarySearchFunc(v.Members, id, func(m membership.Member, id string) int { return strings.Compare(m.ID, id) })
		if !there {
			continue
		}
		m := v.Members[at]
		if m.State == membership.Joining || m.State == membership.Left {
			continue
		}
		if purges := w.purgesOf(id); purges < evictions {
			w.fail("%s has %s as %s: evicted %d times, purged %d times", s.name, id, m.State, evictions, purges)
		}
	}
}

func (w *watch) purgesOf(id string) int {
	s := w.servers(id)
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.purges
}
