package membership

// rolledBack marks the number of a transition that goes back to the ring before:
// the number of the one that was aborted, and this bit, which no stamp has. All
// members make the same number of it, whoever decided the abort, and a mover of
// the way forward cannot take the way back for its own.
const rolledBack = 1 << 52

// RollbackOf returns the number of the transition that undoes another one.
func RollbackOf(transition uint64) uint64 { return transition | rolledBack }

// IsRollback reports whether a transition undoes another one, and the number of
// that one; of any other transition it returns its own.
func IsRollback(transition uint64) (of uint64, is bool) {
	return transition &^ rolledBack, transition&rolledBack != 0
}
