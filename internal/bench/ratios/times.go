package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/ringway/ringway/internal/bench/rounds"
)

// parse reads the output of a benchmark into a round: nanoseconds an operation
// by name, such as "Lookup/ring/100". With more than one processor the name ends
// in their number, "Parallel/ring/100-2", as go test prints it.
func parse(round rounds.Round, text string) error {
	found := 0
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		unit := slices.Index(fields, "ns/op")
		if unit < 1 {
			return fmt.Errorf("benchmark line without ns/op: %q", line)
		}
		ns, err := strconv.ParseFloat(fields[unit-1], 64)
		if err != nil || !(ns > 0) {
			return fmt.Errorf("benchmark line with a time of %q: %q", fields[unit-1], line)
		}
		round[strings.TrimPrefix(fields[0], "Benchmark")] = ns
		found++
	}
	if found == 0 {
		return fmt.Errorf("no benchmark in the output:\n%s", text)
	}
	return nil
}

// measurements are the rounds of one run, and where they were taken.
type measurements struct {
	cpu, goVersion, command string
	rounds                  rounds.Rounds
}

// unit is the benchmark that others are compared with.
var unit = rounds.Yardstick{Name: "Lookup/modulo/10", Text: "a lookup by modulo"}

// time returns the nanoseconds of a benchmark, false if it was not run.
func (m *measurements) time(name string) (rounds.Figure, bool) {
	f, err := m.rounds.Figure(rounds.Value(name, 1))
	return f, err == nil
}

// ratio returns how many times as long the one takes as the other, false if one
// of them was not run.
func (m *measurements) ratio(name, unit string) (rounds.Figure, bool) {
	f, err := m.rounds.Figure(rounds.Ratio(name, unit))
	return f, err == nil
}
