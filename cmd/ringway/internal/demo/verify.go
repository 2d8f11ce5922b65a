package demo

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Verified is what a look at every key found.
type Verified struct {
	Checked    int `json:"checked"`     // keys that had to be there
	Missing    int `json:"missing"`     // of them not there
	WrongValue int `json:"wrong_value"` // another value than was stored last
	WrongTTL   int `json:"wrong_ttl"`   // a time to live that differs by more than the tolerance

	// OffMS is the largest difference of a time to live, in ms.
	OffMS float64 `json:"largest_ttl_difference_ms"`

	Excused  int `json:"excused"`  // not there, since a killed node took them with it
	Expiring int `json:"expiring"` // not looked at: their time is up just now
	Doubtful int `json:"doubtful"` // not looked at: their last write failed, or they were never stored
}

// Unseen is how many keys were not looked at.
func (v Verified) Unseen() int { return v.Expiring + v.Doubtful }

// complete reports whether every key was there.
func (v Verified) complete() bool { return v.Checked > 0 && v.Missing == 0 }

// verify looks at every key through the client while the load goes on. Each key is
// held for about as long as its look takes.
func (l *load) verify(ctx context.Context) (Verified, error) {
	var sum Verified
	var mu sync.Mutex // guards sum and errs
	var errs []error
	var next atomic.Int64
	var all sync.WaitGroup
	for range 4 { // more would get in the way of the load
		all.Go(func() {
			for {
				stripe := int(next.Add(1)) - 1
				if stripe >= stripes || ctx.Err() != nil {
					return
				}
				v, err := l.verifyStripe(ctx, stripe)
				mu.Lock()
				sum.add(v)
				if err != nil {
					errs = append(errs, err)
				}
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if len(errs) > 0 {
		return sum, fmt.Errorf("keys could not be looked at (%d of %d times): %w", len(errs), stripes, errs[0])
	}
	return sum, ctx.Err()
}

// verifyStripe looks at the keys of one lock.
func (l *load) verifyStripe(ctx context.Context, stripe int) (v Verified, err error) {
	lock := &l.oracle.locks[stripe]
	lock.Lock()
	defer lock.Unlock()
	var keys []int
	var names []string
	margin := l.cfg.Backend.tolerance() + grace
	for key := stripe; key < len(l.work.keys); key += stripes {
		e := &l.oracle.entries[key]
		switch {
		case e.state != known:
			v.Doubtful++
		case e.over(time.Now(), margin): // expired long ago, and not asked for since
		case !e.alive(time.Now(), margin+time.Second):
			v.Expiring++
		default:
			keys, names = append(keys, key), append(names, l.work.keys[key])
		}
	}
	if len(keys) == 0 {
		return v, nil
	}
	found, err := l.cache.inspect(ctx, names)
	if err != nil {
		return v, err
	}
	for i, key := range keys {
		v.look(l, key, found[i])
	}
	return v, nil
}

// look compares a key with what it must be.
func (v *Verified) look(l *load, key int, found stored) {
	e := &l.oracle.entries[key]
	if !found.found && l.findings.excuses(key, e) {
		v.Excused++
		return
	}
	v.Checked++
	if !found.found {
		v.Missing++
		return
	}
	if !bytes.Equal(found.value, l.database.value(key, e.version)) {
		v.WrongValue++
	}
	if found.expires.IsZero() {
		v.WrongTTL++
		return
	}
	off := e.off(found.expires).Abs()
	v.OffMS = max(v.OffMS, float64(off.Microseconds())/1000)
	if off > l.cfg.Backend.tolerance() {
		v.WrongTTL++
	}
}

func (v *Verified) add(o Verified) {
	v.Checked, v.Missing, v.WrongValue, v.WrongTTL = v.Checked+o.Checked, v.Missing+o.Missing, v.WrongValue+o.WrongValue, v.WrongTTL+o.WrongTTL
	v.Excused, v.Expiring, v.Doubtful = v.Excused+o.Excused, v.Expiring+o.Expiring, v.Doubtful+o.Doubtful
	v.OffMS = max(v.OffMS, o.OffMS)
}
