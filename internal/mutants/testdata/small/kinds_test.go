package small

import (
	"fmt"
	"os"
	"testing"
)

// TestKinds says which functions do not do what they should.
func TestKinds(t *testing.T) {
	check := func(name string, got, want any) {
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	c := &counter{n: 1}
	check("init", begun, "by init, twice")
	check("variable", called, "called")
	check("plain", plain(1), 2)
	check("pointer", c.pointer(2), 3)
	check("Value", c.Value(), 6)
	check("unnamedReceiver", c.unnamedReceiver(), "unnamed")
	check("blankReceiver", c.blankReceiver(), "blank")
	check("unnamed", unnamed(1, "a"), "parameters")
	check("blank", blank(1, "s", true, false), "s")
	check("variadic", variadic(1, 2, 3), 3)
	n := 1
	noResults(&n)
	check("noResults", n, 4)
	upper, err := severalResults("a")
	check("severalResults", []any{upper, err}, "[A <nil>]")
	_, err = namedResults(-1)
	check("namedResults", err, "negative")
	check("recovers", recovers(7), "7")
	check("generic", generic(map[string]int{"a": 1}, "b"), 0)
	check("genericMethod", pair[string, int]{"a", 1}.genericMethod(), 1)
	check("blankType", (&pair[string, int]{}).blankType(2), "is 2")
}

func TestPasses(*testing.T) { unused() }

func TestSkipped(t *testing.T) { t.Skip("nothing to test with") }

func TestCrash(t *testing.T) {
	if os.Getenv("CRASH") != "" {
		t.Fatal("as it should")
	}
}
