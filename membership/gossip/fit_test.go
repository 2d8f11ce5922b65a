package gossip

import (
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

const (
	tooMuch   = 104858 // with 160 virtual nodes more than 2^24 tokens
	justRight = 104857
	tooLittle = 0.003 // no token
)

func TestWeightsThatNoRingHasRoomFor(t *testing.T) {
	for _, weight := range []float64{tooMuch, tooLittle} {
		node := goodNode()
		node.Weight = weight
		_, err := Config{Name: "a", Seeds: []string{"h:1"}, Node: node}.complete()
		if err == nil || !strings.Contains(err.Error(), "Config.Node.Weight") {
			t.Errorf("a node of weight %v: %v", weight, err)
		}
		g, book := unopened(t, Config{Name: "a", Node: goodNode()})
		if err := g.SetWeight(weight); err == nil {
			t.Errorf("the weight was changed to %v", weight)
		}
		heavy, change := someRecord("b"), someRecord("c")
		heavy.Weight = weight
		change.Step, change.NextWeight = membership.Importing, weight
		message := ledger.Message{Cluster: "ringway", Records: []ledger.Record{heavy, change, someRecord("d")}}.Encode()
		for range 2 {
			delegate{g}.NotifyMsg(message)
			g.loop.take(g.inbox.take())
		}
		if known := g.loop.ledger.Records(); len(known) != 1 || known[0].ID != "d" {
			t.Errorf("the ledger has %v", known)
		}
		if n := g.Stats().Ignored["weight"]; n != 4 || strings.Count(book.String(), "reason=weight") != 2 {
			t.Errorf("counted %d times\n%s", n, book)
		}
	}
	node := goodNode()
	node.Weight = justRight
	if _, err := (Config{Name: "a", Seeds: []string{"h:1"}, Node: node}).complete(); err != nil {
		t.Error(err)
	}
	node.Weight = tooMuch
	few := Config{Name: "a", Seeds: []string{"h:1"}, Node: node, Placement: ring.Config{VirtualNodes: 1}}
	if _, err := few.complete(); err != nil {
		t.Error(err)
	}
}

// TestHeavyNode: what fits alone may not fit beside the others. The transition is
// not begun, and nobody else is kept waiting.
func TestHeavyNode(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b")
		f.node("heavy", func(c *Config) { c.Node.Weight = justRight })
		time.Sleep(time.Minute)
		heavy := f.members["heavy"].Status()
		for range 100 { // now and then its keys are counted, and that is what it waits for
			if strings.Contains(heavy.Waits, "room") {
				break
			}
			time.Sleep(50 * time.Millisecond)
			heavy = f.members["heavy"].Status()
		}
		if heavy.Node.State != membership.Joining || !strings.Contains(heavy.Waits, "room") {
			t.Errorf("the heavy node is %v, waits for %q", heavy.Node.State, heavy.Waits)
		}
		f.node("c")
		f.agree(time.Minute, "a", "b", "c")
		if err := f.members["a"].SetWeight(justRight); err == nil {
			t.Error("a has a weight beside which there is no room for the others")
		}
		if err := f.members["a"].SetWeight(2); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if m, _ := f.view(f.members["c"]).Member("a"); m.Weight != 2 || m.Step != "" {
			t.Errorf("a: %+v", m)
		}
	})
}
