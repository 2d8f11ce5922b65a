package main

import "strings"

// trial is a mutation that is to be tried.
type trial struct {
	mutation
	number        int    // chooses it in a test binary that has many; from 1
	before, after string // its file

	// alone says why the mutant has a test binary of its own; "" if it is behind a
	// switch.
	alone string
}

// names returns the tests of which one has to fail.
func (t *trial) names() []string { return strings.Split(t.tests, "|") }
