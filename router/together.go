package router

import (
	"sync"
	"sync/atomic"
)

// crew runs functions at the same time, on goroutines that it keeps: what is run
// here reaches deep into a client, and a fresh goroutine would have to grow its
// stack each time. It is safe for concurrent use, also after close.
type crew struct {
	jobs chan func()   // taken by a goroutine that waits
	done chan struct{} // closed by close
	idle atomic.Int32  // goroutines that wait
	end  sync.Once
}

// maxIdle is how many goroutines a crew keeps, of some KB each.
const maxIdle = 128

func newCrew() *crew { return &crew{jobs: make(chan func()), done: make(chan struct{})} }

// close lets the goroutines go that wait. Those that run something end after it.
func (c *crew) close() { c.end.Do(func() { close(c.done) }) }

func (c *crew) run(job func()) {
	select {
	case c.jobs <- job:
	default:
		go c.work(job)
	}
}

func (c *crew) work(job func()) {
	for {
		job()
		if c.idle.Add(1) > maxIdle {
			c.idle.Add(-1)
			return
		}
		select {
		case job = <-c.jobs:
			c.idle.Add(-1)
		case <-c.done:
			c.idle.Add(-1)
			return
		}
	}
}

// together calls do for 0 to n-1 at the same time, the last on the caller's own
// goroutine, and waits for all. If one of them panics, such as a user's hook, the
// caller does: it can recover, and a goroutine's panic would end the program.
func (c *crew) together(n int, do func(i int)) {
	switch n {
	case 0:
		return
	case 1:
		do(0)
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
	wait.Add(n - 1)
	for i := range n - 1 {
		c.run(func() {
			defer wait.Done()
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

// maxAbreast is how many pieces of one command are under way at a time.
const maxAbreast = 16

// abreast is together for many: a few at a time.
func (c *crew) abreast(n int, do func(i int)) {
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	c.together(min(n, maxAbreast), func(int) {
		for i := range next {
			do(i)
		}
	})
}
