package memcache

import (
	"context"
	"errors"
	"os"
	"time"
)

// Who reads a connection. Whoever has the role owns what is read, and the calls
// that were taken over from the queue. The role changes hands under mu, and it
// is free only if no call waits for a reply.
type role uint8

const (
	// roleFree: nobody. The next caller takes it.
	roleFree role = iota
	// roleCaller: the caller at the head of the queue, for its own reply.
	// On its own on a connection it is woken by the network
	// itself and not by a goroutine that the network has woken: on two cores
	// that is the difference between 0.6 and 1.1 times gomemcache's speed.
	roleCaller
	// roleGoroutine: the connection's goroutine, for any number of callers, and
	// to notice when the server closes an idle connection.
	roleGoroutine
)

// directWindow is how long a caller reads before it sees that its context was
// cancelled; the deadline of a context it keeps to the moment. Shorter is not
// better: a timer that is due before the kernel's own next tick (4 ms) made
// every call slower by some 2 µs.
const directWindow = 10 * time.Millisecond

// lead is for the caller that has the role. It reads until its call is completed
// or its context has ended, and passes the role on.
func (cn *conn) lead(ctx context.Context) {
	deadline, bounded := ctx.Deadline()
	for now := cn.lastLead; ; now = time.Now() {
		if ctx.Err() != nil || bounded && !deadline.After(now) {
			break
		}
		if bounded && deadline.Before(now.Add(directWindow)) {
			cn.setReadDeadline(deadline)
		} else if now.Add(directWindow / 2).After(cn.readUntil) {
			// Not each time: it costs as much as all the rest of this loop.
			cn.setReadDeadline(now.Add(directWindow))
		}
		done, err := false, error(nil)
		for !done && err == nil {
			done, err = cn.step()
		}
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			cn.fail(err)
			break
		}
		if done {
			break
		}
	}
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.err == nil && cn.inFlight() == 0 {
		cn.free()
		return
	}
	cn.passToGoroutine()
}

// free gives the role up, and sees to it that the watchdog looks once more: it may
// have found nothing to do between the last reply and this. mu is held.
func (cn *conn) free() {
	cn.role = roleFree
	cn.guard()
}

func (cn *conn) setReadDeadline(t time.Time) {
	cn.readUntil = t
	_ = cn.nc.SetReadDeadline(t) // fails on a closed connection, as does the read
}

// passToGoroutine gives the role to the goroutine. mu is held, and the role is
// the caller's to give, or free.
func (cn *conn) passToGoroutine() {
	cn.role = roleGoroutine
	cn.wake <- struct{}{} // never blocks: it is sent only when the role passes
}

// run is the connection's goroutine. It ends with the connection.
func (cn *conn) run() {
	for {
		<-cn.wake
		// If it has failed already, nothing more must be read: behind a breach
		// of the protocol replies may belong to anybody.
		err := cn.failure()
		if err == nil {
			err = cn.serve()
		}
		if err != nil {
			cn.fail(err)
			cn.finish()
			return
		}
	}
}

// serve reads while it has the role.
func (cn *conn) serve() error {
	if !cn.readUntil.IsZero() {
		cn.setReadDeadline(time.Time{})
	}
	for {
		done, err := cn.step()
		if err != nil {
			return err
		}
		if done && cn.direct && cn.inFlight() == 0 && cn.release() {
			return nil
		}
	}
}

// release frees the role when callers have come one at a time since the last
// time it was asked. Where they come together the role stays: to pass it back
// and forth costs more than it gains.
func (cn *conn) release() bool {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	together := cn.together
	cn.together = false
	if together || cn.err != nil || cn.inFlight() != 0 {
		return false
	}
	cn.free()
	return true
}

// step reads one reply, or the rest of one, and reports whether that completed
// a call. After a time-out of the read it can be called again, after any other
// error nothing more can be read.
func (cn *conn) step() (completed bool, err error) {
	if cn.unfinished == nil {
		line, err := cn.in.line()
		if err != nil {
			return false, err
		}
		cn.progress.Add(1)
		k := cn.head()
		if k == nil {
			return false, violation(unaskedReply, line)
		}
		completed, err = cn.take(k, line)
		if cn.unfinished == nil {
			if completed {
				cn.pop()
			}
			return completed, err
		}
	}
	if err := cn.in.block(&cn.body); err != nil {
		return false, err
	}
	cn.unfinished = nil
	k := cn.head()
	if k.batch != nil {
		return false, nil
	}
	cn.pop()
	return true, nil
}

// head is the call that the next reply belongs to; nil: there is none.
func (cn *conn) head() *call {
	if cn.current == len(cn.taken) {
		cn.mu.Lock()
		cn.taken, cn.queue = cn.queue, cn.taken[:0]
		cn.mu.Unlock()
		cn.current = 0
	}
	if len(cn.taken) == 0 {
		return nil
	}
	return cn.taken[cn.current]
}

const unaskedReply = "a reply that nothing was asked for"

// refuseUnasked gives the connection up if more has come than is due: the next
// request would be given it for its reply. It is called before the last call is
// completed, since its caller may send that request at once.
func (cn *conn) refuseUnasked() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	if cn.inFlight() == 1 {
		cn.failLocked(violation(unaskedReply, cn.in.buf[cn.in.start:cn.in.end]))
	}
}

// pop completes the head.
func (cn *conn) pop() {
	if cn.in.start != cn.in.end && cn.inFlight() == 1 {
		cn.refuseUnasked()
	}
	k := cn.taken[cn.current]
	cn.taken[cn.current] = nil
	cn.current++
	cn.left.Add(1)
	k.complete()
	if cn.crowded.Load() && cn.inFlight() <= maxWaiting/2 { // not one waiter after the other
		cn.mu.Lock()
		cn.giveRoom()
		cn.mu.Unlock()
	}
}

// finish completes all calls that are left when the connection has failed.
func (cn *conn) finish() {
	cn.timer.Stop()
	cn.mu.Lock()
	for cn.writing { // until it is certain which requests were handed over
		cn.idle.Wait()
	}
	cause, handed := cn.err, cn.handed
	rest := append(cn.taken[cn.current:], cn.queue...)
	if cn.unfinished != nil && rest[0].batch != nil {
		rest[0].batch.next-- // that result is not complete
	}
	cn.taken, cn.queue, cn.out, cn.spare = nil, nil, nil, nil
	cn.giveRoom()
	cn.mu.Unlock()

	// One error for all, one for those that were not sent.
	unknown := &NoReplyError{Addr: cn.config.Address, Sent: true, Err: cause}
	unsent := &NoReplyError{Addr: cn.config.Address, Err: cause}
	for _, k := range rest {
		k.err = unsent
		if k.start < handed {
			k.err = unknown
		}
		k.resp = Response{}
		cn.left.Add(1)
		k.complete()
	}
}
