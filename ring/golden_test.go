package ring

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"reflect"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.json anew (this moves keys: read the message of the test first)")

const goldenFile = "testdata/golden.json"

// golden is what must never change: for each configuration the first tokens, a
// few owners, and the fingerprint.
type golden struct {
	Name        string
	Hash        string
	Seed        uint64 `json:",omitempty"`
	HashTags    bool   `json:",omitempty"`
	Virtual     int
	Nodes       []Node
	Fingerprint string
	Tokens      []string // the first twelve, as token and node
	KeyHash     string   // of "user:1"
	Owners      map[string]string
}

func goldenCases() []golden {
	plain := Nodes("cache-a", "cache-b", "cache-c", "10.0.0.1:6379", "é\x00\xff")
	weighted := []Node{{"a", 0.5, "z1"}, {"b", 1, "z1"}, {"c", 2.25, "z2"}, {"node1", 1, ""}, {"node11", 1, ""}}
	return []golden{
		{Name: "default", Hash: "xxhash64", Virtual: 160, Nodes: plain},
		{Name: "weights and zones", Hash: "xxhash64", Virtual: 40, Nodes: weighted},
		{Name: "murmur3", Hash: "murmur3", Virtual: 160, Nodes: plain},
		{Name: "seeded", Hash: "xxhash64", Seed: 0x1234_5678_9abc_def0, Virtual: 160, Nodes: plain},
		{Name: "murmur3 seeded", Hash: "murmur3", Seed: 0x9abc_def0, Virtual: 160, Nodes: plain},
		{Name: "hash tags", Hash: "xxhash64", HashTags: true, Virtual: 160, Nodes: plain},
	}
}

var goldenKeys = []string{"", "a", "user:1", "user:2", "{user1000}.following", "{user1000}.followers", "foo{}{bar}",
	"product:4711", "a key that is longer than thirty-two bytes, so that the hash takes its other path", "\x00\xff\r\n"}

func (g golden) fill(t *testing.T) golden {
	function, err := ParseHashFunction(g.Hash)
	if err != nil {
		t.Fatal(err)
	}
	r := mustNew(t, g.Nodes, Config{VirtualNodes: g.Virtual, Hasher: Hasher{Function: function, Seed: g.Seed, HashTags: g.HashTags}})
	g.Fingerprint = r.Fingerprint().String()
	for i := range 12 {
		g.Tokens = append(g.Tokens, fmt.Sprintf("%016x %q", r.tokens[i], r.nodes[r.owners[i]].ID))
	}
	g.KeyHash = fmt.Sprintf("%016x", r.Hash("user:1"))
	g.Owners = make(map[string]string)
	for _, key := range goldenKeys {
		g.Owners[fmt.Sprintf("%q", key)] = fmt.Sprintf("%q", r.Owner(key).ID)
	}
	return g
}

func TestGolden(t *testing.T) {
	var got []golden
	for _, g := range goldenCases() {
		got = append(got, g.fill(t))
	}
	for i := range got { // IDs that are not UTF-8 do not survive JSON: Tokens and Owners quote them
		got[i].Nodes = nil
	}
	if *update {
		text, err := json.MarshalIndent(got, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(goldenFile)
	if err != nil {
		t.Fatal(err)
	}
	var want []golden
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if len(want) != len(got) {
		t.Fatalf("%s has %d cases, want %d", goldenFile, len(want), len(got))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("%s: tokens or owners differ from %s.\ngot  %+v\nwant %+v\n"+
				"This change moves keys: a fleet whose clients do not all upgrade at one instant would read and write\n"+
				"the same key on different nodes, and every cache would start cold. If that is truly meant, it needs a new\n"+
				"major version, a record under docs/adr and a line in CHANGELOG.md; then run go test ./ring -update.",
				got[i].Name, goldenFile, got[i], want[i])
		}
	}
}
