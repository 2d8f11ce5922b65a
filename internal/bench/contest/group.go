package contest

import (
	"regexp"

	"github.com/ringway/ringway/internal/bench"
)

// A Group is an operation, and the clients that are measured doing it.
type Group struct {
	Name       string // the first part of what -only matches
	Title      string
	Goroutines int
	Batch      int    // keys that an operation takes
	Counted    string // what Environment.Count is given, in the plural; "": nothing
	Contenders []Contender
}

// A Contender is a client as its documentation has it, set up for as many
// goroutines as use it.
type Contender struct {
	Name string
	Note string
	// Open makes the client; the environment closes it.
	Open func(e *Environment) (Operation, error)
}

// An Operation reads the keys, of which there are as many as the group's Batch,
// and fails if a value is not the one that was stored. It is called by all
// goroutines at the same time.
type Operation func(keys []string) error

// NameOf is what a round calls the contender's time, in nanoseconds an operation.
func (g Group) NameOf(c Contender) string { return g.Name + "/" + c.Name }

// Allocations is what a round calls those of the benchmark, each operation.
func Allocations(name string) string { return name + " allocations" }

// Processors is what a round calls the time that an operation of the benchmark took of
// the processors, in nanoseconds: the program's own, without its servers.
func Processors(name string) string { return name + " processors" }

// Counted is what a round calls what the benchmark counted, each operation.
func Counted(name string) string { return name + " counted" }

// Every client reads the same keys, so many, in the same order.
const KeyCount = 10_000

// Keys returns them; do not change the slice.
func Keys() []string { return bench.Keys()[:KeyCount] }

// matching returns the groups with those of their contenders whose names the
// pattern matches, and without the groups in which there are none.
func matching(all []Group, pattern *regexp.Regexp) []Group {
	var some []Group
	for _, g := range all {
		var matched []Contender
		for _, c := range g.Contenders {
			if pattern.MatchString(g.NameOf(c)) {
				matched = append(matched, c)
			}
		}
		if g.Contenders = matched; len(matched) > 0 {
			some = append(some, g)
		}
	}
	return some
}

func listOf(all []Group) (text string) {
	for _, g := range all {
		for _, c := range g.Contenders {
			text += "  " + g.NameOf(c) + "\n"
		}
	}
	return text
}
