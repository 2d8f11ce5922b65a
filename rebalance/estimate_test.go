package rebalance

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/ringway/ringway/ring"
)

// A fleet in memory: which keys, of which size, each node holds.
type heldKeys map[string][]SampledKey

// hold gives keys to their owners.
func hold(r *ring.Ring, keys int, size func(i int) int64) heldKeys {
	held := make(heldKeys)
	for i := range keys {
		key := fmt.Sprint("user:", i)
		owner := r.Owner(key).ID
		held[owner] = append(held[owner], SampledKey{key, size(i)})
	}
	return held
}

// truth is what a plan moves of the keys, counted.
func (h heldKeys) truth(p *Plan) map[Pair]struct{ keys, bytes float64 } {
	all := make(map[Pair]struct{ keys, bytes float64 })
	for node, keys := range h {
		for _, k := range keys {
			old, pairs := p.keyMoves(k.Key)
			if old[0] != node {
				continue
			}
			for _, pair := range pairs {
				for _, group := range groupsOf(pair) {
					sum := all[group]
					sum.keys++
					sum.bytes += float64(k.Size)
					all[group] = sum
				}
			}
		}
	}
	return all
}

// samples draws that many keys of each node, of which so many have sizes.
func (h heldKeys) samples(p *Plan, random *rand.Rand, seen, sized int) map[string]Sample {
	all := make(map[string]Sample)
	for _, node := range p.Sources() {
		keys := slices.Clone(h[node])
		random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		s := Sample{Population: int64(len(keys)), Seen: int64(min(seen, len(keys)))}
		s.Kept = s.Seen
		wanted := p.Wanted(node)
		for _, k := range keys[:s.Seen] {
			if !wanted(k.Key) {
				continue
			}
			if len(s.Wanted) >= sized {
				k.Size = 0
			}
			s.Wanted = append(s.Wanted, k)
		}
		all[node] = s
	}
	return all
}

func estimatePlan(t *testing.T, copies int) (*Plan, heldKeys) {
	from := planRing(t, ring.Config{}, ring.Nodes("a", "b", "c")...)
	to := planRing(t, ring.Config{}, ring.Nodes("a", "b", "d", "e")...)
	random := planRandom()
	return newTestPlan(t, from, to, copies), hold(from, 20_000, func(int) int64 { return 60 + int64(random.ExpFloat64()*200) })
}

// What was seen as a whole is counted, and has no error.
func TestEstimateOfAllKeysIsExact(t *testing.T) {
	for copies := 1; copies <= 3; copies++ {
		p, held := estimatePlan(t, copies)
		e := p.Estimate(held.samples(p, planRandom(), math.MaxInt32, math.MaxInt32))
		for group, want := range held.truth(p) {
			got := e[group]
			if math.Abs(got.Keys.Value-want.keys) > 1e-6 || got.Keys.Error > 1e-6 || got.Bytes == nil || math.Abs(got.Bytes.Value-want.bytes) > 1e-3 || got.Bytes.Error > 1e-3 {
				t.Errorf("%d copies, %v: got %+v and %+v, want %+v", copies, group, got.Keys, got.Bytes, want)
			}
		}
		if p.copies == 1 && len(e) != len(p.Movements)+len(p.Sources())+len(p.Receivers())+1 {
			t.Errorf("%d groups", len(e))
		}
	}
}

// Keys that a node holds and does not own, copies or left-overs, are not counted
// there, even if nobody asked for some keys only.
func TestEstimateCountsEachKeyOnce(t *testing.T) {
	p, held := estimatePlan(t, 2)
	samples := make(map[string]Sample)
	everything := slices.Concat(held["a"], held["b"], held["c"])
	for _, id := range p.Sources() {
		samples[id] = Sample{Population: int64(len(everything)), Seen: int64(len(everything)), Wanted: everything}
		wanted := p.Wanted(id)
		for _, k := range everything {
			if owner := p.from.Owner(k.Key).ID; wanted(k.Key) && owner != id {
				t.Fatalf("%s wants %s of %s", id, k.Key, owner)
			}
		}
	}
	e := p.Estimate(samples)
	for group, want := range held.truth(p) {
		if got := e[group].Keys; math.Abs(got.Value-want.keys) > 1e-6 {
			t.Errorf("%v: got %+v, want %v", group, got, want.keys)
		}
	}
}

// The standard errors are honest: over many samples about two truths of three lie
// within one, and 19 of 20 within two; and the estimates are not off to one side.
func TestEstimateErrorsAreHonest(t *testing.T) {
	for copies := 1; copies <= 2; copies++ {
		p, held := estimatePlan(t, copies)
		truth := held.truth(p)
		random := planRandom()
		const rounds = 200
		within := make(map[string][2]int)
		off := make(map[string]float64)
		for range rounds {
			e := p.Estimate(held.samples(p, random, 1200, 150))
			for _, group := range []Pair{p.Movements[0].Pair, {From: "c", To: "d"}, {To: "d"}, {}} {
				for what, x := range map[string]struct {
					got  Figure
					want float64
				}{"keys": {e[group].Keys, truth[group].keys}, "bytes": {*e[group].Bytes, truth[group].bytes}} {
					name := fmt.Sprint(group, " ", what)
					n := within[name]
					distance := (x.got.Value - x.want) / x.got.Error
					if math.Abs(distance) <= 1 {
						n[0]++
					}
					if math.Abs(distance) <= 2 {
						n[1]++
					}
					within[name] = n
					off[name] += distance / rounds
				}
			}
		}
		for name, n := range within {
			one, two := float64(n[0])/rounds, float64(n[1])/rounds
			if one < 0.58 || one > 0.82 || two < 0.90 || math.Abs(off[name]) > 0.35 { // the sizes are skewed, and so is this a little
				t.Errorf("seed %d, %d copies, %s: %.2f within one standard error, %.2f within two, off by %.2f of them", planSeed, copies, name, one, two, off[name])
			}
		}
	}
}

// A server that was not sampled leaves out whatever depends on it, and nothing
// else.
func TestEstimateWithoutAServer(t *testing.T) {
	p, held := estimatePlan(t, 1)
	samples := held.samples(p, planRandom(), 2000, 100)
	delete(samples, "c")
	e := p.Estimate(samples)
	for group, want := range map[Pair]bool{{}: false, {From: "c"}: false, {From: "c", To: "d"}: false, {To: "d"}: false, {From: "a", To: "d"}: true, {From: "a"}: true} {
		if _, has := e[group]; has != want {
			t.Errorf("%v: %t, want %t", group, has, want)
		}
	}
	if e := p.Estimate(nil); len(e) != 0 {
		t.Errorf("without any: %v", e)
	}
}

func TestEstimateCorners(t *testing.T) {
	p, held := estimatePlan(t, 1)
	full := held.samples(p, planRandom(), math.MaxInt32, math.MaxInt32)

	// None of the sample moves: the error is that of one in the sample.
	none := map[string]Sample{}
	for id := range full {
		none[id] = Sample{Population: 1_000_000, Seen: 1000, Kept: 1000}
	}
	a := p.Estimate(none)[Pair{From: "a"}]
	if a.Keys.Value != 0 || math.Abs(a.Keys.Error-1000) > 50 || a.Bytes != nil {
		t.Errorf("none seen: %+v", a)
	}

	// Empty servers move nothing, exactly.
	empty := map[string]Sample{"a": {}, "b": {}, "c": {}}
	if a := p.Estimate(empty)[Pair{}]; a.Keys != (Figure{}) || a.Bytes == nil || *a.Bytes != (Figure{}) {
		t.Errorf("empty: %+v", a)
	}

	// Nothing was seen of a server that has keys.
	if _, has := p.Estimate(map[string]Sample{"a": {Population: 5}, "b": {}, "c": {}})[Pair{}]; has {
		t.Error("an estimate from nothing")
	}

	// Without sizes there are keys and no bytes.
	silent := map[string]Sample{}
	for id, s := range full {
		s.NoSizes = "forbidden"
		silent[id] = s
	}
	if a := p.Estimate(silent)[Pair{}]; a.Keys.Value == 0 || a.Bytes != nil {
		t.Errorf("no sizes: %+v", a)
	}

	// A plan that moves nothing.
	same := newTestPlan(t, p.from, p.from, 1)
	if a, has := same.Estimate(nil)[Pair{}]; !has || a.Keys != (Figure{}) || a.Bytes == nil {
		t.Errorf("nothing moves: %+v", a)
	}
}
