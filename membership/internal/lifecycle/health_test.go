package lifecycle

import "testing"

// TestHealth writes probes as letters: o for an answer, x for none; and what is
// thought after each: H for healthy, u for not.
func TestHealth(t *testing.T) {
	for _, c := range []struct {
		says         string
		fall, rise   int
		probes, want string
	}{
		{"nothing is healthy before its first answer", 0, 0, "xxx", "uuu"},
		{"which counts at once", 0, 0, "o", "H"},
		{"three failures in a row make unhealthy", 0, 0, "oxxx", "HHHu"},
		{"two do not", 0, 0, "oxxoxxo", "HHHHHHH"},
		{"two answers in a row make healthy", 0, 0, "oxxxoo", "HHHuuH"},
		{"one does not", 0, 0, "oxxxoxox", "HHHuuuuu"},
		{"after failures at the start too", 0, 0, "xoo", "uuH"},
		{"both can be set", 1, 3, "oxooox", "HuuuHu"},
		{"more failures need no more answers", 0, 0, "oxxxxxxxoo", "HHHuuuuuuH"},
	} {
		h, got := Health{FailuresToFall: c.fall, SuccessesToRise: c.rise}, ""
		for _, probe := range c.probes {
			got += map[bool]string{true: "H", false: "u"}[h.Record(probe == 'o')]
		}
		if got != c.want {
			t.Errorf("%s: probes %s: got %s, want %s", c.says, c.probes, got, c.want)
		}
	}
}
