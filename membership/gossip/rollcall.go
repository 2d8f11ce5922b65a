package gossip

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/ringway/ringway/membership"
)

// Before an agent evicts anybody it calls the roll: it asks every node of the ring
// that it takes for alive, now, and counts the answers. That memberlist shows a
// node is not enough. A node that has been cut off finds out about the others one
// by one, and the slower the more of them are gone (who confirms a suspicion? and
// Lifeguard has it probe less often): in a fleet of 7, a minority of 2 still took
// four others for alive when the first of them had been dead for 30 s.

// callTries is how often a node is asked: packets are lost.
const callTries = 3

// callTheRoll asks beside the loop, and then evicts those of ids that are still
// due if more than half of the ring has answered.
func (n *node) callTheRoll(ids []string) {
	if n.calling {
		return
	}
	n.calling = true
	ask := make(map[string]netip.AddrPort)
	for _, r := range n.ledger.Records() {
		if p := n.seen[r.ID]; p != nil && r.State == membership.Active && !n.ledger.Evicted(r.ID) {
			ask[r.ID] = p.addr
		}
	}
	n.work.Go(func() {
		present := n.present(ask)
		n.inbox.post(func() { n.called(ids, present) })
	})
}

// present returns who answers.
func (g *Gossip) present(ask map[string]netip.AddrPort) map[string]bool {
	present := make(map[string]bool)
	var mu sync.Mutex // guards present
	var all sync.WaitGroup
	for name, addr := range ask {
		all.Go(func() {
			for range callTries {
				if g.ctx.Err() != nil {
					return
				}
				if _, err := g.list.Ping(name, net.UDPAddrFromAddrPort(addr)); err == nil {
					mu.Lock()
					defer mu.Unlock()
					present[name] = true
					return
				}
			}
		})
	}
	all.Wait()
	return present
}

func (n *node) called(ids []string, present map[string]bool) {
	n.calling = false
	answered, stay := n.ledger.Muster(func(id string) bool { return id == n.cfg.Name || present[id] })
	if n.mustered(answered, stay); 2*answered <= stay {
		return
	}
	now := time.Now()
	due := make(map[string]bool)
	for _, id := range n.judgement.Tick(now, n.ledger, n.cfg.Name, n.alive) {
		due[id] = true
	}
	for _, id := range ids {
		if due[id] {
			n.log.Warn("node is evicted: its agent or its server has not answered for too long", "node", id, "seen", n.alive(id))
			n.counters.evictions.Add(1)
			n.evict(now, id)
		}
	}
}
