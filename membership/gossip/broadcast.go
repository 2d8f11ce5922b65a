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
}

var _ memberlist.NamedBroadcast = (*broadcast)(nil)

func (b *broadcast) Name() string    { return b.name }
func (b *broadcast) Message() []byte { return b.text }

func (b *broadcast) Invalidates(other memberlist.Broadcast) bool {
	o, is := other.(*broadcast)
	return is && o.name == b.name
}

// Finished is called when it was sent often enough, or replaced.
func (b *broadcast) Finished() {}

func (g *Gossip) passOnRecord(r ledger.Record) {
	m := ledger.Message{Cluster: g.cfg.Cluster, Records: []ledger.Record{r}}
	g.queue.QueueBroadcast(&broadcast{"record " + r.ID, m.Encode()})
	g.counters.passed.Add(1)
}

func (g *Gossip) passOnEviction(e ledger.Eviction) {
	m := ledger.Message{Cluster: g.cfg.Cluster, Evictions: []ledger.Eviction{e}}
	g.queue.QueueBroadcast(&broadcast{"eviction " + e.ID, m.Encode()})
	g.counters.passed.Add(1)
}
