package gossip

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// reaches waits until a node is in a state.
func (f *fleet) reaches(g *Gossip, state membership.State, within time.Duration) {
	f.t.Helper()
	for began := time.Now(); g.Status().Node.State != state; time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > within {
			f.t.Fatalf("after %v %+v, want %s", within, g.Status(), state)
		}
	}
	time.Sleep(time.Second) // for all to hear of it
}

// TestAbortOfAJoin: any agent may be asked; the newcomer hands back, is LEFT by
// itself, and every member has the ring that it had before.
func TestAbortOfAJoin(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		out, back := &handOver{may: make(chan struct{}, 1)}, &handOver{may: make(chan struct{})}
		out.may <- struct{}{} // for b
		f.node("a", bootstrap, func(c *Config) { c.Node.HandOver = out.run })
		b := f.node("b")
		f.agree(time.Minute, "a", "b")
		before := f.view(b).Fingerprints[membership.Redis]
		if _, err := b.Abort(); !errors.Is(err, ErrNoTransition) {
			t.Error("stable:", err)
		}
		c := f.node("c", func(c *Config) { c.Node.HandOver = back.run })
		f.reaches(c, membership.Importing, time.Minute)
		time.Sleep(10 * time.Second) // a has begun
		number, err := b.Abort()
		if err != nil {
			t.Fatal(err)
		}
		f.reaches(c, membership.Exporting, 5*time.Second)
		if _, err := c.Abort(); !errors.Is(err, ErrRollback) {
			t.Error("once more:", err)
		}
		time.Sleep(20 * time.Second)
		calls, _ := back.seen()
		if len(calls) != 1 || calls[0] != membership.RollbackOf(number) {
			t.Fatalf("c was asked to hand over in %v, want the way back of %d", calls, number)
		}
		select {
		case <-c.Left():
			t.Fatal("c is LEFT before its keys are back")
		default:
		}
		back.may <- struct{}{}
		<-c.Left()
		if err := c.Leave(t.Context()); err != nil {
			t.Error("leave:", err)
		}
		delete(f.members, "c")
		f.agree(10*time.Second, "a", "b")
		if got := f.view(b).Fingerprints[membership.Redis]; got != before {
			t.Errorf("ring %v, before %v", got, before)
		}
		if _, ended := out.seen(); len(ended) < 2 || !errors.Is(ended[1], errGone) {
			t.Errorf("a's hand-over ended with %v, want it cancelled", ended)
		}
	})
}

// TestAbortOfALeave: Leave says that the node stays, and may be called again.
func TestAbortOfALeave(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		h := &handOver{may: make(chan struct{})}
		f.start("a", "b")
		c := f.node("c", func(c *Config) { c.Node.HandOver = h.run })
		f.agree(time.Minute, "a", "b", "c")
		left := make(chan error, 1)
		go func() { left <- c.Leave(context.Background()) }()
		f.reaches(c, membership.Exporting, time.Minute)
		if _, err := f.members["a"].Abort(); err != nil {
			t.Fatal(err)
		}
		if err := <-left; !errors.Is(err, ErrRolledBack) {
			t.Fatal("leave:", err)
		}
		f.agree(time.Minute, "a", "b", "c")
		time.AfterFunc(20*time.Second, func() { close(h.may) })
		if err := c.Leave(t.Context()); err != nil {
			t.Fatal("leave again:", err)
		}
		delete(f.members, "c")
		f.agree(10*time.Second, "a", "b")
	})
}

// TestAbortBeforeKeysMove: nothing is decided before all have heard of the halt,
// and nothing goes on meanwhile.
func TestAbortBeforeKeysMove(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		c := f.node("c")
		f.reaches(c, membership.Announced, time.Minute)
		if _, err := f.members["a"].Abort(); err != nil {
			t.Fatal(err)
		}
		f.reaches(c, membership.Left, time.Minute)
		<-c.Left()
		if err := c.Leave(t.Context()); err != nil {
			t.Error("leave:", err)
		}
		delete(f.members, "c")
		f.agree(10*time.Second, "a", "b")
	})
}

// TestAgentsAreFound: every member knows where the agents answer.
func TestAgentsAreFound(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.node("a", bootstrap, func(c *Config) { c.Node.HTTP = "http://:8946" })
		f.node("b", func(c *Config) { c.Node.HTTP = "https://agents.example:443" })
		f.node("c")
		f.join(f.config("client"))
		f.agree(time.Minute, "a", "b", "c")
		got := make(map[string]string)
		for _, m := range f.members["client"].Members() {
			got[m.ID] = m.HTTP
		}
		if got["a"] != "http://10.0.0.1:8946" && !strings.HasPrefix(got["a"], "http://") || got["b"] != "https://agents.example:443" || got["c"] != "" {
			t.Errorf("%v", got)
		}
	})
}

// TestHTTPAddresses: what an agent may show, and what others make of it.
func TestHTTPAddresses(t *testing.T) {
	at := netip.MustParseAddrPort("[fd00::1]:7946")
	for text, want := range map[string]string{
		"":                              "",
		"http://:8946":                  "http://[fd00::1]:8946",
		"https://h:1":                   "https://h:1",
		"http://h":                      "",
		"http://h:0":                    "",
		"ftp://h:1":                     "",
		"http://u@h:1":                  "",
		"http://h:1/x":                  "",
		"http://h:1?":                   "",
		"http://h:1#x":                  "",
		"h:1":                           "",
		"http://" + string(rune(0)):     "",
		"http://h\xff:1":                "",
		strings.Repeat("x", 60) + "://": "",
	} {
		if got := httpURL(text, at); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		cfg := Config{Name: "b", Node: goodNode(), Seeds: []string{"h"}}
		cfg.Node.HTTP = text
		if _, err := cfg.complete(); (err == nil) != (text == "" || want != "") {
			t.Errorf("%q in a Config: %v", text, err)
		}
	}
	if len("http://"+strings.Repeat("h", 44)+":8946") != ledger.MaxHTTPLength {
		t.Error("the longest name of a host that fits has another length")
	}
}
