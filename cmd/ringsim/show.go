package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

func itoa[T int | int64](n T) string { return strconv.FormatInt(int64(n), 10) }

// commas writes a count with its thousands apart.
func commas[T int | int64](n T) string {
	s := itoa(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// missing stands in a table for a figure that does not exist.
const missing = "–"

// show formats a figure, or says that it is missing.
func show[T any](v *T, format func(T) string) string {
	if v == nil {
		return missing
	}
	return format(*v)
}

// percent keeps within seven characters, whatever the spread.
func percent(x float64) string {
	switch {
	case x > 10:
		return fmt.Sprintf("%.0f%%", 100*x)
	case x > 1:
		return fmt.Sprintf("%.1f%%", 100*x)
	}
	return fmt.Sprintf("%.2f%%", 100*x)
}

func ratio(x float64) string { return fmt.Sprintf("%.3f", x) }

// ratio3 writes a ratio with three digits.
func ratio3(x float64) string {
	switch {
	case x >= 99.95:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.995:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// compact writes a count in full up to ten million.
func compact(n int64) string {
	switch {
	case n <= -1e13 || n >= 1e13:
		return fmt.Sprintf("%.2e", float64(n))
	case n <= -1e10 || n >= 1e10:
		return fmt.Sprintf("%.1fG", float64(n)/1e9)
	case n <= -1e7 || n >= 1e7:
		return fmt.Sprintf("%.1fM", float64(n)/1e6)
	}
	return commas(n)
}

// scaled writes a value with three digits in the largest unit that leaves at
// least 1; each unit is so many of the one before.
func scaled(x float64, step float64, units ...string) string {
	i := 0
	for i < len(units)-1 && x >= 0.9995*step {
		x /= step
		i++
	}
	switch {
	case x >= 99.95:
		return fmt.Sprintf("%.0f %s", x, units[i])
	case x >= 9.995:
		return fmt.Sprintf("%.1f %s", x, units[i])
	}
	return fmt.Sprintf("%.2f %s", x, units[i])
}

func nanoseconds(x float64) string { return scaled(x, 1000, "ns", "µs", "ms", "s") }

func milliseconds(x float64) string { return nanoseconds(x * 1e6) }

// bytesOf writes a size in powers of 1024.
func bytesOf(n int) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return scaled(float64(n), 1024, "B", "KiB", "MiB", "GiB")
}

// spreadBar draws a range of loads on the scale of spreadScale; the line in its
// middle is the fair share. What lies outside ends in an arrow.
func spreadBar(low, high float64) string {
	const half = 8
	cell := func(x float64) int { return int(math.Round((x-1)*2*half)) + half }
	var b strings.Builder
	for i := 0; i <= 2*half; i++ {
		switch {
		case i == 0 && cell(low) < 0:
			b.WriteString("◂")
		case i == 2*half && cell(high) > 2*half:
			b.WriteString("▸")
		case i == half:
			b.WriteString("┃")
		case i >= cell(low) && i <= cell(high):
			b.WriteString("━")
		default:
			b.WriteString("·")
		}
	}
	return b.String()
}

const spreadScale = "0.5 ···· 1 ·· 1.5"

// counted writes a number with its noun.
func counted[T int | int64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return commas(n) + " " + noun + "s"
}
