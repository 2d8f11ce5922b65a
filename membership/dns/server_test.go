package dns

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	server "github.com/miekg/dns"
)

const patience = 20 * time.Second // for what takes milliseconds on an idle machine

// nameServer is a real server on loopback, over UDP and TCP.
type nameServer struct {
	address string

	mu       sync.Mutex // guards what follows
	zone     []server.RR
	rcode    int  // of every answer
	overTCP  int  // questions
	truncate bool // answers over UDP, as a large one is
}

func startNameServer(t *testing.T) *nameServer {
	t.Helper()
	n := &nameServer{}
	packets, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = packets.LocalAddr().String()
	listener, err := net.Listen("tcp", n.address)
	if err != nil {
		packets.Close()
		t.Skipf("the port is taken for TCP: %v", err)
	}
	for _, s := range []*server.Server{{PacketConn: packets, Handler: n}, {Listener: listener, Handler: n}} {
		started, ended := make(chan struct{}), make(chan error, 1)
		s.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- s.ActivateAndServe() }()
		select {
		case <-started:
		case err := <-ended:
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
			<-ended
		})
	}
	return n
}

func (n *nameServer) ServeDNS(w server.ResponseWriter, question *server.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(server.Msg)
	answer.SetRcode(question, n.rcode)
	_, overTCP := w.RemoteAddr().(*net.TCPAddr)
	if overTCP {
		n.overTCP++
	}
	found, q := false, question.Question[0]
	for _, record := range n.zone {
		h := record.Header()
		if !strings.EqualFold(h.Name, q.Name) {
			continue
		}
		found = true
		if h.Rrtype == q.Qtype && n.rcode == server.RcodeSuccess {
			answer.Answer = append(answer.Answer, record)
		}
	}
	if !found && n.rcode == server.RcodeSuccess {
		answer.Rcode = server.RcodeNameError
	}
	if n.truncate && !overTCP {
		answer.Truncated, answer.Answer = true, nil
	}
	_ = w.WriteMsg(answer) // the client may be gone
}

// set replaces the zone, given as the lines of a zone file.
func (n *nameServer) set(t *testing.T, rcode int, lines ...string) {
	t.Helper()
	var zone []server.RR
	for _, line := range lines {
		record, err := server.NewRR(line)
		if err != nil {
			t.Fatal(err)
		}
		zone = append(zone, record)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.zone, n.rcode = zone, rcode
}

// resolver asks this server alone.
func (n *nameServer) resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, n.address)
	}}
}

func TestRealServer(t *testing.T) {
	n := startNameServer(t)
	n.set(t, server.RcodeSuccess,
		"_redis._tcp.cache.test. 1 IN SRV 10 1 6379 Cache-0.cache.test.",
		"_redis._tcp.cache.test. 1 IN SRV 10 3 6380 cache-1.cache.test.",
		"cache-0.cache.test. 1 IN A 127.0.0.1",
		"one.test. 1 IN AAAA ::1",
		"many.test. 1 IN A 127.0.0.1",
		"many.test. 1 IN A 127.0.0.2",
	)
	for want, cfg := range map[string]Config{
		"cache-0.cache.test:6379 cache-1.cache.test:6380*3": {Name: "cache.test.", Service: "redis", Proto: "tcp"},
		"cache-0.cache.test:6379 cache-1.cache.test:6380":   {Name: "_redis._tcp.cache.test.", IgnoreWeights: true},
		"one.test:6379@one.test.:6379":                      {Name: "one.test.", Port: 6379},
		"127.0.0.1:6379 127.0.0.2:6379":                     {Name: "many.test.", Port: 6379, AddressesAreIDs: true},
		"gone.test:1@gone.test.:1 one.test:1@one.test.:1":   {Hosts: []string{"one.test.:1", "gone.test.:1"}},
	} {
		cfg.Resolver = n.resolver()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		s, err := New(ctx, cfg)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			continue
		}
		if v, err := s.Next(ctx, 0); err != nil || shown(v.Members) != want {
			t.Errorf("got %s, %v; want %s", shown(v.Members), err, want)
		}
		s.Close()
	}
}

func TestRealServerChanges(t *testing.T) {
	n := startNameServer(t)
	fleet := func(size int) (lines []string, ids string) {
		var all []string
		for i := range size {
			lines = append(lines, fmt.Sprintf("cache.test. 1 IN SRV 0 0 6379 a-node-with-a-rather-long-name-%03d.cache.test.", i))
			all = append(all, fmt.Sprintf("a-node-with-a-rather-long-name-%03d.cache.test:6379", i))
		}
		return lines, strings.Join(all, " ")
	}
	lines, want := fleet(3)
	n.set(t, server.RcodeSuccess, lines...)
	told := make(chan error, 100)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := New(ctx, Config{Name: "cache.test.", Interval: 5 * time.Millisecond, Resolver: n.resolver(), OnError: func(err error) { told <- err }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if v, err := s.Next(ctx, 0); err != nil || shown(v.Members) != want {
		t.Errorf("got %s, %v; want %s", shown(v.Members), err, want)
	}
	for _, rcode := range []int{server.RcodeServerFailure, server.RcodeNameError} {
		n.set(t, rcode)
		select {
		case err := <-told:
			if !strings.Contains(err.Error(), "dns: SRV records of cache.test.: lookup cache.test.") {
				t.Errorf("told %v", err)
			}
		case <-ctx.Done():
			t.Fatal("nothing was told")
		}
	}
	// Too many for a packet: the resolver asks again over TCP.
	n.mu.Lock()
	n.truncate = true
	n.mu.Unlock()
	lines, want = fleet(300)
	n.set(t, server.RcodeSuccess, lines...)
	if v, err := s.Next(ctx, 1); err != nil || shown(v.Members) != want {
		t.Errorf("got %d members, %v", len(v.Members), err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.overTCP == 0 {
		t.Error("nothing was asked over TCP")
	}
}
