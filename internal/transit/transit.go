package transit

import (
	"fmt"
	"time"
)

const (
	// TombstoneLife is how long a tombstone keeps copies away.
	TombstoneLife = 10 * time.Second

	// CopyLimit is how long a copy may take, from before the read at O until it
	// arrives at N. TombstoneLife − CopyLimit is by how much the views of two
	// clients may differ in time without a copy undoing what the other did.
	CopyLimit = 2 * time.Second
)

// Kind is what a tombstone lets through.
type Kind uint8

const (
	Closed Kind = iota // no copy
	Open               // copies that have begun after it
)

// String returns "closed" or "open".
func (k Kind) String() string {
	if k == Open {
		return "open"
	}
	return "closed"
}

// Outcome is what became of a key.
type Outcome uint8

const (
	Copied   Outcome = iota + 1 // N has it now
	Present                     // N has the key already: it was left alone
	Blocked                     // N has a tombstone that does not let this copy in
	Late                        // it took longer than CopyLimit
	Gone                        // the source does not have it, or it has expired
	TooBig                      // larger than was asked for
	Refused                     // the server would not: see Result.Err
	Later                       // it was not read, since enough was: ask again
	Unfenced                    // N does not let the mover of this transition in

	Removed // from the source
	Changed // it is not what was copied: it was left alone
)

var outcomes = [...]string{Copied: "copied", Present: "present", Blocked: "blocked", Late: "late", Gone: "gone",
	TooBig: "too big", Refused: "refused", Removed: "removed", Changed: "changed",
	Later: "later", Unfenced: "unfenced"}

// String returns the name in words: "copied", "too big".
func (o Outcome) String() string {
	if int(o) < len(outcomes) && outcomes[o] != "" {
		return outcomes[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// outcomeOf reads the word of a script.
func outcomeOf(word string) (Outcome, bool) {
	for o, name := range outcomes {
		if name == word && word != "" {
			return Outcome(o), true
		}
	}
	return 0, false
}

// Result is what became of one key of several.
type Result struct {
	Outcome Outcome
	Err     error // with Refused: why
}
