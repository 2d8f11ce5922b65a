package lifecycle

import "fmt"

func (e *HoldsKeysError) Error() string {
	return fmt.Sprintf("node %q: server %s holds %d keys, want none: a node that joins must hold nothing old; "+
		"start with --purge to remove them, or with --bootstrap to keep them if it is the first node of the fleet", e.ID, e.Address, e.Keys)
}

func (e *ServerTakenError) Error() string {
	return fmt.Sprintf("node %q: server %s is that of node %q of the same fleet, want one of its own: nothing was removed", e.ID, e.Address, e.Owner)
}
