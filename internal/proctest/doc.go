// Package proctest is for tests that run programs of this module as processes:
// [Build] builds them once, [Buffer] takes what they write, [Address] is where one
// of them can listen.
package proctest
