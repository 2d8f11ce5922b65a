package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/simulations"
)

var (
	fleetFields = []string{"nodes", "zones", "capacity", "copies", "reads", "bounded_load", "migration", "sweep", "evict_after",
		"use_zones", "vnodes", "hash", "hash_seed"}
	placementFields = append([]string{"placement", "name", "changes"}, fleetFields...)
)

// defaultEviction is how long ringway lets a node be down, in seconds.
const defaultEviction = 30

// A fleet is one row of the results, and where it stands in the file.
type fleet struct {
	simulations.Variant
	zones      []string
	evictAfter moment
	changes    []change
	node       ast.Node
	path       string
	fields     map[string]ast.Node // last given, by what errors of simulations call them
	paths      map[string]string
}

// parseFleets reads what all rows have in common, and the rows.
func (s *Scenario) parseFleets(o object) {
	common := fleet{path: "fleet", evictAfter: moment{seconds: defaultEviction}, fields: map[string]ast.Node{}, paths: map[string]string{}}
	o.require("fleet", "the nodes: the fields "+strings.Join(fleetFields, ", "))
	if o.has("fleet") {
		common.read(o.d.object(o.fields["fleet"], "fleet", fleetFields))
	}
	common.changes = o.changes()
	o.require("placements", "a list such as [ring, modulo]")
	items := o.list("placements")
	if len(items) == 0 && o.has("placements") {
		o.fail("placements", "an empty list", "at least one of "+strings.Join(simulations.Algorithms(), ", "))
	}
	for i, item := range items[:min(len(items), simulations.MaxVariants+1)] { // one more is refused
		f := common
		f.fields, f.paths = cloneMap(common.fields), cloneMap(common.paths)
		f.node, f.path = item, fmt.Sprintf("placements[%d]", i+1)
		f.readPlacement(o.d, item)
		f.complete(o)
		if o.d.err != nil {
			return
		}
		if slices.ContainsFunc(s.fleets, func(other fleet) bool { return other.Name == f.Name }) {
			o.d.fail(item, f.path, "the name "+quote(f.Name)+" a second time", "a name for each")
		}
		s.fleets = append(s.fleets, f)
	}
}

func cloneMap[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// readPlacement reads one row: the name of a placement, or fields.
func (f *fleet) readPlacement(d *decoder, item ast.Node) {
	if name, isText := item.(*ast.StringNode); isText {
		f.Algorithm = name.Value
		if !slices.Contains(simulations.Algorithms(), name.Value) {
			d.fail(item, f.path, quote(name.Value), oneOf(name.Value, simulations.Algorithms()))
		}
		f.Name = f.Algorithm
		return
	}
	o := d.object(item, f.path, placementFields)
	o.require("placement", "one of "+strings.Join(simulations.Algorithms(), ", "))
	f.Algorithm = o.word("placement", "", simulations.Algorithms()...)
	f.Name = f.Algorithm
	if o.has("name") {
		f.Name = o.text("name")
		if d.err == nil && !isName(f.Name) {
			o.fail("name", quote(f.Name), "letters, digits and '_', beginning with a letter, 15 at most: assertions use it")
		}
	}
	f.read(o)
	if o.has("changes") {
		f.changes = o.changes()
	}
}

func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && len(s) <= 15 && s[0] != '_'
}

// read takes up the fields that are given; the others stay as they are.
func (f *fleet) read(o object) {
	for field, node := range o.fields {
		f.fields[field], f.paths[field] = node, o.at(field)
	}
	f.readNodes(o)
	if o.has("capacity") && o.d.err == nil {
		text, _ := scalar(o.fields["capacity"])
		if plain, ok := digits(o.fields["capacity"]); ok {
			text = plain
		}
		var err error
		if f.Capacity, err = simulations.ParseCapacity(text); err != nil {
			o.fail("capacity", describe(o.fields["capacity"]), wantOf(err))
		}
	}
	f.Copies = int(o.whole("copies", int64(f.Copies), 1, simulations.MaxCopies))
	f.SpreadReads = o.word("reads", map[bool]string{true: "spread", false: "first"}[f.SpreadReads], "first", "spread") == "spread"
	f.Bounded = o.offOr("bounded_load", f.Bounded, 1.000001, 1_000_000)
	f.Migration = o.offOr("migration", f.Migration, 1, 1e12)
	f.Sweep = o.boolean("sweep", f.Sweep)
	if o.has("evict_after") {
		f.evictAfter = o.moment("evict_after")
	}
	f.IgnoreZones = !o.boolean("use_zones", !f.IgnoreZones)
	f.readOptions(o)
}

// offOr returns a number from low to high, or 0 for off.
func (o object) offOr(field string, otherwise, low, high float64) float64 {
	if !o.has(field) {
		return otherwise
	}
	text, _ := scalar(o.fields[field])
	if b, isBool := o.fields[field].(*ast.BoolNode); isBool && !b.Value || text == "off" {
		return 0
	}
	return o.number(field, otherwise, low, high)
}

func (f *fleet) readNodes(o object) {
	if o.has("nodes") && o.d.err == nil {
		text, isCount := digits(o.fields["nodes"])
		if !isCount {
			text = strings.Join(o.texts("nodes", "a number of nodes, or a list of id, id:weight or id:weight:zone"), ",")
		}
		if o.d.err != nil {
			return
		}
		nodes, err := simulations.ParseNodes(text)
		if err != nil {
			o.fail("nodes", foundIn(err), wantOf(err))
		}
		f.Nodes = nodes
	}
	if !o.has("zones") {
		return
	}
	const want = "a list of names of zones, which the nodes get in turn"
	f.zones = o.texts("zones", want)
	for i, zone := range f.zones {
		if _, err := simulations.ParseNodes("a:1:" + zone); err != nil {
			o.d.fail(o.list("zones")[i], o.at("zones"), quote(zone), want)
		}
	}
}

func (f *fleet) readOptions(o object) {
	f.Options.VirtualNodes = int(o.whole("vnodes", int64(f.Options.VirtualNodes), 1, ring.MaxTokens))
	if o.has("hash") {
		function, err := ring.ParseHashFunction(o.word("hash", "xxhash64", "xxhash64", "murmur3"))
		if err == nil {
			f.Options.Hasher.Function = function
		}
	}
	f.Options.Hasher.Seed = o.seed("hash_seed", f.Options.Hasher.Seed)
}

// complete checks what a row must have, and gives the nodes their zones.
func (f *fleet) complete(o object) {
	missing := func(field, want string) {
		if o.d.err == nil && f.fields[field] == nil {
			o.d.fail(o.fields["fleet"], "fleet."+field, "nothing", want)
		}
	}
	missing("nodes", "a number of nodes, or a list")
	missing("capacity", "what a node holds, such as 4000 (items) or 64MB")
	nodes := slices.Clone(f.Nodes)
	for i := range nodes {
		if len(f.zones) > 0 && nodes[i].Zone == "" {
			nodes[i].Zone = f.zones[i%len(f.zones)]
		}
	}
	f.Nodes = nodes
	if o.d.err == nil && f.Copies > len(nodes) {
		o.d.fail(f.fields["copies"], f.paths["copies"], fmt.Sprintf("%d copies on %d nodes", f.Copies, len(nodes)), "at most a copy a node")
	}
}

// foundIn and wantOf take the words out of an error of package simulations.
func foundIn(err error) string {
	if input := (*simulations.InputError)(nil); errors.As(err, &input) {
		return input.Found
	}
	return err.Error()
}

func wantOf(err error) string {
	if input := (*simulations.InputError)(nil); errors.As(err, &input) {
		return input.Want
	}
	return "another value"
}
