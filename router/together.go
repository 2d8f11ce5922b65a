package router

import "sync"

// together calls do for 0 to n-1 at the same time, the last on the caller's own
// goroutine, and waits for all. If one of them panics, such as a user's hook, the
// caller does: it can recover, and a goroutine's panic would end the program.
func together(n int, do func(i int)) {
	if n == 0 {
		return
	}
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex // guards the first panic of a goroutine
		thrown bool
		what   any
	)
	defer func() {
		wait.Wait()
		if thrown {
			panic(what)
		}
	}()
	for i := range n - 1 {
		wait.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					mu.Lock()
					defer mu.Unlock()
					if !thrown {
						thrown, what = true, p
					}
				}
			}()
			do(i)
		})
	}
	do(n - 1)
}
