package memcache

import (
	"context"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxPending bounds what is appended and not handed to the network yet,
	// maxWaiting the calls without a reply. A caller beyond them waits for
	// room. They matter with a server that has stopped reading, until its
	// replies are overdue.
	maxPending = 4 << 20
	maxWaiting = 1 << 14
	watchTicks = 4 // in a ReplyTimeout
	// staleAfter is how long a connection that nobody reads may have been
	// unused before a caller makes sure that the server has not closed it.
	staleAfter = time.Millisecond
)

// A conn is one connection, shared by many callers. A caller appends its
// request to out and its call to queue, in one order under mu. Whoever finds
// nobody writing writes, for itself and for those who append meanwhile
// (write.go). Whoever has the role of the reader completes the calls as replies
// come in, in the order of the queue (reader.go).
type conn struct {
	nc     net.Conn
	config *Config
	lost   func(*conn) // called once when the connection has failed, under mu
	direct bool        // callers may read
	raw    rawSocket
	wake   chan struct{} // the goroutine's turn to read

	mu       sync.Mutex
	idle     sync.Cond // on mu: writing has become false
	out      []byte    // requests to be written
	spare    []byte    // the buffer that out changes places with
	queue    []*call   // appended, and not yet taken over by the reader
	writing  bool      // somebody is at it; only they write
	role     role
	lastLead time.Time // when a caller last took the role
	together bool      // calls have waited side by side since the last release
	appended uint64    // bytes ever appended to out
	handed   uint64    // bytes of them that were given to the network, or may have been
	err      error     // why it has failed; nil: it has not
	room     chan struct{}
	requests uint64 // ever appended; a batch counts as many as it has

	entered  atomic.Uint64 // calls ever appended; written under mu
	left     atomic.Uint64 // calls ever completed; written by the reader
	progress atomic.Uint64 // replies ever read; written by the reader
	crowded  atomic.Bool   // room is not nil

	// The watchdog, under mu.
	timer    *time.Timer
	tick     time.Duration
	watching bool
	ticks    int
	lastSeen uint64

	// The reader's.
	in         input
	readUntil  time.Time // read deadline of nc; zero: none
	taken      []*call   // calls from queue that are to be completed, in order
	current    int       // index of the next one in taken
	reply      reply
	unfinished *Response // whose data block is being read; nil: none
	body       block
}

func newConn(nc net.Conn, in *input, config *Config, lost func(*conn)) *conn {
	cn := &conn{nc: nc, in: *in, config: config, lost: lost, wake: make(chan struct{}, 1)}
	cn.idle.L = &cn.mu
	switch nc.(type) {
	case *net.TCPConn, *net.UnixConn:
		// These types and no others: anything around them may have a Read and
		// a Write of its own, or deadlines that break it, as with TLS.
		cn.direct = true
		cn.raw.init(nc)
	}
	cn.mu.Lock()
	cn.passToGoroutine()
	cn.mu.Unlock()
	cn.tick = max(config.ReplyTimeout/watchTicks, time.Millisecond)
	cn.timer = time.AfterFunc(time.Hour, cn.watch)
	cn.timer.Stop()
	return cn
}

// inFlight is the number of calls without a reply, abandoned ones included.
func (cn *conn) inFlight() int { return int(cn.entered.Load() - cn.left.Load()) }

// append enters a call and sees to it that it will be written. It copies the
// value. If lead is true, the caller must call cn.lead. If err is not nil,
// nothing was entered.
func (cn *conn) append(ctx context.Context, k *call, requests int) (lead bool, err error) {
	cn.mu.Lock()
	if err := cn.admit(ctx); err != nil {
		cn.mu.Unlock()
		return false, err
	}
	k.start = cn.appended
	before := len(cn.out)
	cn.out = append(cn.out, k.line...)
	if k.block {
		cn.out = append(append(cn.out, k.value...), crlf...)
	}
	cn.appended += uint64(len(cn.out) - before)
	cn.queue = append(cn.queue, k)
	cn.requests += uint64(requests)
	cn.entered.Add(1)
	cn.guard()
	if cn.role == roleFree {
		cn.role = roleCaller
		lead = true
	}
	mine := !cn.writing
	cn.writing = true
	shared := cn.inFlight() > 1
	if shared {
		cn.together = true
	}
	cn.mu.Unlock()
	if mine {
		if shared {
			// Others are about. Those that the last replies have just woken
			// append now, and one system call takes them all: at 128 goroutines
			// that is worth more than twice the throughput.
			runtime.Gosched()
		}
		cn.flush()
	}
	return lead, nil
}

// admit makes sure that the connection can take one more call. mu is held, but
// not throughout.
func (cn *conn) admit(ctx context.Context) error {
	for cn.err == nil && (len(cn.out) > maxPending || cn.inFlight() >= maxWaiting) {
		if err := cn.waitForRoom(ctx); err != nil {
			return err
		}
	}
	if cn.err == nil && cn.role == roleFree {
		now := time.Now()
		if now.Sub(cn.lastLead) > staleAfter && !cn.raw.quiet() {
			cn.failLocked(errClosedWhileIdle)
		}
		cn.lastLead = now
	}
	return cn.err
}

// waitForRoom waits, without mu, until something has been written or
// completed, or the connection has failed.
func (cn *conn) waitForRoom(ctx context.Context) error {
	if cn.room == nil {
		cn.room = make(chan struct{})
		cn.crowded.Store(true)
	}
	room := cn.room
	cn.mu.Unlock()
	defer cn.mu.Lock()
	select {
	case <-room:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// giveRoom wakes all who wait for room. mu is held.
func (cn *conn) giveRoom() {
	if cn.room != nil {
		close(cn.room)
		cn.room = nil
		cn.crowded.Store(false)
	}
}

// fail ends the connection; the first cause counts. Whoever reads notices, and
// the goroutine completes what is left.
func (cn *conn) fail(cause error) {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.failLocked(cause)
}

// failure is the cause, or nil while the connection is good.
func (cn *conn) failure() error {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	return cn.err
}

func (cn *conn) failLocked(cause error) {
	if cn.err != nil {
		return
	}
	cn.err = cause
	cn.lost(cn)
	if cn.inFlight() == 0 {
		hangUp(cn.nc)
	} else {
		abort(cn.nc)
	}
	if cn.role == roleFree {
		cn.passToGoroutine()
	}
}

// guard starts the watchdog, unless it is at work. mu is held.
func (cn *conn) guard() {
	if !cn.watching {
		cn.watching, cn.ticks, cn.lastSeen = true, 0, cn.progress.Load()
		cn.timer.Reset(cn.tick)
	}
}

// watch is the watchdog. It ticks while calls wait, and gives the connection
// up when no reply was read for watchTicks in a row, through all of which
// something was due: so much is certain, since an empty queue stops it and any
// reply starts the count afresh.
func (cn *conn) watch() {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	progress := cn.progress.Load()
	switch {
	case cn.err != nil:
		return
	case cn.inFlight() == 0:
		cn.watching = false
		if cn.role == roleFree {
			cn.passToGoroutine() // to notice when the server closes
		}
		return
	case progress != cn.lastSeen:
		cn.lastSeen, cn.ticks = progress, 0
	default:
		cn.ticks++
	}
	if cn.ticks >= watchTicks {
		cn.failLocked(ErrOverdue)
		return
	}
	cn.timer.Reset(cn.tick)
}
