package gossip

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/hashicorp/memberlist"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/membership/internal/ledger"
)

// delegate is what memberlist calls back. Most calls come under its lock: they
// leave what they are told in the inbox and return, and never call memberlist.
type delegate struct{ *Gossip }

// NodeMeta returns what the loop wants the member to show.
func (d delegate) NodeMeta(limit int) []byte {
	meta := *d.meta.Load()
	if len(meta) > limit {
		return nil // memberlist would panic; ledger's limits rule it out
	}
	return meta
}

// GetBroadcasts returns records and evictions to pass on.
func (d delegate) GetBroadcasts(overhead, limit int) [][]byte {
	return d.queue.take(overhead, limit)
}

// NotifyMsg takes records and evictions that a member passes on, and messages of
// channels.
func (d delegate) NotifyMsg(b []byte) {
	if len(b) > 0 && b[0] == channelMark {
		d.carry(b)
		return
	}
	d.hear(b, "a message", false)
}

// LocalState returns the whole ledger. It waits for the loop, which never waits
// for memberlist.
func (d delegate) LocalState(bool) []byte {
	state := make(chan []byte, 1)
	d.inbox.post(func() { state <- d.loop.state() })
	select {
	case b := <-state:
		return b
	case <-d.ctx.Done():
		return nil
	}
}

// MergeRemoteState takes another member's whole ledger.
func (d delegate) MergeRemoteState(b []byte, join bool) {
	understood := d.hear(b, "an exchange of states", true)
	if join && understood {
		d.inbox.post(func() { d.loop.contact.understood = true })
	}
}

// hear reads a message, and reports whether it was understood.
func (d delegate) hear(b []byte, from string, whole bool) bool {
	m, err := ledger.DecodeMessage(b)
	switch {
	case errors.Is(err, ledger.ErrVersion):
		d.ignore(badVersion, from, err.Error())
		return false
	case err != nil:
		d.ignore(malformed, from, err.Error())
		return false
	case m.Cluster != d.cfg.Cluster:
		d.ignore(otherCluster, from, fmt.Sprintf("it is of cluster %q, this member of %q", m.Cluster, d.cfg.Cluster))
		return false
	}
	if d.ahead(m, from) {
		return false
	}
	allowed := m.Records[:0]
	for _, r := range m.Records {
		if d.admits(r) {
			allowed = append(allowed, r)
		}
	}
	m.Records = allowed
	d.inbox.tell(m, whole)
	return true
}

// farAhead is how far stamps may be above all that were seen. No fleet makes so many
// changes while a member is away; a member that makes stamps up cannot exhaust them
// with a few messages, after which no change would be heard any more.
const farAhead = 1 << 32

// ahead refuses a message with stamps that cannot be. Who is not in contact yet has
// nothing to compare with.
func (d delegate) ahead(m ledger.Message, from string) bool {
	clock := d.clock.Load()
	if clock == 0 || m.Newest() <= clock+farAhead {
		return false
	}
	d.ignore(malformed, from, fmt.Sprintf("stamp: got %d, want at most 2^32 above %d", m.Newest(), clock))
	return true
}

// admits reports whether a record may be used. One that may not does not get into
// the ledger: clients do not dial its address, this member does not pass it on,
// and it takes no part in transitions.
func (d delegate) admits(r ledger.Record) bool {
	if !d.cfg.allow.allows(r.Address) {
		d.ignore(badServer, r.ID, fmt.Sprintf("its server is at %q, which AllowServers and AllowServerNames do not allow", r.Address))
		return false
	}
	err := d.cfg.fitAlone(r.ID, r.Weight)
	if err == nil && r.Step != "" {
		err = d.cfg.fitAlone(r.ID, r.NextWeight)
	}
	if err != nil {
		d.ignore(badWeight, r.ID, err.Error())
		return false
	}
	return true
}

// NotifyAlive refuses members that do not belong here. Those of a later version
// belong: that they live must be known, or this version would evict them.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	if n.Name == d.cfg.Name {
		return nil
	}
	if err := d.checkMember(n); err != nil {
		return err
	}
	if _, err := ledger.DecodeMeta(n.Name, n.Meta); err != nil && !errors.Is(err, ledger.ErrVersion) {
		d.ignore(malformed, n.Name, err.Error())
		return fmt.Errorf("meta data: %w", err)
	}
	return nil
}

// checkMember refuses a member of another cluster.
func (d delegate) checkMember(n *memberlist.Node) error {
	cluster, err := clusterOf(n.Meta)
	if err != nil {
		d.ignore(malformed, n.Name, err.Error())
		return err
	}
	if cluster != d.cfg.Cluster {
		err := fmt.Errorf("member %q is of cluster %q, this one of %q", n.Name, cluster, d.cfg.Cluster)
		d.ignore(otherCluster, n.Name, err.Error())
		return err
	}
	return nil
}

// clusterOf reads the name of the cluster in meta data of any version: it follows
// the first byte.
func clusterOf(meta []byte) (string, error) {
	if len(meta) > memberlist.MetaMaxSize {
		return "", fmt.Errorf("meta data: got %d bytes, want at most %d", len(meta), memberlist.MetaMaxSize)
	}
	if len(meta) == 0 {
		return "", errors.New("meta data: got none")
	}
	length, size := binary.Uvarint(meta[1:])
	rest := meta[1+max(size, 0):]
	if size <= 0 || length > uint64(len(rest)) || length > ledger.MaxClusterLength {
		return "", errors.New("meta data: no name of a cluster")
	}
	return string(rest[:length]), nil
}

// NotifyMerge looks at the members that the other side of a join knows, on both
// sides: an error cancels it.
func (d delegate) NotifyMerge(nodes []*memberlist.Node) error {
	others := false
	var elsewhere netip.AddrPort
	for _, n := range nodes {
		at := addrPort(n.Addr, n.Port)
		if n.Name == d.cfg.Name {
			// One that is dead over there may still hold the name for a moment.
			if n.State != memberlist.StateLeft && at != d.transport.self() {
				elsewhere = at
			}
			continue
		}
		if n.State == memberlist.StateDead || n.State == memberlist.StateLeft {
			continue
		}
		if err := d.checkMember(n); err != nil {
			return err
		}
		others = true
	}
	d.inbox.post(func() {
		d.loop.contact.others = d.loop.contact.others || others
		if elsewhere.IsValid() {
			d.loop.nameElsewhere(elsewhere)
		}
	})
	return nil
}

// NotifyConflict is told of a member that has the name of another one.
func (d delegate) NotifyConflict(existing, other *memberlist.Node) {
	d.counters.conflicts.Add(1)
	at := addrPort(other.Addr, other.Port)
	if existing.Name == d.cfg.Name {
		d.inbox.post(func() { d.loop.nameElsewhere(at) })
		return
	}
	known := addrPort(existing.Addr, existing.Port)
	if d.warned.first("conflict " + existing.Name + " " + at.String()) {
		d.inbox.post(func() {
			d.log.Warn("two members have one name; the one known first stays", "name", existing.Name, "known", known, "other", at)
		})
	}
}

func (d delegate) NotifyJoin(n *memberlist.Node)   { d.sight(n) }
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.sight(n) }

func (d delegate) sight(n *memberlist.Node) {
	if n.Name != d.cfg.Name {
		d.channels.meet(n)
	}
	d.inbox.see(n.Name, sighting{alive: true, addr: addrPort(n.Addr, n.Port), meta: append([]byte(nil), n.Meta...)})
}

func (d delegate) NotifyLeave(n *memberlist.Node) {
	d.channels.part(n)
	d.inbox.see(n.Name, sighting{addr: addrPort(n.Addr, n.Port)})
}

var _ membership.Source = (*Gossip)(nil)
