package workload

import (
	"io"
	"math/bits"
	"sync/atomic"

	"github.com/ringway/ringway/internal/splitmix"
	"github.com/ringway/ringway/simulations/trace"
)

// Generator generates the requests of one workload, in the way of a trace.Reader.
// It is not for concurrent use, but for BytesRead and Close. Make one with New.
type Generator struct {
	cfg  Config
	zipf *zipf // nil unless the popularity is Zipf
	ops  []uint64
	ttls []uint64

	// Start points of random sequences that have nothing to do with each other:
	// which key, which operation, and what is fixed for each key.
	keys, picks, kinds, traits uint64

	done atomic.Int64
	key  [keyLength]byte
}

const keyLength = 4 + 16

// New returns a generator at its first request, or an *Error. With Zipf it takes
// about 0.1 µs a key.
func New(cfg Config) (*Generator, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Ops == (Ops{}) {
		cfg.Ops.Get = 1
	}
	start := splitmix.Mix(cfg.Seed)
	g := &Generator{
		cfg: cfg, ops: shares(cfg.Ops.Get, cfg.Ops.Set, cfg.Ops.Update, cfg.Ops.Delete),
		// Names are those of simulations.UniformKeys, whose sequence this is.
		keys: start, picks: splitmix.Mix(start ^ 1), kinds: splitmix.Mix(start ^ 2), traits: splitmix.Mix(start ^ 3),
	}
	if cfg.Popularity == Zipf {
		g.zipf = newZipf(cfg.Keys, cfg.Alpha)
	}
	if len(cfg.TTLs) > 0 {
		parts := make([]float64, len(cfg.TTLs))
		for i, t := range cfg.TTLs {
			parts[i] = t.Share
		}
		g.ttls = shares(parts...)
	}
	return g, nil
}

// Next stores the next request in *req, or returns io.EOF. The key belongs to the
// generator, and is valid until the next call.
func (g *Generator) Next(req *trace.Request) error {
	i := uint64(g.done.Load())
	if int64(i) >= g.cfg.Requests {
		return io.EOF
	}
	g.done.Store(int64(i) + 1)
	rank := g.rank(splitmix.At(g.picks, i))
	g.writeKey(rank)
	*req = trace.Request{
		Key: g.key[:], KeySize: keyLength, Size: trace.Unknown, Time: trace.Unknown,
		Op: opOrder[choose(g.ops, splitmix.At(g.kinds, i)>>11)],
	}
	if g.cfg.KeySize > 0 {
		req.KeySize = g.cfg.KeySize
	}
	if g.cfg.ValueSize == 0 && g.ttls == nil {
		return nil
	}
	trait := splitmix.At(g.traits, uint64(rank))
	if g.cfg.ValueSize > 0 {
		req.Size = g.size(trait)
	}
	if g.ttls != nil {
		req.TTL = g.cfg.TTLs[choose(g.ttls, splitmix.Mix(trait)>>11)].Seconds
	}
	return nil
}

// rank returns which key is asked for, the most popular being 0.
func (g *Generator) rank(random uint64) int {
	below := func(n int, random uint64) int {
		high, _ := bits.Mul64(random, uint64(n))
		return int(high)
	}
	switch g.cfg.Popularity {
	case Zipf:
		return g.zipf.rank(random >> 11)
	case Hot:
		other := splitmix.Mix(random)
		if float64(random>>11)/(1<<53) < g.cfg.HotShare {
			return below(g.cfg.HotKeys, other)
		}
		return g.cfg.HotKeys + below(g.cfg.Keys-g.cfg.HotKeys, other)
	}
	return below(g.cfg.Keys, random)
}

func (g *Generator) writeKey(rank int) {
	const digits = "0123456789abcdef"
	copy(g.key[:], "key:")
	v := splitmix.At(g.keys, uint64(rank))
	for i := range 16 {
		g.key[4+i] = digits[v>>(60-4*i)&15]
	}
}

// size returns the value's size, which is at least a byte.
func (g *Generator) size(trait uint64) int64 {
	if !g.cfg.Exponential {
		return g.cfg.ValueSize
	}
	return max(1, int64(exponential(trait)*float64(g.cfg.ValueSize)))
}

// Has says what the requests tell: never a time, which is up to whoever runs
// them.
func (g *Generator) Has() trace.Has {
	return trace.Has{Op: true, Size: g.cfg.ValueSize > 0, TTL: g.ttls != nil}
}

// Name returns a short description of the workload.
func (g *Generator) Name() string { return g.cfg.title() }

// Fault returns an *Error about the workload.
func (g *Generator) Fault(column, found, want string) error { return &Error{column, found, want} }

// BytesRead returns how many requests were given out, and TotalBytes how many
// there are in all.
func (g *Generator) BytesRead() int64 { return g.done.Load() }

// TotalBytes returns Config.Requests.
func (g *Generator) TotalBytes() int64 { return g.cfg.Requests }

// Close does nothing: Next never waits.
func (g *Generator) Close() error { return nil }
