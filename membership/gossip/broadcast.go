package gossip

import (
	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership/internal/ledger"
)

// broadcast is one record or eviction on its way to all members. A newer one of
// the same node takes its place.
type broadcast struct {
	name string
	text []byte
	sent chan<- struct{} // is sent to once it was sent often enough; nil: nobody waits
}

var _ memberlist.NamedBroadcast = (*broadcast)(nil)

func (b *broadcast) Name() string    { return b.name }
func (b *broadcast) Message() []byte { return b.text }

func (b *broadcast) Invalidates(other memberlist.Broadcast) bool {
	o, is := other.(*broadcast)
	return is && o.name == b.name
}

// Finished must not block: it is called under the queue's lock.
func (b *broadcast) Finished() {
	select {
	case b.sent <- struct{}{}:
	default:
	}
}

func (g *Gossip) passOnRecord(r ledger.Record, sent chan<- struct{}) {
	m := ledger.Message{Cluster: g.cfg.Cluster, Records: []ledger.Record{r}}
	g.queue.QueueBroadcast(&broadcast{"record " + r.ID, m.Encode(), sent})
	g.counters.passed.Add(1)
}

func (g *Gossip) passOnEviction(e ledger.Eviction) {
	m := ledger.Message{Cluster: g.cfg.Cluster, Evictions: []ledger.Eviction{e}}
	g.queue.QueueBroadcast(&broadcast{"eviction " + e.ID, m.Encode(), nil})
	g.counters.passed.Add(1)
}
