package gossip

import (
	"fmt"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership/internal/lifecycle"
)

// Network is a set of defaults.
type Network int

const (
	LAN   Network = iota // one data centre
	Local                // one machine: quick, for demonstrations and tests
	WAN                  // several sites
)

// String is "LAN", "local" or "WAN".
func (n Network) String() string {
	if n < LAN || n > WAN {
		return fmt.Sprintf("Network(%d)", int(n))
	}
	return [...]string{"LAN", "local", "WAN"}[n]
}

// Timing holds the waits of a member. A field that is 0 has the default of the
// Network: those of LAN are given below.
type Timing struct {
	// MinReady (5 s) is how long a server must have been healthy before the node is
	// announced: fewer than ProbeFailures probes in a row have failed. Each return
	// of the node within ReturnWithin (10 min) doubles it, up to MaxReady (10 min).
	MinReady, MaxReady, ReturnWithin time.Duration

	// BatchWindow (2 s) is how long after its first announcement a transition
	// takes in others.
	BatchWindow time.Duration

	// Dwell (5 s) is the least time between the last announcement of a transition
	// and the first key that moves. It must be above BatchWindow by more than
	// gossip takes to reach all members.
	Dwell time.Duration

	// MaxDwell (15 s) is how long routers that have not confirmed the
	// announcement are waited for.
	MaxDwell time.Duration

	// LeaveTimeout (5 min) is how long a node that leaves tries to hand its keys
	// over.
	LeaveTimeout time.Duration

	// EvictAfter (30 s) is how long a node must be dead or unhealthy before it is
	// evicted. Agents act one EvictStagger (500 ms) after the other, so that one
	// of them usually suffices.
	EvictAfter, EvictStagger time.Duration

	// ProbeInterval (1 s) is the pause between two probes of the server,
	// ProbeTimeout (1 s) what one may take, and ProbeFailures (3) how many in a
	// row make the server unhealthy.
	ProbeInterval, ProbeTimeout time.Duration
	ProbeFailures               int

	// RejoinEvery (30 s) is how often seeds and former members that are not seen
	// are asked. It bounds how long a partition lasts after its cause has gone.
	RejoinEvery time.Duration

	// Convergence (15 s) is how long the rings of two members may differ before
	// they are said to disagree. Large fleets get some more: see the comment on
	// how meta data are announced.
	Convergence time.Duration

	// BootstrapAfter (10 s) is how long a node with Bootstrap waits for its seeds
	// before it begins a fleet without them.
	BootstrapAfter time.Duration

	// ConflictAfter (60 s) is how long a member that finds its name taken waits
	// for the other one to go, before it gives up. It must be above the time in
	// which a member that crashed is seen to be dead, so that a node can return
	// on another address.
	ConflictAfter time.Duration

	// ForgetAfter (30 days) is how long records of nodes that are gone are kept. A
	// node that has been cut off for half of that purges before it comes back,
	// since its eviction may have been forgotten.
	ForgetAfter time.Duration
}

// pace is what a Network decides beside Timing.
type pace struct {
	tick    time.Duration // between two looks at what time alone brings about
	settle  time.Duration // in which changes become one
	tell    time.Duration // within which a router shows a new ring in its meta data
	quiet   time.Duration // how long the view must be unchanged before a node does
	spread  time.Duration // by how much each member makes that longer
	lag     time.Duration // how long another may show a newer ring before it is asked
	retry   time.Duration // between attempts to reach a first seed, at first
	slowest time.Duration // and at last
	reclaim time.Duration // after which a dead member's name may have another address
}

const day = 24 * time.Hour

func (n Network) timing() Timing {
	lan := Timing{
		MinReady: 5 * time.Second, MaxReady: 10 * time.Minute, ReturnWithin: 10 * time.Minute,
		BatchWindow: 2 * time.Second, Dwell: 5 * time.Second, MaxDwell: 15 * time.Second,
		LeaveTimeout: 5 * time.Minute,
		EvictAfter:   30 * time.Second, EvictStagger: 500 * time.Millisecond,
		ProbeInterval: time.Second, ProbeTimeout: time.Second, ProbeFailures: 3,
		RejoinEvery: 30 * time.Second, Convergence: 15 * time.Second,
		BootstrapAfter: 10 * time.Second, ConflictAfter: time.Minute,
		ForgetAfter: 30 * day,
	}
	switch n {
	case Local:
		return Timing{
			MinReady: 500 * time.Millisecond, MaxReady: 30 * time.Second, ReturnWithin: time.Minute,
			BatchWindow: 300 * time.Millisecond, Dwell: time.Second, MaxDwell: 3 * time.Second,
			LeaveTimeout: time.Minute,
			EvictAfter:   5 * time.Second, EvictStagger: 200 * time.Millisecond,
			ProbeInterval: 200 * time.Millisecond, ProbeTimeout: 500 * time.Millisecond, ProbeFailures: 3,
			RejoinEvery: 5 * time.Second, Convergence: 5 * time.Second,
			BootstrapAfter: 3 * time.Second, ConflictAfter: 15 * time.Second,
			ForgetAfter: 30 * day,
		}
	case WAN:
		wan := lan
		wan.MinReady, wan.BatchWindow, wan.Dwell, wan.MaxDwell = 10*time.Second, 5*time.Second, 15*time.Second, time.Minute
		wan.LeaveTimeout = 15 * time.Minute
		wan.EvictAfter, wan.EvictStagger = 90*time.Second, 2*time.Second
		wan.ProbeTimeout = 2 * time.Second
		wan.RejoinEvery, wan.Convergence = time.Minute, time.Minute
		wan.BootstrapAfter, wan.ConflictAfter = 30*time.Second, 4*time.Minute
		return wan
	}
	return lan
}

func (n Network) pace() pace {
	p := pace{
		tick: 500 * time.Millisecond, settle: 20 * time.Millisecond,
		tell: 200 * time.Millisecond, quiet: time.Second, spread: 50 * time.Millisecond,
		lag: 1500 * time.Millisecond, retry: 500 * time.Millisecond, slowest: 5 * time.Second, reclaim: time.Second,
	}
	switch n {
	case Local:
		p.tick, p.quiet, p.spread = 100*time.Millisecond, 200*time.Millisecond, 20*time.Millisecond
		p.lag = 500 * time.Millisecond
		p.retry, p.slowest, p.reclaim = 200*time.Millisecond, time.Second, 200*time.Millisecond
	case WAN:
		p.tick, p.settle, p.quiet = time.Second, 50*time.Millisecond, 3*time.Second
		p.lag = 5 * time.Second
		p.retry, p.slowest, p.reclaim = time.Second, 15*time.Second, 3*time.Second
	}
	return p
}

// gossip returns memberlist's own settings.
func (n Network) gossip() *memberlist.Config {
	var c *memberlist.Config
	switch n {
	case Local:
		c = memberlist.DefaultLocalConfig()
		c.ProbeInterval = 500 * time.Millisecond
		c.PushPullInterval = 10 * time.Second
		c.RetransmitMult = 4 // with 2, one receiver in 7 hears nothing
	case WAN:
		c = memberlist.DefaultWANConfig()
	default:
		c = memberlist.DefaultLANConfig()
	}
	c.DeadNodeReclaimTime = n.pace().reclaim
	// Messages beyond it are lost until the next exchange of whole states; a
	// fleet that starts all at once sends more than the default of 1024.
	c.HandoffQueueDepth = 8192
	return c
}

// or returns t with the fields that are 0 filled in from the defaults.
func (t Timing) or(d Timing) Timing {
	fields, defaults := t.fields(), d.fields()
	for i := range fields {
		if *fields[i].value == 0 {
			*fields[i].value = *defaults[i].value
		}
	}
	if t.ProbeFailures == 0 {
		t.ProbeFailures = d.ProbeFailures
	}
	return t
}

type timingField struct {
	name  string
	value *time.Duration
}

func (t *Timing) fields() []timingField {
	return []timingField{
		{"MinReady", &t.MinReady}, {"MaxReady", &t.MaxReady}, {"ReturnWithin", &t.ReturnWithin},
		{"BatchWindow", &t.BatchWindow}, {"Dwell", &t.Dwell}, {"MaxDwell", &t.MaxDwell},
		{"LeaveTimeout", &t.LeaveTimeout}, {"EvictAfter", &t.EvictAfter}, {"EvictStagger", &t.EvictStagger},
		{"ProbeInterval", &t.ProbeInterval}, {"ProbeTimeout", &t.ProbeTimeout},
		{"RejoinEvery", &t.RejoinEvery}, {"Convergence", &t.Convergence},
		{"BootstrapAfter", &t.BootstrapAfter}, {"ConflictAfter", &t.ConflictAfter}, {"ForgetAfter", &t.ForgetAfter},
	}
}

// validate looks at a Timing without zeros.
func (t Timing) validate() error {
	for _, f := range t.fields() {
		if *f.value < 0 {
			return fmt.Errorf("gossip: Config.Timing.%s: got %v, want above 0", f.name, *f.value)
		}
	}
	if t.ProbeFailures < 0 {
		return fmt.Errorf("gossip: Config.Timing.ProbeFailures: got %d, want above 0", t.ProbeFailures)
	}
	if t.Dwell <= t.BatchWindow {
		return fmt.Errorf("gossip: Config.Timing.Dwell: got %v, want above the BatchWindow, %v", t.Dwell, t.BatchWindow)
	}
	if t.MaxDwell < t.Dwell {
		return fmt.Errorf("gossip: Config.Timing.MaxDwell: got %v, want at least the Dwell, %v", t.MaxDwell, t.Dwell)
	}
	return nil
}

func (t Timing) lifecycle() lifecycle.Timing {
	return lifecycle.Timing{
		MinReady: t.MinReady, MaxReady: t.MaxReady, ReturnWithin: t.ReturnWithin,
		BatchWindow: t.BatchWindow, Dwell: t.Dwell, MaxDwell: t.MaxDwell, LeaveTimeout: t.LeaveTimeout,
	}
}
