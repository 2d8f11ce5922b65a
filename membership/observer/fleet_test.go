package observer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/ringway/ringway/membership"
)

// TestWhoIsBelieved goes through what agents say, step by step. A step is
// "AGENT EPOCH RING", "AGENT fails", "AGENT same" for no news, or "AGENT again"
// for a difference that is confirmed. After the steps: the agent that is
// followed, epoch and ring of the view, and who disagrees.
func TestWhoIsBelieved(t *testing.T) {
	for name, c := range map[string]struct{ steps, want string }{
		"nobody":                              {"a fails, b fails", "- 0  []"},
		"the first one":                       {"b 3 x", "b 3 x []"},
		"epoch 0 too":                         {"b 0 x", "b 0 x []"},
		"a higher epoch":                      {"b 3 x, a 4 y", "a 4 y []"},
		"a lower epoch":                       {"b 3 x, a 2 y", "b 3 x []"},
		"one that goes back":                  {"b 3 x, b 2 y", "b 3 x []"},
		"one that goes back, and another one": {"b 3 x, a 3 x, b 2 y", "a 3 x []"},
		"the one that is followed stays":      {"b 3 x, a 3 x, c 3 x", "b 3 x []"},
		"also in a quarrel":                   {"b 3 x, a 3 y, a again", "b 3 x [a]"},
		"its own change of one epoch":         {"b 3 x, a 3 x, b 3 y", "b 3 y []"},
		"another one's is not followed":       {"b 3 x, a 3 x, a 3 y", "b 3 x []"},
		"after its loss another":              {"b 3 x, a 3 x, b fails", "a 3 x []"},
		"of those one with the same ring":     {"b 3 x, a 3 y, c 3 x, b fails", "c 3 x []"},
		"or what there is":                    {"b 3 x, a 3 y, b fails", "a 3 y []"},
		"but nobody who is behind":            {"b 3 x, a 2 y, b fails", "b 3 x []"},
		"nor with all lost":                   {"b 3 x, a 3 x, a fails, b fails", "b 3 x []"},
		"whoever comes back first":            {"b 3 x, a 3 x, a fails, b fails, a same", "a 3 x []"},
		"a quarrel is not confirmed yet":      {"b 3 x, a 3 y", "b 3 x []"},
		"the next epoch, one after the other": {"b 3 x, a 3 y, a again, b 4 z", "b 4 z [a]"},
		"and there they agree":                {"b 3 x, a 3 y, a again, b 4 z, a 4 z", "b 4 z []"},
		"the other side gives in":             {"b 3 x, a 3 y, a again, a 3 x", "b 3 x []"},
		"this side gives in":                  {"b 3 x, a 3 y, a again, b 3 y", "b 3 y []"},
		"who is lost does not disagree":       {"b 3 x, a 3 y, a again, a fails", "b 3 x []"},
		"until it is back and asked again":    {"b 3 x, a 3 y, a again, a fails, a same", "b 3 x []"},
		"one that is behind does not quarrel": {"b 3 x, a 2 y, a again", "b 3 x []"},
		"two that disagree":                   {"b 3 x, a 3 y, c 3 z, a again, c again", "b 3 x [a c]"},
	} {
		f := newFleet([]agent{{name: "a"}, {name: "b"}, {name: "c"}})
		for _, step := range strings.Split(c.steps, ", ") {
			var id rune
			var what, ring string
			fmt.Sscanf(step, "%c %s %s", &id, &what, &ring)
			i := int(id - 'a')
			switch what {
			case "fails":
				f.failed(i)
			case "same":
				f.answered(i, answer{unchanged: true})
			case "again":
				f.confirm(i)
			default:
				var epoch uint64
				fmt.Sscan(what, &epoch)
				f.answered(i, answer{view: membership.View{Epoch: epoch}, fingerprint: ring})
			}
		}
		leader := "-"
		if f.leader >= 0 {
			leader = f.agents[f.leader].name
		}
		if got := fmt.Sprintf("%s %d %s %v", leader, f.current.view.Epoch, f.current.fingerprint, f.disagree()); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		if complains := f.complaint() != nil; complains != (len(f.disagree()) > 0) || len(f.view().Disagree) != len(f.disagree()) {
			t.Errorf("%s: complaint %v, view %v", name, f.complaint(), f.view())
		}
	}
}

// TestDisagreementsAreJoined: the agent that is followed has found some itself.
func TestDisagreementsAreJoined(t *testing.T) {
	f := newFleet([]agent{{name: "a"}, {name: "b"}})
	said := []string{"web-1", "b"}
	f.answered(0, answer{view: membership.View{Epoch: 1, Disagree: said}, fingerprint: "x"})
	f.answered(1, answer{view: membership.View{Epoch: 1}, fingerprint: "y"})
	f.confirm(1)
	if got := fmt.Sprint(f.view().Disagree, said); got != "[b web-1] [web-1 b]" {
		t.Errorf("got %s", got)
	}
}
