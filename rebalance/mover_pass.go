package rebalance

import (
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ringway/ringway/internal/dataserver"
	"github.com/ringway/ringway/membership"
)

// copyPasses is in how many passes copies of keys that stay here count as a reason
// for another one. A receiver that evicts what it is given would never be content.
const copyPasses = 5

// maxStaying bounds the keys that a pass remembers, at some 16 bytes each: it is
// cut short then, and the next one goes on with what is left.
const maxStaying = 1 << 24

// A pass is one walk over the keys of the source.
type pass struct {
	h      *handover
	number int
	seed   maphash.Seed
	once   bool // a walk may come upon a key again and again: see dataserver.Each

	process string // of the source, when the walk began

	// Of the walk's goroutine:
	waiting     map[string]*parcel // by the name of the route, not full yet
	seen, found int64              // keys that were not counted yet; found: to be moved
	quick       time.Time          // when a batch last went to a receiver that is not slow; at first, when the pass began

	lanes  chan struct{}
	flying sync.WaitGroup

	left    atomic.Int64 // keys that are to be tried again
	moved   atomic.Int64
	copied  atomic.Int64 // of the moved, those that stay here too
	yielded atomic.Int64 // keys left to another holder
	whole   bool

	mu      sync.Mutex
	staying map[uint64]struct{} // with once: hashes of keys that are done with in this pass and still there
	cut     bool
}

func newPass(h *handover, number int) *pass {
	return &pass{h: h, number: number, quick: time.Now(), once: h.server.Kind() == membership.Memcached, waiting: make(map[string]*parcel),
		lanes: make(chan struct{}, lanes), staying: make(map[uint64]struct{}), seed: maphash.MakeSeed()}
}

// clean reports whether the pass was whole and found nothing to move.
func (p *pass) clean() bool {
	found := p.moved.Load()
	if p.number >= copyPasses {
		found -= p.copied.Load()
	}
	return p.whole && p.left.Load() == 0 && found == 0
}

// run walks. A server that was restarted meanwhile may have been walked over in
// part only, and what it has brought from its disk stays there until it is trusted.
func (p *pass) run(ctx context.Context) error {
	before, err := p.h.server.Identity(ctx)
	if err != nil {
		return err
	}
	if trust := p.h.m.cfg.Trust; trust != nil {
		if err := trust(ctx, before); err != nil {
			return err
		}
	}
	p.process = before
	p.h.m.rec.setTotal(p.h.carrier.size(ctx))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = dataserver.Each(ctx, p.h.server, p.wants, func(found []dataserver.Found) error { return p.page(ctx, found) })
	p.count()
	for _, batch := range p.waiting {
		if err != nil {
			break
		}
		err = p.send(ctx, batch)
	}
	p.flying.Wait()
	if err != nil {
		return err
	}
	after, err := p.h.server.Identity(ctx)
	p.whole = err == nil && before == after
	return err
}

// wants is asked about every key of the server.
func (p *pass) wants(key string) bool {
	if p.once {
		p.mu.Lock()
		_, done := p.staying[p.hash(key)]
		p.mu.Unlock()
		if done {
			return false
		}
	}
	moves := p.h.routes.of(key).moves()
	if p.seen++; moves {
		p.found++
	}
	if p.seen == countTogether {
		p.count()
	}
	return moves
}

// countTogether is how many keys are walked over before Progress hears of them.
const countTogether = 256

func (p *pass) count() {
	p.h.m.rec.scanned(p.seen, p.found)
	p.seen, p.found = 0, 0
}

// page sorts keys by where they go, and sends the batches that are full.
func (p *pass) page(ctx context.Context, found []dataserver.Found) error {
	limits := p.h.m.pacer.get()
	for _, f := range found {
		way := p.h.routes.of(f.Key)
		if !way.first && p.number == 1 {
			p.yielded.Add(1)
			p.skip(f.Key)
			continue
		}
		batch, err := p.batch(way)
		if err != nil {
			return err
		}
		if batch == nil {
			p.skip(f.Key)
			continue
		}
		if !batch.add(f) {
			continue
		}
		if len(batch.keys) >= limits.batch() || batch.bytes >= batchBytes || f.Size > limits.BigKeyBytes {
			delete(p.waiting, way.name)
			if err := p.send(ctx, batch); err != nil {
				return err
			}
		}
	}
	if p.once { // the walk begins anew when all of these are done with
		for name, batch := range p.waiting {
			delete(p.waiting, name)
			if err := p.send(ctx, batch); err != nil {
				return err
			}
		}
		p.flying.Wait()
	}
	if p.cutShort() {
		return errCutShort
	}
	return ctx.Err()
}

// batchBytes is from where on a batch is full.
const batchBytes = 1 << 20

// batch returns the one for a route, nil if nothing can go there at present.
func (p *pass) batch(way route) (*parcel, error) {
	if b := p.waiting[way.name]; b != nil {
		return b, nil
	}
	b := p.h.parcels.Get().(*parcel)
	b.leave, b.process = way.leave, p.process
	for _, id := range way.to {
		r := p.h.receivers[id]
		if ready, _ := r.ready(time.Now()); !ready {
			p.h.reuse(b)
			return nil, p.allHeld()
		}
		b.to = append(b.to, r)
	}
	p.waiting[way.name] = b
	return b, nil
}

// allHeld ends the walk if nothing can go anywhere.
func (p *pass) allHeld() error {
	for _, r := range p.h.receivers {
		if ready, _ := r.ready(time.Now()); ready {
			return nil
		}
	}
	p.left.Add(1)
	return errCutShort
}

func (p *pass) cutShort() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cut
}

// hash is another one in each pass: two keys that have the same are told apart in
// the next.
func (p *pass) hash(key string) uint64 { return maphash.String(p.seed, key) }
