package faultproxy

import (
	"net"
	"sync"
	"testing"
	"time"
)

// Proxy forwards connections to one server. Its methods may be called by any
// goroutine.
type Proxy struct {
	target   string
	listener net.Listener
	closed   chan struct{}
	running  sync.WaitGroup

	mu      sync.Mutex // guards what follows
	conns   map[*link]bool
	delay   time.Duration
	hung    chan struct{} // closed by Heal; nil if nothing hangs
	cut     bool
	once    bool // the first cut is the only one
	allowed int  // bytes of replies that a connection may still pass, if cut
}

// link is one connection of a client and the one to the server.
type link struct {
	client, server net.Conn
	replied        int // bytes since CutReplies; owned by the goroutine of replies
}

// New starts a proxy for a server, which ends with the test.
func New(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: target, listener: listener, closed: make(chan struct{}), conns: make(map[*link]bool)}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		close(p.closed)
		listener.Close()
		p.each(func(l *link) { l.close() })
		p.running.Wait()
	})
	return p
}

// Addr returns where the proxy listens.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Delay holds back each packet, both ways, for that long; 0 ends it.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Hang lets nothing pass, on old connections and on new ones, which are still
// accepted, until Heal.
func (p *Proxy) Hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hung == nil {
		p.hung = make(chan struct{})
	}
}

// Reset ends all connections that there are with a RST. New ones are forwarded.
func (p *Proxy) Reset() {
	p.each(func(l *link) {
		if tcp, is := l.client.(*net.TCPConn); is {
			tcp.SetLinger(0)
		}
		l.close()
	})
}

// CutReplies ends each connection, old or new, after it has passed n more bytes
// of replies, until Heal.
func (p *Proxy) CutReplies(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.once, p.allowed = true, false, n
}

// CutOneReply is CutReplies for the first connection that gets so far.
func (p *Proxy) CutOneReply(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.once, p.allowed = true, true, n
}

// Heal ends every fault. What hung goes on.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay, p.cut = 0, false
	if p.hung != nil {
		close(p.hung)
		p.hung = nil
	}
}

func (p *Proxy) each(f func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.conns {
		f(l)
	}
}

func (l *link) close() {
	l.client.Close()
	l.server.Close()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close() // the server is down: so is this
			continue
		}
		l := &link{client: client, server: server}
		p.mu.Lock()
		p.conns[l] = true
		p.mu.Unlock()
		select {
		case <-p.closed: // the cleanup may have missed it
			l.close()
		default:
		}
		p.running.Go(func() { p.pump(l, server, client, false) })
		p.running.Go(func() { p.pump(l, client, server, true) })
	}
}

// pump forwards one direction until it ends, and then ends the other one too.
func (p *Proxy) pump(l *link, to, from net.Conn, replies bool) {
	defer func() {
		l.close()
		p.mu.Lock()
		delete(p.conns, l)
		p.mu.Unlock()
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		packet := buf[:n]
		cut, open := p.hold(l, n, replies)
		if cut < n {
			packet = packet[:cut]
		}
		if _, err := to.Write(packet); err != nil || !open || cut < n {
			return
		}
	}
}

// hold does to a packet what is due: it waits, and returns how much may pass,
// and false if the proxy was closed.
func (p *Proxy) hold(l *link, n int, replies bool) (pass int, open bool) {
	p.mu.Lock()
	delay, hung, cut, allowed := p.delay, p.hung, p.cut, p.allowed
	p.mu.Unlock()
	if hung != nil {
		select {
		case <-hung:
		case <-p.closed:
			return 0, false
		}
	}
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-p.closed:
			return 0, false
		}
	}
	if !replies {
		return n, true
	}
	if !cut {
		l.replied = 0
		return n, true
	}
	left := max(0, allowed-l.replied)
	l.replied += n
	if left < n {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.cut = p.cut && !p.once
	}
	return min(n, left), true
}
