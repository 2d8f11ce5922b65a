package main

import (
	"bytes"
	"fmt"
	"strconv"
	"time"

	"github.com/ringway/ringway/cache"
	"github.com/ringway/ringway/internal/cli"
	"github.com/ringway/ringway/rebalance"
)

// journalFound is what was found in a journal.
type journalFound struct {
	path    string
	spaces  []journalSpace
	records []journalRecord
}

type journalSpace struct {
	Space   string `json:"space"`
	Waiting int    `json:"waiting"`
	Dead    int    `json:"dead"` // 10,000 at most
}

// journalRecord is a write. Numbers are texts: they exceed what other languages take for
// a whole number.
type journalRecord struct {
	Space     string  `json:"space"`
	Sequence  string  `json:"sequence"`
	ID        string  `json:"id"`   // of a dead one; else empty
	What      string  `json:"what"` // value, delete, delta or unknown
	Key       string  `json:"key"`
	Bytes     int     `json:"bytes"`
	Age       float64 `json:"age_seconds"`
	State     string  `json:"state"`     // waiting, dead, overtaken; retried, dropped, and what would be
	Overtaken string  `json:"overtaken"` // by the write of that sequence
	Why       string  `json:"why"`

	since time.Time
}

func journalRecordOf(space string, w cache.JournaledWrite, now time.Time) journalRecord {
	return journalRecord{Space: space, Sequence: strconv.FormatUint(w.Number, 10), What: w.What, Key: string(w.Key), Bytes: w.Size,
		Age: max(0, now.Sub(w.Since).Round(time.Millisecond).Seconds()), State: "waiting", since: w.Since}
}

func journalReport(found *journalFound) cli.Report {
	spaces := make([]cli.Record, len(found.spaces))
	for i, s := range found.spaces {
		spaces[i] = cli.RecordOf(s)
	}
	records := make([]cli.Record, len(found.records))
	for i, r := range found.records {
		records[i] = cli.RecordOf(r, "since")
	}
	return cli.Report{
		JSON: func() cli.Record {
			return cli.Record{{Name: "schema", Value: "ringway.cache.journal/1"}, {Name: "path", Value: found.path},
				{Name: "spaces", Value: spaces}, {Name: "records", Value: records}}
		},
		CSV:   func() []cli.Record { return records },
		Table: found.table,
	}
}

func (f *journalFound) table(b *bytes.Buffer, s cli.Style) {
	b.WriteString(s.Bold(cli.Clip(shown(f.path), cli.MaxWidth)) + "\n")
	var rows [][]string
	for _, space := range f.spaces {
		rows = append(rows, []string{shown(space.Space), strconv.Itoa(space.Waiting), strconv.Itoa(space.Dead)})
	}
	if len(rows) == 0 {
		b.WriteString("No writes, of no space.\n")
		return
	}
	writeTable(b, s, []column{name("space", 12), number("waiting"), number("dead")}, rows)
	if len(f.records) == 0 {
		return
	}
	b.WriteByte('\n')
	rows = nil
	now := time.Now()
	for _, r := range f.records {
		number := r.Sequence
		if r.ID != "" {
			number = "ID " + r.ID
		}
		state := r.State
		if r.Why != "" {
			state += ": " + r.Why
		}
		rows = append(rows, []string{number, shown(r.Space), r.What, shown(r.Key), rebalance.ByteText(int64(r.Bytes)), age(r.since, now), shown(state)})
	}
	columns := []column{words("write"), name("space", 8), words("what"), name("key", 10), number("size"), number("age"), name("state", 12)}
	writeTable(b, s, columns, rows)
	more := 0
	for _, space := range f.spaces {
		more += space.Waiting + space.Dead
	}
	for _, r := range f.records {
		if r.State != "dropped" {
			more--
		}
	}
	if more > 0 {
		fmt.Fprintf(b, "\n%s more: --dead, --space and --most say which are shown.\n", counted(more, "write"))
	}
}
