package rebalance

import "math"

// Sample is an even sample of the keys of one server: each key that it holds was
// as likely to be seen as any other.
type Sample struct {
	// Population is how many keys the server holds. Those that have expired and
	// were not removed yet are among them, unless Seen is all there is.
	Population int64

	// Seen is how many different keys were looked at: all of them if it equals
	// Population.
	Seen int64

	// Kept is how many of Seen count as keys of the application: they have the
	// prefix, and are no tombstones.
	Kept int64

	// Wanted are those of Kept that were asked for.
	Wanted []SampledKey

	// NoSizes says why no size is known; empty where they are.
	NoSizes string
}

// SampledKey is a key of a sample.
type SampledKey struct {
	Key  string
	Size int64 // bytes in the server's memory; 0: not asked for, or gone since
}

// Figure is an estimate with its standard error: in two cases of three the truth
// is within one of them, in nineteen of twenty within two. 0: the number was
// counted.
type Figure struct{ Value, Error float64 }

// High is a bound that the truth exceeds in one case of forty.
func (f Figure) High() float64 { return f.Value + 2*f.Error }

func (f Figure) plus(g Figure) Figure { return Figure{f.Value + g.Value, math.Hypot(f.Error, g.Error)} }

// Amount is how much is moved. A key that is copied to two nodes counts twice.
type Amount struct {
	Keys  Figure
	Bytes *Figure // in memory; nil: not known
}

func (a Amount) plus(b Amount) Amount {
	sum := Amount{Keys: a.Keys.plus(b.Keys)}
	if a.Bytes != nil && b.Bytes != nil {
		bytes := a.Bytes.plus(*b.Bytes)
		sum.Bytes = &bytes
	}
	return sum
}

// Estimate is how much a plan moves, by pairs of nodes. In the pairs that it has
// beside those of the plan, an empty ID stands for all: {From: "a"} is what a
// sends, {To: "b"} what b receives, and the zero Pair everything. A pair is missing
// where the servers that it takes were not sampled.
type Estimate map[Pair]Amount

// Estimate computes from samples of the servers, by node ID, how many keys and
// bytes the plan moves. It takes the samples of Sources; what lacks is left out.
//
// The keys of a pair are the server's keys times the part of the sample that
// moves so. Their standard error is that of a sample without replacement,
// sqrt(p(1-p)/m · (1-m/N)) · N with m of N keys seen; where none of the sample
// moves so, or all of it, it is taken as if one in m were different. The bytes are the keys times the mean
// size of those whose size is known, and their error has both parts in it (double
// sampling: Cochran, Sampling Techniques, chapter 12). A few keys that are much
// larger than the rest make the error of the bytes too small: a sample that
// contains none of them knows nothing of them.
//
// That the keys were counted, and not taken from the fractions, is for fleets with
// hash tags: there the keys of one tag stand and move together.
func (p *Plan) Estimate(samples map[string]Sample) Estimate {
	all := make(Estimate)
	incomplete := make(map[Pair]bool)
	var everywhere sizes
	for _, s := range samples {
		everywhere.addKeys(s.Wanted)
	}
	for _, node := range p.Sources() {
		s, sampled := samples[node]
		if !sampled || s.Seen == 0 && s.Population > 0 {
			for group := range p.groups(node) {
				incomplete[group] = true
			}
			continue
		}
		for group, amount := range p.estimateNode(node, s, everywhere) {
			if sum, has := all[group]; has {
				amount = sum.plus(amount)
			}
			all[group] = amount
		}
	}
	for group := range incomplete {
		delete(all, group)
	}
	if _, has := all[Pair{}]; !has && !incomplete[Pair{}] { // nothing moves
		all[Pair{}] = Amount{Bytes: new(Figure)}
	}
	return all
}

// groupsOf returns the pairs under which what a pair moves is counted.
func groupsOf(pair Pair) [4]Pair {
	return [4]Pair{pair, {From: pair.From}, {To: pair.To}, {}}
}

// groups returns an empty count for each group to which keys of the node belong.
func (p *Plan) groups(node string) map[Pair]*count {
	groups := make(map[Pair]*count)
	for _, m := range p.Movements {
		if m.From != node {
			continue
		}
		for _, group := range groupsOf(m.Pair) {
			groups[group] = new(count)
		}
	}
	return groups
}

// estimateNode is Estimate for the keys that one node owns.
func (p *Plan) estimateNode(node string, s Sample, everywhere sizes) Estimate {
	groups := p.groups(node)
	var here sizes
	here.addKeys(s.Wanted)
	for _, k := range s.Wanted {
		old, pairs := p.keyMoves(k.Key)
		if old[0] != node { // a copy, or a left-over: its owner counts it
			continue
		}
		copies := make(map[Pair]float64)
		for _, pair := range pairs {
			for _, group := range groupsOf(pair) {
				copies[group]++
			}
		}
		for group, n := range copies {
			groups[group].add(n, k.Size)
		}
	}
	estimate := make(Estimate)
	for group, c := range groups {
		estimate[group] = c.amount(s, here, everywhere)
	}
	return estimate
}

// count adds up the keys of a sample that belong to a group.
type count struct {
	sum, squares float64 // of the copies that each key takes
	sizes        sizes
}

func (c *count) add(copies float64, size int64) {
	c.sum += copies
	c.squares += copies * copies
	c.sizes.add(copies, size)
}

// amount makes an estimate for all keys of the server of those of the sample.
func (c *count) amount(s Sample, here, everywhere sizes) Amount {
	seen, population := float64(s.Seen), float64(s.Population)
	if s.Seen == 0 { // and nothing is there
		return Amount{Bytes: new(Figure)}
	}
	unseen := max(0, 1-seen/population)
	mean := c.sum / seen
	variance := max(c.squares/seen-mean*mean, 1/seen)
	keys := Figure{population * c.sum / seen, population * math.Sqrt(variance/seen*unseen)}
	a := Amount{Keys: keys}
	size, known := c.sizes.figure(keys.Value, here, everywhere)
	switch {
	case s.NoSizes != "" || !known && keys != Figure{}:
	default:
		a.Bytes = &Figure{keys.Value * size.Value, math.Hypot(size.Value*keys.Error, keys.Value*size.Error)}
	}
	return a
}

// sizes adds up the sizes that are known, each as often as the key is copied.
type sizes struct {
	keys   float64
	n, sum float64 // of copies, and of their sizes

	// The squares of the copies, alone and times size and its square: a key that
	// is copied twice does not tell of two sizes.
	n2, sum2, squares float64
}

func (z *sizes) add(copies float64, size int64) {
	if size <= 0 {
		return
	}
	s := float64(size)
	z.keys++
	z.n += copies
	z.sum += copies * s
	z.n2 += copies * copies
	z.sum2 += copies * copies * s
	z.squares += copies * copies * s * s
}

func (z *sizes) addKeys(keys []SampledKey) {
	for _, k := range keys {
		z.add(1, k.Size)
	}
}

// fewSizes is the least number of sizes whose spread is believed; with less, that
// of all sizes of the node has to do.
const fewSizes = 10

// figure returns the mean size of that many keys: of the group, where it has
// enough, or else of the node, or of all nodes.
func (z sizes) figure(keys float64, others ...sizes) (size Figure, known bool) {
	whole := z.n > 0 && z.n > keys-0.5 // which may have been rounded
	for _, next := range others {
		if z.keys >= fewSizes || whole {
			break
		}
		if next.keys > z.keys {
			z = next
		}
	}
	if z.keys == 0 {
		return Figure{}, false
	}
	mean := z.sum / z.n
	switch {
	case whole:
		return Figure{Value: mean}, true
	case z.keys == 1: // nothing is known of the spread: as much as the mean
		return Figure{mean, mean}, true
	}
	spread := max(0, z.squares-2*mean*z.sum2+mean*mean*z.n2) * z.keys / (z.keys - 1)
	return Figure{mean, math.Sqrt(spread) / z.n}, true
}
