package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// times holds what one round measured: nanoseconds an operation by name, such
// as "Lookup/ring/100". With more than one processor the name ends in their
// number, "Parallel/ring/100-2", as go test prints it.
type times map[string]float64

// parse reads the output of a benchmark.
func (t times) parse(text string) error {
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
		t[strings.TrimPrefix(fields[0], "Benchmark")] = ns
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
	rounds                  []times
}

// A figure is a value over all rounds.
type figure struct{ median, least, most float64 }

func summarise(values []float64) figure {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return figure{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// time returns the nanoseconds of a benchmark, false if it was not run.
func (m *measurements) time(name string) (figure, bool) {
	return m.each(func(t times) (float64, bool) {
		ns, found := t[name]
		return ns, found
	})
}

// ratio returns how many times as long the one takes as the other.
func (m *measurements) ratio(name, unit string) (figure, bool) {
	return m.each(func(t times) (float64, bool) {
		a, foundA := t[name]
		b, foundB := t[unit]
		return a / b, foundA && foundB
	})
}

func (m *measurements) each(value func(times) (float64, bool)) (figure, bool) {
	var values []float64
	for _, round := range m.rounds {
		v, found := value(round)
		if !found {
			return figure{}, false
		}
		values = append(values, v)
	}
	if len(values) == 0 {
		return figure{}, false
	}
	return summarise(values), true
}

// unsteady returns the time of the unit, and whether it varied so much that the
// machine must have had other work to do.
func (m *measurements) unsteady() (figure, bool) {
	const limit = 1.25
	f, found := m.time("Lookup/modulo/10")
	return f, found && f.most > limit*f.least
}
