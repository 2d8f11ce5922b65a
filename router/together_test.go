package router

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestTogetherKeepsGoroutines(t *testing.T) {
	c := newCrew()
	defer c.close()
	const width = 8
	all := func() {
		arrived, go_ := make(chan struct{}, width), make(chan struct{})
		go func() {
			for range width {
				<-arrived
			}
			close(go_)
		}()
		c.together(width, func(int) { // ends only if all run at the same time
			arrived <- struct{}{}
			<-go_
		})
	}
	const rounds = 100
	for range rounds {
		all()
		waitFor(t, func() bool { return c.idle.Load() >= width-1 })
	}
	// One that is about to wait may be overlooked, so that a few more are started.
	if kept := c.idle.Load(); kept > rounds {
		t.Errorf("%d goroutines after %d calls with %d each: they are not used again", kept, rounds, width-1)
	}
	c.close()
	waitFor(t, func() bool { return c.idle.Load() == 0 })
	all() // also after close
	waitFor(t, func() bool { return c.idle.Load() == 0 })
}

func TestTogetherKeepsFew(t *testing.T) {
	c := newCrew()
	defer c.close()
	release, running := make(chan struct{}), atomic.Int32{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.together(3*maxIdle, func(int) { running.Add(1); <-release })
	}()
	waitFor(t, func() bool { return running.Load() == 3*maxIdle })
	close(release)
	<-done
	waitFor(t, func() bool { return c.idle.Load() <= maxIdle })
	if c.idle.Load() == 0 {
		t.Error("none is kept")
	}
}

// A goroutine that a panic went through is as good as another.
func TestTogetherAfterPanic(t *testing.T) {
	c := newCrew()
	defer c.close()
	for range 3 {
		func() {
			defer func() {
				if p := recover(); p != "first" {
					t.Errorf("got %v, want the panic", p)
				}
			}()
			c.together(3, func(i int) {
				if i == 0 {
					panic("first")
				}
			})
		}()
	}
	var sum atomic.Int32
	c.together(4, func(i int) { sum.Add(int32(i)) })
	if sum.Load() != 6 {
		t.Errorf("sum %d, want 6", sum.Load())
	}
}

// The commands of a pipeline are looked up each by its own name, also where one
// follows another of the same first word.
func TestPipelineOfLikeNames(t *testing.T) {
	source, _ := fleetOf(t, 3)
	r := newRedis(t, Config{Source: source})
	ctx := t.Context()
	if err := r.XGroupCreateMkStream(ctx, "s", "g", "$").Err(); err != nil {
		t.Fatal(err)
	}
	cmds, err := r.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.Do(ctx, "XINFO", "STREAM", "s")
		p.Do(ctx, "XINFO", "GROUPS", "s")
		p.Do(ctx, "OBJECT", "ENCODING", "s")
		p.Do(ctx, "OBJECT", "NONSENSE", "s")
		p.Do(ctx, "GET", "a")
		p.Do(ctx, "get", "b")
		p.Do(ctx, []byte("GET"), "c")
		p.Do(ctx, "GETNOT", "d")
		p.Do(ctx, "GET", "e")
		p.Do(ctx, "INFO")
		return nil
	})
	if err == nil {
		t.Error("no error of the commands that are none")
	}
	var failed []int
	for i, cmd := range cmds {
		if err := cmd.Err(); err != nil && err != redis.Nil {
			failed = append(failed, i)
		}
	}
	if want := []int{3, 7, 9}; !slices.Equal(failed, want) {
		t.Errorf("commands %v failed, want %v", failed, want)
	}
	if groups, _ := cmds[1].(*redis.Cmd).Slice(); len(groups) != 1 {
		t.Errorf("XINFO GROUPS after XINFO STREAM: %v", cmds[1])
	}
}
