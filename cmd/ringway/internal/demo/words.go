package demo

import (
	"fmt"
	"strconv"
	"time"
)

// words writes a duration: "100 ms", "2 s".
func words(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%g s", d.Seconds())
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int) string {
	text := strconv.Itoa(n)
	first := 0
	if n < 0 {
		first = 1
	}
	for i := len(text) - 3; i > first; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// percent writes a part of the whole, in at most six characters.
func percent(x float64) string {
	if x >= 0.9995 && x <= 1 {
		if x < 1 {
			return "99.9%" // all is something else
		}
		return "100%"
	}
	return fmt.Sprintf("%.1f%%", 100*x)
}
