package simulations

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// Theory is what the spread of load should be. Nothing of it is measured.
type Theory struct {
	CV         float64 // root of the expected square of the coefficient of variation
	PeakToMean float64 // expected largest load by the mean load
}

// TokenTheory returns what N equal nodes with V independent random tokens each
// should show. Each share of the hash space follows Beta(V, V(N-1)), and all
// together Dirichlet(V, …, V), so that
//
//	CV           = sqrt((N-1)/(NV+1))
//	E[peak/mean] = 1/V ∫ 1 - P(V,x)^N dx
//
// with P the regularised lower incomplete gamma function. The second line is
// exact: shares that are Dirichlet are independent Gamma(V) variables divided by
// their sum, and the largest of these by the sum is independent of the sum. (The
// integral of 1 - F^N with F of Beta, which takes shares for independent, is 1%
// too low at N = 10, V = 40.)
//
// With keys > 0 the load is that of so many random keys rather than the exact
// share: each node's count varies binomially around its share, which raises the
// squared CV s to s + (N-1-s)/keys. The peak is then that of the V, a fraction,
// that has this CV.
func TokenTheory(nodes, virtualNodes, keys int) Theory {
	if nodes < 2 {
		return Theory{CV: 0, PeakToMean: 1}
	}
	n, v := float64(nodes), float64(virtualNodes)
	squared := (n - 1) / (n*v + 1)
	if keys > 0 {
		squared += (n - 1 - squared) / float64(keys)
		v = ((n-1)/squared - 1) / n
	}
	peak := expectedMax(v, func(x float64) float64 {
		return logPower(mathext.GammaIncRegComp(v, x), n)
	})
	return Theory{CV: math.Sqrt(squared), PeakToMean: peak / v}
}

// SlotTheory returns what N equal nodes should show where each owns floor or
// ceil(slots/N) slots of equal size (Maglev's table), or exactly 1/N of the hash
// space (slots 0: modulo, jump, rendezvous), and the load is that of so many
// random keys, or with keys 0 the exact share. The counts are multinomial, which gives the CV exactly. The peak
// is that of independent Poisson counts: multinomial counts are those with their
// sum held fixed, and at more than a few keys a node the difference is below
// what can be measured.
func SlotTheory(nodes, slots, keys int) Theory {
	if nodes < 2 {
		return Theory{CV: 0, PeakToMean: 1}
	}
	n, mean := float64(nodes), float64(keys)/float64(nodes)
	low, high, heavy := 1.0, 1.0, 0.0 // relative shares; nodes with one slot more
	if slots > 0 {
		floor := slots / nodes
		low, high = float64(floor)*n/float64(slots), float64(floor+1)*n/float64(slots)
		heavy = float64(slots - floor*nodes)
	}
	light := n - heavy
	squared := (light*(low-1)*(low-1) + heavy*(high-1)*(high-1)) / n
	if keys == 0 {
		if heavy == 0 {
			high = low
		}
		return Theory{CV: math.Sqrt(squared), PeakToMean: high}
	}
	squared += (n - 1 - squared) / float64(keys)
	peak := expectedMax(mean*high, func(x float64) float64 {
		// A Poisson count is above x as a Gamma(x+1) time is below its mean; the
		// half makes the integral over x the sum over whole numbers.
		return logPower(mathext.GammaIncReg(x+0.5, mean*low), light) +
			logPower(mathext.GammaIncReg(x+0.5, mean*high), heavy)
	})
	return Theory{CV: math.Sqrt(squared), PeakToMean: peak / mean}
}

// logPower returns the logarithm of (1-tail)^n, precise where tail is tiny.
func logPower(tail, n float64) float64 {
	if n == 0 {
		return 0
	}
	return n * math.Log1p(-tail)
}

// expectedMax returns the expected maximum of variables from 0 upwards, given
// the logarithm of its distribution function: the integral of 1 - exp(log). The
// mean of one variable gives the scale.
func expectedMax(mean float64, log func(x float64) float64) float64 {
	above := func(x float64) float64 { return -math.Expm1(log(x)) }
	// The integrand is 1 up to some point and 0 from another: Simpson's rule
	// between them, where all of the bend is.
	const negligible, steps = 1e-12, 2000
	top := 2 * mean
	for above(top) > negligible {
		top *= 2
	}
	from := bisect(top, func(x float64) bool { return 1-above(x) < negligible })
	to := bisect(top, func(x float64) bool { return above(x) > negligible })
	h := (to - from) / steps
	sum := above(from) + above(to)
	for i := 1; i < steps; i++ {
		sum += float64(2+i%2*2) * above(from+float64(i)*h)
	}
	return from + sum*h/3
}

// bisect returns where a condition that holds from 0 upwards ends.
func bisect(limit float64, holds func(float64) bool) float64 {
	low, high := 0.0, limit
	for range 60 {
		if mid := (low + high) / 2; holds(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
