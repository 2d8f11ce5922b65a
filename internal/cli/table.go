package cli

import (
	"bytes"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/ringway/ringway/internal/cli/printable"
)

// MaxWidth is the width that no line of a table or paragraph passes, in cells of
// a terminal.
const MaxWidth = 100

// The width of some characters, the rules of tables among them, is taken from
// the environment, on which what is printed must not depend.
func init() { text.OverrideRuneWidthEastAsianWidth(false) }

// Width returns how many cells of a terminal a text takes: 2 for a character of
// Chinese, 0 for an accent that goes onto the letter before it.
func Width(s string) int { return text.StringWidthWithoutEscSequences(s) }

// Clip cuts a text to a width, with "…" at the end where something is left out.
func Clip(s string, width int) string {
	if Width(s) <= width {
		return s
	}
	used := 0
	for i, r := range s {
		if used += text.RuneWidth(r); used > width-1 {
			return s[:i] + "…"
		}
	}
	return s // not reached: the text is wider
}

// Name shows a name from outside, such as that of a file, in a report: quoted if
// it cannot be shown as it is, and cut to 40 cells.
func Name(s string) string { return Clip(printable.Text(s), 40) }

// A Column of a table.
type Column struct {
	Title string
	Left  bool // words; numbers stand on the right
}

// WriteTable writes a table: a header, a rule and the rows, columns two spaces
// apart. It is for the caller to choose columns that stay within MaxWidth.
func WriteTable(b *bytes.Buffer, s Style, columns []Column, rows [][]string) {
	t := table.NewWriter()
	style := table.Style{Name: "ringway", Box: table.BoxStyle{
		MiddleHorizontal: "─", PaddingRight: "  ", UnfinishedRow: "…",
	}}
	style.Options.SeparateHeader = true
	t.SetStyle(style)
	var header table.Row
	var configs []table.ColumnConfig
	for i, c := range columns {
		header = append(header, c.Title)
		config := table.ColumnConfig{Number: i + 1, Align: text.AlignRight, AlignHeader: text.AlignRight}
		if c.Left {
			config.Align, config.AlignHeader = text.AlignLeft, text.AlignLeft
		}
		configs = append(configs, config)
	}
	t.AppendHeader(header)
	t.SetColumnConfigs(configs)
	for _, row := range rows {
		cells := make(table.Row, len(row))
		for i, c := range row {
			cells[i] = c
		}
		t.AppendRow(cells)
	}
	lines := strings.Split(t.Render(), "\n")
	width := 0
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
		if i != 1 {
			width = max(width, Width(lines[i]))
		}
	}
	lines[0], lines[1] = s.Bold(lines[0]), strings.Repeat("─", width)
	b.WriteString(strings.Join(lines, "\n") + "\n")
}

// WriteText writes a paragraph, broken between words so that no line passes
// MaxWidth; lines after the first begin with indent. A word that is wider than a
// line is cut.
func WriteText(b *bytes.Buffer, text, indent string) {
	width := 0
	for i, word := range strings.Fields(text) {
		word = Clip(word, MaxWidth-Width(indent))
		length := Width(word)
		switch {
		case i == 0:
		case width+1+length > MaxWidth:
			b.WriteString("\n" + indent)
			width = Width(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += length
	}
	b.WriteByte('\n')
}
