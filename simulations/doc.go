// Package simulations measures what a placement does to real keys and real
// traffic when a fleet of caches is resized.
//
// It answers three questions, each with one function that takes a Config by
// value and returns a report:
//
//   - [Compare]: how evenly does each placement spread the keys, and what does
//     a change of the fleet move? Moved keys are split into those that have to
//     move and those that need not.
//   - [Replay]: what does the change do to the hit rate, request by request,
//     on a real trace, beside a control run without the change?
//   - [Balance]: how far is the spread of load from what theory says, over
//     numbers of nodes and of virtual nodes?
//
// [Run] asks all of these at once of fleets to which several things happen, nodes
// that fail and return among them, over a trace or a generated workload: the
// engine of ringsim run, whose files package scenario reads.
//
// [LRU] replays a trace through one plain LRU cache: the check that the trace
// reader and the cache are right.
//
// Everything here depends on its input and its seed alone, so that the same
// call returns the same report; what is measured in time (nanoseconds of a
// lookup) is the exception, and can be left out. Figures that a placement
// cannot give are null, with a note that says why, never a wrong number.
//
// The functions take no clock and no network, run on all cores and stop early
// when their context is cancelled.
package simulations
