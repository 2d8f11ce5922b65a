package gossip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// hearing is what a member receives on a channel.
type hearing struct {
	mu   sync.Mutex
	said []string
	lost uint64
}

func (h *hearing) take() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer func() { h.said = nil }()
	return strings.Join(h.said, " ")
}

// channelOf opens a channel of the member and receives on it until the test ends.
func channelOf(t *testing.T, g *Gossip, name string) (*Channel, *hearing) {
	t.Helper()
	c, err := g.Channel(name, ChannelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	h := &hearing{}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Receive(ctx, func(r Received) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.said, h.lost = append(h.said, string(r.Data)), h.lost+r.Lost
		})
	}()
	t.Cleanup(func() { stop(); <-ended })
	return c, h
}

func mustSend(t *testing.T, c *Channel, text string) {
	t.Helper()
	if err := c.Send(t.Context(), []byte(text)); err != nil {
		t.Fatal(err)
	}
}

// A message goes to every member, the sender among them, that receives on its channel;
// others count it, and the membership is not disturbed.
func TestChannel(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		one, atA := channelOf(t, f.members["a"], "one")
		_, atB := channelOf(t, f.members["b"], "one")
		_, other := channelOf(t, f.members["b"], "other")
		time.Sleep(time.Second)
		before := f.view(f.members["c"]).Epoch
		for i := range 20 {
			mustSend(t, one, fmt.Sprint(i))
		}
		mustSend(t, one, strings.Repeat("x", MaxChannelMessage)) // the longest
		time.Sleep(time.Second)
		for who, h := range map[string]*hearing{"a": atA, "b": atB} {
			if said := h.take(); len(strings.Fields(said)) != 21 || !strings.HasPrefix(said, "0 1 2 ") {
				t.Errorf("%s has heard %.60q…, want 20 numbers and what is long", who, said)
			}
		}
		if said := other.take(); said != "" {
			t.Errorf("another channel has heard %q", said)
		}
		ignored := f.members["c"].Stats().Ignored
		if ignored["channel"] != 21 || ignored["malformed"]+ignored["version"] != 0 {
			t.Errorf("a member without the channel counted %v, want 21", ignored)
		}
		if after := f.view(f.members["c"]).Epoch; after != before {
			t.Errorf("the epoch went from %d to %d", before, after)
		}
		if err := one.Send(t.Context(), make([]byte, MaxChannelMessage+1)); err == nil {
			t.Error("a message that is too long was taken")
		}
	})
}

// Messages leave evenly, and what waits for a receiver that is slow is bounded.
func TestChannelBounds(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		c, err := f.members["a"].Channel("one", ChannelConfig{Rate: 10, Queue: 5})
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		for range 11 {
			mustSend(t, c, "x")
		}
		if took := time.Since(begun); took != time.Second {
			t.Errorf("11 messages at 10/s took %v, want 1 s", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = c.Send(t.Context(), nil) // so that the next has to wait
		if err := c.Send(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that ended: %v", err)
		}
		in := &channelInbox{messages: make(chan []byte, c.cfg.Queue)}
		defer f.members["a"].channels.open("one", in)()
		for range 8 {
			mustSend(t, c, "x")
		}
		if n, lost := len(in.messages), in.lost.Load(); n != 5 || lost != 3 {
			t.Errorf("%d wait and %d were dropped, want 5 and 3", n, lost)
		}
	})
}

// Who is cut off is still sent to, so that he hears as soon as he can, long before
// memberlist has found him again; but not for ever.
func TestChannelAfterAPartition(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		one, _ := channelOf(t, f.members["a"], "one")
		_, atB := channelOf(t, f.members["b"], "one")
		if err := f.network.Partition([]netip.AddrPort{f.members["b"].Status().Gossip}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(60 * time.Second)
		mustSend(t, one, "lost")
		time.Sleep(time.Second)
		f.network.Heal()
		mustSend(t, one, "heard")
		time.Sleep(100 * time.Millisecond)
		if said := atB.take(); said != "heard" {
			t.Errorf("after the partition: %q", said)
		}
		time.Sleep(2 * time.Minute)
		f.crash("b")
		time.Sleep(time.Minute)
		if to, _ := f.members["a"].channels.targets(time.Now()); len(to) != 3 {
			t.Errorf("a minute after a crash: sent to %v", to)
		}
		time.Sleep(channelLinger)
		if to, _ := f.members["a"].channels.targets(time.Now()); len(to) != 2 {
			t.Errorf("long after a crash: sent to %v", to)
		}
	})
}

func TestChannelErrors(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		g := f.join(f.config("alone"))
		for _, bad := range []struct {
			name string
			cfg  ChannelConfig
		}{{"", ChannelConfig{}}, {"a b", ChannelConfig{}}, {"x", ChannelConfig{Rate: -1}}, {"x", ChannelConfig{Rate: 10_001}}, {"x", ChannelConfig{Queue: -1}}, {"x", ChannelConfig{Queue: 1 << 17}}} {
			if _, err := g.Channel(bad.name, bad.cfg); err == nil {
				t.Errorf("%q %+v was taken", bad.name, bad.cfg)
			}
		}
		c, h := channelOf(t, g, "one")
		if err := c.Send(t.Context(), nil); !errors.Is(err, ErrNoContact) {
			t.Errorf("before it has met anybody: %v", err)
		}
		if h.take() != "" {
			t.Error("it heard itself without contact")
		}
		_ = g.Close()
		if err := c.Send(t.Context(), nil); !errors.Is(err, membership.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
		if err := c.Receive(t.Context(), nil); !errors.Is(err, membership.ErrClosed) {
			t.Errorf("closed: %v", err)
		}
	})
}

// A member of an earlier release takes a message of a channel for one of a version
// that it does not know, which it counts; this one takes none for the ledger's.
func TestChannelMessagesAreApart(t *testing.T) {
	message := encodeChannelMessage("ringway", "one", []byte("data"))
	if _, err := ledger.DecodeMessage(message); !errors.Is(err, ledger.ErrVersion) {
		t.Errorf("as a message of the ledger: %v, want ErrVersion", err)
	}
	g, _ := unopened(t, Config{})
	d := delegate{g}
	in := &channelInbox{messages: make(chan []byte, 10)}
	defer g.channels.open("one", in)()
	for _, tt := range []struct {
		message []byte
		why     reason
	}{
		{message, -1},
		{encodeChannelMessage("ringway", "two", nil), otherChannel},
		{encodeChannelMessage("other", "one", nil), otherCluster},
		{message[:4], malformed},
		{[]byte{channelMark}, malformed},
		{encodeChannelMessage("ringway", "one", make([]byte, MaxChannelMessage+1)), malformed},
		{append([]byte{channelMark + 1}, message[1:]...), badVersion},
		{nil, malformed},
	} {
		before := g.Stats().Ignored
		d.NotifyMsg(tt.message)
		for r := range reasons {
			want := before[r.String()]
			if r == tt.why {
				want++
			}
			if got := g.Stats().Ignored[r.String()]; got != want {
				t.Errorf("message %.20q: counted as %v: %d, want %d", tt.message, r, got, want)
			}
		}
	}
	if len(in.messages) != 1 || string(<-in.messages) != "data" {
		t.Errorf("%d messages arrived, want the first", len(in.messages))
	}
	g.loop.take(g.inbox.take())
	if len(g.loop.ledger.Records()) != 0 {
		t.Error("a message of a channel has got into the ledger")
	}
}

func FuzzChannelMessage(f *testing.F) {
	f.Add(encodeChannelMessage("ringway", "one", []byte("data")))
	f.Add([]byte{channelMark, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		b[0] = channelMark
		cluster, name, data, err := decodeChannelMessage(b)
		if err != nil {
			return
		}
		c2, n2, d2, err := decodeChannelMessage(encodeChannelMessage(cluster, name, data))
		if err != nil || c2 != cluster || n2 != name || string(d2) != string(data) {
			t.Errorf("%q %q %q came back as %q %q %q, %v", cluster, name, data, c2, n2, d2, err)
		}
	})
}

// Over sockets, encrypted and with a label: the longest message still fits.
func TestChannelOverSockets(t *testing.T) {
	change := func(c Config) Config {
		c.Keys, c.Label, c.Cluster = [][]byte{[]byte("0123456789abcdef")}, strings.Repeat("l", 32), strings.Repeat("c", 64)
		return c
	}
	a := mustJoin(t, change(localNode(t, "a")))
	b := mustJoin(t, change(local(t, "b", a)))
	sees(t, "[a]", a, b)
	one, _ := channelOf(t, a, "one")
	_, atB := channelOf(t, b, "one")
	long := strings.Repeat("x", MaxChannelMessage)
	eventually(t, "the longest message arrives", func() bool {
		mustSend(t, one, long)
		return strings.Contains(atB.take(), long)
	})
}
