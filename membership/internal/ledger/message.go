package ledger

import (
	"fmt"
	"unicode/utf8"

	"github.com/ringway/ringway/membership"
)

// kinds in the order of their numbers on the wire, from 1 on.
var kinds = []membership.Kind{membership.Redis, membership.Memcached, membership.Router}

func kindNumber(k membership.Kind) byte {
	for i, known := range kinds {
		if k == known {
			return byte(i + 1)
		}
	}
	return 0
}

func (r *reader) kind() membership.Kind {
	b := r.byte()
	if b == 0 || int(b) > len(kinds) {
		r.fail(fmt.Errorf("gossip message: kind: got %d, want 1 to %d", b, len(kinds)))
		return ""
	}
	return kinds[b-1]
}

// state reads a state; none is allowed for a step.
func (r *reader) state(none bool) membership.State {
	b := r.byte()
	if b == 0 && none {
		return ""
	}
	if b == 0 || int(b) > len(states) {
		r.fail(fmt.Errorf("gossip message: state: got %d, want 1 to %d", b, len(states)))
		return ""
	}
	return states[b-1]
}

// record appends all of a record but its ID.
func (w *writer) record(r Record) {
	w.byte(kindNumber(r.Kind))
	w.text(r.Address)
	w.text(r.Zone)
	w.weight(r.Weight)
	w.byte(stateNumber(r.State))
	w.byte(stateNumber(r.Step))
	w.weight(r.NextWeight)
	w.flag(r.Unhealthy)
	for _, n := range []uint64{r.Generation, r.Sequence, r.Stamp, r.Transition, r.Swept, r.Done, r.Purged} {
		w.number(n)
	}
	w.byte(r.Returns)
	w.signed(r.Since)
}

func (r *reader) record(id string) Record {
	rec := Record{ID: id, Kind: r.kind(), Address: r.text(), Zone: r.text(), Weight: r.weight(),
		State: r.state(false), Step: r.state(true), NextWeight: r.weight(), Unhealthy: r.flag()}
	for _, n := range []*uint64{&rec.Generation, &rec.Sequence, &rec.Stamp, &rec.Transition, &rec.Swept, &rec.Done, &rec.Purged} {
		*n = r.number()
	}
	rec.Returns = r.byte()
	rec.Since = r.signed()
	return rec
}

// Meta is what a member of the gossip says of itself in memberlist's meta data,
// which has room for 512 bytes.
type Meta struct {
	Cluster string
	Kind    membership.Kind

	// Epoch and Fingerprint are those of the ring that the member uses.
	Epoch       uint64
	Fingerprint [8]byte

	// HTTP is where a node's agent answers, as http://host:port or https://host:port.
	// The host is left out where it is that of the gossip; empty: nowhere that
	// others could reach.
	HTTP string

	// Record is a node's record; its ID is the name of the gossip member. Of a
	// router it is empty.
	Record Record
}

// MaxHTTPLength is the longest HTTP, in bytes: what is left of the 512 where
// everything else is as long as it may be.
const MaxHTTPLength = 56

// MaxClusterLength is the longest name of a fleet.
const MaxClusterLength = 64

// Encode returns the meta data.
func (m Meta) Encode() []byte {
	var w writer
	w.byte(Version)
	w.text(m.Cluster)
	w.byte(kindNumber(m.Kind))
	w.number(m.Epoch)
	w.bytes(m.Fingerprint[:])
	w.text(m.HTTP)
	if m.Kind != membership.Router {
		w.record(m.Record)
	}
	return w
}

// DecodeMeta reads the meta data of the member of that name. It never panics,
// whatever the bytes.
func DecodeMeta(name string, b []byte) (Meta, error) {
	r := reader{left: b}
	r.version()
	m := Meta{Cluster: r.text(), Kind: r.kind(), Epoch: r.number()}
	copy(m.Fingerprint[:], r.take(uint64(len(m.Fingerprint))))
	m.HTTP = r.text()
	if r.err == nil && m.Kind != membership.Router {
		m.Record = r.record(name)
	}
	if err := r.end(); err != nil {
		return Meta{}, err
	}
	if len(m.Cluster) > MaxClusterLength {
		return Meta{}, fmt.Errorf("gossip meta: cluster: got %d bytes, want at most %d", len(m.Cluster), MaxClusterLength)
	}
	if len(m.HTTP) > MaxHTTPLength || !utf8.ValidString(m.HTTP) {
		return Meta{}, fmt.Errorf("gossip meta: HTTP: got %d bytes, want at most %d of UTF-8", len(m.HTTP), MaxHTTPLength)
	}
	if m.Kind == membership.Router {
		return m, nil
	}
	if m.Record.Kind != m.Kind {
		return Meta{}, fmt.Errorf("gossip meta: kind of the record: got %s, want %s", m.Record.Kind, m.Kind)
	}
	if err := m.Record.Validate(); err != nil {
		return Meta{}, err
	}
	return m, nil
}

// Message is what members tell each other beside their meta data: records,
// evictions and aborts, all of them or a few.
type Message struct {
	Cluster string

	// Epoch is the sender's, or 0: stamps stay above it although the record that
	// bore the largest one has been replaced or forgotten.
	Epoch uint64

	Records   []Record
	Evictions []Eviction
	Aborts    []Abort
}

// Encode returns the message.
func (m Message) Encode() []byte {
	var w writer
	w.byte(Version)
	w.text(m.Cluster)
	w.number(m.Epoch)
	w.number(uint64(len(m.Records)))
	for _, r := range m.Records {
		w.text(r.ID)
		w.record(r)
	}
	w.number(uint64(len(m.Evictions)))
	for _, e := range m.Evictions {
		w.text(e.ID)
		w.number(e.Generation)
		w.number(e.Stamp)
		w.signed(e.Since)
		w.text(e.By)
	}
	w.number(uint64(len(m.Aborts)))
	for _, a := range m.Aborts {
		w.byte(kindNumber(a.Kind))
		w.number(a.Transition)
		w.byte(byte(a.Stage))
		w.number(a.Stamp)
		w.signed(a.Since)
		w.text(a.By)
	}
	return w
}

// DecodeMessage reads a message. It never panics, whatever the bytes; on an
// error nothing of the message is to be used.
func DecodeMessage(b []byte) (Message, error) {
	r := reader{left: b}
	r.version()
	m := Message{Cluster: r.text(), Epoch: r.number()}
	for n := r.number(); n > 0 && r.err == nil; n-- {
		rec := r.record(r.text())
		if r.err != nil {
			break
		}
		if err := rec.Validate(); err != nil {
			return Message{}, err
		}
		m.Records = append(m.Records, rec)
	}
	for n := r.number(); n > 0 && r.err == nil; n-- {
		e := Eviction{ID: r.text(), Generation: r.number(), Stamp: r.number(), Since: r.signed(), By: r.text()}
		if r.err != nil {
			break
		}
		if err := e.Validate(); err != nil {
			return Message{}, err
		}
		m.Evictions = append(m.Evictions, e)
	}
	for n := r.number(); n > 0 && r.err == nil; n-- {
		a := Abort{Kind: r.kind(), Transition: r.number(), Stage: Stage(r.byte()), Stamp: r.number(), Since: r.signed(), By: r.text()}
		if r.err != nil {
			break
		}
		if err := a.Validate(); err != nil {
			return Message{}, err
		}
		m.Aborts = append(m.Aborts, a)
	}
	if err := r.end(); err != nil {
		return Message{}, err
	}
	if len(m.Cluster) > MaxClusterLength {
		return Message{}, fmt.Errorf("gossip message: cluster: got %d bytes, want at most %d", len(m.Cluster), MaxClusterLength)
	}
	if m.Epoch > MaxStamp {
		return Message{}, fmt.Errorf("gossip message: epoch: got %d, want at most 2^52 - 1", m.Epoch)
	}
	return m, nil
}

// Newest returns the largest stamp in a message.
func (m Message) Newest() uint64 {
	newest := m.Epoch
	for _, r := range m.Records {
		newest = max(newest, r.Stamp)
	}
	for _, e := range m.Evictions {
		newest = max(newest, e.Stamp)
	}
	for _, a := range m.Aborts {
		newest = max(newest, a.Stamp)
	}
	return newest
}

// Merge takes over what is new in a message, and returns it.
func (l *Ledger) Merge(m Message) (news Message) {
	for _, r := range m.Records {
		if l.MergeRecord(r) {
			news.Records = append(news.Records, r)
		}
	}
	for _, e := range m.Evictions {
		if l.MergeEviction(e) {
			news.Evictions = append(news.Evictions, e)
		}
	}
	for _, a := range m.Aborts {
		if l.MergeAbort(a) {
			news.Aborts = append(news.Aborts, a)
		}
	}
	l.clock = max(l.clock, m.Epoch)
	news.Cluster, news.Epoch = m.Cluster, m.Epoch
	return news
}

// Message returns the whole ledger.
func (l *Ledger) Message(cluster string) Message {
	return Message{Cluster: cluster, Epoch: l.clock, Records: l.Records(), Evictions: l.Evictions(), Aborts: l.Aborts()}
}
