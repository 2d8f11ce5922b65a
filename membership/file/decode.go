package file

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
	"github.com/ringway/ringway/membership"
)

var (
	fileFields   = []string{"members", "epoch"}
	memberFields = []string{"id", "kind", "address", "weight", "zone", "state", "health"}

	kinds  = []membership.Kind{membership.Redis, membership.Memcached, membership.Router}
	states = []membership.State{membership.Joining, membership.Announced, membership.Importing, membership.Active,
		membership.Leaving, membership.Exporting, membership.Left}
	healths = []membership.Health{membership.Unhealthy, membership.Dead}
)

// maxEpoch leaves room for the changes of a file that names no more epochs, each of
// which counts on by one. (Gossip counts to 2^52 - 1.)
const maxEpoch = 1 << 62

// document is what a file says.
type document struct {
	epoch   *epoch // nil: none is named
	members []membership.Member
}

type epoch struct {
	value uint64
	at    position
}

// parse reads the content of a file. The members come back as in a view:
// checked, with defaults, in the order of their IDs.
func parse(content []byte) (document, error) {
	var doc document
	root, err := load(content)
	if err != nil {
		return doc, err
	}
	hasMembers := false
	err = eachField(root, "the file", fileFields, func(name string, value ast.Node) (err error) {
		if name == "members" {
			hasMembers = true
			doc.members, err = decodeMembers(value)
			return err
		}
		doc.epoch = &epoch{at: positionOf(value.GetToken())}
		doc.epoch.value, err = wholeNumber(value, name)
		return err
	})
	if err == nil && !hasMembers {
		err = positionOf(root.GetToken()).fault("no members, want a list, be it empty: members: []")
	}
	return doc, err
}

func decodeMembers(list ast.Node) ([]membership.Member, error) {
	at := positionOf(list.GetToken())
	items, ok := list.(*ast.SequenceNode)
	if !ok {
		return nil, at.fault("members: got %s, want a list", describeNode(list))
	}
	members := make([]membership.Member, 0, len(items.Values))
	places := make(map[string]position, len(items.Values))
	for _, item := range items.Values {
		m, at, err := decodeMember(item)
		if err != nil {
			return nil, err
		}
		if first, twice := places[m.ID]; twice {
			return nil, at.fault("id %q is given twice, first at %d:%d", m.ID, first.line, first.column)
		}
		places[m.ID] = at
		members = append(members, m)
	}
	view, err := membership.NewView(0, members...)
	if err != nil {
		return nil, at.fault("%v", err)
	}
	return view.Members, nil
}

// decodeMember reads one member, and returns the place of its ID.
func decodeMember(item ast.Node) (m membership.Member, at position, err error) {
	start := positionOf(item.GetToken())
	if mapping, ok := item.(*ast.MappingNode); ok && len(mapping.Values) > 0 {
		start = positionOf(mapping.Values[0].Key.GetToken())
	}
	places := make(map[string]position, len(memberFields))
	err = eachField(item, "a member", memberFields, func(name string, value ast.Node) (err error) {
		places[name] = positionOf(value.GetToken())
		switch name {
		case "id":
			m.ID, err = text(value, name)
		case "address":
			m.Address, err = text(value, name)
		case "zone":
			m.Zone, err = text(value, name)
		case "weight":
			m.Weight, err = weight(value)
		case "kind":
			m.Kind, err = word(value, name, kinds)
		case "state":
			m.State, err = word(value, name, states)
		case "health":
			m.Health, err = word(value, name, healths)
		}
		return err
	})
	if err != nil {
		return m, at, err
	}
	for _, name := range []string{"id", "address"} {
		if _, given := places[name]; !given && (name == "id" || m.Kind != membership.Router) {
			return m, at, start.fault("a member without %s, want one", name)
		}
	}
	if _, err := membership.NewView(0, m); err != nil {
		if at, found := blame(m, places); found {
			start = at
		}
		return m, at, start.fault("%v", err)
	}
	return m, places["id"], nil
}

// blame finds the field that is at fault: the one without which the member is
// accepted.
func blame(m membership.Member, places map[string]position) (position, bool) {
	for field, without := range map[string]func(m *membership.Member){
		"id":      func(m *membership.Member) { m.ID = "a" },
		"address": func(m *membership.Member) { m.Address = "h:1" },
		"zone":    func(m *membership.Member) { m.Zone = "" },
		"weight":  func(m *membership.Member) { m.Weight = 1 },
	} {
		at, given := places[field]
		probe := m
		without(&probe)
		if _, err := membership.NewView(0, probe); err == nil && given {
			return at, true
		}
	}
	return position{}, false
}

// eachField calls visit for each field of a mapping, and refuses those that are
// not known.
func eachField(node ast.Node, what string, known []string, visit func(name string, value ast.Node) error) error {
	var fields []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		fields = n.Values
	case *ast.MappingValueNode:
		fields = []*ast.MappingValueNode{n}
	default:
		return positionOf(node.GetToken()).fault("%s: got %s, want the fields %s", what, describeNode(node), listed(known))
	}
	seen := make(map[string]bool, len(fields))
	for _, f := range fields {
		at := positionOf(f.Key.GetToken())
		key, ok := f.Key.(*ast.StringNode)
		if !ok {
			return at.fault("%s: got the field %s, want one of %s", what, shown(f.Key.GetToken().Value), listed(known))
		}
		if !slices.Contains(known, key.Value) {
			return at.fault("%s: unknown field %s%s; want one of %s", what, shown(key.Value), meant(key.Value, known), listed(known))
		}
		if seen[key.Value] {
			return at.fault("%s: field %q is there twice", what, key.Value)
		}
		seen[key.Value] = true
		if err := visit(key.Value, f.Value); err != nil {
			return err
		}
	}
	return nil
}

func text(node ast.Node, field string) (string, error) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, nil
	case *ast.LiteralNode:
		return n.Value.Value, nil
	}
	at, hint := positionOf(node.GetToken()), ""
	switch node.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		hint = ": put it in quotes"
	}
	return "", at.fault("%s: got %s, want a text%s", field, describeNode(node), hint)
}

// word reads one of the words that a field may hold.
func word[T ~string](node ast.Node, field string, known []T) (T, error) {
	s, err := text(node, field)
	if err != nil {
		return "", err
	}
	if !slices.Contains(known, T(s)) {
		return "", positionOf(node.GetToken()).fault("%s: got %s%s; want one of %s", field, shown(s), meant(s, known), listed(known))
	}
	return T(s), nil
}

func weight(node ast.Node) (float64, error) {
	plain := false
	switch n := node.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		plain = true
	case *ast.StringNode: // the library takes 1e3 for a text
		plain = n.Token.Type == token.StringType
	}
	w, err := strconv.ParseFloat(node.GetToken().Value, 64)
	if !plain || err != nil || strings.ContainsAny(node.GetToken().Value, "xX_pPnN") {
		return 0, positionOf(node.GetToken()).fault("weight: got %s, want a decimal number", describeNode(node))
	}
	if w == 0 { // to membership that is the default
		return 0, positionOf(node.GetToken()).fault("weight: got 0, want above 0: a node that shall own nothing is left out")
	}
	return w, nil
}

func wholeNumber(node ast.Node, field string) (uint64, error) {
	if n, ok := node.(*ast.IntegerNode); ok && n.Token.Type == token.IntegerType {
		if v, err := strconv.ParseUint(n.Token.Value, 10, 64); err == nil && v > 0 && v <= maxEpoch {
			return v, nil
		}
	}
	return 0, positionOf(node.GetToken()).fault("%s: got %s, want a whole number from 1 to 2^62", field, describeNode(node))
}
