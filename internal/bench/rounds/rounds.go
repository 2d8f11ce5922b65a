package rounds

import (
	"fmt"
	"slices"
)

// Round holds what one round measured, by the name of the benchmark.
type Round map[string]float64

// Rounds are those of one run, in any order.
type Rounds []Round

// Figure is a value over all rounds.
type Figure struct{ Median, Least, Most float64 }

// Summarise returns the figure of the values, of which there is at least one.
func Summarise(values []float64) Figure {
	values = slices.Sorted(slices.Values(values))
	n := len(values)
	return Figure{(values[(n-1)/2] + values[n/2]) / 2, values[0], values[n-1]}
}

// Measure is what is taken from each round: a value of one benchmark, or one
// made of two.
type Measure struct {
	names []string
	of    func(values []float64) float64 // of the benchmarks in names
}

// Value is what the benchmark measured, in units of that size: 1e6 makes
// milliseconds of nanoseconds.
func Value(name string, unit float64) Measure {
	return Measure{[]string{name}, func(v []float64) float64 { return v[0] / unit }}
}

// Ratio is what the one benchmark measured as a multiple of the other.
func Ratio(name, unit string) Measure {
	return Measure{[]string{name, unit}, func(v []float64) float64 { return v[0] / v[1] }}
}

// Difference is what the one benchmark measured beyond the other.
func Difference(name, less string) Measure {
	return Measure{[]string{name, less}, func(v []float64) float64 { return v[0] - v[1] }}
}

// Figure returns the measure over all rounds. The error names a benchmark that
// one of them did not run.
func (r Rounds) Figure(m Measure) (Figure, error) {
	var results []float64
	for _, round := range r {
		values := make([]float64, len(m.names))
		for i, name := range m.names {
			value, found := round[name]
			if !found {
				return Figure{}, fmt.Errorf("no benchmark %s", name)
			}
			values[i] = value
		}
		results = append(results, m.of(values))
	}
	if len(results) == 0 {
		return Figure{}, fmt.Errorf("no rounds")
	}
	return Summarise(results), nil
}
