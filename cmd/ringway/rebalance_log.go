package main

import (
	"bytes"
	"io"
	"strings"

	"github.com/ringway/ringway/internal/cli"
)

// moverLog tells of the movers line by line, for where there is no terminal: what all
// of them come to when that changes, and of single ones what is new.
type moverLog struct {
	heading, total, joining string
	told                    map[trouble]bool // at the last look, without their texts
}

// write tells what has changed since the last call.
func (l *moverLog) write(out io.Writer, m movers) error {
	var b bytes.Buffer
	heading := transitionsText(m)
	if moved := movedText(m); len(m.underWay()) == 0 && moved != "" {
		heading += ": " + moved
	}
	l.line(&b, &l.heading, heading, "")
	joining := m.joining()
	for i, id := range joining {
		joining[i] = shown(id)
	}
	l.line(&b, &l.joining, strings.Join(joining, ", "), "joining: ")
	l.line(&b, &l.total, totalOf(m).text(), "")
	for _, text := range sentences(l.news(m)) {
		cli.WriteText(&b, text, "  ")
	}
	if b.Len() == 0 {
		return nil
	}
	_, err := out.Write(b.Bytes())
	return err
}

// line writes a line that is not the last one of its sort.
func (l *moverLog) line(b *bytes.Buffer, last *string, text, lead string) {
	if text != *last && text != "" {
		cli.WriteText(b, lead+text, "  ")
	}
	*last = text
}

// news are the troubles that were none at the last look.
func (l *moverLog) news(m movers) (fresh []trouble) {
	now := make(map[trouble]bool)
	for _, one := range m.all {
		for _, t := range troubles(one) {
			key := trouble{node: t.node, about: t.about}
			if !l.told[key] && !now[key] {
				fresh = append(fresh, t)
			}
			now[key] = true
		}
	}
	l.told = now
	return fresh
}
