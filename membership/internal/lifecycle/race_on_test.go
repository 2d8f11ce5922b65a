//go:build race

package lifecycle

// fleets is how many are simulated. The race detector makes each ten times as
// slow, and has nothing to find where nothing runs beside anything else.
const fleets = 100
