package ring

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Describe draws the ring for people, as lines of at most about 90 columns: the
// configuration (never the seed), then each node with its weight, zone, tokens,
// exact share of the hash space, and a bar of that share against the fair one
// (8 cells each side of "|"). Its form may change from version to version.
func (r *Ring) Describe() string {
	var b strings.Builder
	h := r.cfg.Hasher
	fmt.Fprintf(&b, "ring %s: %d nodes, %d tokens, %d virtual nodes, %s", r.fingerprint.Short(),
		len(r.nodes), len(r.tokens), r.cfg.VirtualNodes, h.Function)
	if h.Seed != 0 {
		b.WriteString(", seeded")
	}
	if h.HashTags {
		b.WriteString(", hash tags")
	}
	b.WriteByte('\n')
	shares, total, width := r.Shares(), 0.0, len("node")
	for _, n := range r.nodes {
		total += n.Weight
		width = max(width, min(utf8.RuneCountInString(printable(n.ID)), 40))
	}
	fmt.Fprintf(&b, "%-*s  %8s  %-10s  %7s  %7s  %7s\n", width, "node", "weight", "zone", "tokens", "share", "of fair")
	for i, n := range r.nodes {
		ofFair := shares[i] / (n.Weight / total)
		fmt.Fprintf(&b, "%-*s  %8.4g  %-10s  %7d  %6.2f%%  %6.1f%%  %s\n", width, clip(printable(n.ID), 40), n.Weight,
			clip(printable(n.Zone), 10), tokenCount(r.cfg.VirtualNodes, n.Weight), 100*shares[i], 100*ofFair, bar(ofFair))
	}
	return b.String()
}

// bar shows 1 as a filled left half: each cell is an eighth of the fair share.
func bar(ofFair float64) string {
	cells := min(int(8*ofFair+0.5), 16)
	left, right := min(cells, 8), max(cells-8, 0)
	return strings.Repeat("#", left) + strings.Repeat(" ", 8-left) + "|" + strings.Repeat("#", right)
}

// printable quotes a name that could do more to a terminal than show itself:
// one that is not valid UTF-8 of printable characters.
func printable(s string) string {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return fmt.Sprintf("%q", s)
	}
	return s
}

func clip(s string, columns int) string {
	if utf8.RuneCountInString(s) <= columns {
		return s
	}
	return string([]rune(s)[:columns-1]) + "…"
}
