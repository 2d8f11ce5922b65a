package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli/printable"
)

// toy is a command with a flag of each kind.
func toy(run func(*cobra.Command) error) *cobra.Command {
	root := &cobra.Command{Use: "toy", Args: Subcommand, RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd) }}
	root.Flags().Int("count", 1, "a `NUMBER` of things")
	root.Flags().Uint64("seed", 1, "`SEED`")
	root.Flags().BoolP("loud", "l", false, "louder")
	root.Flags().String("name", "", "a `NAME`")
	FormatFlag(root)
	root.AddCommand(&cobra.Command{Use: "sub", Args: NoArgs, Run: func(*cobra.Command, []string) {}})
	return root
}

func TestRunErrors(t *testing.T) {
	done := func(*cobra.Command) error { return nil }
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	for _, test := range []struct {
		args   string
		run    func(*cobra.Command) error
		ctx    context.Context
		code   int
		stderr string
	}{
		{args: "", run: done, code: 0},
		{args: "--count x", run: done, code: 2, stderr: `toy: --count: found "x", expected a whole number`},
		{args: "--seed -1", run: done, code: 2, stderr: `toy: --seed: found "-1", expected a whole number from 0 to 18446744073709551615`},
		{args: "--loud=maybe", run: done, code: 2, stderr: `toy: --loud: found "maybe", expected true or false`},
		{args: "--name", run: done, code: 2, stderr: `toy: --name: found no value, expected NAME`},
		{args: "--format yaml", run: done, code: 2, stderr: `toy: --format: found "yaml", expected one of table, json, csv`},
		{args: "--nope", run: done, code: 2, stderr: `toy: --nope: found an unknown flag, expected a flag that "toy --help" lists`},
		{args: "-z", run: done, code: 2, stderr: `toy: -z: found an unknown flag, expected a flag that "toy --help" lists`},
		{args: "--=3", run: done, code: 2, stderr: `toy: flags: found "--=3", expected a flag that "toy --help" lists`},
		{args: "nope", run: done, code: 2, stderr: `toy: command: found "nope", expected one of completion, sub`},
		{args: "sub more", run: done, code: 2, stderr: `toy: sub: found the argument "more", expected flags only`},
		{args: "", run: func(*cobra.Command) error { return &UsageError{Where: "--x a\nb", Found: "c\r\x1bd"} }, code: 2, stderr: `toy: --x a\nb: found c\r\x1bd`},
		{args: "", run: func(*cobra.Command) error { return errors.New("disk full") }, code: 1, stderr: "toy: disk full"},
		{args: "", run: func(*cobra.Command) error { return errors.New("disk\u202e full\u009b31m\xff") }, code: 1, stderr: `toy: disk\u202e full\u009b31m\xff`},
		{args: "", run: func(*cobra.Command) error { return &FailedError{Lines: []string{"a is not b", "c is not d"}} }, code: 1, stderr: "toy: a is not b\ntoy: c is not d"},
		{args: "", run: func(cmd *cobra.Command) error { return cmd.Context().Err() }, ctx: cancelled, code: 130, stderr: "toy: interrupted"},
	} {
		var stdout, stderr bytes.Buffer
		if test.ctx == nil {
			test.ctx = context.Background()
		}
		code := Run(test.ctx, toy(test.run), strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || strings.TrimSuffix(stderr.String(), "\n") != test.stderr || stdout.Len() > 0 {
			t.Errorf("%q: exit %d, stdout %q, stderr %q; want %d, %q", test.args, code, &stdout, &stderr, test.code, test.stderr)
		}
	}
}

type Shares struct {
	Share *float64 `json:"share"`
}

type row struct {
	Name string `json:"name"`
	Shares
	Nodes  *int   `json:"nodes"`
	Note   string `json:"note"`
	Series []int  `json:"series"`
	Hidden int
}

func rows() []Record {
	return []Record{
		RecordOf(row{Name: "ring", Shares: Shares{Share: new(0.1)}, Nodes: new(3), Note: `a "b", c`, Series: []int{1, 2}}),
		RecordOf(&row{Name: "jump"}),
	}
}

func TestWriteJSON(t *testing.T) {
	var b bytes.Buffer
	err := WriteJSON(&b, Record{{"schema", "toy/1"}, {"keys", Record{{"count", 2}}}, {"results", rows()}, {"empty", []Record{}}})
	want := `{
  "schema": "toy/1",
  "keys": {
    "count": 2
  },
  "results": [{
    "name": "ring",
    "share": 0.1,
    "nodes": 3,
    "note": "a \"b\", c",
    "series": [
      1,
      2
    ]
  }, {
    "name": "jump",
    "share": null,
    "nodes": null,
    "note": "",
    "series": []
  }],
  "empty": []
}
`
	if err != nil || b.String() != want {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestWriteCSV(t *testing.T) {
	var b bytes.Buffer
	if err := WriteCSV(&b, rows()); err != nil || b.String() != "name,share,nodes,note\nring,0.1,3,\"a \"\"b\"\", c\"\njump,,,\n" {
		t.Errorf("%v\n%s", err, &b)
	}
}

func TestRecordOfWithout(t *testing.T) {
	r := RecordOf(row{}, "share", "series")
	if names := strings.Join(r.Names(), " "); names != "name nodes note" {
		t.Error(names)
	}
	if v, ok := r.Get("nodes"); v != nil || !ok {
		t.Error(v, ok)
	}
	if _, ok := r.Get("share"); ok {
		t.Error("share is still there")
	}
}

// Nothing reaches standard output when a report cannot be written as a whole.
func TestPrintIsAllOrNothing(t *testing.T) {
	var b bytes.Buffer
	bad := Report{JSON: func() Record { return Record{{"good", 1}, {"bad", func() {}}} }}
	if err := bad.Print(&b, JSON); err == nil || b.Len() > 0 {
		t.Errorf("%v, %q", err, &b)
	}
}

func TestWriteTable(t *testing.T) {
	var b bytes.Buffer
	WriteTable(&b, Style{}, []Column{{"name", true}, {"load", false}}, [][]string{{"ring", "1.1 µs"}, {"rendezvous", "–"}})
	want := "name          load\n──────────────────\nring        1.1 µs\nrendezvous       –\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

func TestWriteText(t *testing.T) {
	var b bytes.Buffer
	WriteText(&b, strings.Repeat("wörd ", 50), "  ")
	lines := strings.Split(b.String(), "\n")
	for i, line := range lines {
		if n := utf8.RuneCountInString(line); n > MaxWidth {
			t.Errorf("line %d has %d characters", i, n)
		}
	}
	if len(lines) != 4 || !strings.HasPrefix(lines[1], "  wörd") || strings.Count(b.String(), "wörd") != 50 {
		t.Errorf("got\n%s", &b)
	}
}

// What is wide is measured in cells, and cut where no break helps.
func TestWidth(t *testing.T) {
	for _, test := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"日本語", 6, "日本語"}, {"日本語", 5, "日本…"}, {"日本語", 4, "日…"}, {"e\u0301e\u0301", 2, "e\u0301e\u0301"}, {"", 0, ""},
	} {
		if got := Clip(test.text, test.width); got != test.want || Width(got) > test.width {
			t.Errorf("%s in %d: %s", test.text, test.width, got)
		}
	}
	if got := Name("a\x1bb"); got != `"a\x1bb"` {
		t.Error(got)
	}
	if got := Name(strings.Repeat("日", 30)); Width(got) > 40 {
		t.Error(got)
	}
	var b bytes.Buffer
	WriteText(&b, "a "+strings.Repeat("日本 ", 60)+strings.Repeat("x", 250)+" z", "  ")
	WriteTable(&b, Style{}, []Column{{"name", true}, {"load", false}}, [][]string{{"日本語", "1"}})
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	for _, line := range lines {
		if Width(line) > MaxWidth {
			t.Errorf("%d wide: %s", Width(line), line)
		}
	}
	if n := len(lines); lines[n-4] != "  z" || lines[n-2] != strings.Repeat("─", Width(lines[n-1])) {
		t.Errorf("got\n%s", &b)
	}
}

// Ambiguous characters have one width, whatever the locale.
func TestWidthIsNotOfTheLocale(t *testing.T) {
	if Width("─┃…–") != 4 {
		t.Error(Width("─┃…–"))
	}
	text.OverrideRuneWidthEastAsianWidth(true)
	defer text.OverrideRuneWidthEastAsianWidth(false)
	if Width("…") != 2 {
		t.Error("the override that this package relies on does nothing")
	}
}

// JSON means the same with what a terminal must not see.
func TestWriteJSONEscapes(t *testing.T) {
	const nasty = "日 a\x1b\u0085\u009b\u202e\x7f\U000e0001\\"
	var b bytes.Buffer
	if err := WriteJSON(&b, Record{{"name", nasty}, {"list", []string{nasty}}}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if !printable.Is(strings.TrimSuffix(line, "\n")) {
			t.Errorf("printed raw: %q", line)
		}
	}
	var back struct {
		Name string
		List []string
	}
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back.Name != nasty || back.List[0] != nasty {
		t.Errorf("%v: read back %q", err, back)
	}
}

// A file that cannot be written is named on one line.
func TestWriteFileNames(t *testing.T) {
	err := WriteFile(filepath.Join(t.TempDir(), "no", "a\n\u202eb"), nil)
	if err == nil || !printable.Is(err.Error()) || !strings.Contains(err.Error(), `a\n\u202eb`) {
		t.Errorf("%q", err)
	}
}

// waitForever is the environment variable that makes this test binary a command
// which does not heed its context.
const waitForever = "CLI_TEST_WAIT_FOREVER"

func TestMain(m *testing.M) {
	if os.Getenv(waitForever) != "" {
		os.Exit(Main(&cobra.Command{Use: "toy", Run: func(cmd *cobra.Command, _ []string) {
			cmd.PrintErrln("waiting")
			select {}
		}}))
	}
	os.Exit(m.Run())
}

func TestStyle(t *testing.T) {
	plain, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if StyleFor(plain).colour || StyleFor(new(bytes.Buffer)).colour {
		t.Error("a file is taken for a terminal")
	}
	if got := (Style{colour: true}).Bold("x"); got != "\x1b[1mx\x1b[0m" {
		t.Errorf("%q", got)
	}
	if got := (Style{}).Bold("x") + (Style{}).Dim("y"); got != "xy" {
		t.Errorf("%q", got)
	}
}

// The bar comes after a second, on a terminal, and goes when the work is done.
func TestProgress(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	p := NewProgress(&b, "placing")
	p.now, p.start = func() time.Time { return now }, now
	p.Set(5, 10)
	now = now.Add(2 * time.Second)
	p.Set(6, 10)
	if b.Len() > 0 {
		t.Errorf("wrote %q to what is no terminal", &b)
	}
	p.terminal = true
	now = time.Unix(0, 0).Add(999 * time.Millisecond)
	p.Set(7, 10)
	if b.Len() > 0 {
		t.Errorf("wrote %q before a second was over", &b)
	}
	now = now.Add(time.Millisecond)
	p.Set(8, 10)
	p.Set(3, 10) // overtaken by the call before
	if !strings.Contains(b.String(), "placing") || p.done != 8 {
		t.Errorf("after a second: %q, done %d", &b, p.done)
	}
	p.Close()
	if !strings.HasSuffix(b.String(), "\r") {
		t.Errorf("the bar is still there: %q", &b)
	}
	length := b.Len()
	p.Set(9, 10)
	p.Close()
	if b.Len() != length {
		t.Error("wrote after Close")
	}
}
