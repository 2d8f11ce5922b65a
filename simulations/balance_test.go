package simulations

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/mathext"

	"github.com/ringway/ringway/ring"
)

// The closed forms, to the digits in which they are published.
func TestTokenTheoryPeak(t *testing.T) {
	for _, test := range []struct {
		nodes, virtualNodes int
		want, digits        float64
	}{
		{10, 40, 1.257, 1000}, {10, 100, 1.159, 1000}, {10, 160, 1.125, 1000}, {100, 160, 1.210, 1000}, {1000, 100, 1.357, 1000},
		{100, 1, 5.19, 100}, {100, 11, 1.92, 100}, {100, 16, 1.74, 100}, {100, 160, 1.21, 100}, {100, 1600, 1.064, 1000},
	} {
		got := TokenTheory(test.nodes, test.virtualNodes, 0).PeakToMean
		if math.Round(got*test.digits)/test.digits != test.want {
			t.Errorf("N=%d V=%d: got %.4f, want %v", test.nodes, test.virtualNodes, got, test.want)
		}
	}
	// With one token each, the largest of N spacings is the harmonic number H_N
	// by the mean, exactly.
	harmonic := 0.0
	for i := 1; i <= 50; i++ {
		harmonic += 1 / float64(i)
	}
	if got := TokenTheory(50, 1, 0).PeakToMean; math.Abs(got-harmonic) > 1e-6 {
		t.Errorf("N=50 V=1: got %.8f, want H_50 = %.8f", got, harmonic)
	}
}

// Lamping & Veach (arXiv 1406.2294), table of standard errors for N = 1000. They
// were measured on one draw of tokens each, whose own error is sampled as below.
func TestTokenTheoryCV(t *testing.T) {
	for points, want := range map[int]float64{1: 0.9979060, 10: 0.3151810, 100: 0.0996996, 1000: 0.0315723} {
		got := TokenTheory(1000, points, 0).CV
		if bound := 5 * want * cvError(1000, points, 1); math.Abs(got-want) > bound {
			t.Errorf("%d points: got %.5f, want %.5f ± %.5f", points, got, want, bound)
		}
	}
}

// cvError is the relative standard deviation of a CV measured over some runs:
// half of that of its square, whose terms have the kurtosis of Gamma(V).
func cvError(nodes, virtualNodes, runs int) float64 {
	return math.Sqrt((2+6/float64(virtualNodes))/float64(nodes*runs)) / 2
}

// peakError is the standard deviation of the mean peak over some runs, from the
// distribution of the largest of N Gamma(V) variables.
func peakError(nodes, virtualNodes, runs int) float64 {
	v, n := float64(virtualNodes), float64(nodes)
	const step = 0.001
	mean, square := 0.0, 0.0
	for x := step / 2; x < 20; x += step {
		above := 1 - math.Pow(mathext.GammaIncReg(v, x*v), n)
		mean += above * step
		square += 2 * x * above * step
	}
	return math.Sqrt((square - mean*mean) / float64(runs))
}

func TestBalanceAgainstTheory(t *testing.T) {
	cfg := BalanceConfig{Algorithms: []string{"ring"}, Nodes: []int{10, 100}, VirtualNodes: []int{1, 10, 100, 160}, Runs: 20, Seed: 1}
	report, err := Balance(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Results) != 8 {
		t.Fatalf("%d results", len(report.Results))
	}
	for _, r := range report.Results {
		if r.Keys != nil {
			t.Errorf("%+v: not exact", r)
		}
		if bound := 5 * *r.CVTheory * cvError(r.Nodes, *r.VNodes, cfg.Runs); math.Abs(*r.CV-*r.CVTheory) > bound {
			t.Errorf("N=%d V=%d: CV %.4f, want %.4f ± %.4f", r.Nodes, *r.VNodes, *r.CV, *r.CVTheory, bound)
		}
		if bound := 5 * peakError(r.Nodes, *r.VNodes, cfg.Runs); math.Abs(*r.PeakToMean-*r.PeakToMeanTheory) > bound {
			t.Errorf("N=%d V=%d: peak %.4f, want %.4f ± %.4f", r.Nodes, *r.VNodes, *r.PeakToMean, *r.PeakToMeanTheory, bound)
		}
	}
}

// Placements that give every node the same share differ by the chance of the
// keys alone; ketama has that beside the chance of its 160 points.
func TestBalanceOfKeysAgainstTheory(t *testing.T) {
	var names []string
	for _, name := range Algorithms() {
		if _, ok := theoryOf(name, 10, new(160), 1000); ok && name != "ring" {
			names = append(names, name)
		}
	}
	cfg := BalanceConfig{Algorithms: names, Nodes: []int{10, 50}, Keys: 4000, Runs: 20, Seed: 5}
	report, err := Balance(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Results {
		virtualNodes := cfg.Keys / r.Nodes // a Poisson count of mean V spreads as Gamma(V) does
		if r.VNodes != nil {
			virtualNodes = *r.VNodes
		}
		if r.Keys == nil {
			continue // an exact share: TestSlotTheory
		}
		if bound := 5 * *r.CVTheory * cvError(r.Nodes, virtualNodes, cfg.Runs); math.Abs(*r.CV-*r.CVTheory) > bound {
			t.Errorf("%s N=%d: CV %.4f, want %.4f ± %.4f", r.Algorithm, r.Nodes, *r.CV, *r.CVTheory, bound)
		}
		if bound := 5 * peakError(r.Nodes, virtualNodes, cfg.Runs); math.Abs(*r.PeakToMean-*r.PeakToMeanTheory) > bound {
			t.Errorf("%s N=%d: peak %.4f, want %.4f ± %.4f", r.Algorithm, r.Nodes, *r.PeakToMean, *r.PeakToMeanTheory, bound)
		}
	}
}

// SlotTheory against keys thrown at random, without any placement.
func TestSlotTheory(t *testing.T) {
	const runs = 400
	random := rand.New(rand.NewPCG(1, 2))
	for _, test := range []struct{ nodes, slots, keys int }{{10, 0, 5000}, {10, 23, 5000}, {100, 251, 10_000}, {40, 41, 2000}} {
		peaks, peakSquares, squares, squaresOfSquares := 0.0, 0.0, 0.0, 0.0
		for range runs {
			counts := make([]float64, test.nodes)
			for range test.keys {
				slots := test.slots
				if slots == 0 {
					slots = test.nodes
				}
				counts[random.IntN(slots)%test.nodes] += float64(test.nodes) / float64(test.keys)
			}
			s := spreadOf(counts)
			peaks += s.peak / runs
			peakSquares += s.peak * s.peak / runs
			squares += s.cv * s.cv / runs
			squaresOfSquares += s.cv * s.cv * s.cv * s.cv / runs
		}
		theory := SlotTheory(test.nodes, test.slots, test.keys)
		bound := 5 * math.Sqrt((squaresOfSquares-squares*squares)/runs)
		if math.Abs(theory.CV*theory.CV-squares) > bound {
			t.Errorf("%+v: CV² %.5f, measured %.5f ± %.5f", test, theory.CV*theory.CV, squares, bound)
		}
		bound = 5 * math.Sqrt((peakSquares-peaks*peaks)/runs)
		if math.Abs(theory.PeakToMean-peaks) > bound {
			t.Errorf("%+v: peak %.4f, measured %.4f ± %.4f", test, theory.PeakToMean, peaks, bound)
		}
	}
	// Three nodes with 3, 2 and 2 of 7 slots are at 9/7, 6/7 and 6/7.
	if got := SlotTheory(3, 7, 0); math.Abs(got.PeakToMean-9.0/7) > 1e-12 || math.Abs(got.CV-math.Sqrt2/7) > 1e-12 {
		t.Errorf("exact shares of 7 slots on 3 nodes: %+v", got)
	}
	if got := SlotTheory(7, 0, 0); got != (Theory{CV: 0, PeakToMean: 1}) {
		t.Errorf("exact shares without slots: %+v", got)
	}
}

func TestTheoryOfOneNode(t *testing.T) {
	for _, got := range []Theory{TokenTheory(1, 160, 0), TokenTheory(1, 160, 100), SlotTheory(1, 0, 100), SlotTheory(1, 65537, 100)} {
		if got != (Theory{CV: 0, PeakToMean: 1}) {
			t.Errorf("got %+v", got)
		}
	}
}

func TestBalanceIsDeterministic(t *testing.T) {
	cfg := BalanceConfig{Nodes: []int{1, 7}, VirtualNodes: []int{1, 50}, Keys: 2000, Runs: 2, Seed: 9}
	first, err := Balance(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Balance(context.Background(), cfg)
	if err != nil || !reflect.DeepEqual(first, again) {
		t.Errorf("another run: %v", err)
	}
	cfg.Seed = 10
	other, err := Balance(context.Background(), cfg)
	if err != nil || reflect.DeepEqual(first.Results, other.Results) {
		t.Errorf("another seed gives the same: %v", err)
	}
	for _, r := range first.Results {
		if r.Note == "" && (r.CV == nil || r.PeakToMean == nil || r.MinToMean == nil) {
			t.Errorf("%+v: a figure is missing without a note", r)
		}
		if r.Note == "" && r.Nodes == 1 && (*r.CV != 0 || *r.PeakToMean != 1) {
			t.Errorf("%+v: one node has it all", r)
		}
	}
}

func TestBalanceNotes(t *testing.T) {
	report, err := Balance(context.Background(), BalanceConfig{Algorithms: []string{"ring"}, Nodes: []int{100}, VirtualNodes: []int{ring.MaxTokens}})
	if err != nil || report.Results[0].Note == "" || report.Results[0].CV != nil {
		t.Errorf("too many tokens: %v, %+v", err, report)
	}
}

func TestBalanceRefuses(t *testing.T) {
	for what, cfg := range map[string]BalanceConfig{
		"nodes":      {},
		"algorithms": {Nodes: []int{3}, Algorithms: []string{"hope"}},
		"vnodes":     {Nodes: []int{3}, VirtualNodes: []int{0}},
		"keys":       {Nodes: []int{3}, Keys: -1},
		"runs":       {Nodes: []int{3}, Runs: -1},
		"hash":       {Nodes: []int{3}, Hasher: ring.Hasher{Function: 99}},
	} {
		var bad *InputError
		if report, err := Balance(context.Background(), cfg); report != nil || !errors.As(err, &bad) || bad.What != what {
			t.Errorf("%s: got %v", what, err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if report, err := Balance(ctx, BalanceConfig{Nodes: []int{3}}); report != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v, %v", report, err)
	}
}
