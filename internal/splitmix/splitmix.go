// Package splitmix holds the arithmetic of the SplitMix64 generator, by which
// several placements turn one 64-bit hash into many.
//
// The sequence that starts at a seed is Mix(seed+Gamma), Mix(seed+2·Gamma) and
// so on, so that any element of it can be had at once. What comes out decides
// which node owns which key: the functions are frozen.
//
// Source: Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators",
// OOPSLA 2014; the constants of Mix are variant 13 of David Stafford, "Better
// Bit Mixing" (2011).
package splitmix

// Gamma is the step of the sequence: 2^64 divided by the golden ratio, made odd.
const Gamma = 0x9e3779b97f4a7c15

// Mix spreads every bit of x over all bits. It is a bijection: different values
// stay different. Mix(0) is 0.
func Mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// At returns element n, counted from 0, of the sequence that starts at the seed.
func At(seed, n uint64) uint64 { return Mix(seed + (n+1)*Gamma) }
