package main

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/bench/contest"
)

const (
	callers  = 1000                  // who ask for one key that nobody has
	loadTime = 20 * time.Millisecond // of the loader
)

// slowly is the loader of all caches.
func slowly(loads *atomic.Int64, key string) profile {
	loads.Add(1)
	time.Sleep(loadTime)
	return profileOf(key)
}

// asked counts the keys that nobody has asked for before.
var asked atomic.Int64

// stampede returns the operation that takes a key which nobody has asked for before,
// has all callers ask for it, and ends when the last has the value.
func stampede(get func(caller int, key string) error) contest.Operation {
	return func(keys []string) error {
		key := keys[0] + "/" + strconv.FormatInt(asked.Add(1), 10)
		errs := make(chan error, callers)
		begin := make(chan struct{})
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				<-begin
				if err := get(i, key); err != nil {
					errs <- err
				}
			})
		}
		close(begin)
		all.Wait()
		close(errs)
		return <-errs // nil if there is none
	}
}
