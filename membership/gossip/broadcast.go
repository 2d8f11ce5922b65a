package gossip

import (
	"fmt"

	"github.com/ringway/ringway/membership/internal/ledger"
)

// What is passed on to all members. A newer message of the same node or transition
// takes the place of the older.

func (g *Gossip) passOnRecord(r ledger.Record) {
	g.passOn(recordName(r.ID), ledger.Message{Records: []ledger.Record{r}})
}

func recordName(id string) string { return "record " + id }

func (g *Gossip) passOnAbort(a ledger.Abort) {
	g.passOn(fmt.Sprintf("abort %s %d", a.Kind, a.Transition), ledger.Message{Aborts: []ledger.Abort{a}})
}

func (g *Gossip) passOnEviction(e ledger.Eviction) {
	g.passOn("eviction "+e.ID, ledger.Message{Evictions: []ledger.Eviction{e}})
}

func (g *Gossip) passOn(name string, m ledger.Message) {
	m.Cluster = g.cfg.Cluster
	g.queue.put(name, m.Encode())
	g.counters.passed.Add(1)
}
