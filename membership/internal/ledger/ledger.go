package ledger

import (
	"cmp"
	"maps"
	"slices"

	"github.com/ringway/ringway/membership"
)

// Ledger holds the newest record of each node, the newest eviction, and how far
// each abort of a transition is. It is not safe for concurrent use.
type Ledger struct {
	records   map[string]Record
	evictions map[string]Eviction
	aborts    map[transition]Abort
	clock     uint64
	changes   uint64

	// In the order of their IDs, aborts in that of kind and number; nil: not since
	// the last change.
	ids             []string // of records: most changes leave them as they are
	sortedRecords   []Record
	counting        []Record
	sortedEvictions []Eviction
	sortedAborts    []Abort
	stages          map[transition]Stage // see Abort; nil as above
}

// New returns an empty ledger.
func New() *Ledger {
	return &Ledger{records: make(map[string]Record), evictions: make(map[string]Eviction), aborts: make(map[transition]Abort)}
}

// Epoch is the largest stamp seen. It never goes back.
func (l *Ledger) Epoch() uint64 { return l.clock }

// Changes counts the changes of records, evictions and aborts: as long as it stays,
// so does everything that follows from them.
func (l *Ledger) Changes() uint64 { return l.changes }

// MergeRecord takes over a record that is newer than what is known, and reports
// whether it was. The record must be valid.
func (l *Ledger) MergeRecord(r Record) bool {
	l.clock = max(l.clock, r.Stamp) // of an older record too: the order must not matter
	old, known := l.records[r.ID]
	if known && !r.newer(old) {
		return false
	}
	if !known {
		l.ids = nil
	}
	l.changes++
	l.records[r.ID], l.sortedRecords, l.counting, l.stages = r, nil, nil, nil
	return true
}

// MergeEviction takes over an eviction that is newer than what is known of the
// node, and reports whether it was. The eviction must be valid.
func (l *Ledger) MergeEviction(e Eviction) bool {
	l.clock = max(l.clock, e.Stamp)
	if old, known := l.evictions[e.ID]; known && !e.newer(old) {
		return false
	}
	l.changes++
	l.evictions[e.ID], l.sortedEvictions = e, nil
	return true
}

// newer makes one of two evictions with the same stamp, decided at the same time
// by two members, win everywhere.
func (e Eviction) newer(old Eviction) bool {
	return cmp.Or(cmp.Compare(e.Stamp, old.Stamp), cmp.Compare(e.By, old.By),
		cmp.Compare(e.Generation, old.Generation), cmp.Compare(e.Since, old.Since)) > 0
}

// Record returns the record of a node, and whether there is one.
func (l *Ledger) Record(id string) (Record, bool) {
	r, known := l.records[id]
	return r, known
}

// Eviction returns the newest eviction of a node, and whether there is one; it
// may have been answered by a purge since.
func (l *Ledger) Eviction(id string) (Eviction, bool) {
	e, known := l.evictions[id]
	return e, known
}

// Evicted reports whether an eviction of the node stands: one that came after
// the node last emptied its server.
func (l *Ledger) Evicted(id string) bool {
	e, evicted := l.evictions[id]
	return evicted && e.Stamp > l.records[id].Purged
}

// Records returns all records, evicted nodes included, in the order of their IDs.
// The slice is shared: do not write to it. It stays as it is when the ledger
// changes.
func (l *Ledger) Records() []Record {
	if l.sortedRecords != nil {
		return l.sortedRecords
	}
	if l.ids == nil {
		l.ids = slices.Sorted(maps.Keys(l.records))
	}
	l.sortedRecords = make([]Record, len(l.ids))
	for i, id := range l.ids {
		l.sortedRecords[i] = l.records[id]
	}
	return l.sortedRecords
}

// Evictions returns the newest eviction of each node, in the order of their IDs,
// in a slice that is shared like that of Records.
func (l *Ledger) Evictions() []Eviction {
	if l.sortedEvictions == nil {
		l.sortedEvictions = slices.SortedFunc(maps.Values(l.evictions), func(a, b Eviction) int { return cmp.Compare(a.ID, b.ID) })
	}
	return l.sortedEvictions
}

// Aborts returns how far each abort is, in the order of kinds and numbers, in a
// slice that is shared like that of Records.
func (l *Ledger) Aborts() []Abort {
	if l.sortedAborts == nil {
		l.sortedAborts = slices.SortedFunc(maps.Values(l.aborts), func(a, b Abort) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Transition, b.Transition))
		})
	}
	return l.sortedAborts
}

// Members returns the members that the fleet consists of, in the order of their
// IDs: all but those that are evicted, as they count.
func (l *Ledger) Members() []membership.Member {
	members := make([]membership.Member, 0, len(l.records))
	for _, r := range l.Counting() {
		if !l.Evicted(r.ID) {
			members = append(members, r.Member())
		}
	}
	return members
}

// View returns the fleet as the ledger has it: version, fingerprints and the
// health that gossip sees are left to the caller.
func (l *Ledger) View() membership.View {
	return membership.View{Epoch: l.clock, Members: l.Members()}
}

// Forget drops the records of nodes that have left or are evicted, and their
// evictions, if both changed before a time in Unix seconds, and the aborts of
// transitions that no record is of, if they were decided before. The epoch stays.
//
// A member that was away for longer may bring them back; that does no harm,
// since they own nothing. What it does with a record of its own that says it is
// active is for the caller to keep well below that time.
func (l *Ledger) Forget(before int64) {
	l.changes++
	l.ids, l.sortedRecords, l.sortedEvictions = nil, nil, nil
	l.sortedAborts, l.counting, l.stages = nil, nil, nil
	for id, r := range l.records {
		e, evicted := l.evictions[id]
		gone := r.State == membership.Left || l.Evicted(id)
		if gone && r.Since < before && (!evicted || e.Since < before) {
			delete(l.records, id)
			delete(l.evictions, id)
		}
	}
	for id, e := range l.evictions {
		if _, known := l.records[id]; !known && e.Since < before {
			delete(l.evictions, id)
		}
	}
	l.forgetAborts(before)
}
