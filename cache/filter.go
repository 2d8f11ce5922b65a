package cache

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/bits-and-blooms/bloom/v3"
)

// FilterConfig is a Bloom filter of the keys that the source has: a key that is not
// among them is refused (ErrNotFound, Meta.Source FromFilter) without a question to
// the source, however many of them somebody makes up. With Keys nil there is none.
//
// Each process builds a filter of its own, and refuses nothing before it is complete.
// What is created later must be announced before the source commits it: Put and
// PutMany do so, and who writes the source otherwise calls Announce. So that nothing
// announced is missed, a key is refused only after the fleet has been asked for news:
// one small read, which all callers of a moment share.
//
// Deleted keys stay until the filter is built anew, and new ones are added to both
// filters meanwhile.
type FilterConfig[K Key] struct {
	// Keys calls add for each key that the source has, in any order, and may call
	// it for more. It is called in the background, for each filter once.
	Keys func(ctx context.Context, add func(K)) error

	Expected       uint          // keys; 0 means a million. If there were more the next filter is larger
	FalsePositives float64       // the part of unknown keys that pass; 0 means 0.01
	Rebuild        time.Duration // how often it is built anew; 0 means 1 h

	// Commit is how long after it was announced a key may take until Keys shows
	// it: the transaction, and the lag of a replica; 0 means 1 min. Each filter is
	// begun so much before its keys are read.
	Commit time.Duration
}

func (c FilterConfig[K]) withDefaults() (FilterConfig[K], error) {
	switch {
	case c.FalsePositives < 0 || c.FalsePositives > 0.5 || c.FalsePositives != c.FalsePositives:
		return c, configError("Filter.FalsePositives", c.FalsePositives, "0 to 0.5")
	case c.Rebuild < 0 || c.Commit < 0 || c.Rebuild > maxTTL/2 || c.Commit > maxTTL/2:
		return c, configError("Filter", fmt.Sprintf("Rebuild %v, Commit %v", c.Rebuild, c.Commit), "0 to 15 days")
	case c.Expected > 1<<32:
		return c, configError("Filter.Expected", c.Expected, "at most 2^32")
	}
	setDefault(&c.Expected, 1_000_000)
	setDefault(&c.FalsePositives, 0.01)
	setDefault(&c.Rebuild, time.Hour)
	setDefault(&c.Commit, time.Minute)
	return c, nil
}

// filterBits is the filter of a process: the one that answers, and the next one.
type filterBits struct {
	mu       sync.RWMutex       // guards the following
	answers  *bloom.BloomFilter // nil: not complete, nothing is refused
	building *bloom.BloomFilter // nil: none
	added    uint               // to building, by the source
	at       announced          // how far the announcements are in both
	failed   bool               // announcements were missed: begin anew

	asks, tells rounds // of the log
}

// absent says whether the key is certainly not among those that were added.
func (b *filterBits) absent(id identity) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.answers != nil && !b.answers.Test(id[:])
}

// begin begins a new filter. What is announced from now on is in it.
func (b *filterBits) begin(expected uint, falsePositives float64) {
	next := bloom.NewWithEstimates(expected, falsePositives)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.building, b.added = next, 0
}

// add adds a key of the source, and returns false if the filter has been given up.
func (b *filterBits) add(id identity) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.building == nil {
		return false
	}
	b.building.Add(id[:])
	b.added++
	return true
}

// complete has the new filter answer, and returns how many keys the source had.
func (b *filterBits) complete() (added uint, done bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.building == nil {
		return 0, false
	}
	b.answers, b.building = b.building, nil
	return b.added, true
}

func (b *filterBits) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.building = nil
}

// news takes what was announced. What was missed makes both filters worthless.
func (b *filterBits) news(log announced) {
	b.mu.Lock()
	defer b.mu.Unlock()
	ids, whole := log.since(b.at)
	if !whole {
		b.failed = b.failed || b.answers != nil || b.building != nil
		b.answers, b.building = nil, nil
	}
	for _, f := range []*bloom.BloomFilter{b.answers, b.building} {
		if f != nil {
			for _, id := range ids {
				f.Add(id[:])
			}
		}
	}
	b.at = announced{log: log.log, number: log.number}
}

// takeFailed says whether to begin anew.
func (b *filterBits) takeFailed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	failed := b.failed
	b.failed = false
	return failed
}
