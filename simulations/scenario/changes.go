package scenario

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ringway/ringway/simulations"
)

var (
	changeKinds  = []string{"join", "leave", "weight", "double", "fail", "fail_zone", "return", "return_zone", "flap", "rolling_restart"}
	changeFields = append([]string{"at"}, append(changeKinds, "data", "times", "down", "up")...)
)

// A change is one entry of the time line, and where it stands in the file.
type change struct {
	simulations.FleetChange
	at, down, up moment
	node         ast.Node
	path         string
}

// changes reads a time line.
func (o object) changes() []change {
	var all []change
	for i, item := range o.list("changes") {
		c := change{node: item, path: fmt.Sprintf("%s[%d]", o.at("changes"), i+1)}
		if c.read(o.d.object(item, c.path, changeFields)); o.d.err != nil {
			return nil
		}
		all = append(all, c)
	}
	return all
}

func (c *change) read(o object) {
	o.require("at", wantMoment)
	c.at = o.moment("at")
	kind := ""
	for _, k := range changeKinds {
		if o.has(k) {
			if kind != "" {
				o.fail(k, k+" beside "+kind, "one change an entry")
			}
			kind = k
		}
	}
	if kind == "" {
		o.d.fail(o.node, o.path, "no change", "one of "+strings.Join(changeKinds, ", "))
	}
	if o.d.err != nil {
		return
	}
	c.readKind(o, kind)
	c.readExtras(o, kind)
}

// readKind reads what the change is about.
func (c *change) readKind(o object, kind string) {
	switch kind {
	case "join":
		c.reshape(o, kind, "+")
	case "leave":
		c.reshape(o, kind, "-")
	case "weight":
		c.reshape(o, kind, "=")
	case "double", "rolling_restart":
		c.Kind = simulations.Double
		if kind != "double" {
			c.Kind = simulations.RollingRestart
		}
		if !o.boolean(kind, true) {
			o.fail(kind, "false", "true")
		}
	case "fail", "flap":
		c.Kind = simulations.Fail
		if kind == "flap" {
			c.Kind = simulations.Flap
		}
		c.which(o, kind)
	case "return":
		c.Kind = simulations.Return
		if c.Node = o.text(kind); c.Node == "all" {
			c.Node = ""
		}
	case "fail_zone":
		c.Kind, c.Zone = simulations.Fail, o.text(kind)
	case "return_zone":
		c.Kind, c.Zone = simulations.Return, o.text(kind)
	}
}

// which reads a number of nodes or the ID of one.
func (c *change) which(o object, kind string) {
	if _, isNumber := digits(o.fields[kind]); isNumber {
		most := int64(simulations.MaxNodes)
		if kind == "flap" {
			most = 1
		}
		c.Count = int(o.whole(kind, 1, 1, most))
		return
	}
	c.Node = o.text(kind)
}

var wantReshape = map[string]string{
	"join":   "a number of nodes, or a list of id, id:weight or id:weight:zone",
	"leave":  "a number of nodes, an ID, or a list of them",
	"weight": "id:weight, or a list of them",
}

// reshape reads nodes in the grammar of simulations.ParseChange, without the sign.
// The ID of one node that leaves or is weighed anew need not stand in a list: a
// word that is none is found out.
func (c *change) reshape(o object, kind, sign string) {
	var parts []string
	count, isCount := digits(o.fields[kind])
	one, isText := o.fields[kind].(*ast.StringNode)
	switch {
	case isCount && kind != "weight":
		parts = []string{count}
	case isText && kind != "join" && !strings.Contains(one.Value, ","):
		parts = []string{one.Value}
	default:
		parts = o.texts(kind, wantReshape[kind])
	}
	if o.d.err != nil {
		return
	}
	for i := range parts {
		parts[i] = sign + parts[i]
	}
	parsed, err := simulations.ParseChange(strings.Join(parts, ","))
	if err != nil {
		o.fail(kind, describe(o.fields[kind]), wantReshape[kind])
	}
	c.Kind, c.Change = simulations.Reshape, parsed
}

// readExtras reads the fields that some kinds have.
func (c *change) readExtras(o object, kind string) {
	cycles := kind == "flap" || kind == "rolling_restart"
	for _, extra := range []struct {
		field   string
		allowed bool
		with    string
	}{
		{"data", cycles || c.Kind == simulations.Return, "return, return_zone, flap or rolling_restart"},
		{"times", kind == "flap", "flap"},
		{"down", cycles, "flap or rolling_restart"},
		{"up", cycles, "flap or rolling_restart"},
	} {
		if o.has(extra.field) && !extra.allowed {
			o.fail(extra.field, "the field with "+kind, "it with "+extra.with)
		}
	}
	c.Keep = o.word("data", "purged", "kept", "purged") == "kept"
	if kind == "flap" {
		o.require("times", "how many times the node fails")
		c.Times = int(o.whole("times", 1, 1, 10_000))
	}
	if cycles {
		o.require("down", "how long a node is down")
		o.require("up", "how long until the next one goes down")
	}
	c.down, c.up = o.moment("down"), o.moment("up")
}
