package rounds

import (
	"fmt"
	"strings"
)

// Bound says on which side of its limit a claim is to be.
type Bound string

const (
	AtMost  Bound = "≤"
	AtLeast Bound = "≥"
	Below   Bound = "<"
)

func (b Bound) holds(value, limit float64) bool {
	switch b {
	case AtMost:
		return value <= limit
	case AtLeast:
		return value >= limit
	}
	return value < limit
}

// Claim is a figure that we set ourselves a limit for.
type Claim struct {
	Text    string
	Measure Measure
	Bound   Bound
	Limit   float64
}

// Table returns the claims as a Markdown table, with the verdict on each. It
// fails if one of them was not measured.
func (r Rounds) Table(claims []Claim) (string, error) {
	var b strings.Builder
	b.WriteString("| what | median | least – most | aim | |\n|---|---|---|---|---|\n")
	for _, c := range claims {
		f, err := r.Figure(c.Measure)
		if err != nil {
			return "", fmt.Errorf("%s: %w", c.Text, err)
		}
		fmt.Fprintf(&b, "| %s | %.2f | %.2f – %.2f | %s %g | %s |\n",
			c.Text, f.Median, f.Least, f.Most, c.Bound, c.Limit, verdict(c.Bound.holds(f.Median, c.Limit)))
	}
	return b.String(), nil
}

// Measured reports whether every round ran what the claim is about.
func (r Rounds) Measured(c Claim) bool {
	_, err := r.Figure(c.Measure)
	return err == nil
}

func verdict(held bool) string {
	if held {
		return "reached"
	}
	return "**missed**"
}
