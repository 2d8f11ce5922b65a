package memnet

import (
	"bytes"
	"errors"
	"io"
	"log"
	"math"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"
)

// send sends a packet and returns when.
func send(t *testing.T, from *Transport, to netip.AddrPort, payload string) time.Time {
	t.Helper()
	at, err := from.WriteToAddress([]byte(payload), memberlist.Address{Addr: to.String(), Name: "any"})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// received lets all packets under way arrive and returns their number.
func received(transport *Transport) (count int) {
	time.Sleep(time.Hour)
	for {
		select {
		case <-transport.PacketCh():
			count++
		default:
			return count
		}
	}
}

func TestPacketArrives(t *testing.T) {
	tests := []struct {
		name             string
		config           Config
		earliest, latest time.Duration
	}{
		{"at once", Config{}, 0, 0},
		{"delay", Config{Delay: 3 * time.Millisecond}, 3 * time.Millisecond, 3 * time.Millisecond},
		{"jitter", Config{Delay: time.Millisecond, Jitter: time.Second}, time.Millisecond, 1001 * time.Millisecond},
		{"grain", Config{Delay: 3 * time.Millisecond, Grain: 5 * time.Millisecond}, 5 * time.Millisecond, 5 * time.Millisecond},
		{"grain met", Config{Delay: 10 * time.Millisecond, Grain: 5 * time.Millisecond}, 10 * time.Millisecond, 10 * time.Millisecond},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, tt.config)
			a, c := listen(t, n, hostA), listen(t, n, hostC)
			payload := []byte("first")
			sent, err := a.WriteTo(payload, hostC.String())
			if err != nil || !sent.Equal(time.Now()) {
				t.Fatalf("sent at %v, %v", sent, err)
			}
			copy(payload, "other") // it belongs to the sender again
			p := <-c.PacketCh()
			if took := time.Since(sent); took < tt.earliest || took > tt.latest || !p.Timestamp.Equal(time.Now()) {
				t.Errorf("took %v (stamp %v), want %v to %v", took, p.Timestamp.Sub(sent), tt.earliest, tt.latest)
			}
			if string(p.Buf) != "first" || p.From.String() != hostA.String() {
				t.Errorf("got %q from %v", p.Buf, p.From)
			}
		})
	}
}

// TestOrder: packets that travel equally long keep their order, jitter mixes
// them.
func TestOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		config Config
		mean   time.Duration
		mixed  bool
	}{
		{"delay", Config{Delay: time.Second}, time.Second, false},
		{"grain", Config{Delay: time.Millisecond, Grain: time.Second}, time.Second, false},
		{"jitter", Config{Seed: 1, Jitter: time.Second}, time.Second / 2, true},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, tt.config)
			a, b := listen(t, n, hostA), listen(t, n, hostB)
			began := time.Now()
			var sent, got []byte
			for i := range byte(100) {
				send(t, a, hostB, string([]byte{i}))
				sent = append(sent, i)
			}
			var sum time.Duration
			for range sent {
				p := <-b.PacketCh()
				got = append(got, p.Buf[0])
				sum += p.Timestamp.Sub(began)
			}
			if mixed := !bytes.Equal(got, sent); mixed != tt.mixed {
				t.Errorf("order changed: %v, want %v: % d", mixed, tt.mixed, got)
			}
			if mean := sum / 100; mean < tt.mean*8/10 || mean > tt.mean*12/10 {
				t.Errorf("mean time under way %v, want about %v", mean, tt.mean)
			}
		})
	}
}

// TestFasterPacket: one that was sent later and arrives earlier does not wait.
func TestFasterPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Delay: time.Hour})
		a, b := listen(t, n, hostA), listen(t, n, hostB)
		send(t, a, hostB, "slow")
		if err := n.SetDelay(time.Second, 0); err != nil {
			t.Fatal(err)
		}
		began := send(t, a, hostB, "fast")
		for _, want := range []struct {
			payload string
			after   time.Duration
		}{{"fast", time.Second}, {"slow", time.Hour}} {
			if p := <-b.PacketCh(); string(p.Buf) != want.payload || time.Since(began) != want.after {
				t.Errorf("got %q after %v, want %q after %v", p.Buf, time.Since(began), want.payload, want.after)
			}
		}
	})
}

// TestRealTime: outside of a bubble all works as well, by the real clock.
func TestRealTime(t *testing.T) {
	n := newNetwork(t, Config{Delay: time.Millisecond})
	a, b := listen(t, n, hostA), listen(t, n, hostB)
	sent := send(t, a, hostB, "packet")
	if p := <-b.PacketCh(); p.Timestamp.Sub(sent) < time.Millisecond {
		t.Errorf("arrived after %v", p.Timestamp.Sub(sent))
	}
	conn, err := a.DialTimeout(hostB.String(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	accepted := <-b.StreamCh()
	conn.Write([]byte("stream"))
	conn.Close()
	if got, err := io.ReadAll(accepted); string(got) != "stream" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	accepted.Close()
}

func TestLoss(t *testing.T) {
	const total = 10000
	for _, tt := range []struct {
		name     string
		loss     float64
		min, max int
	}{
		{"none", 0, total, total},
		{"twentieth", 0.05, 9400, 9600}, // 22 is one standard deviation
		{"all", 1, 0, 0},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			n := newNetwork(t, Config{Seed: 2, Queue: total})
			if err := n.SetLoss(tt.loss); err != nil {
				t.Fatal(err)
			}
			a, b := listen(t, n, hostA), listen(t, n, hostB)
			for range total {
				send(t, a, hostB, "x")
			}
			got := received(b)
			if got < tt.min || got > tt.max {
				t.Errorf("%d of %d arrived, want %d to %d", got, total, tt.min, tt.max)
			}
			if s := n.Stats(hostA); s.PacketsSent != total || int(s.Lost) != total-got || s.Dropped() != s.Lost {
				t.Errorf("stats: %+v", s)
			}
		})
	}
}

// TestSeed: which packets of a host are lost depends on the seed and on how many
// it sent, not on what others send between them.
func TestSeed(t *testing.T) {
	run := func(t *testing.T, seed uint64, others int) (got []byte) {
		n := newNetwork(t, Config{Seed: seed, Loss: 0.5, Jitter: time.Second})
		a, b, c := listen(t, n, hostA), listen(t, n, hostB), listen(t, n, hostC)
		for i := range byte(200) {
			send(t, a, hostB, string([]byte{i}))
			for range others {
				send(t, c, hostA, "x")
			}
		}
		time.Sleep(time.Hour)
		for len(b.PacketCh()) > 0 {
			got = append(got, (<-b.PacketCh()).Buf[0])
		}
		return got
	}
	synctest.Test(t, func(t *testing.T) {
		alone := run(t, 3, 0)
		if !bytes.Equal(alone, run(t, 3, 7)) {
			t.Error("what another host sent changed which packets were lost, or when they came")
		}
		if bytes.Equal(alone, run(t, 4, 0)) {
			t.Error("another seed, and the same packets were lost")
		}
	})
}

// TestHostsDrawApart: two hosts do not lose the same packets.
func TestHostsDrawApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Seed: 3, Loss: 0.5})
		a, b, c := listen(t, n, hostA), listen(t, n, hostB), listen(t, n, hostC)
		same := 0
		for range 200 {
			send(t, a, hostC, "x")
			first := len(c.PacketCh())
			send(t, b, hostC, "x")
			if second := len(c.PacketCh()) - first; first == second {
				same++
			}
			for len(c.PacketCh()) > 0 {
				<-c.PacketCh()
			}
		}
		if same < 50 || same > 150 { // 100 expected, 7 is one standard deviation
			t.Errorf("of 200 pairs of packets %d had the same fate, want about 100", same)
		}
	})
}

// TestFullQueue: the sender goes on, and what does not fit is gone.
func TestFullQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Queue: 4, Delay: time.Millisecond})
		a, b := listen(t, n, hostA), listen(t, n, hostB)
		for range 10 {
			send(t, a, hostB, "four")
		}
		if got := received(b); got != 4 {
			t.Errorf("a queue of 4 held %d", got)
		}
		want := Stats{PacketsReceived: 4, PacketBytesReceived: 16, Overflowed: 6}
		if s := n.Stats(hostB); s != want {
			t.Errorf("receiver: %+v, want %+v", s, want)
		}
		want = Stats{PacketsSent: 10, PacketBytesSent: 40, PacketsReceived: 4, PacketBytesReceived: 16, Overflowed: 6}
		if s := n.Total(); s != want {
			t.Errorf("total: %+v, want %+v", s, want)
		}
	})
}

func TestNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{Delay: time.Millisecond})
		a, b := listen(t, n, hostA), listen(t, n, hostB)
		send(t, a, hostC, "never heard of")
		send(t, a, hostB, "under way at the shutdown")
		for range 2 {
			if err := b.Shutdown(); err != nil {
				t.Fatal(err)
			}
		}
		if got := received(b); got != 0 {
			t.Errorf("a transport that was shut down got %d packets", got)
		}
		if n.Stats(hostB).Unheard != 1 || n.Stats(hostC).Unheard != 1 {
			t.Errorf("B: %+v, C: %+v", n.Stats(hostB), n.Stats(hostC))
		}
		again := listen(t, n, hostB)
		send(t, a, hostB, "for the successor")
		if got := received(again); got != 1 {
			t.Errorf("the next transport on the address got %d packets, want 1", got)
		}
	})
}

func TestSendErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		a, b := listen(t, n, hostA), listen(t, n, hostB)
		if err := b.Shutdown(); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			name string
			from *Transport
			to   string
			size int
			want error
		}{
			{"largest", a, hostB.String(), 65507, nil},
			{"too large", a, hostB.String(), 65508, syscall.EMSGSIZE},
			{"after shutdown", b, hostA.String(), 1, net.ErrClosed},
		} {
			_, err := tt.from.WriteTo(make([]byte, tt.size), tt.to)
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
			}
			var op *net.OpError // by its type memberlist knows that the network is at fault
			if err != nil && (!errors.As(err, &op) || op.Op != "write" || op.Net != "udp") {
				t.Errorf("%s: got %#v", tt.name, err)
			}
		}
		for _, addr := range []string{"", "10.0.0.2", "cache-1:7946", "10.0.0.2:70000"} {
			if _, err := a.WriteTo(nil, addr); err == nil || !strings.Contains(err.Error(), "want an IP address and a port") {
				t.Errorf("address %q: got %v", addr, err)
			}
			if _, err := a.DialTimeout(addr, time.Second); err == nil || !strings.Contains(err.Error(), "want an IP address and a port") {
				t.Errorf("dial %q: got %v", addr, err)
			}
		}
	})
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{Delay: -1}, "delay -1ns"},
		{Config{Jitter: -1}, "jitter -1ns"},
		{Config{Grain: -1}, "grain -1ns"},
		{Config{Queue: -1}, "queue -1"},
		{Config{Loss: -0.1}, "loss -0.1"},
		{Config{Loss: 1.1}, "loss 1.1"},
		{Config{Loss: math.NaN()}, "loss NaN"},
	} {
		if n, err := New(tt.config); n != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: got %v, want %q", tt.config, err, tt.want)
		}
	}
}

func TestListen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, Config{})
		listen(t, n, hostA)
		for _, tt := range []struct {
			addr netip.AddrPort
			want string
		}{
			{hostA, "in use"},
			{netip.MustParseAddrPort("[::ffff:10.0.0.1]:7946"), "in use"}, // the same
			{netip.AddrPort{}, "want one IP address and a port"},
			{netip.MustParseAddrPort("10.0.0.1:0"), "want one IP address and a port"},
			{netip.MustParseAddrPort("0.0.0.0:7946"), "want one IP address and a port"},
		} {
			if _, err := n.Listen(tt.addr); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("listen on %v: got %v, want %q", tt.addr, err, tt.want)
			}
		}
	})
}

func TestConfigure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := listen(t, newNetwork(t, Config{}), hostC)
		given := memberlist.DefaultWANConfig()
		given.AdvertiseAddr, given.Logger = "192.0.2.1", log.Default()
		got := c.Configure("cache-3", given)
		if got != given || got.Transport != memberlist.Transport(c) || got.Name != "cache-3" || got.TCPTimeout != 30*time.Second {
			t.Errorf("got %+v", got)
		}
		if got.BindAddr != "fd00::3" || got.BindPort != 7946 || got.AdvertiseAddr != "" || got.AdvertisePort != 0 {
			t.Errorf("bind %s %d, advertise %q %d", got.BindAddr, got.BindPort, got.AdvertiseAddr, got.AdvertisePort)
		}
		if got.Logger != nil || got.LogOutput != io.Discard || got.EnableCompression {
			t.Errorf("logger %v, output %v, compression %v", got.Logger, got.LogOutput, got.EnableCompression)
		}
	})
}

func TestAdvertise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := listen(t, newNetwork(t, Config{}), hostC)
		for _, tt := range []struct {
			ip      string
			port    int
			want    string
			wantErr bool
		}{
			{"", 1, hostC.String(), false},
			{"192.0.2.1", 7000, "192.0.2.1:7000", false},
			{"2001:db8::1", 7000, "[2001:db8::1]:7000", false},
			{"somewhere", 7000, "", true},
		} {
			ip, port, err := c.FinalAdvertiseAddr(tt.ip, tt.port)
			if got := (&net.TCPAddr{IP: ip, Port: port}).String(); (err != nil) != tt.wantErr || err == nil && got != tt.want {
				t.Errorf("%q: got %v, %v, want %q", tt.ip, got, err, tt.want)
			}
		}
	})
}
