package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/transit"
)

// payer is what a spool pays to: nodes that can be away.
type payer struct {
	mu   sync.Mutex // guards the following
	away map[string]bool
	paid []string
	held chan struct{} // nil: nothing waits; otherwise payments wait for it
	busy int
}

func (p *payer) pay(ctx context.Context, d debt) error {
	p.mu.Lock()
	held := p.held
	p.busy++
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.busy--
	if p.away[d.node] {
		return errors.New("away")
	}
	text := d.node + ":" + d.key
	if d.bury {
		text += ":" + d.kind.String()
	}
	p.paid = append(p.paid, text)
	return nil
}

func (p *payer) set(node string, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away[node] = away
}

func (p *payer) list() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.paid, " ")
}

func spoolInBubble(t *testing.T, test func(t *testing.T, s *spool, p *payer)) {
	synctest.Test(t, func(t *testing.T) {
		p := &payer{away: make(map[string]bool)}
		s := newSpool(p.pay)
		defer s.close()
		test(t, s, p)
	})
}

func TestSpoolRepeatsUntilPaid(t *testing.T) {
	spoolInBubble(t, func(t *testing.T, s *spool, p *payer) {
		p.set("n", true)
		for _, key := range []string{"a", "b"} {
			if !s.reserve("n", key) {
				t.Fatal("no room in an empty spool")
			}
			s.owe(debt{node: "n", key: key, bury: true, kind: transit.Open})
		}
		if !s.reserve("m", "a") {
			t.Fatal("no room")
		}
		s.owe(debt{node: "m", key: "a"})
		time.Sleep(time.Minute) // virtual
		if !s.owes("n", "a") || !s.owes("n", "b") || s.owes("n", "c") || s.owes("m", "a") || s.size("n") != 2 || p.list() != "m:a" {
			t.Errorf("after a minute: %d debts, paid %q", s.size("n"), p.list())
		}
		if s.settle(t.Context(), "n", "a") == nil || s.settle(t.Context(), "n", "c") != nil {
			t.Error("settle does not say what is owed")
		}
		p.set("n", false)
		time.Sleep(2 * maxPause)
		if s.owes("n", "a") || s.size("n") != 0 || s.open.Load() != 0 || len(s.accounts) != 0 {
			t.Errorf("paid %q, and still %d debts", p.list(), s.open.Load())
		}
		if got := len(strings.Fields(p.list())); got != 3 {
			t.Errorf("paid %q", p.list())
		}
	})
}

func TestSpoolMergesDebts(t *testing.T) {
	open, closed, plain := debt{bury: true, kind: transit.Open}, debt{bury: true, kind: transit.Closed}, debt{}
	yields := debt{bury: true, kind: transit.Open, yields: true}
	for _, c := range []struct{ a, b, want debt }{
		{open, closed, closed}, {closed, open, closed}, {open, plain, open}, {plain, closed, closed}, {plain, plain, plain}, {open, open, open},
		{open, yields, yields}, {yields, open, yields}, {yields, closed, closed}, {closed, yields, closed}, {yields, plain, yields},
	} {
		if got := c.b.and(c.a); got != c.want {
			t.Errorf("%+v after %+v: %+v", c.b, c.a, got)
		}
	}
	spoolInBubble(t, func(t *testing.T, s *spool, p *payer) {
		p.set("n", true)
		for _, d := range []debt{plain, open, plain} {
			d.node, d.key = "n", "a"
			s.reserve("n", "a")
			s.owe(d)
		}
		if s.size("n") != 1 || s.accounts["n"].bytes != sizeOf("a") {
			t.Errorf("%d debts of %d bytes", s.size("n"), s.accounts["n"].bytes)
		}
		p.set("n", false)
		if err := s.settle(t.Context(), "n", "a"); err != nil || p.list() != "n:a:open" {
			t.Errorf("%v, paid %q", err, p.list())
		}
	})
}

// TestSettleWaitsForPayments: when settle returns nothing is on its way to the
// node that would bury what is written next.
func TestSettleWaitsForPayments(t *testing.T) {
	spoolInBubble(t, func(t *testing.T, s *spool, p *payer) {
		p.held = make(chan struct{})
		s.reserve("n", "a")
		s.owe(debt{node: "n", key: "a", bury: true})
		synctest.Wait() // the payment is under way
		s.reserve("n", "a")
		s.owe(debt{node: "n", key: "a"}) // a newer debt
		settled := make(chan error)
		go func() { settled <- s.settle(t.Context(), "n", "a") }()
		synctest.Wait()
		select {
		case <-settled:
			t.Error("settle did not wait for a payment under way")
		default:
		}
		close(p.held)
		if err := <-settled; err != nil || p.busy != 0 || s.owes("n", "a") {
			t.Errorf("%v, %d payments under way", err, p.busy)
		}
		paid := p.list()
		synctest.Wait()
		if p.list() != paid {
			t.Errorf("paid after settle: %q, then %q", paid, p.list())
		}
	})
}

func TestSpoolIsBounded(t *testing.T) {
	spoolInBubble(t, func(t *testing.T, s *spool, p *payer) {
		p.set("n", true)
		s.limit = 100 * sizeOf("key00")
		for i := range 100 {
			key := fmt.Sprintf("key%02d", i)
			if !s.reserve("n", key) {
				t.Fatalf("no room for key %d of 100", i)
			}
			if i%2 == 0 { // the others are only reserved
				s.owe(debt{node: "n", key: key})
			}
		}
		if s.reserve("n", "key") {
			t.Error("no limit")
		}
		s.release("n", "key01")
		if !s.reserve("n", "key01") || s.reserve("n", "key01") {
			t.Error("what was released is not what can be reserved")
		}
		if !s.reserve("other", strings.Repeat("k", 2*s.limit)) {
			t.Error("an empty account takes any key")
		}
		s.release("other", strings.Repeat("k", 2*s.limit))
		if s.accounts["other"] != nil {
			t.Error("an account without anything stays")
		}
	})
}

func TestSpoolForgives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpool(func(context.Context, debt) error { return errForgiven })
		defer s.close()
		s.reserve("n", "a")
		s.owe(debt{node: "n", key: "a"})
		synctest.Wait()
		if s.owes("n", "a") || len(s.accounts) != 0 {
			t.Error("a debt that is forgiven is still there")
		}
	})
}

func TestSpoolClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSpool(func(context.Context, debt) error { return errors.New("away") })
		s.reserve("n", "a")
		s.owe(debt{node: "n", key: "a"})
		synctest.Wait()
		s.close() // in a pause
		s.reserve("m", "a")
		s.owe(debt{node: "m", key: "a"}) // starts nobody
		s.close()
	})
}
