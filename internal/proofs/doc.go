// Package proofs lets tests say what they have measured, so that a page can show it:
// [Record] writes a figure into the events of `go test -json`, beside go test's own
// word on whether the test has passed. With `go test -v` it is a line of the output;
// else it is nothing.
//
// Program page makes docs/evidence/caching.md of such events. Its table says which
// proofs there are and what each must show; a proof that no event tells of is listed
// as one that was not run.
package proofs
