package dns

import (
	"slices"
	"strings"

	"github.com/ringway/ringway/membership"
)

// timesInARow is how often an answer has to come in which more than half of the
// nodes are missing.
const timesInARow = 3

// damping holds back an answer that takes most of the fleet away. It has no
// clock; the zero value is ready to use.
type damping struct {
	held  []membership.Member
	count int // how often held has come in a row
}

// believe reports whether an answer is to be taken over, and otherwise how many
// nodes it lacks and how often it has come. Both lists are in the order of IDs.
func (d *damping) believe(current, answer []membership.Member) (believed bool, missing, count int) {
	for _, m := range current {
		if _, there := slices.BinarySearchFunc(answer, m.ID, compareID); !there {
			missing++
		}
	}
	if 2*missing <= len(current) {
		d.forget()
		return true, missing, 0
	}
	if !slices.Equal(d.held, answer) {
		d.held, d.count = answer, 0
	}
	d.count++
	if d.count >= timesInARow {
		d.forget()
		return true, missing, timesInARow
	}
	return false, missing, d.count
}

func compareID(m membership.Member, id string) int { return strings.Compare(m.ID, id) }

// forget is for what comes between: another answer, or none.
func (d *damping) forget() { d.held, d.count = nil, 0 }
