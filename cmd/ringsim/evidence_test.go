package main

import (
	"flag"
	"fmt"
	"math"
)

var evidenceFile = flag.String("evidence", "", "write what TestEvidence finds to this file, as Markdown")

const evidencePage = "../../docs/evidence/simulations.md"

// evidence is one command, and what of its output is published elsewhere.
type evidence struct {
	title, source string
	args          []string // a trace of TRACES_DIR by its name
	figures       []published
}

// published is a figure that somebody else has found, and how far ours may be off it.
type published struct {
	what       string
	row        map[string]any // of the results, the one with these fields
	field      string
	value, off float64
	unit       string // "%", "" or "exact"
}

func ringOf(nodes, vnodes float64) map[string]any {
	return map[string]any{"algorithm": "ring", "nodes": nodes, "vnodes": vnodes}
}

func named(algorithm string) map[string]any { return map[string]any{"algorithm": algorithm} }

// peaks are the closed form of the largest share for these numbers of virtual nodes.
func peakRows(nodes float64, rows ...[3]float64) (out []published) {
	for _, r := range rows {
		out = append(out, published{fmt.Sprintf("largest share by the mean, %.0f nodes × %.0f", nodes, r[0]), ringOf(nodes, r[0]), "peak_to_mean", r[1], r[2], ""})
	}
	return out
}

// cvRows are the closed form of the spread: sqrt((N-1)/(NV+1)).
func cvRows(nodes float64, off float64, vnodes ...float64) (out []published) {
	for _, v := range vnodes {
		want := math.Sqrt((nodes - 1) / (nodes*v + 1))
		out = append(out, published{fmt.Sprintf("coefficient of variation, %.0f nodes × %.0f", nodes, v), ringOf(nodes, v), "cv", want, off * want, "%"})
	}
	return out
}

const (
	beta    = "closed form: with N nodes of V tokens each, shares of the hash space are Dirichlet(V, …, V)"
	lamping = "Lamping and Veach, \"A Fast, Minimal Memory, Consistent Hash Algorithm\", arXiv 1406.2294, table of standard errors and 99% intervals"
	small   = "Eisenbud et al., \"Maglev\", NSDI 2016: the published algorithm, table of 65,537 slots"
	large   = "Eisenbud et al., \"Maglev\", NSDI 2016: the published algorithm, table of 655,373 slots"
	otherly = "the same trace through another implementation with another hash"
)

var evidenceTable = []evidence{
	{"Largest share, 10 nodes", beta, []string{"balance", "--algorithms", "ring", "--nodes", "10", "--vnodes", "40,100,160", "--runs", "200"},
		peakRows(10, [3]float64{40, 1.257, 0.03}, [3]float64{100, 1.159, 0.02}, [3]float64{160, 1.125, 0.02})},
	{"Largest share, 100 nodes", beta, []string{"balance", "--algorithms", "ring", "--nodes", "100", "--vnodes", "1,11,16,160,1600", "--runs", "40"},
		append(peakRows(100, [3]float64{1, 5.19, 0.8}, [3]float64{11, 1.92, 0.12}, [3]float64{16, 1.74, 0.1}, [3]float64{160, 1.21, 0.02}, [3]float64{1600, 1.064, 0.006}),
			cvRows(100, 0.06, 11, 16, 160, 1600)...)},
	{"Largest share, 1000 nodes", beta, []string{"balance", "--algorithms", "ring", "--nodes", "1000", "--vnodes", "100", "--runs", "10"},
		peakRows(1000, [3]float64{100, 1.357, 0.03})},
	{"Standard error of bucket sizes, 1000 nodes", lamping, []string{"balance", "--algorithms", "ring", "--nodes", "1000", "--vnodes", "1,10,100,1000", "--runs", "5"},
		[]published{
			{"1 point a node", ringOf(1000, 1), "cv", 0.9979060, 0.1, "%"},
			{"10 points", ringOf(1000, 10), "cv", 0.3151810, 0.02, "%"},
			{"100 points", ringOf(1000, 100), "cv", 0.0996996, 0.005, "%"},
			{"1000 points", ringOf(1000, 1000), "cv", 0.0315723, 0.0015, "%"},
			{"1 point: 99% of the nodes have at least", ringOf(1000, 1), "low99_to_mean", 0.005, 0.002, ""},
			{"1 point: and at most", ringOf(1000, 1), "high99_to_mean", 5.25, 0.4, ""},
			{"10 points: 99% have at least", ringOf(1000, 10), "low99_to_mean", 0.37, 0.03, ""},
			{"10 points: and at most", ringOf(1000, 10), "high99_to_mean", 1.98, 0.08, ""},
			{"100 points: 99% have at least", ringOf(1000, 100), "low99_to_mean", 0.76, 0.015, ""},
			{"100 points: and at most", ringOf(1000, 100), "high99_to_mean", 1.28, 0.025, ""},
			{"1000 points: 99% have at least", ringOf(1000, 1000), "low99_to_mean", 0.92, 0.006, ""},
			{"1000 points: and at most", ringOf(1000, 1000), "high99_to_mean", 1.09, 0.012, ""},
		}},
	{"Jump consistent hash, 1000 nodes", lamping + ": 0.00000000764, and 99% of the nodes within 0.99999998 to 1.00000002; to the first a million keys add the root of N/K, and 2.576 times that to either side of the interval", []string{"balance", "--algorithms", "jump", "--nodes", "1000", "--keys", "1000000", "--runs", "3"},
		[]published{
			{"jump", named("jump"), "cv", math.Sqrt(999.0 / 1e6), 0.002, "%"},
			{"99% of the nodes have at least", named("jump"), "low99_to_mean", 0.99999998 - 2.576*math.Sqrt(999.0/1e6), 0.006, ""},
			{"and at most", named("jump"), "high99_to_mean", 1.00000002 + 2.576*math.Sqrt(999.0/1e6), 0.006, ""},
		}},
	{"A node joins ten", "closed form: 1/(N+1) of the space, of one ring with a relative deviation of 1/√V; nothing moves between nodes that stay", []string{"compare", "--no-timing", "--algorithms", "ring", "--nodes", "10", "--change", "+1", "--keys", "uniform:1000000"},
		[]published{
			{"moved, of the hash space", named("ring"), "moved_exact", 1.0 / 11, 3 / math.Sqrt(160) / 11, "%"},
			{"moved needlessly", named("ring"), "moved_unnecessary", 0, 0, "exact"},
			{"back at the first owner once it is undone", named("ring"), "restored", 1, 0, "exact"},
		}},
	{"A node leaves a hundred", "closed form: 1/N moves, to (N-1)(1-(1-1/(N-1))^V) others", []string{"compare", "--no-timing", "--algorithms", "ring", "--nodes", "100", "--change", "-1", "--keys", "uniform:2000000"},
		[]published{
			{"moved, of the hash space", named("ring"), "moved_exact", 0.01, 3 / math.Sqrt(160) / 100, "%"},
			{"nodes that receive", named("ring"), "receivers", 79.5, 12, ""},
			{"moved needlessly", named("ring"), "moved_unnecessary", 0, 0, "exact"},
		}},
	{"Modulo, one more", "closed form: what stays is min(N,M)/lcm(N,M)", []string{"compare", "--no-timing", "--algorithms", "modulo", "--nodes", "10", "--change", "+1", "--keys", "uniform:1000000"},
		[]published{{"10 → 11", named("modulo"), "moved", 10.0 / 11, 0.001, "%"}}},
	{"Modulo, two more", "the same", []string{"compare", "--no-timing", "--algorithms", "modulo", "--nodes", "10", "--change", "+2", "--keys", "uniform:1000000"},
		[]published{{"10 → 12", named("modulo"), "moved", 5.0 / 6, 0.0015, "%"}}},
	{"Modulo, twice as many", "the same", []string{"compare", "--no-timing", "--algorithms", "modulo", "--nodes", "10", "--change", "+10", "--keys", "uniform:1000000"},
		[]published{{"10 → 20", named("modulo"), "moved", 0.5, 0.002, "%"}}},
	{"Maglev, one of 100 leaves", small, []string{"compare", "--no-timing", "--algorithms", "maglev", "--nodes", "100", "--change", "-1", "--keys", "uniform:2000000"},
		[]published{{"moved", named("maglev"), "moved", 0.0158, 0.0015, "%"}}},
	{"Maglev, one of 1000 leaves", small, []string{"compare", "--no-timing", "--algorithms", "maglev", "--nodes", "1000", "--change", "-1", "--keys", "uniform:2000000"},
		[]published{{"moved", named("maglev"), "moved", 0.0065, 0.001, "%"}}},
	{"Maglev with a larger table, one of 100 leaves", large, []string{"compare", "--no-timing", "--algorithms", "maglev", "--maglev-table", "655373", "--nodes", "100", "--change", "-1", "--keys", "uniform:2000000"},
		[]published{{"moved, of the slots", named("maglev"), "moved_exact", 0.0114, 0.0005, "%"}}},
	{"Maglev with a larger table, one of 1000 leaves", large, []string{"compare", "--no-timing", "--algorithms", "maglev", "--maglev-table", "655373", "--nodes", "1000", "--change", "-1", "--keys", "uniform:2000000"},
		[]published{{"moved, of the slots", named("maglev"), "moved_exact", 0.0043, 0.0003, "%"}}},
	{"Multi-probe with 21 probes", "Appleton and O'Reilly, arXiv 1505.00062: 1.05 is the limit; others have measured 1.10 to 1.24, so the middle of 1.05 to 1.24", []string{"balance", "--algorithms", "multiprobe", "--nodes", "100", "--runs", "10"},
		[]published{{"largest load by the mean", named("multiprobe"), "peak_to_mean", 1.145, 0.095, ""}}},
	{"Bounded loads", "Mirrokni, Thorup, Zadimoghaddam, arXiv 1608.01350: no node above ⌈1.25 × the mean⌉", []string{"compare", "--no-timing", "--algorithms", "bounded", "--nodes", "100", "--vnodes", "1", "--keys", "uniform:1000000"},
		[]published{{"fullest node, far from even without the bound", named("bounded"), "peak_to_mean", 1.25, 0.0001, ""}}},
	{"A plain LRU", "exact counts, found by a program apart", []string{"lru", "--trace", "orm-busy.keys.gz", "--limit", "1000000", "--capacity", "1250,5000,10000"},
		[]published{
			{"hits, capacity 1,250", map[string]any{"capacity": 1250.0}, "hits", 803_141, 0, "exact"},
			{"hits, capacity 5,000", map[string]any{"capacity": 5000.0}, "hits", 865_590, 0, "exact"},
			{"hits, capacity 10,000", map[string]any{"capacity": 10000.0}, "hits", 901_025, 0, "exact"},
		}},
	{"A node joins ten caches, on real traffic", otherly, []string{"replay", "--trace", "orm-busy.keys.gz", "--limit", "1200000", "--nodes", "10", "--change", "+1@1000000", "--capacity", "4000", "--algorithms", "modulo,jump"},
		[]published{
			{"modulo: keys moved", named("modulo"), "moved", 0.9086, 0.005, "%"},
			{"modulo: hit rate over the next 1,000", named("modulo"), "hit_rate_next_1000", 0.354, 0.03, "%"},
			{"modulo: misses in the next 50,000", named("modulo"), "misses_window", 9776, 300, ""},
			{"without the change", named("modulo"), "control_misses_window", 1475, 75, ""},
			{"modulo: extra loads over the next 200,000", named("modulo"), "extra_loads", 14809, 750, ""},
			{"jump: keys moved", named("jump"), "moved", 0.0895, 0.005, "%"},
			{"jump: hit rate over the next 1,000", named("jump"), "hit_rate_next_1000", 0.949, 0.02, "%"},
			{"jump: misses in the next 50,000", named("jump"), "misses_window", 2301, 120, ""},
			{"jump: extra loads over the next 200,000", named("jump"), "extra_loads", 1377, 140, ""},
		}},
}
