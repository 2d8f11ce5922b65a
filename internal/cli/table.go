package cli

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// MaxWidth is the width that no line of a table or paragraph passes, in
// characters.
const MaxWidth = 100

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
			width = max(width, utf8.RuneCountInString(lines[i]))
		}
	}
	lines[0], lines[1] = s.Bold(lines[0]), strings.Repeat("─", width)
	b.WriteString(strings.Join(lines, "\n") + "\n")
}

// WriteText writes a paragraph, broken between words so that no line passes
// MaxWidth; lines after the first begin with indent.
func WriteText(b *bytes.Buffer, text, indent string) {
	width := 0
	for i, word := range strings.Fields(text) {
		length := len([]rune(word))
		switch {
		case i == 0:
		case width+1+length > MaxWidth:
			b.WriteString("\n" + indent)
			width = len([]rune(indent))
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += length
	}
	b.WriteByte('\n')
}
