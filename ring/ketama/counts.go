package ketama

import (
	"math"

	"github.com/ringway/ringway/ring"
)

const (
	wordsPerSum   = 4  // points that one MD5 sum gives
	sumsPerServer = 40 // of a server of average weight

	// Where the integers of the clients end: Java's int, C's int.
	maxTotalWeight = math.MaxInt32
)

// sumCounts returns how many MD5 sums, of four points each, every node gets.
func sumCounts(cfg Config, nodes []ring.Node) ([]int, error) {
	// A share is at most 40 sums a node, whatever the weights, so that this
	// bounds all that follows.
	if len(nodes) > ring.MaxTokens/(sumsPerServer*wordsPerSum) {
		return nil, &ring.InputError{Err: ring.ErrTooManyTokens, Value: len(nodes) * sumsPerServer * wordsPerSum,
			Want: "at most 16777216, 160 a server"}
	}
	total, err := totalWeight(cfg, nodes)
	if err != nil {
		return nil, err
	}
	counts := make([]int, len(nodes))
	for i, n := range nodes {
		switch {
		case cfg.Variant == Spymemcached && !cfg.Weighted:
			counts[i] = sumsPerServer
		case cfg.Variant == Libketama:
			counts[i] = libketamaSums(n.Weight, total, len(nodes))
		default:
			counts[i] = libmemcachedSums(n.Weight, total, len(nodes))
		}
	}
	return counts, nil
}

func totalWeight(cfg Config, nodes []ring.Node) (float64, error) {
	total := 0.0 // of integers below 2^53: exact
	for _, n := range nodes {
		want := ""
		switch {
		case n.Weight != math.Trunc(n.Weight):
			want = "a whole number: these clients know no others"
		case cfg.Variant == Spymemcached && !cfg.Weighted && n.Weight != 1:
			want = "1: spymemcached has weights only where Config.Weighted is set"
		case total+n.Weight > maxTotalWeight:
			want = "2147483647 at most in all, where the integers of these clients end"
		}
		if want != "" {
			return 0, &ring.InputError{Err: ring.ErrInvalidWeight, Node: n.ID, Value: n.Weight, Want: want}
		}
		total += n.Weight
	}
	return total, nil
}

// libketamaSums is floorf(share * 40.0 * n) of libketama. The share is a float,
// the products are doubles, and floorf takes a float again: without that last
// rounding 455 of the first thousand fleet sizes would have 39 sums for equal
// servers; with it 11 have.
func libketamaSums(weight, total float64, n int) int {
	share := float32(weight) / float32(total)
	product := float64(share) * sumsPerServer * float64(n)
	return int(math.Floor(float64(float32(product))))
}

// libmemcachedSums is floor((float)(share * 160 / 4 * n + 0.0000000001)) of
// libmemcached, twemproxy and spymemcached: every step is rounded to a float.
// Each conversion below is a rounding, and keeps a compiler from fusing the
// last product with the sum. (Some of them add in doubles. That rounds alike
// wherever the result is above 0.01, and the floor is the same below.)
func libmemcachedSums(weight, total float64, n int) int {
	share := float32(weight) / float32(total)
	product := float32(share * (sumsPerServer * wordsPerSum))
	product = float32(product / wordsPerSum)
	product = float32(product * float32(n))
	return int(math.Floor(float64(float32(product + 0.0000000001))))
}
