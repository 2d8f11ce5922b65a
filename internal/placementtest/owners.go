package placementtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/internal/placementtest/golden"
	"github.com/ringway/ringway/ring"
)

// Case is a column of a golden table.
type Case[C any] struct {
	Name  string
	Nodes []ring.Node
	Cfg   C
}

// Golden holds the cases, and four that every placement has, to the table in
// testdata/owners.txt: a key a line, and in each column its owner in one case.
func (k Kind[P, C]) Golden(t *testing.T, cases ...Case[C]) {
	t.Helper()
	cases = append(append([]Case[C]{{"ten", Numbered(10), k.With(ring.Hasher{})}, {"hundred", Numbered(100), k.With(ring.Hasher{})}}, cases...),
		Case[C]{"murmur3", Numbered(10), k.With(ring.Hasher{Function: ring.Murmur3})},
		Case[C]{"seeded", Numbered(10), k.With(ring.Hasher{Seed: 0x1234_5678_9abc_def0})},
		Case[C]{"tags", Numbered(10), k.With(ring.Hasher{HashTags: true})})
	keys := []string{"", "a", "{user1000}.following", "{user1000}.followers", "foo{}{bar}", "\x00\xff\r\n", strings.Repeat("long", 20)}
	for i := range 200 {
		keys = append(keys, fmt.Sprintf("user:%d", i))
	}
	lines := make([]strings.Builder, 1+len(keys))
	lines[0].WriteString("key")
	for i, key := range keys {
		fmt.Fprintf(&lines[1+i], "%q", key)
	}
	for _, c := range cases {
		p := k.Must(t, c.Nodes, c.Cfg)
		nodes := p.Nodes()
		fmt.Fprintf(&lines[0], " %s", c.Name)
		for i, key := range keys {
			fmt.Fprintf(&lines[1+i], " %s", nodes[p.OwnerIndex(key)].ID)
		}
	}
	var table strings.Builder
	for i := range lines {
		table.WriteString(lines[i].String() + "\n")
	}
	golden.Text(t, "testdata/owners.txt", table.String())
}

// Lookups measures OwnerIndex, through the interface that a router calls.
func Lookups(b *testing.B, name string, p ring.Placement) {
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprintf("user:%08d:profile", i)
	}
	b.Run(name, func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			p.OwnerIndex(keys[i%len(keys)])
		}
	})
}

// BenchmarkOwner measures lookups over 10, 100 and 1000 nodes.
func (k Kind[P, C]) BenchmarkOwner(b *testing.B, cfg C) {
	for _, n := range []int{10, 100, 1000} {
		Lookups(b, fmt.Sprint(n), k.Must(b, Numbered(n), cfg))
	}
}
