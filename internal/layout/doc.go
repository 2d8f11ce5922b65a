// Package layout holds the tests of how this repository hangs together: which
// package may import which, and what the pure ones stay free of. It has no code
// of its own.
//
// The imports of packages point one way,
//
//	ring ← membership ← router ← rebalance
//
// with cache on top of the router, simulations beside them on ring, and cmd
// where everything is wired. The rules are about the first element of a
// package's path, so that a package that comes later falls under the rule of
// its folder, and a folder that has no rule yet fails the test until somebody
// writes one.
package layout
