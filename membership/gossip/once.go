package gossip

import "sync"

// once remembers what was warned of. What it has no room for is not warned of: in
// a flood of names that somebody makes up, the counters have to do.
type once struct {
	mu   sync.Mutex // guards seen
	seen map[string]bool
}

const onceSize = 1024

// first reports whether a key has not come before.
func (o *once) first(key string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.seen == nil {
		o.seen = make(map[string]bool)
	}
	if o.seen[key] || len(o.seen) >= onceSize {
		return false
	}
	o.seen[key] = true
	return true
}
