package jump

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/ringway/ringway/ring"
)

var update = flag.Bool("update", false, "write testdata/owners.txt anew (this moves keys: read the message of the test first)")

const goldenFile = "testdata/owners.txt"

func goldenCases(t *testing.T) (names []string, placements []ring.Placement) {
	add := func(name string, nodes []ring.Node, cfg Config) {
		names = append(names, name)
		placements = append(placements, mustNew(t, nodes, cfg))
	}
	add("ten", numbered(10), Config{})
	add("hundred", numbered(100), Config{})
	add("thousand", numbered(1000), Config{})
	add("murmur3", numbered(10), Config{Hasher: ring.Hasher{Function: ring.Murmur3}})
	add("seeded", numbered(10), Config{Hasher: ring.Hasher{Seed: 0x1234_5678_9abc_def0}})
	add("tags", numbered(10), Config{Hasher: ring.Hasher{HashTags: true}})
	return names, placements
}

// goldenText is a table: a key a line, and in each column its owner in one case.
func goldenText(t *testing.T) string {
	names, placements := goldenCases(t)
	var b strings.Builder
	fmt.Fprintf(&b, "key %s\n", strings.Join(names, " "))
	keys := []string{"", "a", "{user1000}.following", "{user1000}.followers", "foo{}{bar}", "\x00\xff\r\n", strings.Repeat("long", 20)}
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("user:%d", i))
	}
	for _, key := range keys {
		fmt.Fprintf(&b, "%q", key)
		for _, p := range placements {
			fmt.Fprintf(&b, " %s", p.Nodes()[p.OwnerIndex(key)].ID)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	got := goldenText(t)
	if *update {
		if err := os.WriteFile(goldenFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	if want := string(text); got != want {
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
		for i := range min(len(gotLines), len(wantLines)) {
			if gotLines[i] != wantLines[i] {
				t.Errorf("%s, line %d: got\n\t%s\nwant\n\t%s", goldenFile, i+1, gotLines[i], wantLines[i])
				break
			}
		}
		t.Errorf("owners differ from %s (%d lines, want %d).\n"+
			"This change moves keys: a fleet whose clients do not all upgrade at one instant would read and write\n"+
			"the same key on different nodes, and every cache would start cold. If that is truly meant, it needs a new\n"+
			"major version, a record under docs/adr and a line in CHANGELOG.md; then run this test with -update.",
			goldenFile, len(gotLines), len(wantLines))
	}
}
