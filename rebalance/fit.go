package rebalance

import (
	"fmt"
	"math"
	"time"
)

// Memory is what a server has, for all its databases together.
type Memory struct {
	Used  int64 // bytes
	Limit int64 // bytes; 0: there is none, or it is not known
	From  LimitSource

	// Policy is what the server does when it is full: for Redis its
	// maxmemory-policy, such as "noeviction" or "allkeys-lru"; for Memcached "lru",
	// or "noeviction" where evictions are turned off. Empty: not known.
	Policy string
}

// LimitSource says where a limit is from.
type LimitSource string

const (
	ByServer  LimitSource = "server"  // its own configuration
	ByMachine LimitSource = "machine" // it has none, and this is the memory of its machine
	ByTold    LimitSource = "told"    // somebody said so, of a server that was not asked
)

// NoEviction is the Policy of a server that refuses writes when it is full.
const NoEviction = "noeviction"

// FitConfig says what each receiver has. The zero value knows nothing.
type FitConfig struct {
	Memory map[string]Memory // by node ID; what lacks is not known

	// KeyOverhead is what a key takes beyond its size, in bytes: see
	// RedisKeyOverhead.
	KeyOverhead int64

	// Headroom is the part of its limit that a receiver must have left afterwards,
	// from 0 to less than 1.
	Headroom float64
}

// RedisKeyOverhead is what MEMORY USAGE leaves out of a key: its part of the tables
// of keys and of expiry times. Redis 7.0 took 18 to 67 bytes, more with a TTL and
// just after a table was doubled.
const RedisKeyOverhead = 64 // bytes

// Receiver is what a node will be sent, and whether it has room for it.
type Receiver struct {
	ID     string
	Amount *Amount // nil: not known
	Memory *Memory // nil: not known

	// Needs is what it must have free, in bytes: the high bound of what comes, with
	// the overhead of each key; -1: not known.
	Needs int64
	// Free is Limit − Used − headroom, in bytes, and below 0 where even the
	// headroom is used; -1 with a Limit of 0: not known.
	Free int64

	Room Room
	// Reason says why it does not fit, or why that is not known; empty if it fits.
	Reason string
}

// Room says whether what comes fits.
type Room string

const (
	Fits        Room = "fits"
	FitsNot     Room = "does not fit"
	RoomUnknown Room = "unknown"
)

// Fit compares what the receivers of the plan will be sent with what they have
// free, by ID. What a receiver gives away itself is not counted as free: its keys
// go bit by bit, and may go last.
func (p *Plan) Fit(e Estimate, cfg FitConfig) []Receiver {
	var all []Receiver
	for _, id := range p.Receivers() {
		r := Receiver{ID: id, Needs: -1, Free: -1, Room: RoomUnknown}
		if amount, known := e[Pair{To: id}]; known {
			r.Amount = &amount
		}
		if memory, known := cfg.Memory[id]; known {
			r.Memory = &memory
		}
		r.judge(cfg)
		all = append(all, r)
	}
	return all
}

func (r *Receiver) judge(cfg FitConfig) {
	if r.Amount != nil && r.Amount.Bytes != nil {
		r.Needs = int64(math.Ceil(r.Amount.Bytes.High() + r.Amount.Keys.High()*float64(cfg.KeyOverhead)))
	}
	if r.Memory != nil && r.Memory.Limit > 0 {
		r.Free = r.Memory.Limit - r.Memory.Used - int64(cfg.Headroom*float64(r.Memory.Limit))
	}
	switch {
	case r.Memory == nil:
		r.Reason = "its memory is not known"
	case r.Memory.Limit == 0:
		r.Reason = "it has no limit of memory"
	case r.Needs < 0:
		r.Reason = "how much comes is not known"
	case r.Needs <= r.Free:
		r.Room = Fits
	default:
		r.Room = FitsNot
		r.Reason = r.shortage()
	}
}

// shortage says what is lacking, and what would happen.
func (r *Receiver) shortage() string {
	text := fmt.Sprintf("it needs %s and has %s free of %s", ByteText(r.Needs), ByteText(max(0, r.Free)), ByteText(r.Memory.Limit))
	switch {
	case r.Memory.From == ByMachine:
		return text + ", the memory of its machine (maxmemory is not set)"
	case r.Memory.Policy == NoEviction:
		return text + "; once full it refuses writes (noeviction)"
	case r.Memory.Policy != "":
		return text + "; once full it evicts keys (" + r.Memory.Policy + ")"
	}
	return text
}

// Duration returns how long the plan takes at these limits, which every source
// node has for itself; they work at the same time. A limit of bytes is taken for
// sizes in memory, which are a little larger than what is sent. known is false
// where there is no limit, or where what moves is not known.
func (p *Plan) Duration(e Estimate, l Limits) (d time.Duration, known bool) {
	if l.Keys <= 0 && l.Bytes <= 0 {
		return 0, false
	}
	longest := 0.0 // seconds
	for _, m := range p.Movements {
		a, is := e[Pair{From: m.From}]
		if !is || l.Bytes > 0 && a.Bytes == nil {
			return 0, false
		}
		if l.Keys > 0 {
			longest = max(longest, a.Keys.Value/float64(l.Keys))
		}
		if l.Bytes > 0 {
			longest = max(longest, a.Bytes.Value/float64(l.Bytes))
		}
	}
	if longest >= math.MaxInt64/float64(time.Second) {
		return math.MaxInt64, true
	}
	return time.Duration(longest * float64(time.Second)), true
}

// ByteText writes a number of bytes with three digits: "512 B", "1.25 GB". Units
// are powers of 1000.
func ByteText(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	x, unit := float64(n), 0
	for ; x >= 999.5 && unit < 6; unit++ {
		x /= 1000
	}
	digits := 2
	for limit := 9.995; x >= limit && digits > 0; limit *= 10 {
		digits--
	}
	return fmt.Sprintf("%.*f %cB", digits, x, " kMGTPE"[unit])
}
