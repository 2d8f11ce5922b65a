// Package agents asks the fleet's agents over HTTP, for the commands that show
// it: the first that answers is believed, the others are there for when it does
// not. (A client that lives longer follows all of them: see package
// membership/observer.)
package agents
