package agentapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// fingerprint hashes what decides where keys go: the placement, and of each kind
// of node the ring's own fingerprint, both rings and the transition between
// them. It leaves out what does not: the epoch, addresses, health, routers, and
// members that own nothing. Two agents of one epoch and different fingerprints
// disagree.
//
// The encoding is frozen for RingSchema: numbers of fixed width, texts and lists
// behind their lengths, nodes in the order of their IDs.
func fingerprint(v membership.View, p Placement) string {
	e := encoder("ringway view 1\x00")
	e.text(p.Algorithm)
	e.number(uint64(p.VirtualNodes))
	e.text(p.Hash)
	e.flag(p.HashTags)
	e.text(p.SeedFingerprint)
	for _, kind := range nodeKinds {
		e.text(string(kind))
		own, known := v.Fingerprints[kind]
		e.flag(known)
		e.text(string(own[:]))
		number, phase := v.Transition(kind)
		e.number(number)
		e.number(uint64(phase))
		e.nodes(v.Current(kind))
		e.nodes(v.Next(kind))
	}
	sum := sha256.Sum256(e)
	return hex.EncodeToString(sum[:])
}

type encoder []byte

func (e *encoder) number(n uint64) { *e = binary.BigEndian.AppendUint64(*e, n) }
func (e *encoder) text(s string)   { e.number(uint64(len(s))); *e = append(*e, s...) }

func (e *encoder) flag(set bool) {
	if set {
		e.number(1)
	} else {
		e.number(0)
	}
}

func (e *encoder) nodes(nodes []ring.Node) {
	e.number(uint64(len(nodes)))
	for _, n := range ring.SortedByID(nodes) {
		e.text(n.ID)
		e.number(math.Float64bits(n.Weight))
		e.text(n.Zone)
	}
}
