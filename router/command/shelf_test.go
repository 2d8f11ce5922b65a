package command

import (
	"strings"
	"testing"
)

// TestShelf: the short way finds what the map has, and nothing else.
func TestShelf(t *testing.T) {
	short := 0
	for _, c := range distinct(builtin) {
		name := c.def.Name
		for _, n := range []string{name, strings.ToLower(name), strings.ToLower(name[:1]) + name[1:]} {
			got := shelved.find(n)
			if got != nil && got != c {
				t.Errorf("%q: found %s", n, got.def.Name)
			}
			if n == name && got != nil {
				short++
			}
		}
		// Every other byte in place of each of the name.
		for i := range len(name) {
			for b := range 256 {
				n := name[:i] + string([]byte{byte(b)}) + name[i+1:]
				if got := shelved.find(n); got != nil && got != find(builtin, n) {
					t.Fatalf("%q: found %s", n, got.def.Name)
				}
			}
		}
	}
	t.Logf("%d of %d commands have the short way", short, len(distinct(builtin)))
	for _, name := range []string{"get", "set", "del", "incr", "hget", "hset", "expire"} {
		if shelved.find(name) == nil {
			t.Errorf("%q has not the short way", name)
		}
	}
	for _, name := range []string{"", "\x00", "getgetget", " get", "get ", "ge", "\x00get", "g\x65\x00t", "xinfo x", "nonsense"} {
		if got := shelved.find(name); got != nil {
			t.Errorf("%q: found %s", name, got.def.Name)
		}
	}
}
