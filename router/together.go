package router

import "sync"

// together calls do for 0 to n-1 at the same time, the last on the caller's own
// goroutine, and waits for all.
func together(n int, do func(i int)) {
	if n == 0 {
		return
	}
	var wait sync.WaitGroup
	defer wait.Wait()
	for i := range n - 1 {
		wait.Go(func() { do(i) })
	}
	do(n - 1)
}
