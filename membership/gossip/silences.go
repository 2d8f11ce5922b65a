package gossip

import "regexp"

// silences remembers why a server did not answer. Each is told once until it answers
// again: one that is down is probed every second. The zero value remembers none.
type silences struct {
	told map[string]bool
}

const mostSilences = 16 // that are told without an answer in between

// localPort is what is another one with each connection.
var localPort = regexp.MustCompile(`:\d+->`)

// first reports whether a failure is worth a line in the log.
func (r *silences) first(err error) bool {
	text := localPort.ReplaceAllString(err.Error(), "->")
	if r.told[text] || len(r.told) >= mostSilences {
		return false
	}
	if r.told == nil {
		r.told = make(map[string]bool)
	}
	r.told[text] = true
	return true
}

// forget is called when the server answers.
func (r *silences) forget() { r.told = nil }
