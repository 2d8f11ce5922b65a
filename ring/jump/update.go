package jump

import (
	"fmt"
	"slices"

	"github.com/ringway/ringway/ring"
)

// Update returns a Jump of the same configuration over another list. Nodes may
// leave from the end of the list and be appended there; what stays must be the
// beginning of both lists, in the same order. Any other change would move keys
// between nodes that stay, and fails with ring.ErrUnsupported, naming the node
// that is in the way: who wants it all the same calls New. Other errors are
// those of New.
func (j *Jump) Update(nodes []ring.Node) (ring.Placement, error) {
	next, err := New(nodes, j.cfg)
	if err != nil {
		return nil, err
	}
	if err := checkChange(j.nodes, nodes); err != nil {
		return nil, err
	}
	return next, nil
}

// checkChange makes sure that every node that stays is in front of the first
// difference between the lists.
func checkChange(from, to []ring.Node) error {
	same := 0
	for same < min(len(from), len(to)) && from[same].ID == to[same].ID {
		same++
	}
	positions := make(map[string]int, len(to)-same)
	for i, n := range to[same:] {
		positions[n.ID] = same + i
	}
	for i, n := range from[same:] {
		now, stays := positions[n.ID]
		if stays {
			return describe(from, to, same, same+i, now)
		}
	}
	return nil
}

// change is a description, which an error prints without the quotes of a name.
type change string

// describe says what is wrong at the first difference, given that the node
// from[was] stays and is now to[now].
func describe(from, to []ring.Node, difference, was, now int) error {
	has := func(nodes []ring.Node, id string) bool {
		return slices.ContainsFunc(nodes, func(n ring.Node) bool { return n.ID == id })
	}
	if gone := from[difference]; !has(to, gone.ID) {
		return &ring.InputError{Err: ring.ErrUnsupported, Node: gone.ID,
			Value: change(fmt.Sprintf("removal from position %d of %d", difference, len(from))),
			Want:  fmt.Sprintf("removal from the end only (%q stays)", from[was].ID)}
	}
	if fresh := to[difference]; !has(from, fresh.ID) {
		return &ring.InputError{Err: ring.ErrUnsupported, Node: fresh.ID,
			Value: change(fmt.Sprintf("insertion at position %d", difference)),
			Want:  fmt.Sprintf("nodes appended at the end (%q stays)", from[was].ID)}
	}
	return &ring.InputError{Err: ring.ErrUnsupported, Node: from[was].ID,
		Value: change(fmt.Sprintf("a move from position %d to %d", was, now)),
		Want:  "nodes that stay to keep their order"}
}
