package router

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
	"github.com/ringway/ringway/ring/balanced"
	"github.com/ringway/ringway/ring/modulo"
	"github.com/ringway/ringway/ring/rendezvous"
)

// states makes a view of "id@address=STATE" members of one transition.
func states(t *testing.T, epoch uint64, members string) membership.View {
	t.Helper()
	view := viewOf(epoch)
	for _, text := range strings.Fields(members) {
		text, state, _ := strings.Cut(text, "=")
		v := viewOf(epoch, text)
		v.Members[0].State = membership.State(state)
		if state == "" {
			v.Members[0].State = membership.Active
		} else {
			v.Members[0].Transition = 3
		}
		view.Members = append(view.Members, v.Members...)
	}
	return view
}

// describe says what a snapshot knows: its nodes, the next ring's, the phase, and
// the clients that were retired.
func describe(f *fleet[*fakePeer], all []*fakePeer) string {
	f.drains.Wait()
	s := f.current.Load()
	ids := func(peers []*fakePeer) string {
		var parts []string
		for _, p := range peers {
			parts = append(parts, p.m.ID+"@"+p.m.Address)
		}
		return strings.Join(parts, " ")
	}
	text := ids(s.nodes)
	if t := s.moving; t != nil {
		text += " | " + t.phase.String()
		if t.underWay() {
			text += " " + ids(t.nodes)
		}
		for i, n := range t.nodes {
			if t.index[n.m.ID] != i || t.placement.Nodes()[i].ID != n.m.ID {
				text += " out of order"
			}
		}
	}
	for _, p := range all {
		if p.retired {
			text += " -" + p.m.ID + "@" + p.m.Address
		}
	}
	return text
}

// TestClientsThroughATransition: a node has one client from its announcement to
// its end, whichever of the rings it is in.
func TestClientsThroughATransition(t *testing.T) {
	f, all := fakeFleet(t)
	for i, step := range []struct{ members, want string }{
		{"a@1 b@2 c@3=JOINING", "a@1 b@2"},
		{"a@1 b@2 c@3=ANNOUNCED", "a@1 b@2 | announced a@1 b@2 c@3"},
		{"a@1 b@2 c@3=IMPORTING", "a@1 b@2 | importing a@1 b@2 c@3"},
		{"a@1 b@2 c@3", "a@1 b@2 c@3 | stable"},
		{"a@1 b@2 c@3", "a@1 b@2 c@3 | stable"},
		{"a@1 b@2=LEAVING c@3 d@4=ANNOUNCED", "a@1 b@2 c@3 | announced a@1 c@3 d@4"},
		{"a@1 b@2=EXPORTING c@3 d@5=IMPORTING", "a@1 b@2 c@3 | importing a@1 c@3 d@5 -d@4"},
		{"a@1 b@2=LEFT c@3 d@5", "a@1 c@3 d@5 | stable -b@2 -d@4"},
		// One that does not come after all, and one that goes last.
		{"a@1 c@3 d@5 e@6=ANNOUNCED", "a@1 c@3 d@5 | announced a@1 c@3 d@5 e@6 -b@2 -d@4"},
		{"a@1 c@3 d@5", "a@1 c@3 d@5 | stable -b@2 -d@4 -e@6"},
		{"a@1", "a@1 | stable -b@2 -c@3 -d@4 -d@5 -e@6"},
		{"a@1=LEAVING", "a@1 | stable -b@2 -c@3 -d@4 -d@5 -e@6"}, // nobody is left to move keys to
	} {
		if err := f.apply(states(t, uint64(i+1), step.members)); err != nil {
			t.Fatalf("%s: %v", step.members, err)
		}
		got, want := describe(f, *all), step.want
		if !sameWords(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", step.members, got, want)
		}
	}
	if len(*all) != 6 {
		t.Errorf("%d clients were opened", len(*all))
	}
}

// sameWords compares up to the order of retired clients.
func sameWords(a, b string) bool {
	words := func(s string) map[string]int {
		m := make(map[string]int)
		for _, w := range strings.Fields(s) {
			m[w]++
		}
		return m
	}
	x, y := words(a), words(b)
	if len(x) != len(y) {
		return false
	}
	for w, n := range x {
		if y[w] != n {
			return false
		}
	}
	return true
}

func TestTransitionThatCannotBeUsed(t *testing.T) {
	f, all := fakeFleet(t)
	if err := f.apply(states(t, 1, "a@1 b@2")); err != nil {
		t.Fatal(err)
	}
	before := f.current.Load()
	if err := f.apply(states(t, 2, "a@1 b@2 c@3=ANNOUNCED d@bad=ANNOUNCED")); err == nil || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("a newcomer that cannot be reached: %v", err)
	}
	f.check = func(p ring.Placement) error {
		if len(p.Nodes()) > 2 {
			return errors.New("too many")
		}
		return nil
	}
	if err := f.apply(states(t, 3, "a@1 b@2 c@3=ANNOUNCED")); err == nil {
		t.Error("a next placement that the router cannot use was taken")
	}
	if f.current.Load() != before || describe(f, *all) != "a@1 b@2 -c@3" {
		t.Errorf("after two views that cannot be used: %s", describe(f, *all))
	}
}

var placements = map[string]func([]ring.Node) (ring.Placement, error){
	"ring":       nil,
	"modulo":     func(nodes []ring.Node) (ring.Placement, error) { return modulo.New(nodes, modulo.Config{}) },
	"rendezvous": func(nodes []ring.Node) (ring.Placement, error) { return rendezvous.New(nodes, rendezvous.Config{}) },
	"balanced":   func(nodes []ring.Node) (ring.Placement, error) { return balanced.New(nodes, balanced.Config{}) },
}

// TestNextRingIsTheRingThatComes: owners by the next ring of a transition are
// those by the current one after it.
func TestNextRingIsTheRingThatComes(t *testing.T) {
	for name, build := range placements {
		f, _ := fakeFleet(t)
		f.place.New = build
		views := []string{"a@1 b@2 c@3", "a@1 b@2 c@3 d@4=IMPORTING", "a@1 b@2 c@3 d@4", "a@1 b@2=EXPORTING c@3 d@4", "a@1 c@3 d@4"}
		var next func(key string) string
		for i, view := range views {
			if err := f.apply(states(t, uint64(i+1), view)); err != nil {
				t.Fatal(err)
			}
			s := f.current.Load()
			for _, key := range keysAnd(200) {
				if next != nil && s.nodes[s.placement.OwnerIndex(key)].m.ID != next(key) {
					t.Fatalf("%s: %s: %s has another owner than was announced", name, view, key)
				}
			}
			next = nil
			if s.moving.underWay() {
				next = func(key string) string { return s.moving.nodes[s.moving.placement.OwnerIndex(key)].m.ID }
			}
		}
	}
}

func keysAnd(n int) (keys []string) {
	for i := range n {
		keys = append(keys, strings.Repeat("k", i%7)+string(rune('a'+i%26))+strings.Repeat("x", i/26))
	}
	return keys
}

// TestTransitionIsForgotten: some time after the end of a transition requests
// know nothing of it any more.
func TestTransitionIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, err := membership.NewManual(membership.Member{ID: "a", Address: "h:1"})
		if err != nil {
			t.Fatal(err)
		}
		defer source.Close()
		f, _ := fakeFleet(t)
		f.source, f.aftermath, f.tombstones = source, 10*time.Second, true
		if err := startFleet(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		defer f.close(context.Background())
		see := func(members ...membership.Member) {
			if err := source.Set(members...); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		is := func(what string, want bool) {
			t.Helper()
			synctest.Wait()
			if got := f.current.Load().moving != nil; got != want {
				t.Errorf("%s: a transition matters: %v", what, got)
			}
		}
		a, b := membership.Member{ID: "a", Address: "h:1"}, membership.Member{ID: "b", Address: "h:2"}
		is("at the beginning", false)
		see(membership.Member{ID: "c", Address: "h:3"})
		is("the ring has changed, and the transition was not seen", true)
		time.Sleep(11 * time.Second)
		is("a while later", false)
		arriving := b
		arriving.State, arriving.Transition = membership.Importing, 1
		see(a, arriving)
		time.Sleep(time.Hour)
		is("under way for an hour", true)
		see(a, b)
		time.Sleep(9 * time.Second)
		see(a, b) // says nothing new
		is("shortly after its end", true)
		superseded := f.current.Load().superseded
		time.Sleep(2 * time.Second)
		is("a while after its end", false)
		select {
		case <-superseded:
		default:
			t.Error("who waits for another snapshot was not told")
		}
		see(a, arriving)
		see(a, b)
		time.Sleep(5 * time.Second)
		see(a, arriving) // the next one begins
		time.Sleep(time.Minute)
		is("the end of the one before does not matter to it", true)
	})
}
