package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/ringway/ringway/internal/proctest"
	"github.com/ringway/ringway/ring"
)

// Every example of every --help does what it says, assertions included. Files that
// only a user has are replaced by small ones, with the changes put where those
// have requests, and large numbers of nodes, keys and runs by smaller ones.
func TestHelpExamplesRun(t *testing.T) {
	proctest.Computes(t)
	svg := filepath.Join(t.TempDir(), "hits.svg")
	series := filepath.Join(t.TempDir(), "hot-key.csv")
	page := filepath.Join(t.TempDir(), "report.html")
	agent := serve(t, agentOf(t, ring.Config{}, redisNodes("cache-a", "cache-b", "cache-c", "cache-e", "cache-f", "cache-g", "cache-h")...))
	small := strings.NewReplacer(
		"-o report.html", "-o "+page, "report.json", page+".json", "http://10.0.0.1:8946", agent,
		"orm-busy.keys.gz", "testdata/keys.txt.gz", "@1000000", "@50",
		"access.csv", "testdata/trace.csv", "key=url", "key=url,size=length", "@5000", "@50", "@9000", "@90",
		"access.keys.gz", "testdata/keys.txt.gz", "--capacity 1000", "--capacity 5", "hot-key.csv", series,
		"hit-rate.svg", svg, "uniform:1000000", "uniform:20000",
	)
	examples := 0
	var each func(cmd *cobra.Command)
	each = func(cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			line = strings.TrimSpace(line)
			rest, ours := strings.CutPrefix(line+" ", "ringsim ")
			if !ours {
				t.Errorf("%s: example %q", cmd.Name(), line)
				continue
			}
			rest = small.Replace(rest)
			if cmd.Name() == "balance" && !strings.Contains(rest, "--assert") {
				rest += " --nodes 10,20 --keys 2000 --runs 1"
			}
			if cmd.Name() == "whatif" && !strings.Contains(rest, "--agent") {
				rest += " --agent " + agent
			}
			examples++
			t.Run(line, func(t *testing.T) {
				run, rest := run, rest
				if cmd.Name() == "gossip" { // which takes a minute of real time
					rest = strings.ReplaceAll(rest+" --nodes 10", "--nodes 100", "")
					run = func(args ...string) (int, string, string) { return virtually(t, args...) }
				}
				if code, stdout, stderr := run(words(t, rest)...); code != 0 || stdout == "" || stderr != "" {
					t.Errorf("ringsim %s: exit %d, stderr %s", rest, code, stderr)
				}
			})
		}
		for _, c := range cmd.Commands() {
			each(c)
		}
	}
	each(newRoot("test"))
	if examples < 10 {
		t.Errorf("only %d examples were found", examples)
	}
	for _, file := range []string{svg, page, page + ".json"} {
		if _, err := os.Stat(file); err != nil {
			t.Error(err)
		}
	}
}

// words splits a command line as a shell does: at spaces outside single quotes.
func words(t *testing.T, line string) (out []string) {
	t.Helper()
	parts := strings.Split(line, "'")
	if len(parts)%2 == 0 {
		t.Fatalf("an open quote in %s", line)
	}
	word, begun := "", false
	for i, part := range parts {
		if i%2 == 1 {
			word, begun = word+part, true
			continue
		}
		for j, field := range strings.Split(part, " ") {
			if j > 0 {
				if begun {
					out = append(out, word)
				}
				word, begun = "", false
			}
			word += field
			begun = begun || field != ""
		}
	}
	if begun {
		out = append(out, word)
	}
	return out
}
