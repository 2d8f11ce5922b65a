package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/ringway/ringway/internal/proofs"
)

// event is a line of `go test -json` (go doc test2json).
type event struct {
	Action, Package, Test, Key, Value string

	Elapsed float64 // seconds
}

// testID is a test or a subtest.
type testID struct{ pkg, name string }

func (id testID) top() string {
	name, _, _ := strings.Cut(id.name, "/")
	return name
}

// outcomes is what the events of some runs say.
type outcomes struct {
	verdicts map[testID]string                // pass, fail or skip
	figures  map[testID]map[string]proofs.Row // by the name of the proof
	order    []testID                         // of tests with figures, as they came
	seconds  map[testID]float64               // that tests took, without subtests
}

func newOutcomes() *outcomes {
	return &outcomes{verdicts: make(map[testID]string), figures: make(map[testID]map[string]proofs.Row), seconds: make(map[testID]float64)}
}

// read takes in events until their end, and writes a line about each test that is
// over. A test that was run before is taken as it was run last. Lines that are no
// events, as go writes them when a package does not build, are passed on.
func (o *outcomes) read(in io.Reader, progress io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20) // bytes: a test may write one long line
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintf(progress, "%s\n", lines.Bytes())
			continue
		}
		if e.Test == "" {
			continue
		}
		if err := o.add(e); err != nil {
			return err
		}
		if o.verdicts[testID{e.Package, e.Test}] == e.Action && !strings.Contains(e.Test, "/") {
			fmt.Fprintf(progress, "%-4s %s %s (%.0f s)\n", e.Action, e.Package, e.Test, e.Elapsed)
		}
	}
	return lines.Err()
}

func (o *outcomes) add(e event) error {
	id := testID{e.Package, e.Test}
	switch e.Action {
	case "run":
		o.forget(id)
	case "pass", "fail", "skip":
		if o.verdicts[id] = e.Action; id.name == id.top() {
			o.seconds[id] = e.Elapsed
		}
	case "attr":
		if e.Key != proofs.Attribute {
			return nil
		}
		row, err := proofs.Parse(e.Value)
		if err != nil {
			return fmt.Errorf("%s %s: %w", e.Package, e.Test, err)
		}
		if o.figures[id] == nil {
			o.figures[id] = make(map[string]proofs.Row)
			o.order = append(o.order, id)
		}
		o.figures[id][row.Proof] = row
	}
	return nil
}

// forget removes what an earlier run of the test has said, its subtests' included.
func (o *outcomes) forget(id testID) {
	for other := range o.verdicts {
		if other == id || other.pkg == id.pkg && strings.HasPrefix(other.name, id.name+"/") {
			delete(o.verdicts, other)
		}
	}
	kept := o.order[:0]
	for _, other := range o.order {
		if other == id || other.pkg == id.pkg && strings.HasPrefix(other.name, id.name+"/") {
			delete(o.figures, other)
			continue
		}
		kept = append(kept, other)
	}
	o.order = kept
}

// verdict is pass only if the test and all that it is a part of have passed. A test
// that did not come to its end has none.
func (o *outcomes) verdict(id testID) string {
	for {
		if v := o.verdicts[id]; v != "pass" {
			return v
		}
		above := strings.LastIndex(id.name, "/")
		if above < 0 {
			return "pass"
		}
		id.name = id.name[:above]
	}
}
