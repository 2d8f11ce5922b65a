package workload

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/ringway/ringway/simulations/trace"
)

// Popularity is the law by which keys are asked for.
type Popularity uint8

const (
	Zipf    Popularity = iota // the key of rank k with a weight of 1/k^alpha
	Uniform                   // all alike
	Hot                       // a few keys share a part of the requests, the others the rest
)

var popularityNames = []string{"zipf", "uniform", "hot"}

// String returns "zipf", "uniform" or "hot".
func (p Popularity) String() string {
	if int(p) < len(popularityNames) {
		return popularityNames[p]
	}
	return fmt.Sprintf("Popularity(%d)", uint8(p))
}

// Limits of a Config.
const (
	MaxKeys     = 1 << 24 // 12 bytes of memory each with Zipf
	MaxRequests = 1 << 40
	MaxAlpha    = 10
	MaxSize     = 1 << 30 // bytes of a key or value
	MaxTTL      = 1 << 32 // seconds
)

// Config says what to generate. Keys and Requests must be given.
type Config struct {
	Popularity Popularity
	Keys       int   // distinct keys that may be asked for
	Requests   int64 // in all

	Alpha float64 // of Zipf, from 0 (all keys alike) to MaxAlpha, taken to a millionth

	HotKeys  int     // of Hot, how many; below Keys
	HotShare float64 // of Hot, the part of the requests that they get, from 0 to 1

	// Ops is how often each operation comes, in parts of the whole; the zero
	// value is gets alone.
	Ops Ops

	KeySize   int64 // bytes that a key counts for; 0 means its real 20
	ValueSize int64 // bytes of a value; 0 means that sizes are not told
	// Exponential spreads the sizes of values around ValueSize, each key with
	// its own, by an exponential law; else all have ValueSize.
	Exponential bool

	TTLs []TTL // each key has one of these; empty means that nothing expires

	Seed uint64

	// Title names the workload in reports; empty means one made from the above.
	Title string
}

// Ops is how often each operation comes. The parts need not add up to 1.
type Ops struct{ Get, Set, Update, Delete float64 }

// TTL is a time to live and the part of the keys that have it.
type TTL struct {
	Seconds int64
	Share   float64
}

// Error is a Config from which nothing can be generated. It is one line.
type Error struct {
	Field string // of Config, in lower case
	Found string
	Want  string
}

func (e *Error) Error() string {
	return fmt.Sprintf("workload: %s: found %s, expected %s", e.Field, e.Found, e.Want)
}

func (c *Config) validate() error {
	switch {
	case int(c.Popularity) >= len(popularityNames):
		return &Error{"popularity", c.Popularity.String(), "one of " + strings.Join(popularityNames, ", ")}
	case c.Keys < 1 || c.Keys > MaxKeys:
		return &Error{"keys", fmt.Sprint(c.Keys), fmt.Sprintf("1 to %d", MaxKeys)}
	case c.Requests < 1 || c.Requests > MaxRequests:
		return &Error{"requests", fmt.Sprint(c.Requests), fmt.Sprintf("1 to %d", int64(MaxRequests))}
	case !(c.Alpha >= 0 && c.Alpha <= MaxAlpha):
		return &Error{"alpha", fmt.Sprint(c.Alpha), fmt.Sprintf("0 to %d", MaxAlpha)}
	case c.Popularity == Hot && (c.HotKeys < 1 || c.HotKeys >= c.Keys):
		return &Error{"hot keys", fmt.Sprint(c.HotKeys), fmt.Sprintf("at least 1 and fewer than the %d keys", c.Keys)}
	case c.Popularity == Hot && !(c.HotShare >= 0 && c.HotShare <= 1):
		return &Error{"hot share", fmt.Sprint(c.HotShare), "0 to 1"}
	case c.KeySize < 0 || c.KeySize > MaxSize:
		return &Error{"key size", fmt.Sprint(c.KeySize), fmt.Sprintf("0 to %d bytes", MaxSize)}
	case c.ValueSize < 0 || c.ValueSize > MaxSize:
		return &Error{"value size", fmt.Sprint(c.ValueSize), fmt.Sprintf("0 to %d bytes", MaxSize)}
	}
	for _, part := range []float64{c.Ops.Get, c.Ops.Set, c.Ops.Update, c.Ops.Delete} {
		if !(part >= 0) || math.IsInf(part, 0) {
			return &Error{"operations", fmt.Sprint(part), "parts of 0 and more"}
		}
	}
	for _, t := range c.TTLs {
		if t.Seconds < 1 || t.Seconds > MaxTTL || !(t.Share > 0) || math.IsInf(t.Share, 0) {
			return &Error{"ttl", fmt.Sprintf("%d seconds for a part of %v", t.Seconds, t.Share), fmt.Sprintf("1 to %d seconds, and a part above 0", int64(MaxTTL))}
		}
	}
	return nil
}

// shares turns parts into bounds on 53 random bits: the first bound above the
// bits is the choice.
func shares(parts ...float64) []uint64 {
	total := 0.0
	for _, p := range parts {
		total += p
	}
	bounds := make([]uint64, len(parts))
	sum := 0.0
	for i, p := range parts {
		sum += p
		bounds[i] = uint64(sum / total * (1 << 53))
	}
	// Rounding must leave nothing beyond the last part that is not 0.
	for i := len(parts) - 1; i >= 0; i-- {
		bounds[i] = 1 << 53
		if parts[i] > 0 {
			break
		}
	}
	return bounds
}

func choose(bounds []uint64, bits uint64) int {
	return slices.IndexFunc(bounds, func(bound uint64) bool { return bits < bound })
}

func (c *Config) title() string {
	if c.Title != "" {
		return c.Title
	}
	switch c.Popularity {
	case Zipf:
		return fmt.Sprintf("zipf(%g)", c.Alpha)
	case Hot:
		return fmt.Sprintf("hot(%d keys, %g)", c.HotKeys, c.HotShare)
	}
	return c.Popularity.String()
}

var opOrder = []trace.Op{trace.Get, trace.Set, trace.Update, trace.Delete}
