package gossip

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
	"github.com/ringway/ringway/ring"
)

const (
	tooMuch   = 1639 // with 160 virtual nodes more than 2^18 tokens
	justRight = 1638
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
		small := withRoomFor(justRight)
		f.node("a", bootstrap, small)
		f.node("b", small)
		f.agree(time.Minute, "a", "b")
		f.node("heavy", small, func(c *Config) { c.Node.Weight = justRight })
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
		f.node("c", small)
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

// withRoomFor gives a member room for nodes of so much weight together.
func withRoomFor(weight float64) func(*Config) {
	return func(c *Config) {
		c.room = func(nodes []ring.Node, _ int) error {
			total := 0.0
			for _, n := range nodes {
				total += n.Weight
			}
			if total > weight {
				return errNoRoom
			}
			return nil
		}
	}
}

var errNoRoom = errors.New("more weight than there is room for")

// TestRogueNodes: members that say they are ACTIVE, each with a weight that there is
// room for, and too much together, change nothing: readers stay with the view that they
// have, no server is swept and no key handed over. Once they are evicted all goes on.
func TestRogueNodes(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		log, book := newLog(t, slog.LevelInfo)
		small := withRoomFor(10)
		names := []string{"a", "b", "c", "d", "e"}
		f.node("a", bootstrap, small, func(c *Config) { c.Logger = log })
		for _, name := range names[1:] {
			f.node(name, small)
		}
		cfg := f.config("client")
		small(&cfg)
		client := f.join(cfg)
		f.agree(2*time.Minute, names...)
		time.Sleep(time.Minute) // the last sweeps
		before, sweeps := f.view(client), f.servers["a"].swept()

		rogue := ledger.Message{Cluster: "ringway"}
		for _, id := range []string{"rogue-1", "rogue-2"} {
			r := someRecord(id)
			r.State, r.Weight, r.Stamp = membership.Active, 5, before.Epoch+1
			rogue.Records = append(rogue.Records, r)
		}
		for _, g := range f.members { // one that heard of the first alone would have room for it
			delegate{g}.NotifyMsg(rogue.Encode())
		}
		time.Sleep(10 * time.Second)
		for name, g := range f.members {
			if v := f.view(g); v.Epoch != before.Epoch || !slices.Equal(owners(v), names) {
				t.Errorf("%s sees owners %v in epoch %d, want those of epoch %d", name, owners(v), v.Epoch, before.Epoch)
			}
			if s := g.Status(); !errors.Is(s.Held, errNoRoom) || g.Stats().Holds != 1 {
				t.Errorf("%s: held for %v, begun %d times", name, s.Held, g.Stats().Holds)
			}
		}
		if waits := f.members["a"].Status().Waits; !strings.Contains(waits, errNoRoom.Error()) {
			t.Errorf("a waits for %q", waits)
		}
		if n := f.servers["a"].swept(); n != sweeps {
			t.Errorf("a was swept %d times for nodes that nobody asks", n-sweeps)
		}

		f.agree(3*time.Minute, names...)
		time.Sleep(time.Minute)
		for name, g := range f.members {
			if v := f.view(g); v.Epoch <= before.Epoch || g.Status().Held != nil {
				t.Errorf("%s stays with epoch %d: %v", name, v.Epoch, g.Status().Held)
			}
		}
		if n := strings.Count(book.String(), `level=ERROR msg="the fleet's ring would have too many tokens`); n != 1 {
			t.Errorf("told %d times that there is no room", n)
		}
		if n := strings.Count(book.String(), "the fleet's ring has room for its nodes again"); n != 1 {
			t.Errorf("told %d times that there is room again", n)
		}
	})
}

// TestNewcomerToACrowd: who has had no view yet gets none, and is told why.
func TestNewcomerToACrowd(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		cfg := f.config("late")
		withRoomFor(2)(&cfg)
		late := f.join(cfg)
		delete(f.members, "late")
		defer late.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if v, err := late.Next(ctx, 0); !errors.Is(err, errNoRoom) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %+v, %v", v, err)
		}
	})
}
