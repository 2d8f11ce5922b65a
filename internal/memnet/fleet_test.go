package memnet

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// fleet is a network with real members on it, at memberlist's LAN settings. It
// lives in a bubble and ends with stop.
type fleet struct {
	*Network
	t       *testing.T
	config  Config
	members []*memberlist.Memberlist
}

// newFleet starts members one every spacing; they join through the first.
func newFleet(t *testing.T, config Config, size int, spacing time.Duration) *fleet {
	t.Helper()
	f := &fleet{Network: newNetwork(t, config), t: t, config: config}
	for i := range size {
		f.members = append(f.members, f.start(i))
		if i > 0 {
			f.join(i, 0)
		}
		time.Sleep(spacing)
	}
	return f
}

// start returns a new memberlist for a member; it has joined nobody.
func (f *fleet) start(i int) *memberlist.Memberlist {
	f.t.Helper()
	config := listen(f.t, f.Network, address(i)).Configure(fmt.Sprintf("m%04d", i), memberlist.DefaultLANConfig())
	list, err := memberlist.Create(config)
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

func (f *fleet) join(i, seed int) {
	f.t.Helper()
	if _, err := f.members[i].Join([]string{address(seed).String()}); err != nil {
		f.t.Fatalf("seed %d: member %d joins through %d: %v", f.config.Seed, i, seed, err)
	}
}

// stop shuts all members down and lets what they leave behind run out.
func (f *fleet) stop() {
	for _, list := range f.members {
		if err := list.Shutdown(); err != nil {
			f.t.Error(err)
		}
	}
	time.Sleep(Linger)
}

// settle waits until some members see so many each, at most for the bound, and
// returns how long it took.
func (f *fleet) settle(what string, members []*memberlist.Memberlist, count int, bound time.Duration) time.Duration {
	f.t.Helper()
	began := time.Now()
	for !agree(members, count) {
		if time.Since(began) > bound {
			f.t.Fatalf("seed %d: %s: not all members see %d after %v: %v", f.config.Seed, what, count, bound, views(members))
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	f.t.Logf("%s: %v (bound %v)", what, took, bound)
	return took
}

func agree(members []*memberlist.Memberlist, count int) bool {
	for _, list := range members {
		if list.NumMembers() != count {
			return false
		}
	}
	return true
}

// views counts the members that see so many: map[9:1 10:9].
func views(members []*memberlist.Memberlist) map[int]int {
	sizes := make(map[int]int)
	for _, list := range members {
		sizes[list.NumMembers()]++
	}
	return sizes
}

// suspicion returns the least and the greatest time that a member of a fleet of
// that size, at LAN settings, is suspected before it is declared dead. The least
// is SuspicionMult · max(1, log10 n) · ProbeInterval, to the thousandth.
func suspicion(size int) (least, greatest time.Duration) {
	c := memberlist.DefaultLANConfig()
	scale := int64(1000 * math.Max(1, math.Log10(float64(size))))
	least = time.Duration(c.SuspicionMult) * time.Duration(scale) * c.ProbeInterval / 1000
	return least, time.Duration(c.SuspicionMaxTimeoutMult) * least
}

// detection is how long the crash of a member may take to be known to all.
//
// A member is probed by each other once in a round of n, so that in each probe
// interval none of the others picks it with a probability of 1/e: 20 intervals
// leave e^-20. Then there are the suspicion, and as many intervals again for the
// word to spread by probes alone.
func detection(size int) time.Duration {
	_, greatest := suspicion(size)
	return 40*memberlist.DefaultLANConfig().ProbeInterval + greatest
}

// spread is how long news may take to be known to all. Gossip makes it in a few
// hundred milliseconds; what it leaves out a push/pull brings, of which each
// member makes one in 30 s (60 s with more than 32 members) with another that
// is chosen at random. Eight rounds.
func spread(size int) time.Duration {
	interval := memberlist.DefaultLANConfig().PushPullInterval
	if size > 32 {
		interval *= 2
	}
	return 8 * interval
}

func address(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 7946)
}

func addresses(from, to int) (list []netip.AddrPort) {
	for i := from; i < to; i++ {
		list = append(list, address(i))
	}
	return list
}
