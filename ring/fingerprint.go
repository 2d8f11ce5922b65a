package ring

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

// Fingerprint is a SHA-256 over everything that decides placement: algorithm,
// hash function, hash tags, seed, virtual nodes, and every node's ID, weight and
// zone. Rings with equal fingerprints give every key the same owner and the
// same replicas. Fingerprints are compared with ==.
type Fingerprint [sha256.Size]byte

// String returns the fingerprint as 64 hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Short returns the first 8 bytes as 16 hexadecimal digits, for people and for
// messages with little room.
func (f Fingerprint) Short() string { return hex.EncodeToString(f[:8]) }

// Fingerprint returns the fingerprint of the ring. It is computed once, when the
// ring is made. A secret seed cannot be read from it, but one that was not drawn
// at random can be guessed and then recognised.
func (r *Ring) Fingerprint() Fingerprint { return r.fingerprint }

// FingerprintOf returns the fingerprint that New(nodes, cfg) would have, without
// building the ring. It fails as New does.
func FingerprintOf(nodes []Node, cfg Config) (Fingerprint, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return Fingerprint{}, err
	}
	if err := ValidateNodes(nodes); err != nil {
		return Fingerprint{}, err
	}
	sorted := SortedByID(nodes)
	if err := checkTokenCounts(sorted, cfg.VirtualNodes); err != nil {
		return Fingerprint{}, err
	}
	return fingerprint(cfg, sorted), nil
}

// fingerprint encodes without ambiguity (fixed widths, length prefixes, nodes in
// the order of their IDs) and hashes that. The encoding is frozen: fleets
// compare fingerprints across versions.
func fingerprint(cfg Config, nodes []Node) Fingerprint {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("ringway seed 1\x00"), cfg.Hasher.Seed))
	b := append([]byte("ringway ring 1\x00"), byte(cfg.Hasher.Function), oneIf(cfg.Hasher.HashTags))
	b = append(b, seed[:8]...)
	b = binary.BigEndian.AppendUint32(b, uint32(cfg.VirtualNodes))
	b = binary.BigEndian.AppendUint32(b, uint32(len(nodes)))
	for _, n := range nodes {
		b = append(append(b, byte(len(n.ID))), n.ID...)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(n.Weight))
		b = append(append(b, byte(len(n.Zone))), n.Zone...)
	}
	return sha256.Sum256(b)
}

func oneIf(set bool) byte {
	if set {
		return 1
	}
	return 0
}
