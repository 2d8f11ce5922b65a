package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// A decoder turns the nodes of a file into values. After the first thing that is
// wrong, which err holds, everything it returns is zero.
type decoder struct {
	file string
	err  error
}

// An object is the fields of one mapping.
type object struct {
	d      *decoder
	path   string // "fleet", "placements[2]"; empty for the file itself
	node   ast.Node
	fields map[string]ast.Node
}

// object reads a mapping, and refuses fields that are not known.
func (d *decoder) object(node ast.Node, path string, known []string) object {
	o := object{d: d, path: path, node: node, fields: make(map[string]ast.Node)}
	if d.err != nil {
		return o
	}
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.fail(node, path, describe(node), "the fields "+strings.Join(known, ", "))
	}
	for _, v := range values {
		key, isText := v.Key.(*ast.StringNode)
		switch {
		case !isText:
			d.fail(v.Key, path, "the field "+describe(v.Key), oneOf("", known))
		case !slices.Contains(known, key.Value):
			d.fail(v.Key, path, "the unknown field "+quote(key.Value), oneOf(key.Value, known))
		default: // the parser has refused fields that are there twice
			o.fields[key.Value] = v.Value
		}
	}
	return o
}

func (o object) has(field string) bool { return o.fields[field] != nil }

func (o object) at(field string) string {
	if o.path == "" {
		return field
	}
	return o.path + "." + field
}

func (o object) fail(field, found, want string) { o.d.fail(o.fields[field], o.at(field), found, want) }

// require refuses a mapping without that field.
func (o object) require(field, want string) {
	if !o.has(field) {
		o.d.fail(o.node, o.at(field), "nothing", want)
	}
}

// list returns the items of a list; a single value is a list of one.
func (o object) list(field string) []ast.Node {
	switch n := o.fields[field].(type) {
	case nil:
		return nil
	case *ast.SequenceNode:
		return n.Values
	default:
		return []ast.Node{n}
	}
}

// texts returns the items of a list of texts. Neither a single value is one, which
// would be a slip of the hand where a number is possible too, nor is a list of
// numbers.
func (o object) texts(field, want string) (texts []string) {
	if !o.has(field) || o.d.err != nil {
		return nil
	}
	list, isList := o.fields[field].(*ast.SequenceNode)
	if !isList || len(list.Values) == 0 {
		o.fail(field, describe(o.fields[field]), want)
		return nil
	}
	for _, item := range list.Values {
		text, isText := item.(*ast.StringNode)
		if !isText || text.Value == "" || strings.Contains(text.Value, ",") || strings.Trim(text.Value, "0123456789") == "" {
			o.d.fail(item, o.at(field), describe(item), want)
			return nil
		}
		texts = append(texts, text.Value)
	}
	return texts
}

// scalar returns a plain value as it is written, quotes apart.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// text returns a field's text; "" where there is none.
func (o object) text(field string) string {
	node := o.fields[field]
	if node == nil || o.d.err != nil {
		return ""
	}
	if s, ok := node.(*ast.StringNode); ok && s.Value != "" {
		return s.Value
	}
	if s, ok := node.(*ast.LiteralNode); ok {
		return strings.TrimSpace(s.Value.Value)
	}
	o.fail(field, describe(node), "a text")
	return ""
}

// word returns a field that is one of several words.
func (o object) word(field, otherwise string, known ...string) string {
	if !o.has(field) || o.d.err != nil {
		return otherwise
	}
	got, plain := scalar(o.fields[field])
	if b, isBool := o.fields[field].(*ast.BoolNode); isBool { // off and on are words here
		got, plain = b.Token.Value, true
	}
	if !plain || !slices.Contains(known, got) {
		o.fail(field, describe(o.fields[field]), oneOf(got, known))
		return otherwise
	}
	return got
}

func (o object) boolean(field string, otherwise bool) bool {
	if !o.has(field) || o.d.err != nil {
		return otherwise
	}
	b, ok := o.fields[field].(*ast.BoolNode)
	if !ok {
		o.fail(field, describe(o.fields[field]), "true or false")
		return otherwise
	}
	return b.Value
}

// digits returns a whole number as it is written, without the underscores that
// may set its thousands apart.
func digits(node ast.Node) (string, bool) {
	if n, ok := node.(*ast.IntegerNode); ok && n.Token.Type == token.IntegerType {
		plain := strings.ReplaceAll(n.Token.Value, "_", "")
		return plain, strings.Trim(plain, "0123456789") == ""
	}
	return "", false
}

// whole returns a whole number from low to high.
func (o object) whole(field string, otherwise, low, high int64) int64 {
	if !o.has(field) || o.d.err != nil {
		return otherwise
	}
	text, ok := digits(o.fields[field])
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || n < low || n > high {
		o.fail(field, describe(o.fields[field]), fmt.Sprintf("a whole number from %d to %d", low, high))
		return otherwise
	}
	return n
}

func (o object) seed(field string, otherwise uint64) uint64 {
	if !o.has(field) || o.d.err != nil {
		return otherwise
	}
	text, ok := digits(o.fields[field])
	n, err := strconv.ParseUint(text, 10, 64)
	if !ok || err != nil {
		o.fail(field, describe(o.fields[field]), "a whole number from 0 to 18446744073709551615")
	}
	return n
}

// number returns a decimal number from low to high.
func (o object) number(field string, otherwise, low, high float64) float64 {
	if !o.has(field) || o.d.err != nil {
		return otherwise
	}
	node := o.fields[field]
	text, ok := digits(node)
	if f, isFloat := node.(*ast.FloatNode); isFloat {
		text, ok = f.Token.Value, !strings.ContainsAny(f.Token.Value, "_xXpP")
	}
	x, err := strconv.ParseFloat(text, 64)
	if !ok || err != nil || !(x >= low && x <= high) {
		o.fail(field, describe(node), fmt.Sprintf("a number from %g to %g", low, high))
		return otherwise
	}
	return x
}

// A moment is a time as a file gives it: requests, seconds, or a part of all
// requests.
type moment struct {
	requests int64
	seconds  float64
	part     float64 // of the requests, from 0 to 1
	node     ast.Node
	path     string
}

const wantMoment = "a number of requests, a time such as 20s or 500ms, or a part of the requests such as 50%"

func (o object) moment(field string) moment {
	m := moment{node: o.fields[field], path: o.at(field)}
	if m.node == nil || o.d.err != nil {
		return m
	}
	if text, ok := digits(m.node); ok {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n > 1<<40 {
			o.fail(field, describe(m.node), "at most 2^40 requests")
		}
		m.requests = n
		return m
	}
	text, _ := scalar(m.node)
	if part, isPart := strings.CutSuffix(text, "%"); isPart {
		x, err := strconv.ParseFloat(part, 64)
		if err != nil || !(x >= 0 && x <= 100) || strings.ContainsAny(part, "_xXpP") {
			o.fail(field, describe(m.node), "0% to 100%")
		}
		m.part = x / 100
		return m
	}
	long, err := time.ParseDuration(text)
	if err != nil || long < 0 {
		o.fail(field, describe(m.node), wantMoment)
		return m
	}
	m.seconds = long.Seconds()
	return m
}
