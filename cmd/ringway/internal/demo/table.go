package demo

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/ringway/ringway/internal/cli"
)

// closing writes the table, and how the promises went.
func (t *terminal) closing(r *Report) {
	t.catchUp()
	var b bytes.Buffer
	b.WriteString("\n")
	r.table(&b, t.style)
	b.WriteString("\n")
	for _, p := range r.Promises {
		lead := "kept    "
		if !p.Kept {
			lead = "BROKEN  "
		}
		var text bytes.Buffer
		hang(&text, lead, p.Name+": "+p.Detail)
		b.WriteString(strings.Replace(text.String(), "BROKEN", t.style.Bold("BROKEN"), 1))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = t.out.Write(b.Bytes())
}

func (r *Report) table(b *bytes.Buffer, style cli.Style) {
	columns := []cli.Column{{Title: "step", Left: true}, {Title: "node", Left: true}, {Title: "took"},
		{Title: "keys moved"}, {Title: "1/N"}, {Title: "modulo*"},
		{Title: "lowest hits"}, {Title: "modulo*"}, {Title: "db loads"}, {Title: "modulo*"}, {Title: "p99 ms"}}
	var rows [][]string
	for _, s := range r.Steps {
		row := []string{s.Name, dash(s.Node), fmt.Sprintf("%.1f s", s.Took()), "–", "–", "–",
			percent(s.Lowest), percent(s.ModuloLowest), thousands(s.Loads), thousands(s.ModuloLoads), fmt.Sprintf("%.2f", s.P99)}
		if m := s.Moved; m != nil {
			row[3], row[4], row[5] = percent(m.Share), percent(m.Ideal), percent(m.Modulo)
		}
		rows = append(rows, row)
	}
	cli.WriteTable(b, style, columns, rows)
	hang(b, "* ", fmt.Sprintf("computed over the same keys and requests, not run. A step lasts until the next one; took is until the fleet had settled. "+
		"%s requests in %.0f s, reads and writes; p99 is until the cache's answer.", thousands(r.Requests), r.Seconds))
	if r.LeftOut > 0 {
		hang(b, "  ", fmt.Sprintf("%s requests were left out, since this machine did not send them in time: see --rate.", thousands(r.LeftOut)))
	}
}

func dash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
