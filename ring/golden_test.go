package ring

import (
	"fmt"
	"testing"

	"github.com/ringway/ringway/internal/placementtest/golden"
)

// goldenCase is what must never change: for each configuration the first tokens, a
// few owners, and the fingerprint.
type goldenCase struct {
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

func goldenCases() []goldenCase {
	plain := Nodes("cache-a", "cache-b", "cache-c", "10.0.0.1:6379", "é\x00\xff")
	weighted := []Node{{"a", 0.5, "z1"}, {"b", 1, "z1"}, {"c", 2.25, "z2"}, {"node1", 1, ""}, {"node11", 1, ""}}
	return []goldenCase{
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

func (g goldenCase) fill(t *testing.T) goldenCase {
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
	var got []goldenCase
	for _, g := range goldenCases() {
		got = append(got, g.fill(t))
	}
	for i := range got { // IDs that are not UTF-8 do not survive JSON: Tokens and Owners quote them
		got[i].Nodes = nil
	}
	golden.JSON(t, "testdata/golden.json", got)
}
