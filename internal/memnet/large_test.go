package memnet

import (
	"flag"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

var largeSize = flag.Int("members", 60, "members of TestLarge; 1000 take a minute or more of processor time")

// TestLarge starts a large fleet, waits until all see all, and lets a minute go
// by. What it prints, with -v, is the cost of it:
//
//	go test ./internal/memnet -run Large -members 1000 -v
//
// Nearly all of the time goes into the joins. Each of n members passes on the
// news of each other as often as RetransmitMult has it: with 1000 that is 16 n²
// messages, and memberlist takes about 5 µs for each. The network's own share is
// below 3%.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("a large fleet: not with -short")
	}
	// Decoding leaves much garbage and little that lives. At the usual 100 it took
	// a quarter more processor time.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	wall, stop := wallClock()
	defer stop()
	size, empty := *largeSize, memory()

	synctest.Test(t, func(t *testing.T) {
		config := lan(21)
		config.Grain = 5 * time.Millisecond
		realBegan, began := wall(), time.Now()
		f := newFleet(t, config, size, 10*time.Millisecond)
		f.settle("join", f.members, size, 5*time.Minute)
		t.Logf("%d members, seed %d: all see all after %v, in %v of real time",
			size, config.Seed, time.Since(began), wall().Sub(realBegan))

		const quiet = 20 * time.Second
		time.Sleep(quiet) // for what is still being passed on
		before, realBegan := f.Total(), wall()
		time.Sleep(quiet)
		after := f.Total()
		perNode := func(count uint64) float64 { return float64(count) / float64(size) }
		t.Logf("%v of quiet in %v of real time; a member sends %.2f packets (%.0f bytes) and %.0f bytes in streams a second",
			quiet, wall().Sub(realBegan),
			perNode(after.PacketsSent-before.PacketsSent)/quiet.Seconds(),
			perNode(after.PacketBytesSent-before.PacketBytesSent)/quiet.Seconds(),
			perNode(after.StreamBytesSent-before.StreamBytesSent)/quiet.Seconds())
		t.Logf("a member has sent %.0f packets (%.0f KB) since its start, and takes %.0f KB of memory",
			perNode(after.PacketsSent), perNode(after.PacketBytesSent)/1e3, perNode(memory()-empty)/1e3)

		if !agree(f.members, size) {
			t.Errorf("not all see %d: %v", size, views(f.members))
		}
		if after.Dropped() > 0 || after.DialsFailed > 0 {
			t.Errorf("the network dropped something: %+v", after)
		}
		f.stop()
	})
}

// memory returns the bytes in use: the heap after a collection, and the stacks.
func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// wallClock returns a function that tells the real time, in a bubble too: it
// asks a goroutine outside.
func wallClock() (now func() time.Time, stop func()) {
	ask, answer := make(chan struct{}), make(chan time.Time)
	go func() {
		for range ask {
			answer <- time.Now()
		}
	}()
	return func() time.Time { ask <- struct{}{}; return <-answer }, func() { close(ask) }
}
