package router

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

func TestKeepOrder(t *testing.T) {
	for _, tt := range []struct{ old, now, want string }{
		{"", "a b c", "a b c"},
		{"c a b", "a b c", "c a b"},
		{"c a b", "a b c d", "c a b d"},
		{"c a b", "b c", "c b"},
		{"c a b", "d e b", "b d e"},
		{"a b", "c d", "c d"},
		{"a b", "", ""},
	} {
		nodes := func(ids string) []ring.Node { return ring.Nodes(strings.Fields(ids)...) }
		var got []string
		for _, n := range keepOrder(nodes(tt.old), nodes(tt.now)) {
			got = append(got, n.ID)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q then %q: got %q, want %q", tt.old, tt.now, got, tt.want)
		}
	}
	heavy := []ring.Node{{ID: "a", Weight: 3}}
	if got := keepOrder(ring.Nodes("a"), heavy); got[0].Weight != 3 {
		t.Errorf("a new weight was lost: %v", got)
	}
}

// fakePeer is a node client without a node.
type fakePeer struct {
	m       membership.Member
	retired bool
}

func (p *fakePeer) member() membership.Member     { return p.m }
func (p *fakePeer) setMember(m membership.Member) { p.m = m }
func (p *fakePeer) retire(context.Context)        { p.retired = true }

// fakeFleet is a fleet whose peers are fake, and all peers that it has opened.
// It cannot open one at the address "bad".
func fakeFleet(t *testing.T) (*fleet[*fakePeer], *[]*fakePeer) {
	t.Helper()
	var all []*fakePeer
	f := &fleet[*fakePeer]{
		kind:   membership.Redis,
		report: func(err error) { t.Error(err) },
		open: func(m membership.Member) (*fakePeer, error) {
			if m.Address == "bad" {
				return nil, errors.New("bad address")
			}
			all = append(all, &fakePeer{m: m})
			return all[len(all)-1], nil
		},
	}
	return f, &all
}

// viewOf makes a view of "id@address" members.
func viewOf(epoch uint64, members ...string) membership.View {
	v := membership.View{Version: epoch, Epoch: epoch}
	for _, text := range members {
		id, address, _ := strings.Cut(text, "@")
		m := membership.Member{ID: id, Kind: membership.Redis, Address: address, State: membership.Active, Weight: 1}
		if kind, is := strings.CutPrefix(address, "kind:"); is {
			m.Kind = membership.Kind(kind)
		}
		v.Members = append(v.Members, m)
	}
	return v
}

func state(f *fleet[*fakePeer], all []*fakePeer) string {
	f.drains.Wait()
	var parts []string
	s := f.current.Load()
	for i, p := range s.nodes {
		if s.index[p.m.ID] != i || s.placement.Nodes()[i].ID != p.m.ID {
			parts = append(parts, "out of order:")
		}
		parts = append(parts, p.m.ID+"@"+p.m.Address)
	}
	for _, p := range all {
		if p.retired {
			parts = append(parts, "-"+p.m.ID+"@"+p.m.Address)
		}
	}
	return strings.Join(parts, " ")
}

func TestApplyKeepsWhatDoesNotChange(t *testing.T) {
	f, all := fakeFleet(t)
	for i, step := range []struct {
		members string
		want    string // current nodes, then retired ones in the order of their opening
		opened  int
	}{
		{"a@1 b@2 c@kind:memcached", "a@1 b@2", 2},
		{"a@1 b@2", "a@1 b@2", 2},
		{"a@1 b@2 d@4", "a@1 b@2 d@4", 3},
		{"a@1 b@5 d@4", "a@1 b@5 d@4 -b@2", 4}, // a new address is a new client
		{"b@5 d@4", "b@5 d@4 -a@1 -b@2", 4},
		{"", "-a@1 -b@2 -d@4 -b@5", 4},
		{"e@6", "e@6 -a@1 -b@2 -d@4 -b@5", 5},
	} {
		if err := f.apply(viewOf(uint64(i+1), strings.Fields(step.members)...)); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got := state(f, *all); got != step.want || len(*all) != step.opened {
			t.Errorf("%q: got %q and %d opened, want %q and %d", step.members, got, len(*all), step.want, step.opened)
		}
	}
}

func TestApplyChangesAllOrNothing(t *testing.T) {
	f, all := fakeFleet(t)
	if err := f.apply(viewOf(1, "a@1", "b@2")); err != nil {
		t.Fatal(err)
	}
	before := f.current.Load()
	err := f.apply(viewOf(2, "a@1", "c@3", "d@bad"))
	if err == nil || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("a node that cannot be opened: %v", err)
	}
	if f.current.Load() != before {
		t.Error("a view that cannot be used became current")
	}
	if got, want := state(f, *all), "a@1 b@2 -c@3"; got != want {
		t.Errorf("after a failed change: got %q, want %q", got, want)
	}
	f.check = func(ring.Placement) error { return errors.New("no such placement") }
	if err := f.apply(viewOf(3, "a@1")); err == nil || f.current.Load() != before {
		t.Errorf("a placement that the router cannot use: %v", err)
	}
}

// A weight that would make a ring larger than a fleet may have is refused, of a node
// that is there and of one that is to come: it may be a DNS server's.
func TestWeightsBeyondAllRoom(t *testing.T) {
	f, _ := fakeFleet(t)
	for i, step := range []struct {
		state  membership.State
		weight float64
		want   string
	}{
		{membership.Active, 100, ""},
		{membership.Active, 2000, `weight of node "b": got 2000, want at most 1638`},
		{membership.Announced, 2000, `weight of node "b": got 2000, want at most 1638`},
		{membership.Announced, 1600, ""},
	} {
		v := viewOf(uint64(i+1), "a@1", "b@2")
		v.Members[1].Weight, v.Members[1].State, v.Members[1].Transition = step.weight, step.state, 1
		before := f.current.Load()
		err := f.apply(v)
		if step.want == "" && err != nil || step.want != "" && (err == nil || !strings.Contains(err.Error(), step.want) || f.current.Load() != before) {
			t.Errorf("%s, weight %v: %v, want %q", step.state, step.weight, err, step.want)
		}
	}
	f.place.VirtualNodes = 16
	v := viewOf(9, "a@1")
	if v.Members[0].Weight = 16_000; f.apply(v) != nil {
		t.Error("fewer virtual nodes have room for more weight")
	}
}

func TestPlacementOfOthers(t *testing.T) {
	f, _ := fakeFleet(t)
	f.place.New = func([]ring.Node) (ring.Placement, error) {
		return ring.New(ring.Nodes("a", "ghost"), ring.Config{})
	}
	if err := f.apply(viewOf(1, "a@1")); !errors.Is(err, errForeignNode) {
		t.Errorf("a placement with a node that is not in the fleet: %v", err)
	}
	f.place.New = func([]ring.Node) (ring.Placement, error) { return nil, nil }
	if err := f.apply(viewOf(1, "a@1")); err == nil {
		t.Error("no placement and no error was accepted")
	}
	sentinel := fmt.Errorf("x")
	f.place.New = func([]ring.Node) (ring.Placement, error) { return nil, sentinel }
	if err := f.apply(viewOf(1, "a@1")); !errors.Is(err, sentinel) {
		t.Errorf("the error of PlacementConfig.New: %v", err)
	}
}
