package proofs

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// Attribute is the name under which a Row is among the events of a test.
const Attribute = "ringway.proof"

// Row is what a test has measured.
type Row struct {
	Proof string // its name in the page's table
	Got   string // the figure, in words that stand alone: how many of what, and what came of it
	Seed  uint64 `json:",omitempty"` // of what was random; 0: nothing was, or Got says it

	// Full reports whether the test was run in its full size. Record sets it.
	Full bool
}

// Record says what a test has measured, whether it passes or fails. A test, or a
// subtest, that records the same proof again replaces what it said. It is safe for
// concurrent use.
func Record(t testing.TB, row Row) {
	t.Helper()
	if row.Proof == "" || row.Got == "" {
		t.Errorf("proofs.Record: %+v: want the proof's name and a figure", row)
		return
	}
	row.Full = os.Getenv("RINGWAY_SOAK") == "1"
	text, err := json.Marshal(row)
	if err != nil {
		t.Errorf("proofs.Record: %v", err)
		return
	}
	t.Attr(Attribute, string(text))
}

// Parse returns the row of an attribute's value.
func Parse(value string) (Row, error) {
	var row Row
	if err := json.Unmarshal([]byte(value), &row); err != nil {
		return Row{}, fmt.Errorf("a row of %s: %w in %q", Attribute, err, value)
	}
	return row, nil
}
