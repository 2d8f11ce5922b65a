package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// switched is the text of a file in which functions give way to their mutants.
type switched struct {
	text  string
	pkg   string // its package clause
	spans []span
}

// span is the lines of a mutant, the last included, counted from 1.
type span struct {
	first, last int
	trial       *trial
}

// edit replaces the bytes from at to end.
type edit struct {
	at, end int
	text    string
}

// addSwitches adds to the text of a file a second version of each function that a
// trial changes, and makes the first call it where it is chosen. The lines of the
// text keep their numbers. Trials of which that cannot be said are marked as alone.
func addSwitches(text string, all []*trial) (switched, error) {
	s, err := parseSource(text)
	if err != nil {
		return switched{}, err
	}
	out := switched{text: text, pkg: s.tree.Name.Name}
	named := make(map[*ast.FuncDecl]header)
	var edits []edit
	var added strings.Builder
	for _, t := range all {
		if t.alone != "" {
			continue
		}
		f, mutant, why := s.mutant(t)
		if t.alone = why; why != "" {
			continue
		}
		h, seen := named[f]
		if !seen {
			h = s.header(f)
			named[f] = h
			edits = append(edits, h.edits...)
		}
		at := s.offset(f.Body.Lbrace) + 1
		edits = append(edits, edit{at, at, h.giveWay(f, t.number)})
		first := strings.Count(text, "\n") + strings.Count(added.String(), "\n") + 2
		added.WriteString("\n" + mutant + "\n")
		out.spans = append(out.spans, span{first, first + strings.Count(mutant, "\n"), t})
	}
	out.text = apply(text, edits) + added.String()
	return out, nil
}

// apply makes edits, those at the same place in the order in which they are given.
func apply(text string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.at, b.at) })
	var b strings.Builder
	done := 0
	for _, e := range edits {
		b.WriteString(text[done:e.at] + e.text)
		done = e.end
	}
	return b.String() + text[done:]
}

// mutantName starts in lower case, whatever the function does: reflection does not
// show the method then. It starts as the function does, for those that look at names
// on the stack.
func mutantName(name string, number int) string {
	first, size := utf8.DecodeRuneInString(name)
	return fmt.Sprintf("%c%s_mutant%d", unicode.ToLower(first), name[size:], number)
}

// switchFile is the file of a package in which its number is read. A package whose
// variables call functions with a mutant initialises chosenMutant before them. The
// imports have names that the package does not use itself.
const switchFile = "mutant_switch.go"

const (
	numberVariable  = "MUTANT"         // the number that is chosen
	reachedVariable = "MUTANT_REACHED" // the file that says that its function was called
)

func switchSource(pkg string) string {
	return fmt.Sprintf(`package %s

import (
	mutantOS "os"
	mutantNumber "strconv"
	mutantSync "sync"
)

var chosenMutant, _ = mutantNumber.Atoi(mutantOS.Getenv(%q))

var (
	reachedMutant     mutantSync.Once
	reachedMutantFile = mutantOS.Getenv(%q)
)

func isMutant(number int) bool { return number == chosenMutant && reachMutant() }

func reachMutant() bool {
	reachedMutant.Do(func() {
		if err := mutantOS.WriteFile(reachedMutantFile, nil, 0o600); err != nil {
			panic(err)
		}
	})
	return true
}
`, pkg, numberVariable, reachedVariable)
}
