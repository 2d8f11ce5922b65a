package command

import (
	"fmt"
	"slices"
	"strings"
)

// builtin holds the commands of redis7.go and later.go, with what routes.go
// says of them.
var builtin = build()

var shelved = newShelf(builtin)

// build panics where the files contradict each other: a test runs it.
func build() map[string]*Command {
	all := make(map[string]*Definition)
	for _, d := range slices.Concat(redis7(), later()) {
		if all[d.Name] != nil {
			panic("command: defined twice: " + d.Name)
		}
		all[d.Name] = &d
	}
	decide(all)
	table := make(map[string]*Command, 3*len(all))
	// Containers come before their subcommands.
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := all[name].check(); err != nil {
			panic(fmt.Sprintf("%v; routes.go must say where it goes", err))
		}
		if all[name].movable && all[name].find == bySpecs {
			panic("command: specs do not tell the keys of " + name)
		}
		container, _, _ := strings.Cut(name, " ")
		insert(table, find(table, container), *all[name])
	}
	return table
}

func decide(all map[string]*Definition) {
	each := func(names string, f func(d *Definition)) {
		for name := range strings.SplitSeq(names, ",") {
			name = strings.Join(strings.Fields(name), " ")
			if all[name] == nil {
				panic("command: routes.go speaks of an unknown command: " + name)
			}
			f(all[name])
		}
	}
	for name, d := range all {
		switch {
		case d.container:
			d.Route, d.Reason = Refused, ReasonSubcommand
		case strings.HasSuffix(name, " HELP"):
			d.Route = AnyNode
		}
	}
	for _, r := range routes {
		each(r.names, func(d *Definition) {
			if d.Route != OneNode {
				panic("command: routes.go speaks twice of " + d.Name)
			}
			d.Route, d.Combine, d.Reason = r.route, r.combine, r.reason
		})
	}
	for _, a := range accesses {
		each(a.names, func(d *Definition) { d.Keys[a.spec].Access = a.access })
	}
	for _, c := range channels {
		each(c.names, func(d *Definition) { d.Keys = []KeySpec{c.spec} })
	}
	for _, o := range optional {
		each(o.names, func(d *Definition) { d.options = o.options })
	}
	for _, f := range finders {
		each(f.names, func(d *Definition) { d.find = f.find })
	}
	for _, b := range blocking {
		each(b.names, func(d *Definition) { d.Blocking = b.blocking })
	}
	for _, r := range refusals {
		each(r.names, func(d *Definition) { d.notWith = r.word })
	}
}
