package simulations

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/ringway/ringway/simulations/lru"
	"github.com/ringway/ringway/simulations/trace"
)

// Source gives requests one after the other. *trace.Reader and
// *workload.Generator are ones.
type Source interface {
	// Next stores the next request in *req; at the end it returns io.EOF.
	Next(req *trace.Request) error
	// Has says what the requests tell besides the key.
	Has() trace.Has
	// Name is how reports and errors call the source.
	Name() string
	// Fault returns an error about the last request.
	Fault(column, found, want string) error
	// BytesRead and TotalBytes tell how much is done, of how much, in bytes or
	// in whatever else the source counts; TotalBytes is trace.Unknown where
	// that is not known.
	BytesRead() int64
	TotalBytes() int64
	// Close ends a Next that waits; another goroutine may call it.
	Close() error
}

// Progress tells how far a run has come.
type Progress struct {
	Requests   int64 // done
	Bytes      int64 // of the file, as they are on the disk, read: a few blocks ahead
	TotalBytes int64 // the file's size; trace.Unknown for a stream
}

// TraceInfo describes the trace that was read.
type TraceInfo struct {
	Source   string `json:"source"`
	Requests int64  `json:"requests"`
	Distinct int64  `json:"distinct"` // keys
	Note     string `json:"note"`
}

// An event is a request as caches see it: all that depends on the trace alone is
// settled once, whatever the number of caches.
type event struct {
	id      uint32
	op      trace.Op
	size    int64 // bytes of the entry, key and value; 0 where capacities are items
	expires int64 // of the entry; 0 means never
	now     int64 // seconds

	// at is now with the fraction of a second, once the requests of one time are
	// spread over it; only a feed that spreads sets it.
	at float64
}

// entry is what the request stores.
func (e *event) entry(tick uint64) lru.Entry {
	return lru.Entry{ID: e.id, Size: e.size, Expires: e.expires, Used: tick}
}

// What becomes of a request.
const (
	uncounted byte = iota // not a Get
	hit
	miss // a load from the database
)

// apply lets a cache serve a request. A Get that misses loads the value and
// stores it; an Update changes an entry that is there.
func (e *event) apply(c *lru.Cache, tick uint64) byte {
	switch e.op {
	case trace.Get:
		if c.Get(e.id, tick, e.now) {
			return hit
		}
		c.Put(e.entry(tick))
		return miss
	case trace.Set:
		c.Put(e.entry(tick))
	case trace.Update:
		if c.Holds(e.id, e.now) {
			c.Put(e.entry(tick))
		}
	case trace.Delete:
		c.Delete(e.id)
	}
	return uncounted
}

const chunkEvents = 8192

// A chunk is a run of consecutive requests.
type chunk struct {
	base     int64 // index of the first request, from 0
	events   []event
	versions []uint32 // of the key's value in the database, once the request is done; nil unless wanted
	keys     keyView  // all keys up to the end of the chunk, which brought the last ones
}

// feed reads a trace in chunks.
type feed struct {
	reader Source
	sizes  bool     // are wanted
	lax    bool     // a size that is not known is none
	chunk  int      // requests at most, up to chunkEvents
	cuts   []int64  // indexes of requests that begin a chunk, ascending
	every  int64    // so do the multiples of this; 0 means none
	writes []uint32 // by key, how often it was written; nil unless versions are wanted
	keys   interner
	known  []known // by key; nil where neither sizes nor TTLs matter
	ttls   bool    // can be held against a time
	now    int64
	moment float64   // now with the fraction of a second
	spread *spreader // nil unless the requests of one time are to be spread
	read   int64
	err    error // of the request after the last chunk
}

// known is what the trace told last about a key's value. Traces of real caches
// write a size of 0 for a Get that missed, and no TTL for any Get: what the miss
// then loads is like what was there before.
type known struct{ size, ttl int64 }

// newFeed prepares a trace for caches of these capacities.
func newFeed(r *trace.Reader, cuts []int64, capacities ...Capacity) (*feed, error) {
	if r == nil {
		return nil, &InputError{What: "trace", Found: "none", Want: "a trace"}
	}
	return newSourceFeed(r, cuts, capacities...)
}

func newSourceFeed(r Source, cuts []int64, capacities ...Capacity) (*feed, error) {
	f := &feed{reader: r, chunk: chunkEvents, cuts: cuts, ttls: r.Has().TTL && r.Has().Time}
	for _, c := range capacities {
		f.sizes = f.sizes || c.Bytes > 0
	}
	if f.sizes && !r.Has().Size {
		return nil, &InputError{What: "capacity", Found: "bytes for the trace " + r.Name() + ", which has no sizes", Want: "a number of items, or a trace with a size column"}
	}
	if f.sizes || f.ttls {
		f.known = []known{}
	}
	return f, nil
}

func (f *feed) info() TraceInfo {
	info := TraceInfo{Source: f.reader.Name(), Requests: f.read, Distinct: int64(f.keys.len())}
	if f.reader.Has().TTL && !f.ttls {
		info.Note = "TTLs are not applied: the trace has no times"
	}
	return info
}

// next fills the chunk with at least one request. At the end it returns io.EOF.
func (f *feed) next(c *chunk) error {
	if c.events == nil {
		c.events = make([]event, chunkEvents)
	}
	if f.err != nil {
		return f.err
	}
	room := int64(f.chunk)
	for len(f.cuts) > 0 && f.cuts[0] <= f.read {
		f.cuts = f.cuts[1:]
	}
	if len(f.cuts) > 0 {
		room = min(room, f.cuts[0]-f.read)
	}
	if f.every > 0 {
		room = min(room, f.every-f.read%f.every)
	}
	c.base, c.events, c.versions = f.read, c.events[:room], c.versions[:0]
	f.fill(c)
	f.read += int64(len(c.events))
	if len(c.events) == 0 {
		return f.err
	}
	return nil
}

// fill reads as many requests as the chunk has room for, if there are so many.
func (f *feed) fill(c *chunk) {
	if f.spread != nil {
		f.spread.fill(f, c)
		return
	}
	for i := range c.events {
		if f.err = f.event(&c.events[i]); f.err != nil {
			c.events = c.events[:i]
			break
		}
		if f.writes != nil {
			c.versions = append(c.versions, f.version(&c.events[i]))
		}
	}
	c.keys = f.keys.keyView
}

func (f *feed) event(e *event) error {
	var req trace.Request
	if err := f.reader.Next(&req); err != nil {
		return err
	}
	id, err := f.keys.id(req.Key)
	if err != nil {
		return f.reader.Fault("key", err.Error(), "at most 4294967294")
	}
	f.now = max(f.now, req.Time) // time does not go back
	f.moment = max(f.moment, float64(req.Time)+req.Fraction)
	*e = event{id: id, op: req.Op, now: f.now}
	if f.known == nil {
		return nil
	}
	if int(id) == len(f.known) {
		f.known = append(f.known, known{size: trace.Unknown})
	}
	k := &f.known[id]
	k.learn(&req)
	if f.sizes && req.Op != trace.Delete {
		if k.size < 0 && !f.lax {
			return f.reader.Fault("size", "none so far for the key "+quote(string(req.Key)), "a size, since capacities are in bytes")
		}
		// Even an empty entry takes room: else any number of them would fit.
		e.size = max(1, max(0, k.size)+req.KeySize)
	}
	if f.ttls && k.ttl > 0 {
		e.expires = f.now + k.ttl
	}
	return nil
}

// version counts the writes of a key, and returns how many there were.
func (f *feed) version(e *event) uint32 {
	if int(e.id) == len(f.writes) {
		f.writes = append(f.writes, 0)
	}
	if e.op != trace.Get {
		f.writes[e.id]++
	}
	return f.writes[e.id]
}

// learn takes up what a request tells of its value.
func (k *known) learn(req *trace.Request) {
	switch {
	case req.Op == trace.Delete:
	case req.Op == trace.Set:
		k.ttl = req.TTL // 0 means no limit
		if req.Size >= 0 {
			k.size = req.Size
		}
	default:
		if req.TTL > 0 {
			k.ttl = req.TTL
		}
		if req.Size > 0 || k.size < 0 {
			k.size = req.Size
		}
	}
}

// A consumer takes the chunks of a trace, one after the other.
type consumer interface {
	consume(ctx context.Context, c *chunk) error
}

// pump reads the trace to its end, while the consumers take the chunk before,
// each in a goroutine of its own.
func pump[C consumer](ctx context.Context, f *feed, consumers []C, progress func(Progress)) error {
	// A Reader that waits for a pipe is ended by its Close.
	defer context.AfterFunc(ctx, func() { f.reader.Close() })()
	var current, ahead chunk
	errs := make([]error, len(consumers))
	err := f.next(&current)
	for err == nil {
		var working sync.WaitGroup
		for i, consumer := range consumers {
			working.Go(func() { errs[i] = consumer.consume(ctx, &current) })
		}
		err = f.next(&ahead)
		working.Wait()
		for _, failed := range errs {
			if failed != nil {
				return failed
			}
		}
		if ctx.Err() != nil {
			break
		}
		if progress != nil {
			done := current.base + int64(len(current.events))
			progress(Progress{Requests: done, Bytes: f.reader.BytesRead(), TotalBytes: f.reader.TotalBytes()})
		}
		current, ahead = ahead, current
	}
	if ctx.Err() != nil {
		return fmt.Errorf("simulations: stopped after %d requests: %w", f.read, ctx.Err())
	}
	if err == io.EOF {
		return nil
	}
	return err
}
