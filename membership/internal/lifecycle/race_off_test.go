//go:build !race

package lifecycle

const fleets = 1000 // that are simulated
