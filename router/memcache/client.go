package memcache

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// A Client speaks to one memcached server. It is safe for use by any number of
// goroutines. Close it when it is no longer needed.
type Client struct {
	config Config
	at     endpoint
	encoder
	over Meta // nil: the operations go to the server

	slots []atomic.Pointer[conn] // filled from the front; nil: not open

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	readers sync.WaitGroup // and dials

	mu      sync.Mutex
	closed  bool
	dialing *dialFlight // at most one at a time

	calls     sync.Pool
	tally     counters
	growAfter atomic.Int64 // Unix nanoseconds; no further connection before
}

// spread is the number of calls under way on every open connection from which
// on another one is opened. Below it, callers share the first: the more of them
// do, the more requests one system call takes.
const spread = 64

// growPause is how long no second connection is tried after one has failed.
const growPause = time.Second

// New returns a Client for the server at config.Address. It opens no
// connection: the first call does. It returns an *InputError that matches
// ErrInvalidConfig for a Config that cannot be used.
func New(config Config) (*Client, error) {
	config, at, err := config.checked()
	if err != nil {
		return nil, err
	}
	c := &Client{
		config:  config,
		at:      at,
		encoder: encoder{encodeKeys: config.EncodeKeys, maxValueSize: config.MaxValueSize, now: time.Now},
		slots:   make([]atomic.Pointer[conn], config.Conns),
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Close ends all connections and waits until nothing of them is left running.
// Calls under way fail with ErrClosed, and so do all later ones. It may be
// called more than once and never fails.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	for i := range c.slots {
		if cn := c.slots[i].Load(); cn != nil {
			cn.fail(ErrClosed)
		}
	}
	c.readers.Wait()
	return nil
}

// do sends the call and waits for its end. The call is the caller's own again
// if and only if own is true: an abandoned one belongs to the connection.
func (c *Client) do(ctx context.Context, k *call, requests int) (own bool, err error) {
	for attempt := 1; ; attempt++ {
		if err := ctx.Err(); err != nil {
			return true, c.unsent(err)
		}
		cn, err := c.conn(ctx)
		if err != nil {
			return true, c.unsent(err)
		}
		lead, err := cn.append(ctx, k, requests)
		if err != nil {
			err = c.unsent(err)
		} else {
			if lead {
				cn.lead(ctx)
			}
			if own, err = c.wait(ctx, k); err == nil || !own {
				return own, err
			}
		}
		if attempt == maxAttempts || !neverSent(err) || ctx.Err() != nil {
			return true, err
		}
		// The connection failed before a byte of this request was handed to it.
		// Sending it now is sending it for the first time.
		k.again()
		c.tally.resent.Add(1)
	}
}

const maxAttempts = 3

func neverSent(err error) bool {
	lost, ok := err.(*NoReplyError)
	return ok && !lost.Sent
}

func (c *Client) wait(ctx context.Context, k *call) (own bool, err error) {
	if done := ctx.Done(); done == nil {
		<-k.done
	} else {
		select {
		case <-k.done:
		case <-done:
			if k.state.CompareAndSwap(pending, abandoned) {
				c.tally.abandoned.Add(1)
				return false, &NoReplyError{Addr: c.config.Address, Sent: true, Err: ctx.Err()}
			}
			<-k.done
		}
	}
	return true, k.err
}

func (c *Client) unsent(cause error) error {
	return &NoReplyError{Addr: c.config.Address, Err: cause}
}

// conn picks an open connection, or waits for one to open.
func (c *Client) conn(ctx context.Context) (*conn, error) {
	var best *conn
	load, free := int(^uint(0)>>1), false
	for i := range c.slots {
		cn := c.slots[i].Load()
		if cn == nil {
			free = true
			continue
		}
		n := cn.inFlight()
		if n < spread {
			return cn, nil
		}
		if n < load {
			best, load = cn, n
		}
	}
	if best == nil {
		return c.await(ctx)
	}
	if free && c.growAfter.Load() < time.Now().UnixNano() {
		c.grow()
	}
	return best, nil
}

// grow starts to open one more connection, and does not wait for it.
func (c *Client) grow() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.slots {
		if c.slots[i].Load() == nil {
			c.startDial()
			return
		}
	}
}

// A dialFlight is one attempt to open a connection, which any number of callers
// wait for.
type dialFlight struct {
	done chan struct{}
	conn *conn // set before done is closed
	err  error
}

// await waits for a connection to open.
func (c *Client) await(ctx context.Context) (*conn, error) {
	c.mu.Lock()
	for i := range c.slots {
		// Since the caller looked, another's dial may have succeeded.
		if cn := c.slots[i].Load(); cn != nil {
			c.mu.Unlock()
			return cn, nil
		}
	}
	f := c.startDial()
	c.mu.Unlock()
	if f == nil {
		return nil, ErrClosed
	}
	select {
	case <-f.done:
		return f.conn, f.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// startDial returns the dial that is under way, after starting it if there is
// none, or nil if the Client is closed. mu is held, and a slot is empty.
func (c *Client) startDial() *dialFlight {
	if c.dialing != nil || c.closed {
		return c.dialing
	}
	f := &dialFlight{done: make(chan struct{})}
	c.dialing = f
	c.readers.Add(1)
	go func() {
		defer c.readers.Done()
		f.conn, f.err = c.open()
		c.mu.Lock()
		c.dialing = nil
		c.mu.Unlock()
		close(f.done)
	}()
	return f
}

// open dials and puts the connection into a slot.
func (c *Client) open() (*conn, error) {
	nc, in, err := c.dial(c.ctx)
	if err != nil {
		c.growAfter.Store(time.Now().Add(growPause).UnixNano())
		if c.ctx.Err() != nil {
			return nil, ErrClosed
		}
		return nil, err
	}
	cn := newConn(nc, in, &c.config, c.lose)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		hangUp(nc)
		return nil, ErrClosed
	}
	for i := range c.slots {
		if c.slots[i].Load() == nil {
			c.slots[i].Store(cn)
			break
		}
	}
	c.readers.Add(1)
	go func() {
		defer c.readers.Done()
		cn.run()
	}()
	return cn, nil
}
