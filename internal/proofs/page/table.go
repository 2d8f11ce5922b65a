package main

import (
	"slices"
	"strings"
)

// The packages whose tests are proofs.
const (
	cachePackage  = "cache"
	gossipPackage = "cache/gossipbus"
	resizePackage = "cmd/ringway/internal/resizetest"
)

const module = "github.com/ringway/ringway/"

// group is one table of the page.
type group struct {
	name   string
	proofs []proof
}

// proof is what the tests must have said for it to be one.
type proof struct {
	name string // what proofs.Record is told
	must string // show: at full size
	pkg  string
	test string // without subtests
	full bool   // the test does more with RINGWAY_SOAK=1
}

// id names the test as events do.
func (p proof) id() testID { return testID{module + p.pkg, p.test} }

// command runs the test so that its figures are in the output.
func (p proof) command(full bool) string {
	c := "go test ./" + p.pkg + " -run '^" + p.test + "$' -count=1 -v"
	if full && p.full {
		c = "RINGWAY_SOAK=1 " + c
	}
	return c
}

// packages are the arguments of go test for all proofs.
func packages() string {
	var all []string
	eachProof(func(p proof) { all = append(all, "./"+p.pkg) })
	slices.Sort(all)
	return strings.Join(slices.Compact(all), " ")
}

// pattern is its -run.
func pattern() string {
	var all []string
	eachProof(func(p proof) { all = append(all, p.test) })
	slices.Sort(all)
	return "^(" + strings.Join(slices.Compact(all), "|") + ")$"
}

func eachProof(do func(proof)) {
	for _, g := range groups {
		for _, p := range g.proofs {
			do(p)
		}
	}
}
