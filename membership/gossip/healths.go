package gossip

import (
	"time"

	"github.com/ringway/ringway/membership"
)

// healths is since when members are as well, or as badly, as they are, by this
// member's clock. A record tells that only of states: health is news of the moment,
// and a dead member cannot say since when it is dead.
type healths map[string]healthChange

type healthChange struct {
	health membership.Health
	at     time.Time // zero: it was well when it was first seen, and is so still
}

// note takes down who is in another health than before. Those that are not in the
// view any more are forgotten: who comes back begins anew.
func (h healths) note(members []membership.Member, now time.Time) {
	there := make(map[string]bool, len(members))
	for _, m := range members {
		there[m.ID] = true
		known, has := h[m.ID]
		switch {
		case has && known.health == m.Health:
		case !has && m.Health == membership.Healthy:
			h[m.ID] = healthChange{}
		default:
			h[m.ID] = healthChange{m.Health, now}
		}
	}
	for id := range h {
		if !there[id] {
			delete(h, id)
		}
	}
}
