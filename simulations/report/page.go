package report

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"

	"github.com/ringway/ringway/simulations/plot"
)

// Page is a report. Empty parts are left out. Texts are plain: the page escapes them.
type Page struct {
	Title    string
	Lead     []string // what was studied, a paragraph each
	Warning  string   // such as that the study was interrupted
	Verdict  string   // the answer, in one or two sentences
	Cards    []Card   // the figures that matter most
	Points   []string // the summary, a sentence or two each
	Sections []Section
	Footer   string
}

// Card is one figure in large print.
type Card struct{ Name, Value, Note string }

// Section is a part of the page with a title of its own.
type Section struct {
	Title   string
	Text    string
	Figures []Figure
	Tables  []Table
	Facts   []Fact
	Points  []string
	// Folded, under this summary, is text that is shown as it is, on demand.
	Summary, Folded string
}

// Fact is a name with its value. Code is shown in letters of one width, and can be
// copied.
type Fact struct{ Name, Value, Code string }

// Figure is a plot, either Lines or Bars, with its words.
type Figure struct {
	Title, Text string
	Legend      []Entry
	Lines       *plot.Chart // in colours of plot.Style
	Bars        *plot.Bars
}

// Entry is one line of a legend.
type Entry struct {
	Text    string
	Style   int  // of the line
	Control bool // the line is one that others are compared with
	Bar     int  // 1 for the first part of a bar, 2 for the second; then there is no line
}

// Table is a table that sorts.
type Table struct {
	Caption string
	Columns []Column
	Rows    [][]Cell
	Notes   []string
}

// Column is the head of a column: words to the left, numbers to the right.
type Column struct {
	Title string
	Left  bool
}

// Cell is what stands in a table. Sort, where there is one, is what it is sorted by,
// else the text is.
type Cell struct {
	Text string
	Sort *float64
}

// Word is a cell without a number.
func Word(text string) Cell { return Cell{Text: text} }

// Number is a cell that is sorted by its value; one without a value comes last.
func Number(text string, value *float64) Cell { return Cell{Text: text, Sort: value} }

// Key is what a table is sorted by: a number, or "" for text and missing values.
func (c Cell) Key() string {
	if c.Sort == nil || math.IsNaN(*c.Sort) {
		return ""
	}
	return strconv.FormatFloat(*c.Sort, 'g', -1, 64)
}

// Sizes of plots, in pixels: for a desk and for a phone.
const (
	wide, narrow         = 848, 340
	wideTall, narrowTall = 300, 250
)

// Wide and Narrow draw the plot for a wide and for a narrow window.
func (f Figure) Wide() (template.HTML, error)   { return f.draw(wide, wideTall) }
func (f Figure) Narrow() (template.HTML, error) { return f.draw(narrow, narrowTall) }

func (f Figure) draw(width, height float64) (template.HTML, error) {
	var svg string
	var err error
	switch {
	case f.Lines != nil:
		c := *f.Lines
		c.Title = f.Title
		svg, err = c.Inline(width, height)
	case f.Bars != nil:
		b := *f.Bars
		b.Title = f.Title
		svg, err = b.Inline(width)
	default:
		return "", fmt.Errorf("report: figure %q has nothing to draw", f.Title)
	}
	return template.HTML(svg), err
}

// Sample draws the piece of line of a legend.
func (e Entry) Sample() template.HTML {
	if e.Bar > 0 {
		return template.HTML(fmt.Sprintf(`<svg class="sample" viewBox="0 0 26 10" width="26" height="10" aria-hidden="true"><path d="M0 0H26V10H0Z" style="fill:var(--bar%s)" /></svg>`, map[int]string{2: "2"}[e.Bar]))
	}
	return template.HTML(plot.Sample(e.Style, e.Control))
}

//go:embed page.html
var source string

var page = template.Must(template.New("page").Parse(source))

// Write writes the page as HTML. It fails for a figure that cannot be drawn and when
// w fails, with a part of the page written: whoever needs all or nothing writes into
// memory first.
func (p Page) Write(w io.Writer) error {
	if err := page.Execute(w, p); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
