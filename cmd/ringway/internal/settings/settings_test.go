package settings

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/cli"
)

// values are the flags of the command that the tests load.
type values struct {
	url, id, config string
	weight          float64
	copies          int
	purge           bool
	join            []string
	leave           time.Duration
	format          *cli.Format
}

// command returns a command with flags of every type, within a tree that has a
// further flag elsewhere.
func command(v *values) *cobra.Command {
	root := &cobra.Command{Use: "ringway"}
	other := &cobra.Command{Use: "other", RunE: func(*cobra.Command, []string) error { return nil }}
	other.Flags().String("kind", "", "`KIND`")
	cmd := &cobra.Command{Use: "agent", RunE: func(*cobra.Command, []string) error { return nil }}
	flags := cmd.Flags()
	flags.StringVar(&v.url, "server", "", "`URL`")
	flags.StringVar(&v.id, "id", "", "`ID`")
	flags.StringVar(&v.config, ConfigFlag, "", "`FILE`")
	flags.Float64Var(&v.weight, "weight", 1, "a `NUMBER`")
	flags.IntVar(&v.copies, "copies", 1, "a `NUMBER`")
	flags.BoolVar(&v.purge, "purge", false, "")
	flags.StringSliceVar(&v.join, "join", []string{"seed"}, "a `LIST`")
	flags.DurationVar(&v.leave, "leave-timeout", time.Minute, "")
	flags.Bool("print-config", false, "")
	v.format = cli.FormatFlag(cmd)
	CommandLineOnly(flags, "print-config")
	root.AddCommand(cmd, other)
	return cmd
}

// load parses a command line, and loads what it does not say.
func load(t *testing.T, args, environ []string) (values, *Settings, error) {
	t.Helper()
	var v values
	cmd := command(&v)
	if err := cmd.ParseFlags(args); err != nil {
		t.Fatal(err)
	}
	s, err := Load(cmd, environ)
	return v, s, err
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "agent.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPrecedence(t *testing.T) {
	const text = "id: from-file\nweight: 3\n"
	for _, test := range []struct {
		name    string
		args    []string
		environ []string
		file    string
		id      string
		where   string // of id, the file's name left out
		weight  float64
	}{
		{"default", nil, nil, "", "", "--id", 1},
		{"file", nil, nil, text, "from-file", ":1:1: id", 3},
		{"environment", nil, []string{"RINGWAY_ID=from-env"}, text, "from-env", "RINGWAY_ID", 3},
		{"flag", []string{"--id", "from-flag"}, []string{"RINGWAY_ID=from-env"}, text, "from-flag", "--id", 3},
		{"flag that is empty", []string{"--id="}, []string{"RINGWAY_ID=from-env"}, text, "", "--id", 3},
		{"variable that is empty", nil, []string{"RINGWAY_ID="}, text, "from-file", ":1:1: id", 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, named := range []string{"flag", "variable"} {
				args, environ := test.args, test.environ
				if test.file != "" && named == "flag" {
					args = append(args, "--config", file(t, test.file))
				} else if test.file != "" {
					environ = append(environ, "RINGWAY_CONFIG="+file(t, test.file))
				}
				v, s, err := load(t, args, environ)
				if err != nil {
					t.Fatal(err)
				}
				if v.id != test.id || v.weight != test.weight || !strings.HasSuffix(s.Where("id"), test.where) {
					t.Errorf("named by %s: id %q from %s, weight %v", named, v.id, s.Where("id"), v.weight)
				}
			}
		})
	}
}

func TestFile(t *testing.T) {
	v, s, err := load(t, []string{"--config", file(t, `# a comment
server: "redis://127.0.0.1:6379/0#x" # quoted
id: 007
weight: 1.50
copies: 2
purge: true
join:
  - 10.0.0.1:7946   # an item
  - "host,with,commas"
leave-timeout: 90s
format: json
kind: redis         # another command's
`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if v.url != "redis://127.0.0.1:6379/0#x" || v.id != "007" || v.weight != 1.5 || v.copies != 2 || !v.purge ||
		len(v.join) != 2 || v.join[1] != "host,with,commas" || v.leave != 90*time.Second || *v.format != cli.JSON {
		t.Errorf("%+v", v)
	}
	if !strings.HasSuffix(s.Where("join"), "agent.yaml:7:1: join") {
		t.Errorf("join is from %s", s.Where("join"))
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "null\n"} {
		if _, _, err := load(t, []string{"--config", file(t, text)}, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	v, _, err = load(t, []string{"--config", file(t, "join: []\n")}, nil)
	if err != nil || len(v.join) != 0 {
		t.Errorf("an empty list: %q, %v", v.join, err)
	}
	v, _, err = load(t, []string{"--config", file(t, "join: a,b\n")}, []string{"RINGWAY_JOIN=c,d,e"})
	if err != nil || len(v.join) != 3 {
		t.Errorf("a list in the environment: %q, %v", v.join, err)
	}
}

// What is wrong is told in one line with its place and what was expected.
func TestErrors(t *testing.T) {
	for _, test := range []struct {
		name    string
		file    string
		environ []string
		want    string // FILE stands for the file's name
	}{
		{"unknown key", "id: a\nwieght: 2\n", nil, `FILE:2:1: found the unknown key "wieght", expected weight`},
		{"unknown key like none", "colour: red\n", nil, `FILE:1:1: found the unknown key "colour", expected one of copies, format, id, join, kind, leave-timeout, purge, server, weight`},
		{"command line only", "print-config: true\n", nil, `FILE:1:1: found the unknown key "print-config", expected one of copies, format, id, join, kind, leave-timeout, purge, server, weight`},
		{"file in a file", "config: b.yaml\n", nil, `FILE:1:1: found the unknown key "config", expected one of copies, format, id, join, kind, leave-timeout, purge, server, weight`},
		{"twice", "id: a\nid: b\n", nil, `FILE:2:1: found mapping key "id" already defined at [1:1], expected YAML`},
		{"no number", "weight: much\n", nil, `FILE:1:1: weight: found "much", expected a number`},
		{"no whole number", "copies: 1.5\n", nil, `FILE:1:1: copies: found "1.5", expected a whole number`},
		{"no boolean", "purge: ja\n", nil, `FILE:1:1: purge: found "ja", expected true or false`},
		{"no duration", "leave-timeout: 90\n", nil, `FILE:1:1: leave-timeout: found "90", expected a duration such as 30s`},
		{"no format", "format: xml\n", nil, `FILE:1:1: format: found "xml", expected one of table, json, csv`},
		{"list for one", "id: [a, b]\n", nil, `FILE:1:1: id: found a list, expected ID`},
		{"keys within a key", "id:\n  x: 1\n", nil, `FILE:1:1: id: found keys within a key, expected a value`},
		{"list of lists", "join: [[a]]\n", nil, `FILE:1:8: join: found a list, expected a list of plain values`},
		{"nothing", "id:\n", nil, `FILE:1:1: id: found nothing, expected a value`},
		{"anchor", "id: &x a\n", nil, `FILE:1:1: id: found an anchor or alias, expected a value`},
		{"tag", "id: !!str a\n", nil, `FILE:1:1: id: found a tag, expected a value`},
		{"no mapping", "just a text\n", nil, `FILE:1:1: found "just a text", expected lines of the form key: value`},
		{"list at the top", "- id\n", nil, `FILE:1:1: found a list, expected lines of the form key: value`},
		{"two documents", "id: a\n---\nweight: 2\n", nil, `FILE: found several documents, expected one`},
		{"not YAML", "id: a\n  b: [\n", nil, `FILE:`},
		{"not UTF-8", "id: \xff\n", nil, `FILE: found bytes that are not UTF-8, expected YAML`},
		{"variable", "", []string{"RINGWAY_WEIGHT=much"}, `RINGWAY_WEIGHT: found "much", expected a number`},
		{"variable of a format", "", []string{"RINGWAY_FORMAT=xml"}, `RINGWAY_FORMAT: found "xml", expected one of table, json, csv`},
		{"no file", "", []string{"RINGWAY_CONFIG=no/such/file"}, `RINGWAY_CONFIG: found "no/such/file", which cannot be read: no such file or directory, expected a YAML file`},
		{"folder", "", []string{"RINGWAY_CONFIG=."}, `RINGWAY_CONFIG: found ".", which cannot be read: is a directory, expected a YAML file`},
	} {
		t.Run(test.name, func(t *testing.T) {
			environ, name := test.environ, ""
			if test.file != "" {
				name = file(t, test.file)
				environ = append(environ, "RINGWAY_CONFIG="+name)
			}
			_, _, err := load(t, nil, environ)
			usage := (*cli.UsageError)(nil)
			if !errors.As(err, &usage) {
				t.Fatalf("error %v", err)
			}
			got := strings.ReplaceAll(err.Error(), name, "FILE")
			if name == "" {
				got = err.Error()
			}
			if got != test.want && (test.name != "not YAML" || !strings.HasPrefix(got, test.want)) || strings.Contains(got, "\n") {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

// A file that is too large is refused, and none is read that is not named.
func TestBounds(t *testing.T) {
	_, _, err := load(t, []string{"--config", file(t, strings.Repeat("#", maxFile+1))}, nil)
	if err == nil || !strings.Contains(err.Error(), "--config: found over 65536 bytes") {
		t.Errorf("error %v", err)
	}
	if _, _, err = load(t, []string{"--config", file(t, "join: "+strings.Repeat("[", 1001))}, nil); err == nil || !strings.Contains(err.Error(), "found 1001 opening brackets") {
		t.Errorf("error %v", err)
	}
	if _, _, err = load(t, []string{"--config", ""}, nil); err == nil || err.Error() != "--config: found no name, expected a file" {
		t.Errorf("error %v", err)
	}
}

func TestUnread(t *testing.T) {
	_, s, err := load(t, nil, []string{
		"RINGWAY_WIEGHT=2", "RINGWAY_SERVR=x", "RINGWAY_CONFG=y", // slips
		"RINGWAY_PORT=tcp://10.0.0.1:80", "RINGWAY_SERVICE_HOST=10.0.0.1", // of Kubernetes
		"RINGWAY_KIND=redis", "OTHER_WIEGHT=2", "PATH=/bin",
	})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(s.Unread, "\n")
	want := `environment variable "RINGWAY_CONFG": nothing reads it; is RINGWAY_CONFIG meant?
environment variable "RINGWAY_SERVR": nothing reads it; is RINGWAY_SERVER meant?
environment variable "RINGWAY_WIEGHT": nothing reads it; is RINGWAY_WEIGHT meant?`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What is printed says where it comes from, hides what it is told to, and is read
// back as it was.
func TestPrint(t *testing.T) {
	args := []string{"--id", "a: #b", "--join", "10.0.0.1,[::1]:7946", "--config", file(t, "server: redis://:secret@host\nweight: 2\n")}
	_, s, err := load(t, args, []string{"RINGWAY_COPIES=3"})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	hide := map[string]func(string) string{"server": func(string) string { return "redis://host" }}
	if err := s.Print(&b, hide); err != nil {
		t.Fatal(err)
	}
	text := b.String()
	for _, want := range []string{"server: redis://host ", "agent.yaml:1:1", `id: "a: #b"`, "# --id", "copies: 3 ", "# RINGWAY_COPIES", "leave-timeout: 1m0s", "# default"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	if strings.Contains(text, "secret") || strings.Contains(text, "print-config") || strings.Contains(text, "config:") {
		t.Errorf("too much is in\n%s", text)
	}
	again, _, err := load(t, []string{"--config", file(t, text)}, nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if again.id != "a: #b" || again.url != "redis://host" || again.copies != 3 || again.weight != 2 ||
		len(again.join) != 2 || again.join[1] != "[::1]:7946" || again.leave != time.Minute {
		t.Errorf("read back: %+v", again)
	}
}

func TestNearest(t *testing.T) {
	names := []string{"id", "weight", "join", "encrypt-key-file"}
	for word, want := range map[string]string{
		"wieght": "weight", "weihgt": "weight", "weigh": "weight", "joins": "join", "encrypt-keyfile": "encrypt-key-file",
		"": "", "x": "", "xyz": "", "height-of-it": "", strings.Repeat("weight", 100): "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("%q: got %q, want %q", word, got, want)
		}
	}
}

// FuzzFile: whatever a file holds gives entries of known keys, or one line.
func FuzzFile(f *testing.F) {
	for _, seed := range []string{"id: a\nweight: 2\n", "join: [a, 'b']\n", "? id\n: a\n", "id: |\n  x\n", "<<: *a\n", "{id: a}", "id: &a [*a]", "%YAML 1.2\n---\nid: a"} {
		f.Add([]byte(seed))
	}
	known := []string{"id", "join", "weight"}
	f.Fuzz(func(t *testing.T, content []byte) {
		entries, err := parseFile("f", content, known)
		if err != nil && (strings.TrimSpace(err.Error()) == "" || entries != nil) {
			t.Errorf("error %q, entries %v", err, entries)
		}
		for key := range entries {
			if key != "id" && key != "join" && key != "weight" {
				t.Errorf("unknown key %q", key)
			}
		}
	})
}
