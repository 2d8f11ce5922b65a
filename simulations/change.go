package simulations

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/ring"
)

// Change is a change of the fleet: nodes that join, leave or take another
// weight, at one moment. The zero Change changes nothing. ParseChange makes one.
type Change struct {
	steps []step
}

// A step is one comma part of a Change.
type step struct {
	op    byte      // '+', '-' or '='
	count int       // of nodes, where they are not named
	node  ring.Node // where it is
}

// TimedChange is a Change that takes effect before the request at index At,
// counted from 0: At requests are served by the fleet as it was.
type TimedChange struct {
	At     int64
	Change Change
}

const wantChange = "+K, -K, +id[:weight[:zone]], -id or =id:weight, separated by commas"

// ParseChange reads a change: parts separated by commas, done from left to
// right.
//
//	+K                   K nodes of weight 1 join, with fresh names
//	-K                   K nodes leave, spread through the middle of the list
//	+id[:weight[:zone]]  this node joins
//	-id                  this node leaves
//	=id:weight           this node stays and takes another weight
func ParseChange(text string) (Change, error) {
	var c Change
	for _, part := range strings.Split(text, ",") {
		s, err := parseStep(part)
		if err != nil {
			return Change{}, err
		}
		c.steps = append(c.steps, s)
	}
	return c, nil
}

func parseStep(text string) (step, error) {
	if text == "" || !strings.Contains("+-=", text[:1]) {
		return step{}, &InputError{What: "change", Found: quote(text), Want: wantChange}
	}
	s := step{op: text[0]}
	rest := text[1:]
	if s.op != '=' && isNumber(rest) {
		var err error
		s.count, err = parseCount("change", rest)
		return s, err
	}
	if _, weight, _ := strings.Cut(rest, ":"); s.op == '-' && weight != "" || s.op == '=' && weight == "" || strings.HasSuffix(rest, ":") {
		return s, &InputError{What: "change", Found: quote(text), Want: wantChange}
	}
	var err error
	s.node, err = parseNode("change", rest, wantChange)
	if err == nil && s.op == '=' && s.node.Zone != "" {
		err = &InputError{What: "change", Found: quote(text), Want: "=id:weight, which leaves the zone as it is"}
	}
	return s, err
}

// ParseTimedChanges reads changes for a replay: the parts of ParseChange, each
// followed by @REQUEST, the number of requests that are served before it. The
// result is in the order of time; parts of the same request are one Change.
func ParseTimedChanges(text string) ([]TimedChange, error) {
	var changes []TimedChange
	for _, part := range strings.Split(text, ",") {
		i := strings.LastIndexByte(part, '@')
		if i < 0 {
			return nil, &InputError{What: "change", Found: quote(part), Want: "…@REQUEST after every part, such as +1@500000,-1@900000"}
		}
		at, err := strconv.ParseInt(part[i+1:], 10, 64)
		if err != nil || at < 1 {
			return nil, &InputError{What: "change", Found: quote(part), Want: "a number of requests of at least 1 after '@'"}
		}
		s, err := parseStep(part[:i])
		if err != nil {
			return nil, err
		}
		same := slices.IndexFunc(changes, func(c TimedChange) bool { return c.At == at })
		if same < 0 {
			same = len(changes)
			changes = append(changes, TimedChange{At: at})
		}
		changes[same].Change.steps = append(changes[same].Change.steps, s)
	}
	slices.SortStableFunc(changes, func(a, b TimedChange) int {
		if a.At < b.At {
			return -1
		}
		return 1 // no two are equal
	})
	return changes, nil
}

// Apply returns the fleet after the change, and leaves nodes as they are. Nodes
// that stay keep their order, newcomers are appended: what the placements that
// depend on order (modulo, jump) want.
//
//   - +K takes the names node<i> with i from the number of nodes + 1 upwards
//     that are free.
//   - -K takes the positions floor((2i+1)(n-1)/2K), i = 0 … K-1, of the n nodes:
//     evenly spaced, never the last, since a placement that can only lose its
//     last node must not look good by luck.
//
// It fails with an *InputError for an ID that joins twice or is not there to
// leave, and when no node would be left.
func (c Change) Apply(nodes []ring.Node) ([]ring.Node, error) {
	nodes = slices.Clone(nodes)
	var err error
	for _, s := range c.steps {
		if nodes, err = s.apply(nodes); err != nil {
			return nil, err
		}
	}
	if len(nodes) > MaxNodes {
		return nil, &InputError{What: "change", Found: quote(c.String()), Want: fmt.Sprintf("at most %d nodes in all", MaxNodes)}
	}
	return nodes, checkFleet("change", nodes)
}

func (s step) apply(nodes []ring.Node) ([]ring.Node, error) {
	switch {
	case s.op == '+' && s.count > 0:
		return append(nodes, freshNodes(nodes, s.count)...), nil
	case s.op == '-' && s.count > 0:
		return s.removeMiddle(nodes)
	}
	i := slices.IndexFunc(nodes, func(n ring.Node) bool { return n.ID == s.node.ID })
	if s.op == '+' {
		if i >= 0 {
			return nil, &InputError{What: "change", Found: quote(s.String()), Want: "an ID that is not in the fleet yet"}
		}
		return append(nodes, s.node), nil
	}
	if i < 0 {
		return nil, &InputError{What: "change", Found: quote(s.String()), Want: "the ID of a node in the fleet (" + someIDs(nodes) + ")"}
	}
	if s.op == '=' {
		nodes[i].Weight = s.node.Weight
		return nodes, nil
	}
	if len(nodes) == 1 {
		return nil, &InputError{What: "change", Found: quote(s.String()), Want: "at least one node left"}
	}
	return slices.Delete(nodes, i, i+1), nil
}

func (s step) removeMiddle(nodes []ring.Node) ([]ring.Node, error) {
	n := len(nodes)
	if s.count >= n {
		return nil, &InputError{What: "change", Found: quote(s.String()), Want: fmt.Sprintf("at least one of the %d nodes left", n)}
	}
	for i := s.count - 1; i >= 0; i-- { // from the back: positions before stay valid
		at := (2*i + 1) * (n - 1) / (2 * s.count)
		nodes = slices.Delete(nodes, at, at+1)
	}
	return nodes, nil
}

func freshNodes(nodes []ring.Node, count int) []ring.Node {
	taken := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		taken[n.ID] = true
	}
	fresh := make([]ring.Node, 0, count)
	for i := len(nodes) + 1; len(fresh) < count; i++ {
		if id := nodeName(i); !taken[id] {
			fresh = append(fresh, ring.Node{ID: id, Weight: 1})
		}
	}
	return fresh
}

// someIDs names the first few nodes, for an error on one line.
func someIDs(nodes []ring.Node) string {
	const shown = 4
	var ids []string
	for _, n := range nodes[:min(shown, len(nodes))] {
		ids = append(ids, printable.Text(n.ID))
	}
	if len(nodes) > shown {
		ids = append(ids, "…")
	}
	return strings.Join(ids, ", ")
}

// String returns the change in the grammar of ParseChange.
func (c Change) String() string {
	parts := make([]string, len(c.steps))
	for i, s := range c.steps {
		parts[i] = s.String()
	}
	return strings.Join(parts, ",")
}

func (s step) String() string {
	if s.count > 0 {
		return string(s.op) + strconv.Itoa(s.count)
	}
	out := string(s.op) + s.node.ID
	if s.op == '=' || s.op == '+' && (s.node.Weight != 1 || s.node.Zone != "") {
		out += ":" + strconv.FormatFloat(s.node.Weight, 'g', -1, 64)
	}
	if s.node.Zone != "" {
		out += ":" + s.node.Zone
	}
	return out
}
