package cache

import (
	"fmt"
	"time"

	"github.com/ringway/ringway/cache/journal"
)

// InvalidationConfig is about invalidations that are due later: those that failed, of
// keys, tags, patterns and epochs, and the second of two. All are done by this process,
// or by one that shares the journal, in the background.
type InvalidationConfig struct {
	// SecondDelete is how long after an invalidation the key is deleted once more: for
	// a source whose replicas lag now and then by more than LifeConfig.HoldOff, and
	// for readers that fill the store past this package. Nobody waits for it. 0: never.
	// Every Invalidate, and every Put that deletes, writes to the Journal first.
	SecondDelete time.Duration

	// Journal keeps what is due, and what was given up, so that it survives the
	// process: local.Open, or streams.New. It stays the caller's, and must stay open
	// until the manager is closed. nil: memory keeps up to 10,000, of which Manager.Close
	// tries each once more, and says how many are left; a process that is killed forgets
	// them.
	Journal journal.Journal

	// Pause is how long an invalidation that failed is let be, at first; each time it
	// is twice as long, up to MaxPause, less up to a half by chance. 0 means 100 ms
	// and 30 s.
	Pause, MaxPause time.Duration

	// Attempts is after how many failures it is given up, and is a dead one; 0 means
	// 100, about 35 minutes. They count from the start of a process.
	Attempts int

	// OnDead is told of each that is given up. It must be quick. nil: nobody is; see
	// Space.DeadInvalidations.
	OnDead func(DeadInvalidation)
}

// DeadInvalidation is one that was given up: the entry may be old until it ends.
type DeadInvalidation struct {
	Space string // "user/3"; of ManagerConfig.Invalidation "@tags"
	What  string // "key", "tag", "pattern" or "epoch"
	Key   string // as the store has it; of a pattern its fields, and '*' for any, after the prefix of the space
	Below uint64 // of a key: the version below which entries are to go
	Since time.Time
	Err   string // of the last attempt; empty for what another process gave up
}

func (c InvalidationConfig) withDefaults() (InvalidationConfig, error) {
	if c.SecondDelete < 0 || c.SecondDelete > maxTTL {
		return c, configError("Invalidation.SecondDelete", c.SecondDelete, "0 to 30 days")
	}
	if c.Pause < 0 || c.MaxPause < 0 || c.Pause > time.Hour || c.MaxPause > 24*time.Hour || c.Attempts < 0 {
		return c, configError("Invalidation", fmt.Sprintf("Pause %v, MaxPause %v, Attempts %d", c.Pause, c.MaxPause, c.Attempts),
			"0 to 1 h, 0 to 24 h, 0 or more")
	}
	setDefault(&c.Pause, 100*time.Millisecond)
	setDefault(&c.MaxPause, 30*time.Second)
	setDefault(&c.Attempts, 100)
	return c, checkSet("Invalidation.Journal", c.Journal)
}

// LaterStats is about invalidations that are due later.
type LaterStats struct {
	Depth  int           // those that wait, of all processes that share the journal; no count
	Oldest time.Duration // how long the oldest of them has waited; no count

	Queued  uint64 // invalidations that failed, and that were queued
	Second  uint64 // second deletes that were done
	Retried uint64 // attempts to repeat one that had failed
	Mended  uint64 // those that succeeded
	Dead    uint64 // those that were given up
	Dropped uint64 // that could not be queued: no room, or the journal failed
}
