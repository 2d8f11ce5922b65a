package agentapi

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/ringway/ringway/membership"
	"github.com/ringway/ringway/ring"
)

// Where the agent answers, and what.
const (
	RingPath    = "/v1/ring"
	MembersPath = "/v1/members"

	RingSchema    = "ringway.ring/1"
	MembersSchema = "ringway.members/1"

	// AfterParameter is the parameter of RingPath that makes a question wait.
	AfterParameter = "after"

	// MaxWait is how long the agent waits for news before it answers all the same.
	MaxWait = 30 * time.Second
)

// Ring is what GET /v1/ring answers.
type Ring struct {
	Schema string `json:"schema"` // RingSchema
	Epoch  uint64 `json:"epoch"`

	// Cluster is the name of the fleet; empty if the agent does not say it. It is
	// for RingOf's caller to fill in: a view has none.
	Cluster string `json:"cluster"`

	// Fingerprint is that of the whole view, as 64 hexadecimal digits: of the
	// placement and of each kind's two rings and transition. Views that send
	// every key to the same nodes have the same one.
	Fingerprint string `json:"fingerprint"`

	// Fingerprints are those of the current ring of each kind, as a client
	// computes it too: see membership.View.
	Fingerprints map[membership.Kind]string `json:"fingerprints"`

	Placement   Placement                      `json:"placement"`
	Transitions map[membership.Kind]Transition `json:"transitions"` // those under way
	Members     []Member                       `json:"members"`     // in the order of their IDs

	// Disagree names the members whose rings have differed for longer than
	// convergence takes.
	Disagree []string `json:"disagree"`
}

// Placement is the configuration of the fleet's rings.
type Placement struct {
	Algorithm    string `json:"algorithm"`     // "ring"
	VirtualNodes int    `json:"virtual_nodes"` // of a node of weight 1
	Hash         string `json:"hash"`          // "xxhash64" or "murmur3"
	HashTags     bool   `json:"hash_tags"`

	// SeedFingerprint is the start of a hash of the secret seed, as 16
	// hexadecimal digits; empty without one.
	SeedFingerprint string `json:"seed_fingerprint"`
}

// Transition is one that is under way.
type Transition struct {
	Number uint64 `json:"number"`
	Phase  string `json:"phase"` // "announced" or "importing"
}

// Member is a membership.Member: see there. The two have the same fields in the
// same order, so that they convert into each other, and so that one that is new
// there cannot be forgotten here.
type Member struct {
	ID         string            `json:"id"`
	Kind       membership.Kind   `json:"kind"`
	Address    string            `json:"address"`
	State      membership.State  `json:"state"`
	Health     membership.Health `json:"health"` // empty: as far as is known it is well
	Weight     float64           `json:"weight"`
	Zone       string            `json:"zone"`
	NextWeight float64           `json:"next_weight"`
	Step       membership.State  `json:"step"`
	Transition uint64            `json:"transition"`
	Generation uint64            `json:"generation"`
}

// nodeKinds are the kinds that have rings, in the order of the fingerprint's
// encoding.
var nodeKinds = []membership.Kind{membership.Memcached, membership.Redis}

// PlacementOf describes a ring's configuration, the seed left out. It fails as
// ring.New does.
func PlacementOf(cfg ring.Config) (Placement, error) {
	if _, err := ring.FingerprintOf(ring.Nodes("any"), cfg); err != nil {
		return Placement{}, fmt.Errorf("agentapi: placement: %w", err)
	}
	p := Placement{Algorithm: "ring", VirtualNodes: cfg.VirtualNodes, Hash: cfg.Hasher.Function.String(), HashTags: cfg.Hasher.HashTags}
	if p.VirtualNodes == 0 {
		p.VirtualNodes = ring.DefaultVirtualNodes
	}
	if seed := cfg.Hasher.Seed; seed != 0 {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("ringway seed 1\x00"), seed))
		p.SeedFingerprint = hex.EncodeToString(sum[:8])
	}
	return p, nil
}

// RingOf returns what an agent answers for its view of the fleet. It fails for a
// view that View would refuse on the other side, so that a fault is found where
// it is made; a view of a membership.Source passes. It keeps nothing of v.
func RingOf(v membership.View, p Placement) (Ring, error) {
	r := Ring{
		Schema: RingSchema, Epoch: v.Epoch, Fingerprint: fingerprint(v, p), Placement: p,
		Fingerprints: make(map[membership.Kind]string),
		Transitions:  make(map[membership.Kind]Transition),
		Members:      make([]Member, len(v.Members)),
		Disagree:     append([]string{}, v.Disagree...),
	}
	for kind, f := range v.Fingerprints {
		r.Fingerprints[kind] = f.String()
	}
	for _, kind := range nodeKinds {
		if number, phase := v.Transition(kind); phase != membership.Stable {
			r.Transitions[kind] = Transition{Number: number, Phase: phase.String()}
		}
	}
	for i, m := range v.Members {
		r.Members[i] = Member(m)
	}
	if _, err := r.View(); err != nil {
		return Ring{}, err
	}
	return r, nil
}
