package simulations

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ringway/ringway/simulations/trace"
)

func TestInterner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var n interner
		ids := map[string]uint32{}
		var views []keyView
		for range rapid.IntRange(1, 3000).Draw(t, "keys") {
			key := fmt.Sprint(rapid.Uint16().Draw(t, "key"))
			if len(ids)%100 == 7 {
				key += strings.Repeat("x", trace.MaxLine-len(key)) // fills blocks
			}
			id, err := n.id([]byte(key))
			if err != nil {
				t.Fatal(err)
			}
			want, known := ids[key]
			if !known {
				want = uint32(len(ids))
				ids[key] = want
				views = append(views, n.keyView)
			}
			if id != want {
				t.Fatalf("key %.20q has number %d, want %d", key, id, want)
			}
		}
		for key, id := range ids {
			// The view that was taken when the key came still knows it.
			if got := views[id].key(int(id)); got != key || views[id].len() != int(id)+1 {
				t.Fatalf("number %d is %.20q, want %.20q", id, got, key)
			}
		}
	})
}

// A key costs its length and 19 to 30 bytes, beside a block that is begun.
func TestInternerMemory(t *testing.T) {
	var n interner
	const keys = 200_000
	for i := range keys { // some of which agree in 32 bits of their hash
		if id, err := n.id(fmt.Appendf(nil, "key:%09d", i)); err != nil || id != uint32(i) {
			t.Fatalf("key %d has number %d, %v", i, id, err)
		}
	}
	bytes := len(n.arena)*arenaBlock + 8*cap(n.refs) + 8*len(n.table)
	if most := keys*(13+32) + arenaBlock; bytes > most {
		t.Errorf("%d bytes, want at most %d", bytes, most)
	}
}
