// Package golden holds a placement to what it gave before: a file under testdata
// says which node owns which key, and a test fails where the code says otherwise.
//
// It adds the flag -update to the tests that import it, which writes the files
// anew.
package golden

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of the placement anew (this moves keys: read the message of the test first)")

// Text compares a text with that in the file, byte for byte, and fails with the
// first line that differs. The file's path is relative to the package of the
// test.
func Text(t testing.TB, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	if got == want {
		return
	}
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(gotLines), len(wantLines)) {
		if gotLines[i] != wantLines[i] {
			t.Errorf("%s, line %d: got\n\t%s\nwant\n\t%s", file, i+1, gotLines[i], wantLines[i])
			break
		}
	}
	t.Errorf("owners differ from %s (%d lines, want %d).\n"+
		"This change moves keys: a fleet whose clients do not all upgrade at one instant would read and write\n"+
		"the same key on different nodes, and every cache would start cold. If that is truly meant, it needs a new\n"+
		"major version, a record under docs/adr and a line in CHANGELOG.md; then run this test with -update.",
		file, len(gotLines), len(wantLines))
}

// JSON is Text for a value that is written as JSON, indented by tabs. Strings
// that are not UTF-8 do not survive that: quote them first.
func JSON(t testing.TB, file string, got any) {
	t.Helper()
	text, err := json.MarshalIndent(got, "", "\t")
	if err != nil {
		t.Fatal(err)
	}
	Text(t, file, string(text)+"\n")
}
