package main

import (
	"bytes"
	"fmt"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/rebalance"
)

const moversSchema = "ringway.movers/1"

// moversReport shows what all movers say.
func moversReport(m movers) cli.Report {
	records := make([]cli.Record, len(m.all))
	for i, one := range m.all {
		records[i] = moverRecord(one)
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{
				{Name: "schema", Value: moversSchema},
				{Name: "epoch", Value: m.members.Epoch},
				{Name: "agent", Value: m.from},
				{Name: "movers", Value: records},
			}
		},
		CSV:   func() []cli.Record { return records },
		Table: func(b *bytes.Buffer, s cli.Style) { moversTable(b, s, m) },
	}
}

func moverRecord(m mover) cli.Record {
	r, problem := m.now, ""
	if m.err != nil {
		problem = m.err.Error()
	}
	at := func(t time.Time) any {
		if t.IsZero() {
			return nil
		}
		return t.UTC().Format(time.RFC3339)
	}
	return cli.Record{
		{Name: "id", Value: m.member.ID}, {Name: "kind", Value: string(m.member.Kind)}, {Name: "node_state", Value: statusOf(m.member)},
		{Name: "http", Value: m.member.HTTP}, {Name: "problem", Value: problem},
		{Name: "transition", Value: r.Transition}, {Name: "phase", Value: r.Phase}, {Name: "rollback", Value: r.Rollback},
		{Name: "state", Value: r.State}, {Name: "paused", Value: r.Paused}, {Name: "pass", Value: r.Pass},
		{Name: "keys_moved", Value: r.KeysMoved}, {Name: "bytes_moved", Value: r.BytesMoved},
		{Name: "keys_left", Value: r.KeysLeft}, {Name: "keys_waiting", Value: r.KeysWaiting},
		{Name: "keys_per_second", Value: r.KeysPerSecond}, {Name: "bytes_per_second", Value: r.BytesPerSecond},
		{Name: "seconds_left", Value: r.SecondsLeft},
		{Name: "limit_keys_per_second", Value: r.Limits.KeysPerSecond}, {Name: "limit_bytes_per_second", Value: r.Limits.BytesPerSecond},
		{Name: "big_keys", Value: len(r.BigKeys)}, {Name: "ended", Value: at(r.Ended)}, {Name: "error", Value: r.Error},
		{Name: "pace", Value: r.Pace}, {Name: "waits", Value: r.Waits},
	}
}

func moversTable(b *bytes.Buffer, s cli.Style, m movers) {
	fmt.Fprintf(b, "epoch %d · %s\n", m.members.Epoch, transitionsText(m))
	if text := totalOf(m).text(); text != "" {
		cli.WriteText(b, text, "  ")
	}
	b.WriteByte('\n')
	columns := []column{name("node", 8), words("status"), words("mover"), number("pass"), number("moved"), number("size"),
		number("left"), number("keys/s"), number("limit"), number("time left")}
	var rows [][]string
	var trouble []trouble
	for _, one := range m.byNews() {
		rows = append(rows, moverRow(one))
		trouble = append(trouble, troubles(one)...)
	}
	writeTable(b, s, columns, rows)
	for _, text := range sentences(trouble) {
		cli.WriteText(b, text, "  ")
	}
}

// transitionsText says what is under way.
func transitionsText(m movers) string {
	text := ""
	all := m.underWay()
	for _, kind := range nodeKinds {
		r, has := all[kind]
		if !has {
			continue
		}
		if text != "" {
			text += " · "
		}
		text += transitionText(kind, r)
	}
	if text == "" {
		return "no transition under way"
	}
	return text
}

func transitionText(kind membership.Kind, r agentapi.Rebalance) string {
	text := fmt.Sprintf("%s transition %d", kind, r.Transition)
	switch {
	case r.Rollback:
		return text + " is rolled back"
	case r.Phase == membership.PhaseImporting.String():
		return text + ": keys move"
	}
	return text + " is announced"
}

func moverRow(m mover) []string {
	row := []string{shown(m.member.ID), statusOf(m.member)}
	if m.at == nil {
		return append(row, "not reached", missing, missing, missing, missing, missing, missing, missing)
	}
	r := m.now
	left, rate, limit, span := missing, missing, "none", missing
	if busy(r) && r.KeysLeft >= 0 {
		left = countText(r.KeysLeft)
	}
	if busy(r) {
		rate, span = countText(int64(r.KeysPerSecond)), timeLeft(r)
	}
	if r.Limits.KeysPerSecond > 0 {
		limit = countText(int64(r.Limits.KeysPerSecond)) + "/s"
	}
	if r.Limits.BytesPerSecond > 0 {
		limit = moreText(limit, rebalance.ByteText(r.Limits.BytesPerSecond)+"/s")
	}
	state := r.State
	if r.Paused {
		state = "paused"
	}
	return append(row, state, fmt.Sprint(r.Pass), countText(r.KeysMoved), rebalance.ByteText(r.BytesMoved), left, rate, limit, span)
}

func moreText(text, more string) string {
	if text == "none" {
		return more
	}
	return text + " " + more
}

// busy reports whether a hand-over is under way.
func busy(r agentapi.Rebalance) bool {
	return r.State != "idle" && r.State != "none" && r.Ended.IsZero() && r.Pass > 0
}

func timeLeft(r agentapi.Rebalance) string {
	if r.SecondsLeft < 0 {
		return missing
	}
	return span(r.SecondsLeft)
}
