package golden

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorder is a test that goes on after it failed.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper()                        {}
func (r *recorder) Errorf(format string, a ...any) { r.said += fmt.Sprintf(format, a...) + "\n" }
func (r *recorder) Fatal(a ...any)                 { panic(fmt.Sprint(a...)) }

func TestText(t *testing.T) {
	file := filepath.Join(t.TempDir(), "owners.txt")
	if err := os.WriteFile(file, []byte("a 1\nb 2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		"a 1\nb 2\n":      "",
		"a 1\nb 3\n":      "line 2: got\n\tb 3\nwant\n\tb 2\n",
		"a 1\nb 2\nc 3\n": "(4 lines, want 3).\nThis change moves keys",
		"a 1\nb 2":        "(2 lines, want 3)",
		"a 1\r\nb 2\n":    "line 1",
		"":                "This change moves keys",
	} {
		r := &recorder{}
		Text(r, file, got)
		if want == "" && r.said != "" || !strings.Contains(r.said, want) {
			t.Errorf("%q: the test says %q, want %q", got, r.said, want)
		}
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "a 1\nb 2\n" {
		t.Errorf("the file was changed: %q, %v", text, err)
	}
}

func TestJSONAndUpdate(t *testing.T) {
	file := filepath.Join(t.TempDir(), "golden.json")
	defer func(was bool) { *update = was }(*update)
	*update = true
	JSON(t, file, map[string]int{"b": 2, "a": 1})
	*update = false
	if text, err := os.ReadFile(file); err != nil || string(text) != "{\n\t\"a\": 1,\n\t\"b\": 2\n}\n" {
		t.Errorf("got %q, %v", text, err)
	}
	r := &recorder{}
	if JSON(r, file, map[string]int{"a": 1, "b": 3}); !strings.Contains(r.said, "line 3") {
		t.Errorf("the test says %q", r.said)
	}
}
