package ring

import (
	"strings"
	"testing"
)

// Names reach a terminal as they are or quoted, whatever they hold.
func TestDescribeQuotesNames(t *testing.T) {
	for name, want := range map[string]string{
		"größe-日":     "größe-日 ",
		"a\x1b[31mb":  `"a\x1b[31mb"`,
		"a\nb":        `"a\nb"`,
		"a\x7fb":      `"a\x7fb"`,
		"a\xffb":      `"a\xffb"`,
		"a\u0085b":    `"a\u0085b"`,
		"a\u009b31mb": `"a\u009b31mb"`,
		"a\u202eb":    `"a\u202eb"`,
		"a\u2028b":    `"a\u2028b"`,
	} {
		r, err := New([]Node{{ID: name, Weight: 1, Zone: name[:min(len(name), 6)]}}, Config{VirtualNodes: 4})
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(r.Describe(), "\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[2], want) {
			t.Errorf("%q: got\n%s\nwant a line that begins with %s", name, r.Describe(), want)
		}
	}
	r, err := New([]Node{{ID: "a", Weight: 1, Zone: "z\u202e"}}, Config{VirtualNodes: 4})
	if err != nil || !strings.Contains(r.Describe(), `"z\u202e"`) {
		t.Errorf("a zone: %v\n%s", err, r.Describe())
	}
}

// A name that is long is cut, and its line stays as wide as the others.
func TestDescribeClipsNames(t *testing.T) {
	r, err := New([]Node{{ID: strings.Repeat("x", 255), Weight: 1, Zone: strings.Repeat("y", 255)}}, Config{VirtualNodes: 4})
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("x", 39) + "…         1  yyyyyyyyy…  "
	if line := strings.Split(r.Describe(), "\n")[2]; !strings.HasPrefix(line, want) {
		t.Errorf("got  %s\nwant %s", line, want)
	}
}
