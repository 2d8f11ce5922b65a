package observer

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ringway/ringway/internal/agentapi"
	"github.com/ringway/ringway/membership"
)

// TestBegunAnew goes through what agents say of fleets that were begun anew. A step
// is "AGENT EPOCH GENERATION…" of the nodes, "AGENT fails", or "wait" for as long as it
// takes or for some seconds. After the steps: the agent that is followed and the epoch.
func TestBegunAnew(t *testing.T) {
	for name, c := range map[string]struct{ steps, want string }{
		"all lost, and begun anew":                       {"a 9 10 11, a fails, b 2 20, wait", "b 2"},
		"not at once":                                    {"a 9 10 11, a fails, b 2 20", "a 9"},
		"on the same address":                            {"a 9 10 11, a 2 20, wait", "a 2"},
		"of those the highest epoch":                     {"a 9 10, a 2 20, b 3 20 21, c 1 22, wait", "b 3"},
		"then it goes on":                                {"a 9 10, a 2 20, wait, a 3 20 21", "a 3"},
		"one of the fleet before answers":                {"a 9 10, b 2 20, wait", "a 9"},
		"although it is behind":                          {"a 9 10 11, a fails, b 8 10, c 2 20, wait", "a 9"},
		"it came back in between":                        {"a 9 10, a fails, b 2 20, wait 30, a 9 10, a fails, wait 30", "a 9"},
		"a member that was cut off is none begun anew":   {"a 9 10 11, a fails, b 5 10, wait", "a 9"},
		"nor is one whose agent was restarted meanwhile": {"a 9 10 11, a fails, b 5 10 20, wait", "a 9"},
		"nor one without nodes":                          {"a 9 10 11, a fails, b 5, wait", "a 9"},
		"nor nodes that say no generation":               {"a 9 0 0, a fails, b 5 0, wait", "a 9"},
		"who is of the fleet before is passed over":      {"a 9 10 11, a fails, b 2 20, wait, a 9 10 11", "b 2"},
		"for good":               {"a 9 10 11, a fails, b 2 20, wait, a 99 10 11, b fails, wait", "b 2"},
		"until it has come over": {"a 9 10 11, a fails, b 2 20, wait, a 9 10 11, a 12 11 20", "a 12"},
		"begun anew twice":       {"a 9 10, a 5 20, wait, a 2 30, wait", "a 2"},
	} {
		f := newFleet([]agent{{name: "a"}, {name: "b"}, {name: "c"}})
		clock := time.Unix(1_000_000, 0)
		told := 0
		for _, step := range strings.Split(c.steps, ", ") {
			words := strings.Fields(step)
			i := int(words[0][0] - 'a')
			switch {
			case words[0] == "wait":
				seconds := 60
				if len(words) > 1 {
					fmt.Sscan(words[1], &seconds)
				}
				clock = clock.Add(time.Duration(seconds) * time.Second)
			case words[1] == "fails":
				f.failed(i)
			default:
				var v membership.View
				fmt.Sscan(words[1], &v.Epoch)
				for _, text := range words[2:] {
					var m membership.Member
					fmt.Sscan(text, &m.Generation)
					v.Members = append(v.Members, m)
				}
				f.answered(i, answer{view: v, fingerprint: step})
			}
			if f.reconsider(clock, time.Minute) != nil {
				told++
			}
		}
		if got := fmt.Sprintf("%s %d", f.agents[f.leader].name, f.current.view.Epoch); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if strings.HasPrefix(c.want, "a 9") != (told == 0) {
			t.Errorf("%s: told %d times", name, told)
		}
	}
}

// TestFleetBegunAnew: an observer finds the fleet that took the place of the one that
// it knew, within RebuiltAfter and the time of a poll.
func TestFleetBegunAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nodes := func(epoch, generation uint64, ids ...string) agentapi.Ring {
			var members []membership.Member
			for _, id := range ids {
				members = append(members, membership.Member{ID: id, Address: id + ":1", Generation: generation})
			}
			return ringOfMembers(t, epoch, members...)
		}
		a, b := newFakeAgent(t, nodes(70, 1000, "x", "y")), newFakeAgent(t, nodes(70, 1000, "x", "y"))
		o := observe(t, a, b)
		o.next(time.Second)
		for name, agent := range map[string]*fakeAgent{"a": a, "b": b} {
			agent.fail(status(502))
			o.quiet(10 * time.Minute)
			o.told("agent http://" + name + ": status: got 502")
		}
		a.say(t, nodes(3, 2000, "x"))
		o.quiet(50 * time.Second)
		if v := o.next(time.Minute); v.Epoch != 3 || idsOf(v) != "x" {
			t.Errorf("got %+v", v)
		}
		o.told("agent http://a: epoch: got 3 after 70", "the fleet was begun anew: following http://a in epoch 3; that was 70 before")
		b.say(t, nodes(70, 1000, "x", "y"))
		o.quiet(5 * time.Minute)
		b.say(t, nodes(4, 2000, "x", "z"))
		if v := o.next(time.Second); v.Epoch != 4 || idsOf(v) != "x z" {
			t.Errorf("got %+v", v)
		}
	})
}
