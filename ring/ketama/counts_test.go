package ketama

import (
	"slices"
	"testing"

	"github.com/ringway/ringway/ring"
)

// TestEqualServers holds to what gcc makes of the expressions in ketama.c and
// hosts.cc: how many sums each of n equal servers gets, for n up to 1000.
func TestEqualServers(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sums  func(weight, total float64, n int) int
		first []int // values of n at which it is 39, not 40
		count int
	}{
		{"libketama", libketamaSums, []int{61}, 11},
		{"libmemcached", libmemcachedSums, []int{25, 47, 50, 55, 61, 71, 94, 100, 107, 109, 110, 115}, 103},
	} {
		var fewer []int
		for n := 1; n <= 1000; n++ {
			switch got := tt.sums(1, float64(n), n); {
			case got == 39:
				fewer = append(fewer, n)
			case got != 40:
				t.Errorf("%s: %d equal servers have %d sums each", tt.name, n, got)
			}
		}
		if len(fewer) != tt.count || !slices.Equal(fewer[:len(tt.first)], tt.first) {
			t.Errorf("%s: 39 sums at %d sizes, %v; want %d, beginning with %v", tt.name, len(fewer), fewer, tt.count, tt.first)
		}
	}
}

func TestTotalWeight(t *testing.T) {
	nodes := make([]ring.Node, 2048)
	for i := range nodes {
		nodes[i].Weight = ring.MaxWeight
	}
	if total, err := totalWeight(Config{}, nodes[:2047]); total != 2047<<20 || err != nil {
		t.Errorf("got %v, %v, want %d", total, err, 2047<<20)
	}
	if _, err := totalWeight(Config{}, nodes); err == nil {
		t.Error("a total of 2147483648 is not refused")
	}
}
