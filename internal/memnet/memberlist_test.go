package memnet

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// lan is the network of these tests.
func lan(seed uint64) Config {
	return Config{Seed: seed, Delay: 500 * time.Microsecond, Jitter: time.Millisecond}
}

// eachSize runs a test with real members in fleets of several sizes.
func eachSize(t *testing.T, seed uint64, test func(t *testing.T, f *fleet, size int)) {
	for _, size := range []int{10, 50} {
		bubble(t, fmt.Sprint(size), func(t *testing.T) {
			f := newFleet(t, lan(seed), size, 10*time.Millisecond)
			defer f.stop()
			f.settle("join", f.members, size, spread(size))
			test(t, f, size)
		})
	}
}

// TestCrash: all learn of a crash, not before the shortest suspicion is over and
// not later than they must; and of the return under the same name.
func TestCrash(t *testing.T) {
	eachSize(t, 11, func(t *testing.T, f *fleet, size int) {
		victim := size / 2
		f.Crash(address(victim))
		if err := f.members[victim].Shutdown(); err != nil {
			t.Fatal(err)
		}
		others := append(f.members[:victim:victim], f.members[victim+1:]...)
		took := f.settle("crash", others, size-1, detection(size))
		if least, _ := suspicion(size); took < least {
			t.Errorf("seed %d: known after %v, before the shortest suspicion of %v", f.config.Seed, took, least)
		}

		f.Restart(address(victim))
		f.members[victim] = f.start(victim)
		f.join(victim, 0)
		f.settle("return", f.members, size, spread(size))
	})
}

// TestShutdownInPlace: a process that ends on a host that stays up is found out
// as well.
func TestShutdownInPlace(t *testing.T) {
	eachSize(t, 12, func(t *testing.T, f *fleet, size int) {
		if err := f.members[size-1].Shutdown(); err != nil {
			t.Fatal(err)
		}
		f.settle("end", f.members[:size-1], size-1, detection(size))
	})
}

func TestLeave(t *testing.T) {
	eachSize(t, 13, func(t *testing.T, f *fleet, size int) {
		if err := f.members[size-1].Leave(10 * time.Second); err != nil {
			t.Fatal(err)
		}
		f.settle("leave", f.members[:size-1], size-1, spread(size))
	})
}

// TestPartition: after 90 s each half sees itself alone; healed, they are one
// again as soon as somebody joins the other side.
func TestPartition(t *testing.T) {
	eachSize(t, 14, func(t *testing.T, f *fleet, size int) {
		half := size / 2
		if err := f.Partition(addresses(0, half), addresses(half, size)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		// Each half has as many to find dead as to do it.
		f.settle("one half", f.members[:half], half, 2*detection(size))
		f.settle("other half", f.members[half:], size-half, 2*detection(size))
		time.Sleep(90*time.Second - time.Since(began))

		f.Heal()
		f.join(0, half)
		f.settle("rejoin", f.members, size, spread(size))
	})
}

// TestLossyNetwork: nobody who is alive stays missing from any view. At a loss
// of 5% hardly anybody is ever declared dead; at 30% some are, and are back once
// it is over.
func TestLossyNetwork(t *testing.T) {
	eachSize(t, 15, func(t *testing.T, f *fleet, size int) {
		for _, tt := range []struct {
			loss  float64
			watch time.Duration
			bound time.Duration // for which somebody may be missing meanwhile
		}{
			{0.05, 3 * time.Minute, spread(size) / 4},
			{0.3, time.Minute, time.Hour},
		} {
			if err := f.SetLoss(tt.loss); err != nil {
				t.Fatal(err)
			}
			lost := f.Total().Lost
			if size > 10 { // they do as much in a third of the time
				tt.watch /= 3
			}
			if longest := f.longestMissing(tt.watch, size); longest > tt.bound {
				t.Errorf("seed %d, loss %v: somebody was missing for %v, more than %v",
					f.config.Seed, tt.loss, longest, tt.bound)
			}
			if f.Total().Lost == lost {
				t.Errorf("loss %v: nothing was lost", tt.loss)
			}
			if err := f.SetLoss(0); err != nil {
				t.Fatal(err)
			}
			f.settle(fmt.Sprintf("loss of %v over", tt.loss), f.members, size, spread(size))
		}
	})
}

// longestMissing looks at all views every second, and returns the longest time
// for which one of them lacked somebody.
func (f *fleet) longestMissing(watch time.Duration, size int) (longest time.Duration) {
	missing := make([]time.Duration, size)
	times := 0
	for range int(watch / time.Second) {
		time.Sleep(time.Second)
		for i, list := range f.members {
			if list.NumMembers() == size {
				missing[i] = 0
				continue
			}
			if missing[i] == 0 {
				times++
			}
			missing[i] += time.Second
			longest = max(longest, missing[i])
		}
	}
	f.t.Logf("views lacked somebody %d times, for at most %v", times, longest)
	return longest
}

// TestUnreadTransport: a member whose process hangs, so that nobody reads what
// arrives, holds up none of the others.
func TestUnreadTransport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := lan(16)
		config.Queue = 8
		f := newFleet(t, config, 5, time.Second)
		defer f.stop()
		if err := f.members[4].Shutdown(); err != nil {
			t.Fatal(err)
		}
		hung := listen(t, f.Network, address(4))
		f.settle("hung", f.members[:4], 4, detection(5))
		time.Sleep(time.Minute)
		if !agree(f.members[:4], 4) {
			t.Errorf("the others see %v", views(f.members[:4]))
		}
		if s := f.Stats(hung.Addr()); s.Overflowed == 0 || s.StreamsAccepted == 0 {
			t.Errorf("nobody tried the member that hangs: %+v", s)
		}
		if err := hung.Shutdown(); err != nil {
			t.Fatal(err)
		}
	})
}
