package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/ringway/ringway/internal/proofs"
)

// text is docs/evidence/caching.md.
func (o *outcomes) text() string {
	passed, all := 0, 0
	var tables strings.Builder
	for _, g := range groups {
		fmt.Fprintf(&tables, "\n## %s\n\n| must show | on | measured | by |\n|---|---|---|---|\n", g.name)
		for _, p := range g.proofs {
			all++
			if o.table(&tables, p) {
				passed++
			}
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# What package cache has shown

This page is written by

    make evidence

out of what the tests say about themselves, by %s on %d processors of %s; the tests took %s of real time. Each line is a test, with what it measured and the command that measures it again; empty cells are as above. A line is here as measured only if its test has passed; one that was not run says so, and one that failed is **failed**. Where a test can do more than `+"`make test`"+` has time for, the command says RINGWAY_SOAK=1 if it was run in full, and the line says *small* if not; what the table calls a million is less there.

Of %d proofs %d have passed.
`, runtime.Version(), runtime.NumCPU(), processor(), o.took(), all, passed)
	b.WriteString(tables.String())
	return b.String()
}

// table writes the lines of a proof, and reports whether it is one: all of its tests
// have passed, and have said what they measured.
func (o *outcomes) table(b *strings.Builder, p proof) bool {
	lines, good := 0, true
	for _, id := range o.order {
		row, found := o.figures[id][p.name]
		if !found || id.pkg != p.id().pkg || id.top() != p.test {
			continue
		}
		verdict := o.verdict(id)
		good = good && verdict == "pass"
		got := measured(p, row, verdict)
		if verdict != "pass" && o.verdicts[id] == "pass" {
			got = "passed, in a test that " + got
		}
		line(b, p, lines == 0, subtest(id), got, row.Full)
		lines++
	}
	if lines > 0 {
		return good && o.verdict(p.id()) == "pass"
	}
	why := map[string]string{"": "not run", "skip": "not run (skipped)", "fail": "**failed**", "pass": "not run (the test says nothing)"}
	line(b, p, true, "", why[o.verdict(p.id())], true)
	return false
}

func measured(p proof, row proofs.Row, verdict string) string {
	text := row.Got
	if row.Seed != 0 {
		text += fmt.Sprintf("; seed %d", row.Seed)
	}
	if p.full && !row.Full {
		text += " (*small*)"
	}
	switch verdict {
	case "pass":
		return text
	case "fail":
		return "**failed**: " + text
	}
	return "**did not end**: " + text
}

// line leaves out, where it is not the first, what all lines of a proof have alike.
func line(b *strings.Builder, p proof, first bool, on, got string, full bool) {
	clean := strings.NewReplacer("|", "\\|", "\n", " ").Replace
	must, command := "", ""
	if first {
		must, command = clean(p.must), "`"+p.command(full)+"`"
	}
	fmt.Fprintf(b, "| %s | %s | %s | %s |\n", must, clean(on), clean(got), command)
}

// subtest is its name in words.
func subtest(id testID) string {
	_, name, _ := strings.Cut(id.name, "/")
	return strings.ReplaceAll(strings.ReplaceAll(name, "_", " "), "/", ", ")
}

func (o *outcomes) took() string {
	var all float64
	for _, s := range o.seconds {
		all += s
	}
	if d := time.Duration(all * float64(time.Second)); d >= 2*time.Minute {
		return fmt.Sprintf("%.0f minutes", d.Minutes())
	}
	return fmt.Sprintf("%.0f seconds", all)
}

// processor names the machine's processor, as Linux does.
func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // elsewhere there is none
	for line := range strings.Lines(string(text)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
