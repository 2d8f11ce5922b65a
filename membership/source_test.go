package membership

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestManualDeliversNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, err := NewManual(Member{ID: "b", Address: "h:2"}, Member{ID: "a", Address: "h:1", Weight: 2, Zone: "z"})
		if err != nil {
			t.Fatal(err)
		}
		view, err := m.Next(t.Context(), 0)
		want := Member{ID: "a", Kind: Redis, Address: "h:1", State: Active, Weight: 2, Zone: "z"}
		if err != nil || view.Version != 1 || view.Epoch != 1 || len(view.Members) != 2 || view.Members[0] != want {
			t.Fatalf("first view: %+v, %v", view, err)
		}
		got := make(chan View)
		go func() {
			v, err := m.Next(context.Background(), view.Version)
			if err != nil {
				t.Error(err)
			}
			got <- v
		}()
		synctest.Wait() // the reader waits: nothing is newer
		select {
		case v := <-got:
			t.Fatalf("a view that is not newer: %+v", v)
		default:
		}
		for _, id := range []string{"c", "d", "e"} {
			if err := m.Set(Member{ID: id, Address: "h:3"}); err != nil {
				t.Fatal(err)
			}
		}
		if v := <-got; v.Version < 2 {
			t.Errorf("after a change: %+v", v)
		}
		// A reader that was away for several changes gets the newest at once.
		if v, err := m.Next(t.Context(), 2); err != nil || v.Version != 4 || v.Epoch != 4 || v.Members[0].ID != "e" {
			t.Errorf("newest: %+v, %v", v, err)
		}
	})
}

func TestManualEnds(t *testing.T) {
	m, err := NewManual(Member{ID: "a", Address: "h:1"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Next(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("Next with a cancelled context: %v", err)
	}
	waiting := make(chan error)
	go func() {
		_, err := m.Next(context.Background(), 1)
		waiting <- err
	}()
	if err := errors.Join(m.Close(), m.Close()); err != nil {
		t.Error(err)
	}
	if err := <-waiting; !errors.Is(err, ErrClosed) {
		t.Errorf("a waiting Next after Close: %v", err)
	}
	if err := m.Set(); !errors.Is(err, ErrClosed) {
		t.Errorf("Set after Close: %v", err)
	}
}

func TestBadMembersChangeNothing(t *testing.T) {
	m, err := NewManual(Member{ID: "a", Address: "h:1"})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, c := range []struct {
		members []Member
		want    string
	}{
		{[]Member{{ID: "a"}}, `address of member "a"`},
		{[]Member{{ID: "", Address: "h:1"}}, "node ID"},
		{[]Member{{ID: "a", Address: "h:1"}, {ID: "a", Address: "h:2"}}, "node ID given twice"},
		{[]Member{{ID: "a", Address: "h:1", Weight: -1}}, "weight"},
	} {
		if err := m.Set(c.members...); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want an error about %s", c.members, err, c.want)
		}
	}
	if v, err := m.Next(t.Context(), 0); err != nil || v.Version != 1 {
		t.Errorf("the view after bad input: %+v, %v", v, err)
	}
}
