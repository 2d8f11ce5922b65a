// Package fixedlog computes binary logarithms in integers, for placements that
// compare them.
//
// Weighted rendezvous hashing gives a key to the node of the least -log(u)/w,
// where u is a uniform deviate of key and node and w the node's weight. Each
// client must come to the same node. math.Log2 does not promise that: it may
// differ in its last bits between architectures (assembly on some of them,
// fused multiply-add on others), and where two scores are close the last bit
// decides. [NegLog2] uses 64-bit integers only, so that it has one result
// everywhere.
//
// # Method
//
// The leading bit of the argument gives the whole part. The fraction, log2 of a
// number from 1 to 2, comes from a table of 256 parabolas, each through the
// exact values at both ends and in the middle of its interval. The largest
// error is that of the interpolation: the third derivative, 2/ln 2, times the
// cube of the width, 2^-24, divided by 72·sqrt(3).
//
// # Monotony
//
// A rank by NegLog2 must never contradict a rank by the argument. Neighbouring
// parabolas meet at the same rounded value, and each rises by more from one
// argument to the next than rounding can take away: the position within an
// interval advances in steps of at least 2^10, the steepness is above 2^61, and
// their product exceeds the 2^64 that the one rounding before the last
// multiplication can cost. The tests check these bounds for each parabola.
//
// The results are frozen: a change of a single one could move keys.
package fixedlog
