package simulations

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/cli/printable"
	"github.com/ringway/ringway/ring"
)

// MaxNodes is the largest fleet that is simulated. A number beyond it is a slip
// of the hand rather than a fleet.
const MaxNodes = 100_000

// InputError reports an input that no simulation can be run with: what it was
// given for, what was found and what was expected. Nothing was run when it is
// returned.
type InputError struct {
	What  string // "nodes", "change", "keys" …
	Found string
	Want  string
	Err   error // the cause where there is one: a *ring.InputError, a file error
}

func (e *InputError) Error() string {
	return fmt.Sprintf("simulations: %s: found %s, expected %s", e.What, e.Found, e.Want)
}

func (e *InputError) Unwrap() error { return e.Err }

const wantNodes = "a number of nodes or a list id[:weight[:zone]],…"

// ParseNodes reads a fleet: a number N, which stands for the nodes node1 …
// nodeN of weight 1, or a list of id[:weight[:zone]] separated by commas. The
// order is that of the list. An ID is not a bare number (it would read as a
// count) and holds no ':', ',', '@' or space; IDs and zones are valid UTF-8 of
// printable characters (unicode.IsPrint), since reports show them. A list of one
// node is an ID without anything else.
func ParseNodes(text string) ([]ring.Node, error) {
	if isNumber(text) {
		n, err := parseCount("nodes", text)
		if err != nil {
			return nil, err
		}
		nodes := make([]ring.Node, n)
		for i := range nodes {
			nodes[i] = ring.Node{ID: nodeName(i + 1), Weight: 1}
		}
		return nodes, nil
	}
	parts := strings.Split(text, ",")
	if len(parts) > MaxNodes {
		return nil, &InputError{What: "nodes", Found: fmt.Sprintf("a list of %d", len(parts)), Want: fmt.Sprintf("at most %d nodes", MaxNodes)}
	}
	nodes := make([]ring.Node, 0, len(parts))
	for _, part := range parts {
		node, err := parseNode("nodes", part, wantNodes)
		if err != nil {
			return nil, err
		}
		nodes = append(nodes, node)
	}
	return nodes, checkFleet("nodes", nodes)
}

func nodeName(i int) string { return "node" + strconv.Itoa(i) }

// isNumber reports whether the text is digits alone, with or without a minus:
// then it was meant as a number, and is judged as one.
func isNumber(text string) bool {
	digits := strings.TrimPrefix(text, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}

// parseCount reads a number of nodes.
func parseCount(what, text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxNodes {
		return 0, &InputError{What: what, Found: quote(text), Want: fmt.Sprintf("1 to %d nodes", MaxNodes)}
	}
	return n, nil
}

// parseNode reads id[:weight[:zone]].
func parseNode(what, text, want string) (ring.Node, error) {
	id, rest, weighted := strings.Cut(text, ":")
	node := ring.Node{ID: id, Weight: 1}
	if err := checkID(what, id, want); err != nil {
		return node, err
	}
	if !weighted {
		return node, nil
	}
	weight, zone, zoned := strings.Cut(rest, ":")
	w, err := strconv.ParseFloat(weight, 64)
	if err != nil || !(w > 0 && w <= ring.MaxWeight) || math.IsInf(w, 0) {
		return node, &InputError{What: what, Found: quote(text), Want: fmt.Sprintf("a weight above 0 and at most %d after the ID", ring.MaxWeight)}
	}
	node.Weight, node.Zone = w, zone
	if zoned && (zone == "" || strings.Contains(zone, ":")) {
		return node, &InputError{What: what, Found: quote(text), Want: "id[:weight[:zone]] with a zone that is not empty and holds no ':'"}
	}
	if !printable.Is(zone) {
		return node, &InputError{What: what, Found: quote(text), Want: "a zone of printable characters"}
	}
	return node, nil
}

func checkID(what, id, want string) error {
	switch {
	case id == "":
		return &InputError{What: what, Found: "an empty ID", Want: want}
	case isNumber(id):
		return &InputError{What: what, Found: quote(id), Want: "an ID that is not a bare number"}
	case strings.ContainsAny(id, " @") || !printable.Is(id):
		return &InputError{What: what, Found: quote(id), Want: "an ID of printable characters without spaces or '@'"}
	}
	return nil
}

// checkFleet applies the rules that every placement shares.
func checkFleet(what string, nodes []ring.Node) error {
	if err := ring.ValidateNodes(nodes); err != nil {
		return inputError(what, err)
	}
	return nil
}

// inputError restates an error of package ring in the terms of this one.
func inputError(what string, err error) error {
	out := &InputError{What: what, Found: err.Error(), Want: "another value", Err: err}
	if bad := (*ring.InputError)(nil); errors.As(err, &bad) {
		out.Found, out.Want = bad.Err.Error()+" "+quote(fmt.Sprint(bad.Value)), bad.Want
	}
	return out
}

// quote shows what was found on one line and never at length.
func quote(s string) string { return printable.Quote(s) }

// totalWeight adds in list order, so that equal fleets give equal sums.
func totalWeight(nodes []ring.Node) float64 {
	total := 0.0
	for _, n := range nodes {
		total += n.Weight
	}
	return total
}
