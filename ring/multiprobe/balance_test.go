package multiprobe

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringway/ringway/ring"
)

// sharesOfTokens returns what each token owns if every probe is an independent
// uniform place: the theory of the algorithm for tokens that are known.
//
// A token whose gap to the one before is g is the nearest to a probe at distance
// x if x < g. With G(x) the sum over all tokens of min(g, x), the chance that no
// probe is closer than x to any token is (1-G(x))^K, and the nearest one belongs
// with equal chance to each token with a gap above x. So a token owns the
// integral of K·(1-G(x))^(K-1) from 0 to its gap. Between two neighbouring gaps G
// is a straight line.
func sharesOfTokens(tokens []uint64, probes int) []float64 {
	gaps := make([]float64, len(tokens))
	order := make([]int, len(tokens))
	for i, token := range tokens {
		previous := tokens[(i+len(tokens)-1)%len(tokens)]
		gaps[i] = math.Ldexp(float64(token-previous), -64)
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if gaps[a] < gaps[b] {
			return -1
		}
		return 1
	})
	shares := make([]float64, len(tokens))
	covered, x, integral := 0.0, 0.0, 0.0
	for i, at := range order {
		wider := float64(len(tokens) - i)
		next := covered + (gaps[at]-x)*wider
		integral += (math.Pow(1-covered, float64(probes)) - math.Pow(max(0, 1-next), float64(probes))) / wider
		covered, x = next, gaps[at]
		shares[at] = integral
	}
	return shares
}

// theory returns what each node owns in theory.
func theory(m *MultiProbe) []float64 {
	shares := make([]float64, len(m.nodes))
	for i, share := range sharesOfTokens(m.tokens[:len(m.tokens)-2], m.cfg.Probes) {
		shares[m.owners[i]] += share
	}
	return shares
}

// The keys that nodes own are those that independent probes would give them:
// the chi-square of the counts is within 4 standard deviations.
func TestSharesMatchTheory(t *testing.T) {
	const keys = 100_000
	weighted := numbered(30)
	for i := range weighted {
		weighted[i].Weight = float64(1 + i%3*4)
	}
	for _, c := range []struct {
		name   string
		nodes  []ring.Node
		probes int
	}{
		{"ten", numbered(10), 21}, {"hundred", numbered(100), 21}, {"two probes", numbered(50), 2},
		{"one probe", numbered(20), 1}, {"weighted", weighted, 21},
	} {
		m := mustNew(t, c.nodes, Config{Probes: c.probes})
		want, counts := theory(m), make([]int, len(c.nodes))
		random := rand.New(rand.NewPCG(11, 12))
		for range keys {
			counts[m.OwnerOfHash(random.Uint64())]++
		}
		chiSquare, sum := 0.0, 0.0
		for i, p := range want {
			difference := float64(counts[i]) - keys*p
			chiSquare += difference * difference / (keys * p)
			sum += p
		}
		freedom := float64(len(want) - 1)
		if math.Abs(sum-1) > 1e-9 || math.Abs(chiSquare-freedom) > 4*math.Sqrt(2*freedom) {
			t.Errorf("%s: chi-square %.1f of %v (theory adds up to %v)", c.name, chiSquare, freedom, sum)
		}
	}
}

// In theory the largest share tends to K/(K-1) of the mean, 1.05 at 21 probes.
// What the fleets here reach is in the package comment: a limit, not a promise.
func TestPeakToMean(t *testing.T) {
	for _, c := range []struct {
		nodes, probes int
		low, high     float64 // over the fleets
		fleets        uint64
	}{
		{10, 21, 1.00, 1.15, 10},
		{100, 21, 1.01, 1.08, 10},
		{1000, 21, 1.045, 1.065, 5},
		{10000, 21, 1.048, 1.056, 2},
		{10000, 2, 1.95, 2.10, 2},
	} {
		low, high, least := math.Inf(1), 0.0, math.Inf(1)
		for seed := range c.fleets {
			m := mustNew(t, numbered(c.nodes), Config{Probes: c.probes, Hasher: ring.Hasher{Seed: seed}})
			shares := theory(m)
			peak := slices.Max(shares) * float64(c.nodes)
			low, high = min(low, peak), max(high, peak)
			least = min(least, slices.Min(shares)*float64(c.nodes))
		}
		t.Logf("%d nodes, %d probes: largest share %.4f to %.4f of the mean, smallest %.4f", c.nodes, c.probes, low, high, least)
		if low < c.low || high > c.high {
			t.Errorf("%d nodes, %d probes: largest share %.4f to %.4f of the mean, want %v to %v", c.nodes, c.probes, low, high, c.low, c.high)
		}
	}
}

// On average over many fleets a node of weight w owns w shares.
func TestWeights(t *testing.T) {
	const fleets = 300
	nodes := numbered(20)
	for i := range nodes {
		nodes[i].Weight = []float64{1, 1, 2, 8}[i%4]
	}
	sums, squares := make([]float64, len(nodes)), make([]float64, len(nodes))
	for seed := range uint64(fleets) {
		m := mustNew(t, nodes, Config{Hasher: ring.Hasher{Seed: seed + 1}})
		for i, share := range theory(m) {
			sums[i] += share
			squares[i] += share * share
		}
	}
	for i, n := range nodes {
		mean, want := sums[i]/fleets, n.Weight/60
		deviation := math.Sqrt((squares[i]/fleets - mean*mean) / fleets)
		if math.Abs(mean-want) > 4*deviation {
			t.Errorf("node of weight %v owns %.5f on average, want %.5f ± %.5f", n.Weight, mean, want, 4*deviation)
		}
	}
}
