package demo

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"
	"time"
)

const (
	callers = 128 // requests under way at most
	backlog = 2048

	// catchUp is how far the load may be behind its rate. What a machine cannot do
	// in time is left out, and counted.
	catchUp = 250 * time.Millisecond

	// grace is by how much the clocks of client and server may differ about the end
	// of a key beyond the backend's tolerance, before a miss counts as a loss.
	grace = 100 * time.Millisecond
)

// load is the client: it sends requests to the cache at a fixed rate and knows what
// each should find.
type load struct {
	cfg      Config
	cache    cache
	work     *workload
	database *database
	oracle   *oracle
	shadow   *shadow
	series   *series
	findings *findings

	left   atomic.Uint64 // out, since the machine could not do them in time
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// fill has every key loaded once.
func (l *load) fill(ctx context.Context) {
	var next atomic.Int64
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				key := int(next.Add(1)) - 1
				if key >= len(l.work.keys) {
					return
				}
				l.read(ctx, key)
			}
		})
	}
	all.Wait()
}

// start sends requests until stop.
func (l *load) start() {
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	requests := make(chan uint64, backlog)
	l.done.Go(func() {
		defer close(requests)
		l.pace(ctx, requests)
	})
	for range callers {
		l.done.Go(func() {
			for number := range requests {
				if key, update := l.work.request(number); update {
					l.update(context.Background(), key)
				} else {
					l.read(context.Background(), key)
				}
			}
		})
	}
}

// stop ends the load and waits for what is under way.
func (l *load) stop() {
	if l.cancel != nil {
		l.cancel()
	}
	l.done.Wait()
}

// pace sends the numbers of requests when they are due.
func (l *load) pace(ctx context.Context, requests chan<- uint64) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	began, sent, number := time.Now(), 0.0, uint64(0)
	for ctx.Err() == nil {
		due := time.Since(began).Seconds() * float64(l.cfg.Rate)
		if most := catchUp.Seconds() * float64(l.cfg.Rate); due-sent > most {
			l.left.Add(uint64(due - sent - most))
			sent = due - most
		}
		for ; sent+1 <= due; sent++ {
			select {
			case requests <- number:
				number++
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// read is what an application does: it asks the cache, and on a miss loads from the
// database and stores.
func (l *load) read(ctx context.Context, key int) {
	e, release := l.oracle.hold(key)
	defer release()
	name, epoch, now := l.work.keys[key], l.cache.epoch(), time.Now()
	value, found, err := l.cache.get(ctx, name)
	o := outcome{hit: found && err == nil, took: time.Since(now)}
	margin := l.cfg.Backend.tolerance() + grace
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		o.failed = true
		l.findings.failed(key, epoch, err)
	case found:
		l.judge(key, e, value, now, margin)
	case e.alive(time.Now(), margin):
		l.findings.lost(key, e)
	}
	version := l.database.versions[key].Load()
	o.shadowHit = l.shadow.get(key, now, ttl(key, version))
	if !o.hit {
		o.loaded = true
		version, value := l.database.load(key)
		if err == nil { // a cache that just failed is left alone
			o.failed = l.store(ctx, key, e, version, value) != nil
		}
	}
	l.series.add(o)
}

// judge looks at a value that the cache gave.
func (l *load) judge(key int, e *entry, value []byte, asked time.Time, margin time.Duration) {
	switch {
	case e.state == absent, e.state == known && !bytes.Equal(value, l.database.value(key, e.version)):
		l.findings.wrong(key)
	case e.over(asked, margin):
		l.findings.outlived(key)
	}
}

// update changes a product in the database, and then in the cache.
func (l *load) update(ctx context.Context, key int) {
	e, release := l.oracle.hold(key)
	defer release()
	version, value := l.database.update(key)
	from := time.Now()
	err := l.store(ctx, key, e, version, value)
	l.shadow.store(key, from, ttl(key, version))
	l.series.add(outcome{update: true, failed: err != nil, took: time.Since(from)})
}

func (l *load) store(ctx context.Context, key int, e *entry, version uint32, value []byte) error {
	life, epoch, from := ttl(key, version), l.cache.epoch(), time.Now()
	err := l.cache.set(ctx, l.work.keys[key], value, life)
	e.wrote(version, life, from, err)
	if err != nil && ctx.Err() == nil {
		l.findings.failed(key, epoch, err)
	}
	return err
}
