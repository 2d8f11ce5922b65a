package gossip

import (
	"testing"
	"time"

	"github.com/ringway/ringway/membership"
)

// TestSinceWhenUnwell: a member tells since when it knows that another is UNHEALTHY
// or DEAD, and since when it is well again, by its own clock.
func TestSinceWhenUnwell(t *testing.T) {
	virtually(t, func(t *testing.T, f *fleet) {
		f.start("a", "b", "c")
		is := func(what, of string, health membership.Health, from, to time.Time) {
			t.Helper()
			for _, name := range []string{"a", "c"} {
				seen := memberOf(f.members[name], of)
				if at := seen.HealthSince; seen.Health != health || at.Before(from) || at.After(to) {
					t.Errorf("%s: %s has %s %q since %v, want %q since %v to %v", what, name, of, seen.Health, at, health, from, to)
				}
			}
		}
		is("all well", "b", membership.Healthy, time.Time{}, time.Time{})

		const told = 6 * time.Second // three probes and what gossip takes
		failed := time.Now()
		f.servers["b"].set(func() { f.servers["b"].down = true })
		time.Sleep(20 * time.Second) // less than takes to evict it
		is("its server fails", "b", membership.Unhealthy, failed.Add(time.Second), failed.Add(told))
		mended := time.Now()
		f.servers["b"].set(func() { f.servers["b"].down = false })
		time.Sleep(10 * time.Minute)
		is("its server answers again", "b", membership.Healthy, mended, mended.Add(told))
		if seen := memberOf(f.members["a"], "b"); !seen.Since.Before(failed) {
			t.Errorf("b has been %s since %v: health is not a state", seen.State, seen.Since)
		}

		crashed := time.Now()
		f.crash("b")
		time.Sleep(20 * time.Second)
		is("its agent is gone", "b", membership.Dead, crashed, crashed.Add(20*time.Second))
	})
}

// memberOf is what a member says of another one.
func memberOf(g *Gossip, id string) (found Member) {
	for _, m := range g.Members() {
		if m.ID == id {
			found = m
		}
	}
	return found
}

// TestHealths: what is noted of whom, step by step.
func TestHealths(t *testing.T) {
	at := func(second int64) time.Time { return time.Unix(second, 0) }
	with := func(health membership.Health) []membership.Member {
		return []membership.Member{{ID: "a", Health: health}}
	}
	h := make(healths)
	for i, step := range []struct {
		rule    string
		members []membership.Member
		want    time.Time
	}{
		{"well when it was first seen: not known since when", with(membership.Healthy), time.Time{}},
		{"the same", with(membership.Healthy), time.Time{}},
		{"unhealthy", with(membership.Unhealthy), at(2)},
		{"still", with(membership.Unhealthy), at(2)},
		{"dead is another health", with(membership.Dead), at(4)},
		{"well again", with(membership.Healthy), at(5)},
		{"still well", with(membership.Healthy), at(5)},
		{"out of the view", nil, time.Time{}},
		{"unhealthy when it was first seen: since it was learnt", with(membership.Unhealthy), at(8)},
	} {
		h.note(step.members, at(int64(i)))
		if got := h["a"].at; !got.Equal(step.want) {
			t.Errorf("%d, %s: since %v, want %v", i, step.rule, got, step.want)
		}
	}
	if h.note(nil, at(99)); len(h) != 0 {
		t.Errorf("%d are remembered that are not there", len(h))
	}
}
